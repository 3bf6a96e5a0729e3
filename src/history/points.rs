//! Points of a window, read in pages and in bounded pieces of work.
//!
//! Each page borrows a reader and returns it at once. Between two pages a download therefore holds
//! no reader and no transaction, only the rows of one page for each series.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use super::bucket::{Bucket, Merger, Tier};
use super::calendar::{Calendar, DAY, QUARTER};
use super::error::{ReadError, StoreError};
use super::plan::{Coverage, MAX_POINTS, Plan, Step, Window, plan};
use super::pool::{Reader, ReaderPool, ReaderWait};
use super::queries::Series;
use crate::units::{OverTime, Unit};

/// Rows of a page. A download whose client does not read holds one page for each series.
const PAGE_ROWS: usize = 250;

/// Rows of one piece of work, counted once when read and once when merged: about 2 ms of work.
pub(super) const ROWS_PER_PIECE: usize = 2_000;

/// Number of rows that one piece of work may still read or merge. It bounds the duration of a piece,
/// independent of the number of rows of the whole window.
#[derive(Debug)]
pub struct RowBudget {
    remaining: usize,
}

impl RowBudget {
    /// Returns the budget of one piece of work: 2,000 rows.
    pub const fn of_a_piece() -> RowBudget {
        RowBudget { remaining: ROWS_PER_PIECE }
    }

    /// Returns the unlimited budget of a command, which delays no other client.
    pub const fn unbounded() -> RowBudget {
        RowBudget { remaining: usize::MAX }
    }

    fn is_exhausted(&self) -> bool {
        self.remaining == 0
    }

    fn spend(&mut self, rows: usize) {
        self.remaining = self.remaining.saturating_sub(rows);
    }
}

/// Iterator over the points of a window, earliest first.
#[derive(Debug)]
pub struct Points {
    readers: Arc<ReaderPool>,
    window: Window,
    plan: Plan,
    unit: Option<Unit>,
    /// Series whose unit converts to `unit`.
    cursors: Vec<Cursor>,
    /// Series of other quantities.
    others: Vec<Cursor>,
    merger: Option<Merger>,
    finished: bool,
    wait: ReaderWait,
    observations: i64,
}

/// Position in one series of the field.
#[derive(Debug)]
struct Cursor {
    series: Series,
    /// Time of the latest row that was read.
    after: i64,
    page: VecDeque<Bucket>,
    exhausted: bool,
}

impl Points {
    /// Opens a window. Returns `None` if the field has no series. It costs a few index look-ups, and reads no
    /// rows of the window, except to count up to [`MAX_POINTS`] single observations.
    pub(super) fn open(
        readers: &Arc<ReaderPool>,
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
            // A step that begins before the window would be incomplete, so it is omitted.
            (Tier::Raw | Tier::Quarter, step) => {
                let step = step.unwrap_or(QUARTER);
                let start = calendar.step(window.from, step);
                if start < window.from { start + step } else { start }
            }
            // A day is included as a whole, so that the last 30 days include their first day.
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

    /// Returns the same points in another unit. Must be called before the first point is read. Series
    /// whose unit measures another quantity are left out.
    pub fn in_unit(mut self, unit: Option<Unit>) -> Points {
        self.unit = unit;
        let all = self.cursors.into_iter().chain(self.others);
        (self.cursors, self.others) = all.partition(|cursor| {
            cursor.series.unit.zip(unit).is_none_or(|(from, to)| from.convert(0.0, to).is_some())
        });
        self
    }

    /// Returns the points of the same window that were recorded while the field measured another quantity, and
    /// that these points therefore omit. Returns `None` if there are none.
    pub fn next_quantity(mut self) -> Option<Points> {
        let unit = self.others.first()?.series.unit;
        self.cursors.clear();
        self.finished = false;
        Some(self.in_unit(unit))
    }

    /// Returns the size of the rows that were read ahead, in bytes.
    pub fn held_bytes(&self) -> usize {
        let rows = self.cursors.iter().chain(&self.others).map(|cursor| cursor.page.capacity());
        rows.sum::<usize>() * size_of::<Bucket>()
    }

    /// Returns the plan by which the window is read.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// Returns the window.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Returns the unit of all points.
    pub fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// Returns the aggregation of the field over time, by which [`Bucket::value`] is computed.
    pub fn over_time(&self) -> OverTime {
        OverTime::of(&self.window.field, self.unit)
    }

    /// Returns the number of single observations to be merged to steps, counted by whole days; 0 if the plan
    /// merges none. All other plans merge a few thousand rows at most.
    pub fn observations(&self) -> i64 {
        self.observations
    }

    /// Returns the next row in order of time. If the unit changed within a quarter or a day, several series have
    /// a row for it, and these are merged.
    fn poll_row(&mut self, rows: &mut RowBudget) -> Result<Poll<Option<Bucket>>, ReadError> {
        for cursor in &mut self.cursors {
            if cursor.page.is_empty() && !cursor.exhausted {
                if rows.is_exhausted() {
                    return Ok(Poll::Pending);
                }
                let Some(reader) = self.wait.try_borrow(&self.readers)? else {
                    return Ok(Poll::Pending);
                };
                rows.spend(cursor.read_page(&reader, self.plan.tier, self.window.to)?);
            }
        }
        if rows.is_exhausted() {
            return Ok(Poll::Pending);
        }
        rows.spend(1);
        let next = self.cursors.iter().filter_map(|cursor| Some(cursor.page.front()?.at)).min();
        let mut merged: Option<Bucket> = None;
        // The series with the latest observation comes first, so it is merged last.
        for cursor in self.cursors.iter_mut().rev() {
            let first = cursor.page.front().copied();
            let Some(row) = first.filter(|row| Some(row.at) == next) else { continue };
            cursor.page.pop_front();
            let row = row.converted(cursor.series.unit, self.unit);
            match &mut merged {
                Some(earlier) if self.plan.tier != Tier::Raw => earlier.merge(&row),
                // An observation that was recorded in both units.
                merged => *merged = Some(row),
            }
        }
        Ok(Poll::Ready(merged))
    }

    /// Returns the next point, or `Pending` if the budget is exhausted or all readers are in use. The caller
    /// then calls it again in a later piece of work. Never blocks on the readers.
    ///
    /// # Errors
    /// The history cannot be read, or no reader became free in time.
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
    /// Reads the next page; returns its number of rows.
    fn read_page(&mut self, reader: &Reader<'_>, tier: Tier, to: i64) -> Result<usize, StoreError> {
        let page = reader.page(self.series.id, tier, self.after, to, PAGE_ROWS)?;
        self.exhausted = page.len() < PAGE_ROWS;
        if let Some(last) = page.last() {
            self.after = last.at;
        }
        self.page = page.into();
        Ok(self.page.len())
    }
}

/// Blocks while all readers are in use. For commands and for threads that serve no client.
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
