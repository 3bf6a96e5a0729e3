//! Inserts observations and keeps their rollups.
//!
//! The latest observation of a series is added to its quarter and its day by an upsert of one row each. A
//! late or corrected observation may change the total of the one after it too; then the quarters and days
//! of both are recomputed from the rows that they have.

use jiff::Timestamp;

use super::bucket::{Bucket, Tier, Total};
use super::calendar::{Calendar, QUARTER};
use super::days::{self, QuarterDay};
use super::error::StoreError;
use super::executor::{self, Executor, params};
use super::observation::{Observation, Totals, depends_on_previous, shift, total};
use super::rebuild::{self, observation, quarter_of};
use super::rollup_row;
use super::series::{Series, SeriesTable};
use super::speeds;
use crate::board::{Corrects, Sample};
use crate::units::OverTime;

/// Inserts a sample, or corrects the stored one with the same time. Returns false if it is already stored.
/// `samples` are those of the same observation.
pub(super) fn add(
    db: &dyn Executor,
    table: &mut SeriesTable,
    calendar: &mut Calendar,
    sample: &Sample,
    samples: &[Sample],
) -> Result<bool, StoreError> {
    let series = table.find(db, calendar, sample)?;
    let qualifier = match series.over_time {
        OverTime::Sum => sample.period.map(|period| period.as_secs_f64()).or(series.period),
        OverTime::Circular => speeds::of_direction(db, samples, sample)?,
        _ => None,
    };
    let (at, value) = (sample.at.as_second(), sample.value.get());
    let new = Observation { at, value, qualifier };
    let is_unknown = at > series.newest
        || sample.corrects == Corrects::Any
        || stored(db, series.id, at)?.is_none_or(|stored| sample.corrects.replaces(stored.value));
    let is_new = is_unknown && insert(db, calendar, series, new)?;
    if is_new
        && let Some(speed) = speeds::of_sample(sample)
        && !speeds::has_direction(samples, sample)
    {
        // The direction of the same observation may have been recorded before its speed.
        let directions = table.directions(db, &sample.source)?;
        for &direction in directions {
            weigh(db, calendar, direction, sample.at, speed)?;
        }
    }
    Ok(is_new)
}

/// Weighs a recorded direction by the speed of its observation.
fn weigh(
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: i64,
    at: Timestamp,
    speed: f64,
) -> Result<(), StoreError> {
    let Some(before) = stored(db, series, at.as_second())? else { return Ok(()) };
    let after = Observation { qualifier: Some(speed), ..before };
    if before == after {
        return Ok(());
    }
    update(db, series, &after)?;
    Change { series, over_time: OverTime::Circular, before: Some(before), after }
        .apply(db, calendar)
}

/// Returns the stored observation at a time.
fn stored(db: &dyn Executor, series: i64, at: i64) -> Result<Option<Observation>, StoreError> {
    let sql = "SELECT at, value, qualifier FROM raw WHERE series = ?1 AND at = ?2";
    executor::first(db, sql, params![series, at], observation)
}

/// Inserts an observation; returns false if there is one with the same time.
pub(super) fn insert_raw(
    db: &dyn Executor,
    series: i64,
    observation: &Observation,
) -> Result<bool, StoreError> {
    let Observation { at, value, qualifier } = *observation;
    let sql = "INSERT INTO raw (series, at, value, qualifier) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (series, at) DO NOTHING";
    Ok(db.execute(sql, params![series, at, value, qualifier])? > 0)
}

/// Replaces the number and the qualifier of a stored observation.
fn update(db: &dyn Executor, series: i64, after: &Observation) -> Result<(), StoreError> {
    let sql = "UPDATE raw SET value = ?1, qualifier = ?2 WHERE series = ?3 AND at = ?4";
    db.execute(sql, params![after.value, after.qualifier, series, after.at]).map(|_| ())
}

