//! Series as the writer knows them.
//!
//! A series is a field of a source in one unit. All series of a field have the same aggregation over
//! time, which is that of the sample recorded last. If it changes, the rollups are recomputed.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::calendar::Calendar;
use super::days::QuarterDay;
use super::error::StoreError;
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
    /// True if the field's latest sample was in this unit.
    is_current: bool,
}

/// Series by their keys. It mirrors the table, so it is cleared after a rollback.
#[derive(Debug, Default)]
pub(super) struct SeriesTable {
    known: HashMap<Key, Series>,
    /// Series of directions by source.
    directions: HashMap<Arc<str>, Vec<i64>>,
    /// Largest `recorded` of all series; `None` if that has not been read. Finding it takes a read of all.
    recorded: Option<i64>,
}

/// Returns the aggregation with this name in the table.
pub(super) fn over_time_of(name: &str, field: &str, unit: Option<Unit>) -> OverTime {
    name.parse().unwrap_or_else(|_| OverTime::of(field, unit))
}

impl SeriesTable {
    /// Forgets all series.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.directions.clear();
        self.recorded = None;
    }

    /// Returns the series of a sample, and creates it if it does not exist. Adopts the sample's unit,
    /// aggregation and period as those of the field.
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        calendar: &mut Calendar,
        sample: &Sample,
    ) -> Result<&mut Series, StoreError> {
        let unit = sample.unit.map_or("", |unit| unit.as_str());
        let key = (sample.source.clone(), sample.field.clone(), unit);
        let known = self.known.get(&key);
        let is_adopted = known.is_some_and(|known| {
            known.is_current
                && known.over_time == sample.over_time
                && (sample.period.is_none() || known.period.is_some())
        });
        if !is_adopted {
            let known = match known {
                Some(known) => *known,
                None => load(connection, sample, unit)?,
            };
            let adopted = self.adopt(connection, calendar, sample, known)?;
            self.known.insert(key.clone(), adopted);
        }
        let series = self.known.get_mut(&key).expect("it was inserted above");
        Ok(series)
    }

    /// Makes the properties of a sample those of its field.
    fn adopt(
        &mut self,
        connection: &Connection,
        calendar: &mut Calendar,
        sample: &Sample,
        series: Series,
    ) -> Result<Series, StoreError> {
        let Sample { source, field, over_time, period, .. } = sample;
        // Its days may be recomputed.
        let mut adopted = Series { over_time: *over_time, is_current: true, day: None, ..series };
        if !series.is_current {
            let largest = match self.recorded {
                Some(largest) => largest,
                None => {
                    let sql = "SELECT coalesce(max(recorded), 0) FROM series";
                    connection.query_row(sql, [], |row| row.get(0))?
                }
            };
            self.recorded = Some(largest + 1);
            let mut update =
                connection.prepare_cached("UPDATE series SET recorded = ? WHERE id = ?")?;
            update.execute([largest + 1, series.id])?;
        }
        if let (None, Some(period)) = (series.period, period) {
            let seconds = period.as_secs_f64();
            adopted.period = Some(seconds);
            let sql = "UPDATE series SET period = ? WHERE id = ?";
            connection.execute(sql, params![seconds, series.id])?;
            if *over_time == OverTime::Sum && series.over_time == OverTime::Sum {
                // Earlier versions did not store the period, which is the same for all of a field.
                let sql = "UPDATE raw SET qualifier = ? WHERE series = ? AND qualifier IS NULL";
                if connection.execute(sql, params![seconds, series.id])? > 0 {
                    let sum = OverTime::Sum;
                    rebuild::whole_series(connection, calendar, series.id, sum, sum)?;
                }
            }
        }
        let of_field = of_field(connection, source, field)?;
        if of_field.len() > 1 {
            // What is known of the field's series in other units is outdated.
            self.known.retain(|(other, name, _), _| (other, name) != (source, field));
        }
        self.directions.remove(source);
        for (id, before) in of_field {
            if before != *over_time {
                change_over_time(connection, calendar, source, id, before, *over_time)?;
            }
        }
        Ok(adopted)
    }

    /// Returns the series of directions of a source.
    pub(super) fn directions(
        &mut self,
        connection: &Connection,
        source: &Arc<str>,
    ) -> Result<&[i64], StoreError> {
        if !self.directions.contains_key(source) {
            let sql = "SELECT id FROM series WHERE source = ? AND over_time = ?";
            let mut select = connection.prepare_cached(sql)?;
            let name = OverTime::Circular.as_str();
            let ids = select.query_map(params![source, name], |row| row.get(0))?;
            self.directions.insert(source.clone(), ids.collect::<Result<_, _>>()?);
        }
        Ok(self.directions.get(source).map_or(&[], Vec::as_slice))
    }
}

