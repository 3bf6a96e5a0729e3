//! Series as the writer knows them.
//!
//! A series is a field of a source in one unit. All series of a field have the same aggregation over
//! time, which is that of the sample recorded last. If it changes, the rollups are recomputed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::calendar::Calendar;
use super::days::QuarterDay;
use super::error::StoreError;
use super::executor::{self, Executor, params};
use super::rebuild;
use super::speeds;
use crate::board::Sample;
use crate::units::{OverTime, Unit};

/// Source, field and unit.
type Key = (Arc<str>, Arc<str>, &'static str);

/// A series that samples have been written to since the file was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    pub(super) id: i64,
    pub(super) over_time: OverTime,
    /// Latest period of its samples, in seconds.
    pub(super) period: Option<f64>,
    /// Time and number of the latest observation; `None` if that has not been read.
    pub(super) latest: Option<Option<(i64, f64)>>,
    /// Time that no recorded observation is later than, also of those that were pruned.
    pub(super) newest: i64,
    /// Quarter and day of the observation written last.
    pub(super) day: Option<(i64, QuarterDay)>,
    /// Start of its last day, with the time of the latest observation of that; `None` if it has not been read.
    pub(super) last_day: Option<Option<(i64, i64)>>,
    /// True if the field's latest sample was in this unit.
    pub(super) is_current: bool,
}

/// Series by their keys. It mirrors the table, so it is cleared after a rollback.
#[derive(Debug, Default)]
pub(super) struct SeriesTable {
    known: HashMap<Key, Series>,
    /// Series of directions by source.
    directions: HashMap<Arc<str>, Vec<i64>>,
    /// Largest `recorded` of all series; `None` if that has not been read. Finding it takes a read of all.
    recorded: Option<i64>,
    /// Series whose rollups are to be recomputed, by id; `None` if that is done at once.
    deferred: Option<BTreeMap<i64, Deferred>>,
}

/// Properties of a sample for which the rollups of a series are to be recomputed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Deferred {
    source: Arc<str>,
    over_time: OverTime,
    period: Option<f64>,
}

impl Deferred {
    /// Recomputes the rollups of a series, given its present properties.
    pub(super) fn apply(
        &self,
        db: &dyn Executor,
        calendar: &mut Calendar,
        series: i64,
        before: OverTime,
        period: Option<f64>,
    ) -> Result<(), StoreError> {
        if before != self.over_time {
            return change_over_time(db, calendar, &self.source, series, before, self.over_time);
        }
        match (self.period, period) {
            (Some(seconds), None) => {
                set_period(db, calendar, series, seconds, before == OverTime::Sum)
            }
            _ => Ok(()),
        }
    }
}

fn key_of(sample: &Sample) -> Key {
    (sample.source.clone(), sample.field.clone(), sample.unit.map_or("", |unit| unit.as_str()))
}

/// Returns the aggregation with this name in the table.
pub(super) fn over_time_of(name: &str, field: &str, unit: Option<Unit>) -> OverTime {
    name.parse().unwrap_or_else(|_| OverTime::of(field, unit))
}

impl SeriesTable {
    /// Returns a table that leaves it to the caller to recompute rollups. Until then, a field has the aggregation
    /// before.
    pub(super) fn deferring() -> SeriesTable {
        SeriesTable { deferred: Some(BTreeMap::new()), ..SeriesTable::default() }
    }

    /// Returns true if rollups are to be recomputed.
    pub(super) fn has_deferred(&self) -> bool {
        self.deferred.as_ref().is_some_and(|deferred| !deferred.is_empty())
    }

    /// Returns the first series whose rollups are to be recomputed after one; the first of all if there is none.
    pub(super) fn deferred_after(&self, series: i64) -> Option<(i64, Deferred)> {
        let deferred = self.deferred.as_ref()?;
        let next = deferred.range(series.saturating_add(1)..).next().or(deferred.iter().next());
        next.map(|(series, deferred)| (*series, deferred.clone()))
    }

    /// Notes that the rollups of a series have been recomputed.
    pub(super) fn remove_deferred(&mut self, series: i64) {
        if let Some(deferred) = &mut self.deferred {
            deferred.remove(&series);
        }
    }

    /// Returns true if the rollups of a series are to be recomputed for the properties of a sample.
    fn is_deferred(&self, series: i64, sample: &Sample) -> bool {
        self.deferred.as_ref().and_then(|deferred| deferred.get(&series)).is_some_and(|deferred| {
            deferred.over_time == sample.over_time
                && (sample.period.is_none() || deferred.period.is_some())
        })
    }

