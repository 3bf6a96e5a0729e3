//! From a question about a stretch of time to the points that answer it.
//!
//! A window is read in pages, each by a reader that is given back at once; so a client that
//! takes a year to download a year holds no reader, no transaction and no more than a page.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use super::bucket::{Bucket, Calendar, DAY, Merger, QUARTER};
use super::error::StoreError;
use super::reader::{ReadError, Reader, ReaderWait, Readers, RowBudget, Series, Tier};
use crate::units::Unit;

/// Points of an answer at most, unless a step is asked for.
pub const MAX_POINTS: i64 = 2_000;

/// Rows read at a time. As many are held for each download whose client does not read.
const PAGE: usize = 250;

/// Windows up to this long are answered with single observations.
const RAW_UP_TO: i64 = 36 * 60 * 60;

/// Windows up to this long are answered from quarters of an hour, longer ones from days. It
/// bounds the rows that any window costs at about those of one month of quarters.
const QUARTERS_UP_TO: i64 = 40 * DAY;

/// How fine the points are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// As fine as [`MAX_POINTS`] allow.
    Auto,
    /// Each observation as it was made.
    Raw,
    /// Spans of that many seconds, from midnight; above a day, whole days.
    Seconds(i64),
}

/// A stretch of time of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The source's name.
    pub source: String,
    /// The field's name.
    pub field: String,
    /// From that second on.
    pub from: i64,
    /// Up to and without that second.
    pub to: i64,
    /// How fine.
    pub step: Step,
}

/// How a window is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The rows that are read.
    pub tier: Tier,
    /// Seconds to which they are joined; `None`: as they are.
    pub step: Option<i64>,
}

/// From which second on the finer tiers have all that was told; of earlier times only coarser
/// rows are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Coverage {
    raw: i64,
    quarters: i64,
}

impl Coverage {
    /// Everything.
    const ALL: Coverage = Coverage { raw: i64::MIN, quarters: i64::MIN };

    /// What is held of all of these series.
    fn of(reader: &Reader<'_>, all: &[Series]) -> Result<Coverage, StoreError> {
        // A day of which clocks make the most.
        const LONGEST_DAY: i64 = DAY + 60 * 60;
        let mut held = Coverage::ALL;
        for series in all {
            let rows = |tier| reader.extent(series.id, tier);
            let (raw, quarters, days) = (rows(Tier::Raw)?, rows(Tier::Quarter)?, rows(Tier::Day)?);
            // Rows are deleted from the earliest on, so a tier lacks what a coarser one has
            // before its first; and all of it where it has no row left.
            let since = |fine: Option<(i64, i64)>, coarse: Option<(i64, i64)>, length| {
                let (first, last) = coarse?;
                match fine {
                    Some((fine, _)) => (fine >= first + length).then_some(fine),
                    None => Some(last + length),
                }
            };
            let lacks = [since(raw, quarters, QUARTER), since(raw, days, LONGEST_DAY)];
            held.raw = lacks.into_iter().flatten().fold(held.raw, i64::max);
            let lacks = since(quarters, days, LONGEST_DAY);
            held.quarters = lacks.into_iter().fold(held.quarters, i64::max);
        }
        Ok(held)
    }
}

/// Plans for a window, as far as that can be done without looking. Single observations are
/// counted first where there may be too many.
fn plan(window: &Window, held: Coverage) -> Plan {
    let length = (window.to - window.from).max(1);
    let coarse_enough =
        |steps: &[i64]| steps.iter().copied().find(|step| length.div_euclid(*step) <= MAX_POINTS);
    let whole = |part: i64, step: i64| (step - 1).div_euclid(part) * part + part;
    // A tier whose rows of that time have been deleted answers nothing.
    let (raw, quarters) = (window.from >= held.raw, window.from >= held.quarters);
    match window.step {
        Step::Raw => Plan { tier: Tier::Raw, step: None },
        Step::Seconds(step) if step % QUARTER != 0 && raw => {
            Plan { tier: Tier::Raw, step: Some(step) }
        }
        Step::Seconds(step) if step % DAY != 0 && quarters => {
            // As fine as asked for, or as is left.
            let step = whole(QUARTER, step);
            Plan { tier: Tier::Quarter, step: (step > QUARTER).then_some(step) }
        }
        Step::Seconds(step) => {
            let step = whole(DAY, step);
            Plan { tier: Tier::Day, step: (step > DAY).then_some(step) }
        }
        Step::Auto if length <= RAW_UP_TO && raw => {
            Plan { tier: Tier::Raw, step: coarse_enough(&[1, 10, 30, 60, 120, 300]) }
        }
        Step::Auto if length <= QUARTERS_UP_TO && quarters => {
            let step = coarse_enough(&[QUARTER, 2 * QUARTER, 4 * QUARTER]);
            Plan { tier: Tier::Quarter, step: step.filter(|&step| step > QUARTER) }
        }
        Step::Auto => {
            let days = length.div_euclid(DAY * MAX_POINTS) + 1;
            Plan { tier: Tier::Day, step: (days > 1).then_some(days * DAY) }
        }
    }
}