/// Inserts an observation, or corrects the one with the same time. Returns false if the same observation is
/// already stored.
fn insert(
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: &mut Series,
    new: Observation,
) -> Result<bool, StoreError> {
    let Series { id, over_time, .. } = *series;
    let is_ordered = depends_on_previous(over_time);
    if is_ordered && series.latest.is_none() {
        series.latest = Some(rebuild::previous(db, id, i64::MAX)?);
    }
    let quarter = quarter_of(new.at - shift(over_time));
    let is_newest = new.at > series.newest;
    let day = match (series.day, series.last_day) {
        (Some((known, day)), _) if known == quarter => day,
        (_, Some(last)) if is_newest => QuarterDay::of_newest(calendar, last, over_time, quarter),
        _ => QuarterDay::of(db, calendar, id, over_time, quarter)?,
    };
    series.day = Some((quarter, day)).filter(|_| series.last_day.is_none());
    if is_newest && let Some(last) = &mut series.last_day {
        *last = Some((day.at, new.at));
    }
    if !is_newest && let Some(last) = pruned(db, series, new.at, quarter, day)? {
        let Some(value) = last.filter(|&value| value != new.value) else { return Ok(false) };
        if is_ordered && series.latest.flatten().is_some_and(|(latest, _)| latest == new.at) {
            series.latest = Some(Some((new.at, new.value)));
        }
        let before = Some(Observation { value, ..new });
        Change { series: id, over_time, before, after: new }.apply(db, calendar)?;
        return Ok(true);
    }
    let Observation { at, value, .. } = new;
    let is_inserted = match is_newest {
        true => db.append(id, &new)?,
        false => insert_raw(db, id, &new)?,
    };
    series.newest = series.newest.max(at);
    let latest = series.latest.flatten();
    let change = |before| Change { series: id, over_time, before, after: new };
    if is_ordered && latest.is_none_or(|(latest, _)| at >= latest) {
        series.latest = Some(Some((at, value)));
    }
    if !is_inserted {
        let Some(before) = stored(db, id, at)?.filter(|before| *before != new) else {
            return Ok(false);
        };
        update(db, id, &new)?;
        change(Some(before)).apply(db, calendar)?;
    } else if is_ordered && latest.is_some_and(|(latest, _)| at <= latest) {
        change(None).apply(db, calendar)?;
    } else {
        let bucket = Totals::after(latest, over_time).next(&new);
        for (tier, at) in [(Tier::Quarter, quarter), (Tier::Day, day.at)] {
            db.add_rollup(tier, id, &Bucket { at, ..bucket })?;
        }
    }
    Ok(true)
}

/// Returns `Some` if the rollups may have an observation at this time whose row was pruned: it must not be
/// added again. None that is later than all others was. The number is that of the observation, where it is the latest of its rollup.
///
/// Rows are pruned oldest first. Therefore an observation is new if it is later than the latest one of its
/// quarter or its day, if one before it is left, or if these have all their finer rows. A quarter that was
/// pruned may be there again, with a later observation.
fn pruned(
    db: &dyn Executor,
    series: &Series,
    at: i64,
    quarter: i64,
    day: QuarterDay,
) -> Result<Option<Option<f64>>, StoreError> {
    let finer = |sql, from: i64, to: i64| {
        let row = executor::first(db, sql, params![series.id, from, to], |row| {
            Ok((row.i64(0)?, row.integer(1)?.unwrap_or(i64::MAX)))
        });
        Ok::<_, StoreError>(row?.unwrap_or((0, i64::MAX)))
    };
    let of_quarter = rollup_row::find(db, Tier::Quarter, series.id, quarter)?;
    let latest = |row: Option<Bucket>| row.filter(|row| row.last_at == at).map(|row| row.last);
    if let Some(stored) = of_quarter {
        if stored.last_at < at {
            return Ok(None);
        }
        let sql = "SELECT count(*), min(at) FROM raw WHERE series = ?1 AND at >= ?2 AND at < ?3";
        let begin = quarter + shift(series.over_time);
        let (count, first) = finer(sql, begin, begin + QUARTER)?;
        if first <= at {
            return Ok(None);
        }
        if count < count_of(Some(stored)) {
            return Ok(Some(latest(of_quarter)));
        }
    }
    let of_day = rollup_row::find(db, Tier::Day, series.id, day.at)?;
    if of_day.is_none_or(|day| day.last_at < at) {
        return Ok(None);
    }
    let sql = "SELECT CAST(coalesce(sum(count), 0) AS BIGINT), min(at) FROM quarter \
               WHERE series = ?1 AND at >= ?2 AND at < ?3";
    let (count, first) = finer(sql, day.from, day.to)?;
    // Rows may be kept for longer than those of the rollup.
    let is_new =
        count >= count_of(of_day) || first < quarter || self::stored(db, series.id, at)?.is_some();
    Ok((!is_new).then(|| latest(of_quarter).or(latest(of_day))))
}

/// A late or corrected observation, which `raw` already has.
struct Change {
    series: i64,
    over_time: OverTime,
    /// The observation before its correction; `None` if it is late.
    before: Option<Observation>,
    after: Observation,
}

/// Effect of a change on one rollup.
#[derive(Debug, Clone, Copy, Default)]
struct Effect {
    /// Number of new observations.
    inserted: i64,
    /// True if the observation belongs to the rollup; false if only the next one does.
    has_observation: bool,
    /// True if the observation after it belongs to the rollup.
    has_next: bool,
}

