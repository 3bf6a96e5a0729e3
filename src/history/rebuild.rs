//! Recomputes quarters of an hour from single observations, and all rollups of a series.
//!
//! Retention deletes fine rows before coarse ones, so a rollup may have more observations than the fine rows
//! that are left. Such a row is *incomplete* here: it keeps its numbers, and only its total is estimated
//! where the other numbers allow it.

use std::collections::HashSet;

use super::bucket::{Bucket, Tier, Total};
use super::calendar::{Calendar, QUARTER};
use super::days;
use super::error::StoreError;
use super::executor::{self, Executor, Queries, Row, params};
use super::observation::{Observation, Totals, depends_on_previous, shift};
use super::rollup_row::{self, of_table};
use crate::units::{OverTime, is_reset};

/// Rows of a table that are read before some of them are written.
const PAGE_ROWS: i64 = 1_000;

/// Returns the start of the quarter that contains a time.
pub(super) const fn quarter_of(at: i64) -> i64 {
    at.div_euclid(QUARTER) * QUARTER
}

/// Returns time and number of the latest observation before `before`. Where single observations have been
/// deleted, the latest one of a quarter or of a day is known still.
pub(super) fn previous(
    db: &dyn Queries,
    series: i64,
    before: i64,
) -> Result<Option<(i64, f64)>, StoreError> {
    const RAW: &str = "SELECT at, value FROM raw WHERE series = ?1 AND at < ?2 \
                       ORDER BY at DESC LIMIT 1";
    const QUARTERS: &str = "SELECT last_at, last FROM quarter WHERE series = ?1 AND at < ?2 \
                            AND last_at < ?2 ORDER BY at DESC LIMIT 1";
    const DAYS: &str = "SELECT last_at, last FROM day WHERE series = ?1 AND at < ?2 \
                        AND last_at < ?2 ORDER BY at DESC LIMIT 1";
    let mut latest: Option<(i64, f64)> = None;
    for sql in [RAW, QUARTERS, DAYS] {
        let row = |row: &dyn Row| Ok((row.i64(0)?, row.f64(1)?));
        let found = executor::first(db, sql, params![series, before], row)?;
        // The finest row of a time has its latest correction.
        latest = match (latest, found) {
            (Some(finer), Some(found)) if found.0 <= finer.0 => Some(finer),
            (finer, found) => found.or(finer),
        };
    }
    Ok(latest)
}

/// Reads a row of `at, value, qualifier`.
pub(super) fn observation(row: &dyn Row) -> Result<Observation, StoreError> {
    Ok(Observation { at: row.i64(0)?, value: row.f64(1)?, qualifier: row.number(2)? })
}

/// Recomputes the quarter that starts at `quarter` from its single observations.
pub(super) fn quarter(
    db: &dyn Executor,
    series: i64,
    over_time: OverTime,
    start: i64,
) -> Result<(), StoreError> {
    let begin = start + shift(over_time);
    let whole = from_observations(db, series, over_time, (begin, begin + QUARTER))?;
    let whole = whole.map(|mut whole| {
        whole.at = start;
        whole
    });
    rollup_row::replace(db, Tier::Quarter, series, start, whole)
}

/// Returns the rollup of the single observations of a span.
pub(super) fn from_observations(
    db: &dyn Queries,
    series: i64,
    over_time: OverTime,
    (begin, end): (i64, i64),
) -> Result<Option<Bucket>, StoreError> {
    let before = match depends_on_previous(over_time) {
        true => previous(db, series, begin)?,
        false => None,
    };
    let mut totals = Totals::after(before, over_time);
    let sql = "SELECT at, value, qualifier FROM raw \
               WHERE series = ?1 AND at >= ?2 AND at < ?3 ORDER BY at";
    let mut whole: Option<Bucket> = None;
    db.query(sql, params![series, begin, end], &mut |row| {
        merge_into(&mut whole, totals.next(&observation(row)?));
        Ok(())
    })?;
    Ok(whole)
}

/// Adds a later part to a rollup.
pub(super) fn merge_into(whole: &mut Option<Bucket>, part: Bucket) {
    match whole {
        Some(whole) => whole.merge(&part),
        None => *whole = Some(part),
    }
}

/// Recomputes all rollups of a series for another aggregation. `before` is the one by which they are stored.
pub(super) fn whole_series(
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: i64,
    before: OverTime,
    after: OverTime,
) -> Result<(), StoreError> {
    // By the quarters as they are: the observation of midnight may belong to another day afterwards.
    let kept = days::delete_complete(db, series, before)?;
    if after != before {
        delete_totals(db, series)?;
    }
    quarters(db, series, before, after)?;
    estimate_totals(db, Tier::Quarter, series, after)?;
    days::add(db, calendar, series, after, kept)?;
    estimate_totals(db, Tier::Day, series, after)
}