/// Reads a series of the file; creates it if it does not exist.
fn load(connection: &Connection, sample: &Sample, unit: &str) -> Result<Series, StoreError> {
    let Sample { source, field, over_time, .. } = sample;
    let mut insert = connection.prepare_cached(
        "INSERT INTO series (source, field, unit, over_time) VALUES (?, ?, ?, ?) \
         ON CONFLICT DO NOTHING",
    )?;
    insert.execute(params![source, field, unit, over_time.as_str()])?;
    let mut select = connection.prepare_cached(
        "SELECT id, over_time, period, recorded > 0 AND recorded = \
         (SELECT max(recorded) FROM series WHERE source = ?1 AND field = ?2) \
         FROM series WHERE source = ?1 AND field = ?2 AND unit = ?3",
    )?;
    let mut series = select.query_row(params![source, field, unit], |row| {
        let name: String = row.get(1)?;
        Ok(Series {
            id: row.get(0)?,
            over_time: over_time_of(&name, field, sample.unit),
            period: row.get(2)?,
            latest: None,
            newest: i64::MIN,
            day: None,
            is_current: row.get(3)?,
        })
    })?;
    series.newest = newest(connection, series.id)?;
    Ok(series)
}

/// Returns the time of the latest observation of a series. Each tier may be kept for longer than the others. Days of
/// another calendar may overlap with others, so the latest two are compared.
fn newest(connection: &Connection, series: i64) -> Result<i64, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT max(at) FROM (\
         SELECT * FROM (SELECT at FROM raw WHERE series = ?1 ORDER BY at DESC LIMIT 1) UNION ALL \
         SELECT * FROM (SELECT last_at FROM quarter WHERE series = ?1 ORDER BY at DESC LIMIT 1) UNION ALL \
         SELECT * FROM (SELECT last_at FROM day WHERE series = ?1 ORDER BY at DESC LIMIT 2))",
    )?;
    let newest: Option<i64> = select.query_row([series], |row| row.get(0))?;
    Ok(newest.unwrap_or(i64::MIN))
}

/// Returns the ids and the aggregations of all series of a field.
fn of_field(
    connection: &Connection,
    source: &str,
    field: &str,
) -> Result<Vec<(i64, OverTime)>, StoreError> {
    let sql = "SELECT id, over_time, unit FROM series WHERE source = ? AND field = ?";
    let mut select = connection.prepare_cached(sql)?;
    let found = select.query_map([source, field], |row| {
        let (name, unit): (String, String) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, over_time_of(&name, field, Unit::from_recorded(&unit))))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Recomputes the rollups of a series for another aggregation, as far as its single observations allow.
pub(super) fn change_over_time(
    connection: &Connection,
    calendar: &mut Calendar,
    source: &str,
    series: i64,
    before: OverTime,
    after: OverTime,
) -> Result<(), StoreError> {
    let sql = "UPDATE series SET over_time = ? WHERE id = ?";
    connection.execute(sql, params![after.as_str(), series])?;
    let sql = "UPDATE raw SET qualifier = NULL WHERE series = ? AND qualifier IS NOT NULL";
    connection.execute(sql, [series])?;
    if after == OverTime::Circular {
        speeds::fill(connection, source, series)?;
    }
    rebuild::whole_series(connection, calendar, series, before, after)
}