    /// Forgets all series.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.directions.clear();
        self.recorded = None;
    }

    /// Adds series that have been read beforehand. They are all those of the source.
    pub(super) fn add_known(
        &mut self,
        source: &Arc<str>,
        series: impl IntoIterator<Item = (Arc<str>, &'static str, Series)>,
    ) {
        let directions = self.directions.entry(source.clone()).or_default();
        for (field, unit, series) in series {
            if series.over_time == OverTime::Circular {
                directions.push(series.id);
            }
            self.known.insert((source.clone(), field, unit), series);
        }
    }

    /// Returns the series of a sample, if it is known and has the sample's properties.
    pub(super) fn adopted(&self, sample: &Sample) -> Option<&Series> {
        self.known.get(&key_of(sample)).filter(|known| {
            known.is_current
                && known.over_time == sample.over_time
                && (sample.period.is_none() || known.period.is_some())
        })
    }

    /// Returns true if the source may have series of directions.
    pub(super) fn has_directions(&self, source: &str) -> bool {
        self.directions.get(source).is_none_or(|directions| !directions.is_empty())
    }

    /// Returns the series of a sample, and creates it if it does not exist. Adopts the sample's unit,
    /// aggregation and period as those of the field.
    pub(super) fn find(
        &mut self,
        db: &dyn Executor,
        calendar: &mut Calendar,
        sample: &Sample,
    ) -> Result<&mut Series, StoreError> {
        let key = key_of(sample);
        let is_deferred = |known: &Series| known.is_current && self.is_deferred(known.id, sample);
        if self.adopted(sample).is_none() && !self.known.get(&key).is_some_and(is_deferred) {
            let known = match self.known.get(&key) {
                Some(known) => *known,
                None => load(db, sample, key.2)?,
            };
            let adopted = self.adopt(db, calendar, sample, known)?;
            self.known.insert(key.clone(), adopted);
        }
        let series = self.known.get_mut(&key).expect("it was inserted above");
        Ok(series)
    }

    /// Makes the properties of a sample those of its field.
    fn adopt(
        &mut self,
        db: &dyn Executor,
        calendar: &mut Calendar,
        sample: &Sample,
        series: Series,
    ) -> Result<Series, StoreError> {
        let Sample { source, field, over_time, period, .. } = sample;
        let mut adopted = Series { is_current: true, ..series };
        if self.deferred.is_none() {
            // Its days may be recomputed.
            adopted = Series { over_time: *over_time, day: None, last_day: None, ..adopted };
        }
        if !series.is_current {
            let largest = match self.recorded {
                Some(largest) => largest,
                None => {
                    let sql = "SELECT max(recorded) FROM series";
                    executor::integer(db, sql, &[])?.unwrap_or(0)
                }
            };
            self.recorded = Some(largest + 1);
            let sql = "UPDATE series SET recorded = ?1 WHERE id = ?2";
            db.execute(sql, params![largest + 1, series.id])?;
        }
        let seconds = period.map(|period| period.as_secs_f64());
        let defer = || Deferred { source: source.clone(), over_time: *over_time, period: seconds };
        if let (None, Some(seconds)) = (series.period, seconds) {
            adopted.period = Some(seconds);
            let is_sum = *over_time == OverTime::Sum && series.over_time == OverTime::Sum;
            match &mut self.deferred {
                Some(deferred) if is_sum && series.newest > i64::MIN => {
                    deferred.insert(series.id, defer());
                }
                _ => set_period(db, calendar, series.id, seconds, is_sum)?,
            }
        }
        let of_field = of_field(db, source, field)?;
        if of_field.len() > 1 {
            // What is known of the field's series in other units is outdated.
            self.known.retain(|(other, name, _), _| (other, name) != (source, field));
        }
        self.directions.remove(source);
        for (id, before) in of_field {
            match &mut self.deferred {
                Some(deferred) if before != *over_time => {
                    deferred.insert(id, defer());
                }
                // The sample has the stored aggregation again.
                Some(deferred) => {
                    deferred
                        .retain(|other, deferred| *other != id || deferred.over_time == *over_time);
                }
                None if before != *over_time => {
                    change_over_time(db, calendar, source, id, before, *over_time)?;
                }
                None => {}
            }
        }
        Ok(adopted)
    }

    /// Returns the series of directions of a source.
    pub(super) fn directions(
        &mut self,
        db: &dyn Executor,
        source: &Arc<str>,
    ) -> Result<&[i64], StoreError> {
        if !self.directions.contains_key(source) {
            let sql = "SELECT id FROM series WHERE source = ?1 AND over_time = ?2";
            let name = OverTime::Circular.as_str();
            let ids = executor::all(db, sql, params![&**source, name], |row| row.i64(0))?;
            self.directions.insert(source.clone(), ids);
        }
        Ok(self.directions.get(source).map_or(&[], Vec::as_slice))
    }
}