/// Deletes the totals of a series, which are those of another aggregation.
fn delete_totals(db: &dyn Executor, series: i64) -> Result<(), StoreError> {
    for sql in [
        "UPDATE quarter SET amount = NULL, east = NULL, north = NULL, weight = NULL \
         WHERE series = ?1",
        "UPDATE day SET amount = NULL, east = NULL, north = NULL, weight = NULL WHERE series = ?1",
    ] {
        db.execute(sql, params![series])?;
    }
    Ok(())
}

/// Recomputes the complete quarters from single observations.
fn quarters(
    db: &dyn Executor,
    series: i64,
    before: OverTime,
    after: OverTime,
) -> Result<(), StoreError> {
    let first = "SELECT min(at) FROM raw WHERE series = ?1";
    let first = executor::integer(db, first, params![series])?;
    let complete = "DELETE FROM quarter WHERE series = ?1 AND at >= ?2 AND count <= \
                    (SELECT count(*) FROM raw WHERE raw.series = ?1 \
                     AND raw.at >= quarter.at + ?3 AND raw.at < quarter.at + ?3 + ?4)";
    let begin = first.map_or(i64::MAX, |first| quarter_of(first - shift(before)));
    db.execute(complete, params![series, begin, shift(before), QUARTER])?;
    let Some(first) = first else { return Ok(()) };
    let sql = "SELECT at FROM quarter WHERE series = ?1 AND at >= ?2";
    let mut incomplete = HashSet::new();
    db.query(sql, params![series, begin], &mut |row| {
        incomplete.insert(row.i64(0)?);
        Ok(())
    })?;
    let before_first = match depends_on_previous(after) {
        true => previous(db, series, first)?,
        false => None,
    };
    let mut totals = Totals::after(before_first, after);
    let mut open: Option<Bucket> = None;
    let mut after = i64::MIN;
    loop {
        // In pages, as rollups are written meanwhile.
        let sql = "SELECT at, value, qualifier FROM raw \
                   WHERE series = ?1 AND at > ?2 ORDER BY at LIMIT ?3";
        let page = executor::all(db, sql, params![series, after, PAGE_ROWS], observation)?;
        let Some(last) = page.last() else { break };
        after = last.at;
        for row in page {
            let bucket = totals.next(&row);
            if incomplete.contains(&quarter_of(row.at - shift(before))) {
                // The quarter has the observation already.
                continue;
            }
            let at = quarter_of(bucket.at);
            if let Some(complete) = open.take_if(|open| open.at != at) {
                db.add_rollup(Tier::Quarter, series, &complete)?;
            }
            merge_into(&mut open, Bucket { at, ..bucket });
        }
    }
    match open {
        Some(complete) => db.add_rollup(Tier::Quarter, series, &complete),
        None => Ok(()),
    }
}

/// Fills in the totals of incomplete rollups, as far as their other numbers determine them.
///
/// The amount of `sum` is the sum. The rise of a counter is the difference of its latest numbers; a reset
/// in between is noticed by the least number, and more than one are taken for one. A mean direction
/// cannot be computed.
fn estimate_totals(
    db: &dyn Executor,
    tier: Tier,
    series: i64,
    over_time: OverTime,
) -> Result<(), StoreError> {
    match over_time {
        OverTime::Sum => {
            let sql = of_table!(
                tier,
                "UPDATE ",
                " SET amount = sum WHERE series = ?1 AND amount IS NULL"
            );
            return db.execute(sql, params![series]).map(|_| ());
        }
        OverTime::Increase => {}
        _ => return Ok(()),
    }
    let mut before: Option<f64> = None;
    let mut estimated = Vec::new();
    rollup_row::for_each_from(db, tier, series, i64::MIN, |row| {
        if row.total == Total::None {
            estimated.push((row.at, rise(before, &row)));
        }
        before = Some(row.last);
        Ok(())
    })?;
    estimated.chunks(PAGE_ROWS as usize).try_for_each(|rows| db.set_amounts(tier, series, rows))
}

/// Estimates by how much a counter rose in a bucket, given its number before.
fn rise(before: Option<f64>, bucket: &Bucket) -> f64 {
    let Bucket { min, max, last, .. } = *bucket;
    match before {
        None => (last - min).max(0.0),
        Some(before) if !is_reset(before, min) => last - before,
        // Reset: what it rose to before, and to what it has risen since.
        Some(before) if max > last => (max - before).max(0.0) + last,
        Some(_) => last,
    }
}
