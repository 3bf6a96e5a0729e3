//! Rows of days, and the quarters of an hour that each has.
//!
//! A day has the quarters that begin in it. After a change of the time zone, days are recomputed from their
//! quarters. A day whose quarters have been deleted in part cannot be: it is *kept*, and stays a day of the
//! calendar before. The first days of a series are therefore kept ones, and the others those of the present
//! calendar.
//!
//! The days of a series divide its quarters into consecutive spans, which puts each observation in one day:
//! sorted by their starts, they are sorted by their latest quarters, and each has the quarters after the latest
//! one of the day before, up to its own. A quarter after all of them belongs to the day of the calendar, or to a
//! kept day that begins within that day.

use rusqlite::{Connection, params};

use super::bucket::{Bucket, Tier};
use super::calendar::{Calendar, DAY, QUARTER};
use super::error::StoreError;
use super::observation::shift;
use super::rebuild::{from_observations, merge_into, quarter_of};
use super::rollup_row::{self, columns};
use crate::units::OverTime;

/// Length of the longest day: the clocks of Casey Station were set back by three hours.
pub(super) const LONGEST_DAY: i64 = DAY + 3 * 60 * 60;

/// The day of a quarter, which may have no row yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuarterDay {
    /// Start of the day.
    pub(super) at: i64,
    /// First second after the quarters of earlier days.
    pub(super) from: i64,
    /// End of its latest quarter.
    pub(super) to: i64,
}

impl QuarterDay {
    /// Returns the day that has a quarter, or to which it is to be added.
    pub(super) fn of(
        connection: &Connection,
        calendar: &mut Calendar,
        series: i64,
        over_time: OverTime,
        quarter: i64,
    ) -> Result<QuarterDay, StoreError> {
        let mut select = connection.prepare_cached(
            "SELECT at, last_at FROM day WHERE series = ? AND at > ? AND at <= ? ORDER BY at DESC",
        )?;
        let days = select.query_map([series, quarter - LONGEST_DAY, quarter], |row| {
            Ok((row.get(0)?, latest_quarter(row.get(1)?, over_time)))
        })?;
        let days: Vec<(i64, i64)> = days.collect::<Result<_, _>>()?;
        let (start, _) = calendar.day(quarter);
        let has_quarter = days.iter().rposition(|&(_, latest)| latest >= quarter);
        // A later day than that of the calendar goes on.
        let continued = days.first().filter(|&&(at, _)| at >= start).map(|_| 0);
        let (day, earlier) = match has_quarter.or(continued) {
            Some(index) => (days[index], &days[index + 1..]),
            None => ((start, quarter), &days[..]),
        };
        let end_of_earlier = earlier.iter().map(|&(_, latest)| latest + QUARTER).max();
        let (at, latest) = day;
        let from = end_of_earlier.map_or(at, |end| end.max(at));
        Ok(QuarterDay { at, from, to: latest.max(quarter) + QUARTER })
    }
}

/// Returns the quarter of an observation.
const fn latest_quarter(last_at: i64, over_time: OverTime) -> i64 {
    quarter_of(last_at - shift(over_time))
}

/// Days whose quarters are in one span. It is a single day, unless other software has written days that
/// overlap.
struct Span {
    /// Starts of the first and of the last day.
    first: i64,
    last: i64,
    /// Time of the latest observation.
    last_at: i64,
    latest_quarter: i64,
    /// Number of observations of the days, and of the quarters that are left.
    count: i64,
    found: i64,
}

impl Span {
    fn has(&self, quarter: i64) -> bool {
        (self.first..=self.latest_quarter).contains(&quarter)
    }
}

