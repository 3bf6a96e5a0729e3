//! Points of a window, read in pages and in bounded pieces of work.
//!
//! Each page borrows a reader and returns it at once. Between two pages a download therefore holds
//! no reader and no transaction, only the rows of one page for each series.

use std::sync::Arc;
use std::task::Poll;

use strum::VariantArray as _;

use super::bucket::{Bucket, Merger, Tier};
use super::calendar::Calendar;
use super::cursor::Cursor;
use super::error::ReadError;
use super::plan::{Coverage, MAX_POINTS, Plan, Step, Window, plan};
use super::pool::{Reader, ReaderPool, ReaderWait};
use super::queries::Series;
use super::segment::segments;
use crate::units::{OverTime, Unit};

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
    /// Aggregation of the series whose unit is `unit`.
    over_time: OverTime,
    merger: Option<Merger>,
    /// Starts of the steps that the window cuts.
    partial: [Option<i64>; 2],
    finished: bool,
    wait: ReaderWait,
    observations: i64,
    recorded_since: Option<i64>,
    coverage: Coverage,
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
        let (unit, over_time) = (first.unit, first.over_time);
        let coverage = Coverage::of(reader, &series)?;
        let recorded_since = first_recorded(reader, &series, coverage)?;
        let mut plan = plan(&window, coverage);
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
                observations += reader.count_by_days(one.id, window.from, window.to)?;
            }
        }
        let mut calendar = calendar;
        let span = (window.from, window.to);
        let segments = segments(span, plan.tier, coverage, &mut calendar);
        let step = plan.step_seconds();
        let mut cut_at = |at| {
            let start = calendar.step(at, step?);
            Some(start).filter(|&start| start < at)
        };
        let partial = [cut_at(window.from), cut_at(window.to)];
        let cursor = |series| Cursor::new(series, &segments, step.is_some());
        let others = series.into_iter().map(cursor).collect();
        let merger = step.map(|step| Merger::new(calendar, step));
        let points = Points {
            readers: Arc::clone(readers),
            window,
            plan,
            unit,
            cursors: Vec::new(),
            others,
            over_time,
            merger,
            partial,
            finished: false,
            wait: ReaderWait::default(),
            observations,
            recorded_since,
            coverage,
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
        let Series { unit, over_time, .. } = self.others.first()?.series;
        self.cursors.clear();
        self.finished = false;
        self.over_time = over_time;
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

    /// Returns the seconds from point to point; `None` if each observation is a point.
    pub fn step_seconds(&self) -> Option<i64> {
        self.plan.step_seconds()
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
        self.over_time
    }

    /// Returns the number of single observations to be merged to steps, counted by whole days; 0 if the plan
    /// merges none. All other plans merge a few thousand rows at most.
    pub fn observations(&self) -> i64 {
        self.observations
    }

    /// Returns the time of the field's first observation in any unit, whether or not it is in the window. Where
    /// retention has deleted it, returns that of the first rollup.
    pub fn recorded_since(&self) -> Option<i64> {
        self.recorded_since
    }

    /// Returns the time from which on all single observations are stored, in seconds since 1970.
    pub fn raw_since(&self) -> i64 {
        self.coverage.raw
    }

    /// Returns the time from which on all quarters of an hour are stored, in seconds since 1970.
    pub fn quarters_since(&self) -> i64 {
        self.coverage.quarters
    }

    /// Returns the next row in order of time, with its tier. If the unit changed within a quarter or a day,
    /// several series have a row for it, and these are merged.
    fn poll_row(
        &mut self,
        rows: &mut RowBudget,
    ) -> Result<Poll<Option<(Tier, Bucket)>>, ReadError> {
        for cursor in &mut self.cursors {
            while cursor.needs_page() {
                if rows.is_exhausted() {
                    return Ok(Poll::Pending);
                }
                let Some(reader) = self.wait.try_borrow(&self.readers)? else {
                    return Ok(Poll::Pending);
                };
                rows.spend(cursor.read_page(&reader)?);
            }
        }
        if rows.is_exhausted() {
            return Ok(Poll::Pending);
        }
        rows.spend(1);
        let next = self.cursors.iter().filter_map(|cursor| Some(cursor.page.front()?.at)).min();
        let mut merged: Option<(Tier, Bucket)> = None;
        // The series recorded last comes first, so it is merged last.
        for cursor in self.cursors.iter_mut().rev() {
            let first = cursor.page.front().copied();
            let Some(row) = first.filter(|row| Some(row.at) == next) else { continue };
            cursor.page.pop_front();
            let row = row.converted(cursor.series.unit, self.unit);
            match &mut merged {
                Some((tier, earlier)) if *tier != Tier::Raw && *tier == cursor.tier => {
                    earlier.merge(&row);
                }
                // An observation that was recorded in both units.
                merged => *merged = Some((cursor.tier, row)),
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
            let Some(merger) = &mut self.merger else {
                return Ok(Poll::Ready(row.map(|(_, point)| point)));
            };
            let complete = match row {
                // A row of the plan's tier is a step as a whole, unless rows are to be merged.
                Some((tier, row)) if tier == self.plan.tier && self.plan.step.is_none() => {
                    merger.push_to(row.at, row)
                }
                Some((_, row)) => merger.push(row),
                None => return Ok(Poll::Ready(merger.finish().map(|step| self.marked(step)))),
            };
            if let Some(complete) = complete {
                return Ok(Poll::Ready(Some(self.marked(complete))));
            }
        }
    }

    /// Marks a step that the window cuts.
    fn marked(&self, step: Bucket) -> Bucket {
        Bucket { is_partial: self.partial.contains(&Some(step.at)), ..step }
    }
}

/// Returns the time of the first observation of all series, or of their first rollup if observations are
/// deleted.
fn first_recorded(
    reader: &Reader<'_>,
    series: &[Series],
    coverage: Coverage,
) -> Result<Option<i64>, ReadError> {
    // Rollups begin before their first observation.
    let is_complete = coverage.raw == Coverage::ALL.raw;
    let tiers = if is_complete { &[Tier::Raw][..] } else { Tier::VARIANTS };
    let mut first: Option<i64> = None;
    for one in series {
        for &tier in tiers {
            let extent = reader.extent(one.id, tier)?;
            first = first.into_iter().chain(extent.map(|(first, _)| first)).min();
        }
    }
    Ok(first)
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