/// The points of a window, from the earliest on. Reads as it is asked.
#[derive(Debug)]
pub struct Points {
    readers: Arc<Readers>,
    window: Window,
    plan: Plan,
    unit: Option<Unit>,
    cursors: Vec<Cursor>,
    /// What was told in units that measure something else.
    others: Vec<Cursor>,
    merger: Option<Merger>,
    finished: bool,
    wait: ReaderWait,
    observations: i64,
}

/// How far one series of the field has been read.
#[derive(Debug)]
struct Cursor {
    series: Series,
    after: i64,
    page: VecDeque<Bucket>,
    exhausted: bool,
}

impl Points {
    /// Opens a window by a reader of those; `None` when there is no series of that field. Takes a
    /// few look-ups, and reads no row of the window.
    pub(super) fn open(
        readers: &Arc<Readers>,
        reader: &Reader<'_>,
        window: Window,
        calendar: Calendar,
    ) -> Result<Option<Points>, ReadError> {
        let series = reader.series(&window.source, &window.field)?;
        let Some(first) = series.first() else { return Ok(None) };
        let unit = first.unit;
        let mut plan = plan(&window, Coverage::of(reader, &series)?);
        if window.step == Step::Auto && plan.tier == Tier::Raw {
            let most = usize::try_from(MAX_POINTS).unwrap_or(usize::MAX);
            let mut count = 0;
            for one in &series {
                count += reader.count_raw(one.id, window.from, window.to, most + 1)?;
            }
            if count <= most {
                plan.step = None;
            }
        }
        let mut observations = 0;
        if plan.tier == Tier::Raw && plan.step.is_some() {
            for one in &series {
                observations += reader.observations(one.id, window.from, window.to)?;
            }
        }
        let mut calendar = calendar;
        let start = match (plan.tier, plan.step) {
            (Tier::Raw, None) => window.from,
            // A span that has begun before the window is told as a whole or not at all.
            (Tier::Raw | Tier::Quarter, step) => {
                let step = step.unwrap_or(QUARTER);
                let start = calendar.step(window.from, step);
                if start < window.from { start + step } else { start }
            }
            // But today must not be missing from "the last 30 days", nor the first of them.
            (Tier::Day, step) => calendar.step(window.from, step.unwrap_or(DAY)),
        };
        let cursor = |series: Series| Cursor {
            series,
            after: start - 1,
            page: VecDeque::new(),
            exhausted: false,
        };
        let others = series.into_iter().map(cursor).collect();
        let merger = plan.step.map(|step| Merger::new(calendar, step));
        let points = Points {
            readers: Arc::clone(readers),
            window,
            plan,
            unit,
            cursors: Vec::new(),
            others,
            merger,
            finished: false,
            wait: ReaderWait::default(),
            observations,
        };
        Ok(Some(points.in_unit(unit)))
    }

    /// The same points in another unit, before any of them has been read. Left out is what was
    /// told in units that cannot be told in it.
    pub fn in_unit(mut self, unit: Option<Unit>) -> Points {
        self.unit = unit;
        let all = self.cursors.into_iter().chain(self.others);
        (self.cursors, self.others) = all.partition(|cursor| {
            cursor.series.unit.zip(unit).is_none_or(|(from, to)| from.convert(0.0, to).is_some())
        });
        self
    }

    /// Points of the same window that these left out, because the field once measured something
    /// else; `None` when there is nothing like that.
    pub fn next_quantity(mut self) -> Option<Points> {
        let unit = self.others.first()?.series.unit;
        // Those that were read are not to be read again.
        self.cursors.clear();
        self.finished = false;
        Some(self.in_unit(unit))
    }

    /// Bytes of the rows that were read ahead.
    pub fn held_bytes(&self) -> usize {
        let rows = self.cursors.iter().chain(&self.others).map(|cursor| cursor.page.capacity());
        rows.sum::<usize>() * size_of::<Bucket>()
    }

    /// How the window is answered.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// What was asked for.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The unit of all points.
    pub fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// Single observations that must be read to join them to steps, counted by whole days; 0 where
    /// none are joined. The rows that are read are never more than a few thousand else, but for
    /// those that are points themselves.
    pub fn observations(&self) -> i64 {
        self.observations
    }