impl Change {
    /// Updates the rollups of the observation, and those of the next one, whose total may depend on it.
    fn apply(&self, db: &dyn Executor, calendar: &mut Calendar) -> Result<(), StoreError> {
        let next = match depends_on_previous(self.over_time) {
            true => self.next(db)?,
            false => None,
        };
        let quarter = |at: i64| quarter_of(at - shift(self.over_time));
        let own = quarter(self.after.at);
        let next_quarter = next.as_ref().map(|next| quarter(next.at));
        let quarters = [Some(own), next_quarter.filter(|&next| next != own)];
        let mut days: Vec<(QuarterDay, Effect)> = Vec::new();
        for start in quarters.into_iter().flatten() {
            let has_observation = start == own;
            let effect = Effect {
                inserted: i64::from(has_observation && self.before.is_none()),
                has_observation,
                has_next: next_quarter == Some(start),
            };
            let day = QuarterDay::of(db, calendar, self.series, self.over_time, start)?;
            let begin = start + shift(self.over_time);
            let raw = self.count(db, Tier::Raw, (begin, begin + QUARTER))?;
            let stored = rollup_row::find(db, Tier::Quarter, self.series, start)?;
            if raw - effect.inserted >= count_of(stored) {
                rebuild::quarter(db, self.series, self.over_time, start)?;
            } else {
                self.adjust(db, Tier::Quarter, start, effect, next)?;
            }
            match days.iter_mut().find(|(known, _)| known.at == day.at) {
                Some((known, all)) => {
                    known.to = known.to.max(day.to);
                    all.inserted += effect.inserted;
                    all.has_observation |= effect.has_observation;
                    all.has_next |= effect.has_next;
                }
                None => days.push((day, effect)),
            }
        }
        for (day, effect) in days {
            let quarters = self.count(db, Tier::Quarter, (day.from, day.to))?;
            let stored = rollup_row::find(db, Tier::Day, self.series, day.at)?;
            if quarters - effect.inserted == count_of(stored) {
                days::rebuild(db, self.series, day)?;
            } else {
                self.adjust(db, Tier::Day, day.at, effect, next)?;
            }
        }
        Ok(())
    }

    /// Returns the observation after the changed one.
    fn next(&self, db: &dyn Executor) -> Result<Option<Observation>, StoreError> {
        let sql = "SELECT at, value, qualifier FROM raw WHERE series = ?1 AND at > ?2 \
                   ORDER BY at LIMIT 1";
        executor::first(db, sql, params![self.series, self.after.at], observation)
    }

    /// Counts the observations of a span by the rows of a tier.
    fn count(
        &self,
        db: &dyn Executor,
        tier: Tier,
        (from, to): (i64, i64),
    ) -> Result<i64, StoreError> {
        let sql = match tier {
            Tier::Raw => "SELECT count(*) FROM raw WHERE series = ?1 AND at >= ?2 AND at < ?3",
            _ => {
                "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM quarter \
                 WHERE series = ?1 AND at >= ?2 AND at < ?3"
            }
        };
        Ok(executor::integer(db, sql, params![self.series, from, to])?.unwrap_or(0))
    }

    /// Changes a rollup whose finer rows have been deleted in part. Its least and its largest number may be
    /// those of an observation that was corrected.
    fn adjust(
        &self,
        db: &dyn Executor,
        tier: Tier,
        start: i64,
        effect: Effect,
        next: Option<Observation>,
    ) -> Result<(), StoreError> {
        let Change { series, over_time, before, after } = *self;
        let mut previous = match depends_on_previous(over_time) {
            true => rebuild::previous(db, series, after.at)?,
            false => None,
        };
        if previous.is_none() && over_time == OverTime::Increase {
            // It has been deleted, and the counter is taken to have risen since.
            let lower = before.map_or(after.value, |before| before.value.min(after.value));
            previous = Some((after.at, lower));
        }
        let mut stored = rollup_row::find(db, tier, series, start)?;
        if effect.has_observation {
            let new = total(over_time, previous, &after);
            match (&mut stored, &before) {
                (Some(stored), Some(before)) => {
                    let Bucket { min, max, sum, .. } = stored;
                    *min = min.min(after.value);
                    *max = max.max(after.value);
                    *sum += after.value - before.value;
                    if stored.last_at == after.at {
                        stored.last = after.value;
                    }
                    let old = total(over_time, previous, before);
                    stored.total = stored.total.replacing(old, new);
                }
                (stored, _) => {
                    let bucket = Bucket::with_total(start, after.value, new);
                    let single = Bucket { last_at: after.at, ..bucket };
                    match stored {
                        Some(stored) => stored.merge(&single),
                        None => *stored = Some(single),
                    }
                }
            }
        }
        if let (true, Some(next), Some(stored)) = (effect.has_next, next, &mut stored) {
            let earlier = before.map_or(previous, |before| Some((before.at, before.value)));
            let old = total(over_time, earlier, &next);
            let new = total(over_time, Some((after.at, after.value)), &next);
            stored.total = stored.total.replacing(old, new);
        }
        match stored {
            Some(stored) => rollup_row::put(db, tier, series, &stored),
            None => Ok(()),
        }
    }
}

/// Returns the number of observations of a row; 0 if there is none.
fn count_of(row: Option<Bucket>) -> i64 {
    row.map_or(0, |row| i64::try_from(row.count).unwrap_or(i64::MAX))
}

impl Total {
    /// Replaces the share of one observation.
    fn replacing(self, old: Total, new: Total) -> Total {
        match (self, old, new) {
            (Total::Amount(all), Total::Amount(old), Total::Amount(new)) => {
                Total::Amount(all - old + new)
            }
            (Total::Vector(all), Total::Vector(old), Total::Vector(new)) => {
                Total::Vector(all - old + new)
            }
            _ => Total::None,
        }
    }
}
