//! Observations and rollups of a copy, and what becomes of those that both stores have.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::bucket::{Bucket, Tier};
use crate::history::calendar::{Calendar, QUARTER};
use crate::history::days::{self, QuarterDay};
use crate::history::error::StoreError;
use crate::history::executor::{self, Executor, params};
use crate::history::observation::{Observation, depends_on_previous, shift};
use crate::history::rebuild::{self, quarter_of};
use crate::history::rollup_row;
use crate::units::OverTime;

/// Rows of the target that are compared at once.
const PAGE_ROWS: i64 = 4_000;

/// Inserts observations in the order of time. Returns the number of new ones.
///
/// Quarters and days that are there already, and have all their finer rows, are computed anew. So is that of the next
/// observation, whose total may depend on the last one.
pub(super) fn add_observations(
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: i64,
    over_time: OverTime,
    rows: &[Observation],
) -> Result<u64, StoreError> {
    let new = db.insert_observations(series, rows)?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(new) };
    if new == 0 {
        return Ok(0);
    }
    let quarter = |at: i64| quarter_of(at - shift(over_time));
    let copied: BTreeSet<i64> = rows.iter().map(|row| quarter(row.at)).collect();
    let sql = "SELECT at FROM quarter WHERE series = ?1 AND at >= ?2 AND at <= ?3 ORDER BY at";
    let span = params![series, quarter(first.at), quarter(last.at)];
    let mut known: BTreeSet<i64> = BTreeSet::new();
    db.query(sql, span, &mut |row| {
        let at = row.i64(0)?;
        if copied.contains(&at) {
            known.insert(at);
        }
        Ok(())
    })?;
    if depends_on_previous(over_time) {
        let sql = "SELECT at FROM raw WHERE series = ?1 AND at > ?2 ORDER BY at LIMIT 1";
        let next = executor::first(db, sql, params![series, last.at], |row| row.i64(0))?;
        known.extend(next.map(quarter));
    }
    for start in known {
        let Some(stored) = rollup_row::find(db, Tier::Quarter, series, start)? else { continue };
        if observations(db, series, over_time, start)? < count(&stored) {
            continue;
        }
        rebuild::quarter(db, series, over_time, start)?;
        let day = QuarterDay::of(db, calendar, series, over_time, start)?;
        let Some(stored) = rollup_row::find(db, Tier::Day, series, day.at)? else { continue };
        if quarters(db, series, day)? >= count(&stored) {
            days::rebuild(db, series, day)?;
        }
    }
    Ok(new)
}

/// Inserts rollups, in the order of time, at times that have none, and merges the others. Returns the number of those that
/// are new or changed.
pub(super) fn merge(
    db: &dyn Executor,
    calendar: &mut Calendar,
    tier: Tier,
    series: i64,
    over_time: OverTime,
    rows: &[Bucket],
) -> Result<u64, StoreError> {
    let mut new = db.insert_rollups(tier, series, rows)?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(new) };
    if new == rows.len() as u64 {
        return Ok(new);
    }
    let by_time: BTreeMap<i64, &Bucket> = rows.iter().map(|row| (row.at, row)).collect();
    let mut differing = Vec::new();
    let mut after = first.at - 1;
    loop {
        let page = rollup_row::page(db, tier, series, (after, last.at + 1), PAGE_ROWS)?;
        let Some(&(latest, _)) = page.last() else { break };
        after = latest;
        for (at, stored) in page {
            let Some(copied) = by_time.get(&at) else { continue };
            if stored != Some(**copied) {
                differing.push((**copied, stored));
            }
        }
    }
    for (copied, stored) in differing {
        let is_changed = match tier {
            Tier::Day => merge_day(db, calendar, series, over_time, copied, stored)?,
            _ => merge_quarter(db, series, over_time, copied, stored)?,
        };
        new += u64::from(is_changed);
    }
    Ok(new)
}

/// Merges a quarter that both have. Returns true if it changes.
fn merge_quarter(
    db: &dyn Executor,
    series: i64,
    over_time: OverTime,
    copied: Bucket,
    stored: Option<Bucket>,
) -> Result<bool, StoreError> {
    let found = observations(db, series, over_time, copied.at)?;
    match decision(found, &copied, stored) {
        Decision::Keep => return Ok(false),
        Decision::Rebuild => rebuild::quarter(db, series, over_time, copied.at)?,
        Decision::Replace => rollup_row::put(db, Tier::Quarter, series, &copied)?,
    }
    Ok(rollup_row::find(db, Tier::Quarter, series, copied.at)? != stored)
}

/// Merges a day that both have. Returns true if it changes.
fn merge_day(
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: i64,
    over_time: OverTime,
    copied: Bucket,
    stored: Option<Bucket>,
) -> Result<bool, StoreError> {
    let last_at = stored.map_or(copied.last_at, |stored| stored.last_at.max(copied.last_at));
    let quarter = quarter_of(last_at - shift(over_time));
    let day = QuarterDay::of(db, calendar, series, over_time, quarter)?;
    // A day of another calendar may have the quarter.
    let found = if day.at == copied.at { quarters(db, series, day)? } else { 0 };
    match decision(found, &copied, stored) {
        Decision::Keep => return Ok(false),
        Decision::Rebuild => days::rebuild(db, series, day)?,
        Decision::Replace => rollup_row::put(db, Tier::Day, series, &copied)?,
    }
    Ok(rollup_row::find(db, Tier::Day, series, copied.at)? != stored)
}

/// Fate of the stored one of two rollups.
enum Decision {
    Keep,
    /// It is computed from the finer rows of the target.
    Rebuild,
    /// The copied one takes its place.
    Replace,
}

/// Decides by the number of observations that the finer rows of the target have.
fn decision(found: i64, copied: &Bucket, stored: Option<Bucket>) -> Decision {
    let (copied, stored) = (count(copied), stored.as_ref().map_or(0, count));
    if found >= copied.max(stored) {
        // Otherwise it was computed from all of them.
        if found > stored || copied >= stored { Decision::Rebuild } else { Decision::Keep }
    } else if copied > stored {
        Decision::Replace
    } else {
        Decision::Keep
    }
}

/// Returns the number of single observations of a quarter.
fn observations(
    db: &dyn Executor,
    series: i64,
    over_time: OverTime,
    start: i64,
) -> Result<i64, StoreError> {
    let begin = start + shift(over_time);
    let sql = "SELECT count(*) FROM raw WHERE series = ?1 AND at >= ?2 AND at < ?3";
    Ok(executor::integer(db, sql, params![series, begin, begin + QUARTER])?.unwrap_or(0))
}

/// Returns the number of observations of the quarters of a day.
fn quarters(db: &dyn Executor, series: i64, day: QuarterDay) -> Result<i64, StoreError> {
    let sql = "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM quarter \
               WHERE series = ?1 AND at >= ?2 AND at < ?3";
    Ok(executor::integer(db, sql, params![series, day.from, day.to])?.unwrap_or(0))
}

fn count(rollup: &Bucket) -> i64 {
    i64::try_from(rollup.count).unwrap_or(i64::MAX)
}