    /// The next row of whichever series has the earliest. Where units changed in the middle of a
    /// quarter or a day, two have a row of it.
    fn poll_row(&mut self, rows: &mut RowBudget) -> Result<Poll<Option<Bucket>>, ReadError> {
        for cursor in &mut self.cursors {
            if cursor.page.is_empty() && !cursor.exhausted {
                if rows.is_used_up() {
                    return Ok(Poll::Pending);
                }
                let Some(reader) = self.wait.try_borrow(&self.readers)? else {
                    return Ok(Poll::Pending);
                };
                rows.spend(cursor.read_on(&reader, self.plan.tier, self.window.to)?);
            }
        }
        if rows.is_used_up() {
            return Ok(Poll::Pending);
        }
        rows.spend(1);
        let next = self.cursors.iter().filter_map(|cursor| Some(cursor.page.front()?.at)).min();
        let mut joined: Option<Bucket> = None;
        // The series that is told now comes first, and tells what was last.
        for cursor in self.cursors.iter_mut().rev() {
            let first = cursor.page.front().copied();
            let Some(row) = first.filter(|row| Some(row.at) == next) else { continue };
            cursor.page.pop_front();
            let row = row.converted(cursor.series.unit, self.unit);
            match &mut joined {
                Some(earlier) if self.plan.tier != Tier::Raw => earlier.merge(&row),
                // A single observation that was told in both units.
                joined => *joined = Some(row),
            }
        }
        Ok(Poll::Ready(joined))
    }

    /// The next point; `Pending` once the budget is used up, or while all readers are in use: go
    /// on in a later turn. Never waits for a reader.
    ///
    /// # Errors
    /// The history cannot be read, or no reader was free for too long.
    pub fn poll_next(&mut self, rows: &mut RowBudget) -> Result<Poll<Option<Bucket>>, ReadError> {
        let point = self.poll_point(rows);
        self.finished |= matches!(point, Ok(Poll::Ready(None)) | Err(_));
        point
    }

    fn poll_point(&mut self, rows: &mut RowBudget) -> Result<Poll<Option<Bucket>>, ReadError> {
        if self.finished {
            return Ok(Poll::Ready(None));
        }
        loop {
            let Poll::Ready(row) = self.poll_row(rows)? else { return Ok(Poll::Pending) };
            let Some(merger) = &mut self.merger else { return Ok(Poll::Ready(row)) };
            match row {
                Some(row) => {
                    if let Some(complete) = merger.push(row) {
                        return Ok(Poll::Ready(Some(complete)));
                    }
                }
                None => return Ok(Poll::Ready(merger.finish())),
            }
        }
    }
}

impl Cursor {
    /// Reads the next page; returns the number of its rows.
    fn read_on(&mut self, reader: &Reader<'_>, tier: Tier, to: i64) -> Result<usize, StoreError> {
        let page = reader.page(self.series.id, tier, self.after, to, PAGE)?;
        self.exhausted = page.len() < PAGE;
        if let Some(last) = page.last() {
            self.after = last.at;
        }
        self.page = page.into();
        Ok(self.page.len())
    }
}

/// Blocks while all readers are in use: for commands and for threads that serve no client.
impl Iterator for Points {
    type Item = Result<Bucket, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.poll_next(&mut RowBudget::unbounded()) {
                Ok(Poll::Ready(point)) => return point.map(Ok),
                Err(error) => return Some(Err(error)),
                Ok(Poll::Pending) => {
                    if let Err(error) = self.readers.borrow() {
                        self.finished = true;
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000;
    const HOUR: i64 = 3600;

    #[test]
    fn the_step_fits_the_window() {
        let held = Coverage { raw: NOW - 400 * DAY, quarters: NOW - 3650 * DAY };
        let raw = |step| Plan { tier: Tier::Raw, step };
        let quarter = |step| Plan { tier: Tier::Quarter, step };
        let day = |step| Plan { tier: Tier::Day, step };
        for (from, length, step, expected) in [
            (NOW - 6 * HOUR, 6 * HOUR, Step::Auto, raw(Some(30))),
            (NOW - 36 * HOUR, 36 * HOUR, Step::Auto, raw(Some(120))),
            (NOW - 3 * DAY, 3 * DAY, Step::Auto, quarter(None)),
            (NOW - 30 * DAY, 30 * DAY, Step::Auto, quarter(Some(1800))),
            (NOW - 365 * DAY, 365 * DAY, Step::Auto, day(None)),
            (NOW - 3650 * DAY, 3650 * DAY, Step::Auto, day(Some(2 * DAY))),
            // What was single observations once is quarters now, and at last days.
            (NOW - 500 * DAY, 6 * HOUR, Step::Auto, quarter(None)),
            (NOW - 4000 * DAY, 6 * HOUR, Step::Auto, day(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Raw, raw(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(60), raw(Some(60))),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(900), quarter(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(HOUR), quarter(Some(HOUR))),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(DAY), day(None)),
            (NOW - 365 * DAY, 365 * DAY, Step::Seconds(7 * DAY), day(Some(7 * DAY))),
            // And so it is whatever step is asked for.
            (NOW - 500 * DAY, DAY, Step::Seconds(60), quarter(None)),
            (NOW - 500 * DAY, DAY, Step::Seconds(1000), quarter(Some(1800))),
            (NOW - 4000 * DAY, DAY, Step::Seconds(60), day(None)),
            (NOW - 4000 * DAY, DAY, Step::Seconds(HOUR), day(None)),
        ] {
            let (source, field) = ("tank".to_owned(), "level".to_owned());
            let window = Window { source, field, from, to: from + length, step };
            assert_eq!(plan(&window, held), expected, "{from} {length} {step:?}");
        }
    }
}
