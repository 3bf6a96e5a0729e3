//! Copies a history from one store to another: from a file to the database that replicas share, and back.
//!
//! The copy is a merge, so it may be repeated, interrupted and continued, and replicas may record into the target
//! meanwhile. All of it goes in pages, each of which is a transaction that has the lock of its series:
//!
//! 1. Series are matched by source, field and unit (`series`). A field that the target records keeps its present unit.
//! 2. Observations are inserted at times that have none.
//! 3. Quarters, then days, are inserted at times that have none. One that both have, such as that of the switch, is
//!    computed anew from the rows of the target if these are complete. If single observations have been deleted,
//!    the rollup of more observations is kept (`rollups`).
//! 4. Events get numbers below those that the database has given, in their order (`events`).
//!
//! The days of both must be those of one time zone.

mod error;
mod events;
mod place;
mod rollups;
mod series;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use self::place::Target;
use self::series::CopiedSeries;
use super::bucket::{Bucket, Tier};
use super::calendar::Calendar;
use super::executor::{self, Queries, params};
use super::meta;
use super::observation::Observation;
use super::rebuild::observation;
use super::rollup_row;
use crate::time_zone;

pub use error::CopyError;
pub(crate) use place::CopyPlace;

/// Rows of a page, which is a transaction.
const PAGE_ROWS: usize = 4_000;

/// Rows of a table that were copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Table.
    pub table: &'static str,
    /// Number of rows that were read.
    pub read: u64,
    /// Number of those that the target did not have.
    pub new: u64,
}

/// State of a copy.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Source and field of the present series; empty for events.
    pub series: (&'a str, &'a str),
    /// Number of that series, from 1, and of all.
    pub number: (usize, usize),
    /// Rows of each table.
    pub copied: &'a [Copied],
}

const SERIES: usize = 0;
const RAW: usize = 1;
const QUARTERS: usize = 2;
const DAYS: usize = 3;
const EVENTS: usize = 4;

/// Copies all rows of a history to another store, whose days are those of `zone`. Reports its progress after each page.
///
/// # Errors
/// A store cannot be read or written, or the two cannot be merged. What was copied before stays; the next call
/// continues.
pub(crate) fn copy(
    from: &CopyPlace,
    to: &CopyPlace,
    zone: &TimeZone,
    progress: &mut dyn FnMut(&Progress<'_>),
) -> Result<Vec<Copied>, CopyError> {
    if from.is_same(to) {
        return Err(CopyError::Same);
    }
    let source = from.open_to_read()?;
    let name = time_zone::identity(zone);
    let days_of = meta::get(&*source, meta::TIME_ZONE).map_err(CopyError::Read)?;
    if let Some(found) = days_of.filter(|found| *found != name) {
        return Err(CopyError::Zone { place: "source", found, expected: name });
    }
    let mut target = Target::open(to, zone)?;
    let found = target.adopt_zone(&name).map_err(CopyError::Write)?;
    if let Some(found) = found {
        return Err(CopyError::Zone { place: "target", found, expected: name });
    }
    let copied = ["series", "raw", "quarter", "day", "event"];
    let copied = copied.map(|table| Copied { table, read: 0, new: 0 });
    let calendar = Calendar::new(zone.clone());
    let mut copy = Copy { source: &*source, target, calendar, copied, progress };
    copy.run()?;
    Ok(copy.copied.into())
}

/// A copy in progress.
struct Copy<'c> {
    source: &'c dyn Queries,
    target: Target,
    calendar: Calendar,
    copied: [Copied; 5],
    progress: &'c mut dyn FnMut(&Progress<'_>),
}