/// Reads the days that may have quarters, in order.
fn spans(
    connection: &Connection,
    series: i64,
    over_time: OverTime,
) -> Result<Vec<Span>, StoreError> {
    let first = "SELECT min(at) FROM quarter WHERE series = ?";
    let first: Option<i64> = connection.query_row(first, [series], |row| row.get(0))?;
    let Some(first) = first else { return Ok(Vec::new()) };
    let mut spans: Vec<Span> = Vec::new();
    let mut select = connection
        .prepare("SELECT at, last_at, count FROM day WHERE series = ? AND at > ? ORDER BY at")?;
    let days = select.query_map([series, first - LONGEST_DAY], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    for day in days {
        let (at, last_at, count): (i64, i64, i64) = day?;
        let latest_quarter = latest_quarter(last_at, over_time);
        match spans.last_mut().filter(|span| latest_quarter <= span.latest_quarter) {
            Some(span) => {
                span.last = at;
                span.last_at = span.last_at.max(last_at);
                span.count += count;
            }
            None => {
                spans.push(Span { first: at, last: at, last_at, latest_quarter, count, found: 0 })
            }
        }
    }
    let mut next = 0;
    let mut select =
        connection.prepare("SELECT at, count FROM quarter WHERE series = ? ORDER BY at")?;
    for quarter in select.query_map([series], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (quarter, count): (i64, i64) = quarter?;
        while spans.get(next).is_some_and(|span| span.latest_quarter < quarter) {
            next += 1;
        }
        if let Some(span) = spans.get_mut(next).filter(|span| span.has(quarter)) {
            span.found += count;
        }
    }
    Ok(spans)
}

/// Divides spans into those whose days have all their quarters, and the others, which are kept. A day that
/// reaches into a kept one is kept, too.
fn split_complete(spans: Vec<Span>) -> (Vec<Span>, Vec<Span>) {
    let mut first_kept = i64::MAX;
    let (mut complete, mut kept) = (Vec::new(), Vec::new());
    for span in spans.into_iter().rev() {
        if span.found >= span.count && span.latest_quarter < first_kept {
            complete.push(span);
        } else {
            first_kept = first_kept.min(span.first);
            kept.push(span);
        }
    }
    kept.reverse();
    (complete, kept)
}

/// Returns true if days of another calendar can be recomputed.
pub(super) fn has_foreign(
    connection: &Connection,
    calendar: &mut Calendar,
    series: i64,
    over_time: OverTime,
) -> Result<bool, StoreError> {
    let mut is_foreign = |at| calendar.day(at).0 != at;
    let mut select = connection.prepare_cached(
        "SELECT at FROM day WHERE series = ?1 AND at > \
         (SELECT min(at) FROM quarter WHERE series = ?1) - ?2 ORDER BY at",
    )?;
    let mut found = false;
    for at in select.query_map([series, LONGEST_DAY], |row| row.get(0))? {
        found |= is_foreign(at?);
    }
    if !found {
        return Ok(false);
    }
    let (complete, _) = split_complete(spans(connection, series, over_time)?);
    Ok(complete.iter().any(|span| is_foreign(span.first) || is_foreign(span.last)))
}

/// Recomputes the days of a series from its quarters. Days with more observations than the quarters that are
/// left keep their numbers and totals.
pub(super) fn recompute(
    connection: &Connection,
    calendar: &mut Calendar,
    series: i64,
    over_time: OverTime,
) -> Result<(), StoreError> {
    let kept = delete_complete(connection, series, over_time)?;
    add(connection, calendar, series, over_time, kept)
}

/// Days that are kept when the others are recomputed.
pub(super) struct KeptDays {
    spans: Vec<Span>,
    /// Aggregation by which they were computed.
    over_time: OverTime,
}

/// Deletes the days all of whose quarters are left.
pub(super) fn delete_complete(
    connection: &Connection,
    series: i64,
    over_time: OverTime,
) -> Result<KeptDays, StoreError> {
    let (complete, kept) = split_complete(spans(connection, series, over_time)?);
    let mut delete =
        connection.prepare_cached("DELETE FROM day WHERE series = ? AND at BETWEEN ? AND ?")?;
    for Span { first, last, .. } in complete {
        delete.execute([series, first, last])?;
    }
    Ok(KeptDays { spans: kept, over_time })
}

/// Adds the quarters to their days, except those that the kept days have. `over_time` may be another one than
/// when the days were kept.
pub(super) fn add(
    connection: &Connection,
    calendar: &mut Calendar,
    series: i64,
    over_time: OverTime,
    kept: KeptDays,
) -> Result<(), StoreError> {
    let is_shifted = shift(kept.over_time) != shift(over_time);
    let mut kept = kept.spans;
    for span in &mut kept {
        span.latest_quarter = latest_quarter(span.last_at, over_time);
    }
    let mut kept = kept.as_slice();
    let mut select = connection.prepare(concat!(
        "SELECT ",
        columns!(),
        " FROM quarter WHERE series = ? ORDER BY at"
    ))?;
    let mut latest: Option<i64> = None;
    let mut open: Option<Bucket> = None;
    for row in select.query_map([series], rollup_row::read)? {
        let Some(mut row) = row? else { continue };
        let quarter = row.at;
        while let [passed, others @ ..] = kept
            && passed.latest_quarter < quarter
        {
            (latest, kept) = (latest.max(Some(passed.last)), others);
        }
        if let Some(span) = kept.first().filter(|span| span.has(quarter)) {
            if !is_shifted || kept.len() > 1 || row.last_at <= span.last_at {
                continue;
            }
            // The observations of its border belonged to other quarters by the aggregation before.
            let times = (span.last_at + 1, quarter + shift(over_time) + QUARTER);
            let Some(rest) = from_observations(connection, series, over_time, times)? else {
                continue;
            };
            row = rest;
            row.at = span.last;
        } else {
            let (start, _) = calendar.day(quarter);
            row.at = latest.map_or(start, |latest| latest.max(start));
            latest = Some(row.at);
        }
        if let Some(complete) = open.take_if(|open| open.at != row.at) {
            complete.add_to(connection, Tier::Day, series)?;
        }
        merge_into(&mut open, row);
    }
    match open {
        Some(complete) => complete.add_to(connection, Tier::Day, series),
        None => Ok(()),
    }
}

/// Recomputes a day from the quarters of its span.
pub(super) fn rebuild(
    connection: &Connection,
    series: i64,
    day: QuarterDay,
) -> Result<(), StoreError> {
    let mut select = connection.prepare_cached(concat!(
        "SELECT ",
        columns!(),
        " FROM quarter WHERE series = ? AND at >= ? AND at < ? ORDER BY at"
    ))?;
    let mut whole: Option<Bucket> = None;
    for row in select.query_map(params![series, day.from, day.to], rollup_row::read)? {
        let Some(mut row) = row? else { continue };
        row.at = day.at;
        merge_into(&mut whole, row);
    }
    rollup_row::replace(connection, Tier::Day, series, day.at, whole)
}
