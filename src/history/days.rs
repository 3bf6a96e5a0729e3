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

use super::bucket::{Bucket, Tier};
use super::calendar::{Calendar, DAY, QUARTER};
use super::error::StoreError;
use super::executor::{self, Executor, params};
use super::observation::shift;
use super::rebuild::{from_observations, merge_into, quarter_of};
use super::rollup_row;
use crate::units::OverTime;

/// Length of the longest day: the clocks of Casey Station were set back by three hours.
pub(super) const LONGEST_DAY: i64 = DAY + 3 * 60 * 60;

/// More quarters than a day has, also if other software has written days that overlap.
const MAX_QUARTERS: i64 = 100_000;

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
        db: &dyn Executor,
        calendar: &mut Calendar,
        series: i64,
        over_time: OverTime,
        quarter: i64,
    ) -> Result<QuarterDay, StoreError> {
        let sql = "SELECT at, last_at FROM day WHERE series = ?1 AND at > ?2 AND at <= ?3 \
                   ORDER BY at DESC";
        let days =
            executor::all(db, sql, params![series, quarter - LONGEST_DAY, quarter], |row| {
                Ok((row.i64(0)?, row.i64(1)?))
            })?;
        Ok(QuarterDay::among(calendar, &days, over_time, quarter))
    }

    /// Returns the same, given the starts of the days that begin in the time of [`LONGEST_DAY`] before, each with its
    /// latest observation, the last one first.
    pub(super) fn among(
        calendar: &mut Calendar,
        days: &[(i64, i64)],
        over_time: OverTime,
        quarter: i64,
    ) -> QuarterDay {
        let days: Vec<(i64, i64)> =
            days.iter().map(|&(at, last_at)| (at, latest_quarter(last_at, over_time))).collect();
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
        QuarterDay { at, from, to: latest.max(quarter) + QUARTER }
    }

    /// Returns the day to which a quarter is added whose observation is later than all others of the series. `last` is
    /// the start of its last day, with the time of the latest observation of that.
    pub(super) fn of_newest(
        calendar: &mut Calendar,
        last: Option<(i64, i64)>,
        over_time: OverTime,
        quarter: i64,
    ) -> QuarterDay {
        let (start, _) = calendar.day(quarter);
        // The last day has the quarter already, or a later day than that of the calendar goes on.
        let goes_on = |&(at, last_at): &(i64, i64)| {
            at >= start || latest_quarter(last_at, over_time) >= quarter
        };
        let at = last.filter(goes_on).map_or(start, |(at, _)| at);
        QuarterDay { at, from: at, to: quarter + QUARTER }
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

/// Reads the days that may have quarters, in order. Single observations, of which quarters are computed, may be kept for
/// longer than quarters.
fn spans(db: &dyn Executor, series: i64, over_time: OverTime) -> Result<Vec<Span>, StoreError> {
    let first = "SELECT min(at) FROM (SELECT min(at) AS at FROM quarter WHERE series = ?1 UNION ALL \
                 SELECT min(at) AS at FROM raw WHERE series = ?1) AS both_tiers";
    let Some(first) = executor::integer(db, first, params![series])? else {
        return Ok(Vec::new());
    };
    let mut spans: Vec<Span> = Vec::new();
    let sql = "SELECT at, last_at, count FROM day WHERE series = ?1 AND at > ?2 ORDER BY at";
    db.query(sql, params![series, first - LONGEST_DAY], &mut |row| {
        let (at, last_at, count) = (row.i64(0)?, row.i64(1)?, row.i64(2)?);
        let latest_quarter = latest_quarter(last_at, over_time);
        match spans.last_mut().filter(|span| latest_quarter <= span.latest_quarter) {
            Some(span) => {
                span.last = at;
                span.last_at = span.last_at.max(last_at);
                span.count += count;
            }
            None => {
                spans.push(Span { first: at, last: at, last_at, latest_quarter, count, found: 0 });
            }
        }
        Ok(())
    })?;
    let mut next = 0;
    let sql = "SELECT at, count FROM quarter WHERE series = ?1 ORDER BY at";
    db.query(sql, params![series], &mut |row| {
        let (quarter, count) = (row.i64(0)?, row.i64(1)?);
        while spans.get(next).is_some_and(|span| span.latest_quarter < quarter) {
            next += 1;
        }
        if let Some(span) = spans.get_mut(next).filter(|span| span.has(quarter)) {
            span.found += count;
        }
        Ok(())
    })?;
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
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: i64,
    over_time: OverTime,
) -> Result<bool, StoreError> {
    let mut is_foreign = |at| calendar.day(at).0 != at;
    let sql = "SELECT at FROM day WHERE series = ?1 AND at > \
               (SELECT min(at) FROM quarter WHERE series = ?1) - ?2 ORDER BY at";
    let mut found = false;
    db.query(sql, params![series, LONGEST_DAY], &mut |row| {
        found |= is_foreign(row.i64(0)?);
        Ok(())
    })?;
    if !found {
        return Ok(false);
    }
    let (complete, _) = split_complete(spans(db, series, over_time)?);
    Ok(complete.iter().any(|span| is_foreign(span.first) || is_foreign(span.last)))
}

/// Recomputes the days of a series from its quarters. Days with more observations than the quarters that are
/// left keep their numbers and totals.
pub(super) fn recompute(
    db: &dyn Executor,
    calendar: &mut Calendar,
    series: i64,
    over_time: OverTime,
) -> Result<(), StoreError> {
    let kept = delete_complete(db, series, over_time)?;
    add(db, calendar, series, over_time, kept)
}

/// Days that are kept when the others are recomputed.
pub(super) struct KeptDays {
    spans: Vec<Span>,
    /// Aggregation by which they were computed.
    over_time: OverTime,
}

/// Deletes the days all of whose quarters are left.
pub(super) fn delete_complete(
    db: &dyn Executor,
    series: i64,
    over_time: OverTime,
) -> Result<KeptDays, StoreError> {
    let (complete, kept) = split_complete(spans(db, series, over_time)?);
    // The latest span is the first one. Those with no kept one between them are deleted at once.
    let mut deleted: Vec<(i64, i64)> = Vec::new();
    for Span { first, last, .. } in complete {
        let next_kept = kept.get(kept.partition_point(|kept| kept.first <= last));
        match deleted.last_mut() {
            Some((next, _)) if next_kept.is_none_or(|kept| kept.first > *next) => *next = first,
            _ => deleted.push((first, last)),
        }
    }
    for (first, last) in deleted {
        let sql = "DELETE FROM day WHERE series = ?1 AND at BETWEEN ?2 AND ?3";
        db.execute(sql, params![series, first, last])?;
    }
    Ok(KeptDays { spans: kept, over_time })
}

/// Adds the quarters to their days, except those that the kept days have. `over_time` may be another one than
/// when the days were kept.
pub(super) fn add(
    db: &dyn Executor,
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
    let mut latest: Option<i64> = None;
    let mut open: Option<Bucket> = None;
    rollup_row::for_each_from(db, Tier::Quarter, series, i64::MIN, |mut row| {
        let quarter = row.at;
        while let [passed, others @ ..] = kept
            && passed.latest_quarter < quarter
        {
            (latest, kept) = (latest.max(Some(passed.last)), others);
        }
        if let Some(span) = kept.first().filter(|span| span.has(quarter)) {
            if !is_shifted || kept.len() > 1 || row.last_at <= span.last_at {
                return Ok(());
            }
            // The observations of its border belonged to other quarters by the aggregation before.
            let times = (span.last_at + 1, quarter + shift(over_time) + QUARTER);
            let Some(rest) = from_observations(db, series, over_time, times)? else {
                return Ok(());
            };
            row = rest;
            row.at = span.last;
        } else {
            let (start, _) = calendar.day(quarter);
            row.at = latest.map_or(start, |latest| latest.max(start));
            latest = Some(row.at);
        }
        if let Some(complete) = open.take_if(|open| open.at != row.at) {
            db.add_rollup(Tier::Day, series, &complete)?;
        }
        merge_into(&mut open, row);
        Ok(())
    })?;
    match open {
        Some(complete) => db.add_rollup(Tier::Day, series, &complete),
        None => Ok(()),
    }
}

/// Recomputes a day from the quarters of its span.
pub(super) fn rebuild(db: &dyn Executor, series: i64, day: QuarterDay) -> Result<(), StoreError> {
    let span = (day.from.saturating_sub(1), day.to);
    let mut whole: Option<Bucket> = None;
    for (_, row) in rollup_row::page(db, Tier::Quarter, series, span, MAX_QUARTERS)? {
        let Some(mut row) = row else { continue };
        row.at = day.at;
        merge_into(&mut whole, row);
    }
    rollup_row::replace(db, Tier::Day, series, day.at, whole)
}