impl Copy<'_> {
    fn run(&mut self) -> Result<(), CopyError> {
        let fields = series::fields(self.source).map_err(CopyError::Read)?;
        let count = fields.iter().map(Vec::len).sum();
        let mut number = 0;
        for field in &fields {
            let target = &mut self.target;
            let (ids, new) = series::insert(target, field).map_err(CopyError::Write)?;
            self.copied[SERIES].new += new;
            for (series, (id, over_time)) in field.iter().zip(ids) {
                number += 1;
                self.copied[SERIES].read += 1;
                if over_time != series.over_time {
                    return Err(CopyError::Aggregation {
                        series: format!("{}.{}", series.source, series.field),
                        before: series.over_time.as_str(),
                        target: over_time.as_str(),
                    });
                }
                let at = At { series, target: id, number: (number, count) };
                self.observations(&at)?;
                self.rollups(&at, Tier::Quarter, QUARTERS)?;
                self.rollups(&at, Tier::Day, DAYS)?;
            }
        }
        let copied = &mut self.copied[EVENTS];
        events::copy(self.source, &mut self.target, copied)?;
        self.report(("", ""), (count, count));
        let latest = meta::number(self.source, meta::LATEST).map_err(CopyError::Read)?;
        self.target.adopt_latest(latest).map_err(CopyError::Write)
    }

    fn observations(&mut self, at: &At<'_>) -> Result<(), CopyError> {
        let sql = "SELECT at, value, qualifier FROM raw WHERE series = ?1 AND at > ?2 \
                   ORDER BY at LIMIT ?3";
        let mut after = i64::MIN;
        loop {
            let window = params![at.series.id, after, PAGE_ROWS as i64];
            let mut page: Vec<Observation> =
                executor::all(self.source, sql, window, observation).map_err(CopyError::Read)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.at;
            let is_last = page.len() < PAGE_ROWS;
            page.retain(|row| row.value.is_finite());
            let (id, over_time, calendar) = (at.target, at.series.over_time, &mut self.calendar);
            // An amount belongs to the quarter before its stamp.
            let mut times = page.iter().flat_map(|row| [row.at, row.at - 1]);
            let new = self.target.transaction(Some(id), &mut times, &mut |db| {
                rollups::add_observations(db, calendar, id, over_time, &page)
            });
            self.count(RAW, page.len(), new.map_err(CopyError::Write)?);
            self.report(at.name(), at.number);
            if is_last {
                return Ok(());
            }
        }
    }

    fn rollups(&mut self, at: &At<'_>, tier: Tier, table: usize) -> Result<(), CopyError> {
        let mut after = i64::MIN;
        loop {
            let (window, limit) = ((after, i64::MAX), PAGE_ROWS as i64);
            let page = rollup_row::page(self.source, tier, at.series.id, window, limit);
            let page = page.map_err(CopyError::Read)?;
            let Some(&(last, _)) = page.last() else { return Ok(()) };
            after = last;
            let is_last = page.len() < PAGE_ROWS;
            let page: Vec<Bucket> = page.into_iter().filter_map(|(_, row)| row).collect();
            let (id, over_time, calendar) = (at.target, at.series.over_time, &mut self.calendar);
            // Days have no partitions.
            let times = page.iter().map(|row| row.at).filter(|_| tier == Tier::Quarter);
            let new = self.target.transaction(Some(id), &mut { times }, &mut |db| {
                rollups::merge(db, calendar, tier, id, over_time, &page)
            });
            self.count(table, page.len(), new.map_err(CopyError::Write)?);
            self.report(at.name(), at.number);
            if is_last {
                return Ok(());
            }
        }
    }

    fn count(&mut self, table: usize, read: usize, new: u64) {
        self.copied[table].read += read as u64;
        self.copied[table].new += new;
    }

    fn report(&mut self, series: (&str, &str), number: (usize, usize)) {
        (self.progress)(&Progress { series, number, copied: &self.copied });
    }
}

/// The series that is copied.
struct At<'s> {
    series: &'s CopiedSeries,
    /// Its id in the target.
    target: i64,
    number: (usize, usize),
}

impl At<'_> {
    fn name(&self) -> (&str, &str) {
        (&self.series.source, &self.series.field)
    }
}