/// Reads a series of the file; creates it if it does not exist.
fn load(db: &dyn Executor, sample: &Sample, unit: &str) -> Result<Series, StoreError> {
    let Sample { source, field, over_time, .. } = sample;
    let sql = "INSERT INTO series (source, field, unit, over_time) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (source, field, unit) DO NOTHING";
    db.execute(sql, params![&**source, &**field, unit, over_time.as_str()])?;
    let sql = "SELECT id, over_time, period, CASE WHEN recorded > 0 AND recorded = \
               (SELECT max(recorded) FROM series WHERE source = ?1 AND field = ?2) \
               THEN 1 ELSE 0 END FROM series WHERE source = ?1 AND field = ?2 AND unit = ?3";
    let found = executor::first(db, sql, params![&**source, &**field, unit], |row| {
        Ok(Series {
            id: row.i64(0)?,
            over_time: over_time_of(&row.string(1)?, field, sample.unit),
            period: row.number(2)?,
            latest: None,
            newest: i64::MIN,
            day: None,
            last_day: None,
            is_current: row.i64(3)? != 0,
        })
    })?;
    let Some(mut series) = found else {
        return Err(StoreError::Damaged(format!("the series of {source}.{field} is missing")));
    };
    series.newest = newest(db, series.id)?;
    Ok(series)
}

/// Returns the time of the latest observation of a series. Each tier may be kept for longer than the others. Days of
/// another calendar may overlap with others, so the latest two are compared.
fn newest(db: &dyn Executor, series: i64) -> Result<i64, StoreError> {
    let sql = "SELECT max(at) FROM (SELECT at FROM \
               (SELECT at FROM raw WHERE series = ?1 ORDER BY at DESC LIMIT 1) AS latest UNION ALL \
               SELECT last_at FROM (SELECT last_at FROM quarter WHERE series = ?1 \
               ORDER BY at DESC LIMIT 1) AS latest UNION ALL \
               SELECT last_at FROM (SELECT last_at FROM day WHERE series = ?1 \
               ORDER BY at DESC LIMIT 2) AS latest) AS every_tier";
    Ok(executor::integer(db, sql, params![series])?.unwrap_or(i64::MIN))
}

/// Returns the ids and the aggregations of all series of a field.
fn of_field(
    db: &dyn Executor,
    source: &str,
    field: &str,
) -> Result<Vec<(i64, OverTime)>, StoreError> {
    let sql = "SELECT id, over_time, unit FROM series WHERE source = ?1 AND field = ?2";
    executor::all(db, sql, params![source, field], |row| {
        let (name, unit) = (row.string(1)?, row.string(2)?);
        Ok((row.i64(0)?, over_time_of(&name, field, Unit::from_recorded(&unit))))
    })
}

/// Stores the period of a series. Amounts that earlier versions recorded without one get it, as it is the same for all of a
/// field.
fn set_period(
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: i64,
    seconds: f64,
    is_sum: bool,
) -> Result<(), StoreError> {
    let sql = "UPDATE series SET period = ?1 WHERE id = ?2";
    db.execute(sql, params![seconds, series])?;
    if !is_sum {
        return Ok(());
    }
    let sql = "UPDATE raw SET qualifier = ?1 WHERE series = ?2 AND qualifier IS NULL";
    if db.execute(sql, params![seconds, series])? > 0 {
        rebuild::whole_series(db, calendar, series, OverTime::Sum, OverTime::Sum)?;
    }
    Ok(())
}

/// Recomputes the rollups of a series for another aggregation, as far as its single observations allow.
pub(super) fn change_over_time(
    db: &dyn Executor,
    calendar: &mut Calendar,
    source: &str,
    series: i64,
    before: OverTime,
    after: OverTime,
) -> Result<(), StoreError> {
    let sql = "UPDATE series SET over_time = ?1 WHERE id = ?2";
    db.execute(sql, params![after.as_str(), series])?;
    let sql = "UPDATE raw SET qualifier = NULL WHERE series = ?1 AND qualifier IS NOT NULL";
    db.execute(sql, params![series])?;
    if after == OverTime::Circular {
        speeds::fill(db, source, series)?;
    }
    rebuild::whole_series(db, calendar, series, before, after)
}
