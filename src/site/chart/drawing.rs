//! Reads the points of a chart from the history, piece by piece, and builds the chart from them.

use std::sync::Arc;
use std::task::Poll;

use jiff::Timestamp;

use super::cache::{ChartCache, Entry, Inputs, Key, Missing, Outcome, Subject};
use super::latest::Latest;
use super::plot::{Frame, Plot, Shape};
use super::point::Point;
use super::range::Range;
use super::rendering::{Chart, Content};
use super::sparse;
use super::threshold::levels;
use crate::board::{Datum, SourceView};
use crate::history::{
    Bucket, Calendar, DAY, History, HistoryError, Merger, Plan, Points, QUARTER, ReaderWait,
    RowBudget, Step, Tier, Window,
};
use crate::units::{OverTime, Unit};

/// Largest number of single observations that a chart shows one by one.
const MAX_SINGLE: usize = 400;

/// Seconds after which a reading is stale, for a source that has none yet.
const DEFAULT_STALE_AFTER: i64 = 900;

/// A drawing in progress.
///
/// [`advance`](Drawing::advance) does one piece of it, which reads a bounded number of rows. Only
/// drawings read the history for charts.
pub(in crate::site) struct Drawing {
    source: SourceView,
    key: Key,
    now: Timestamp,
    inputs: Inputs,
    latest: Option<Latest>,
    wait: ReaderWait,
    /// Points that are still to be read; `None` before the window is open.
    unread: Option<Points>,
    read: Vec<Bucket>,
    over_time: OverTime,
    /// Time of the first observation of the field that the history has.
    recorded_since: Option<i64>,
}

impl Drawing {
    /// Begins a drawing. It reads nothing before the first [`advance`](Drawing::advance).
    pub(in crate::site) fn new(history: &History, subject: Subject<'_>, now: Timestamp) -> Drawing {
        let latest = Latest::of(subject.source, subject.field);
        Drawing {
            over_time: OverTime::of(subject.field, latest.and_then(|latest| latest.unit)),
            latest,
            source: subject.source.clone(),
            key: subject.key(),
            now,
            inputs: subject.inputs(history),
            wait: ReaderWait::default(),
            unread: None,
            read: Vec::new(),
            recorded_since: None,
        }
    }

    /// Does a piece of the work. Puts the outcome into the cache and returns it once it is known.
    pub(in crate::site) fn advance(
        &mut self,
        cache: &ChartCache,
        history: &History,
    ) -> Poll<Outcome> {
        let guard = cache.begin_piece();
        let drawn = self.read_on(history);
        drop(guard);
        let outcome = match drawn {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(chart)) => Ok(Arc::new(chart)),
            Err(missing) => Err(missing),
        };
        let entry = Entry {
            outcome: outcome.clone(),
            inputs: self.inputs.clone(),
            drawn_at: self.now.as_second(),
        };
        // Clients can invent names of fields while the source has not answered.
        let field_exists = self.source.value(&self.key.field).is_some();
        cache.insert(self.key.clone(), entry, field_exists);
        Poll::Ready(outcome)
    }

    /// Returns true if the source reports the field as a number, or has not answered yet.
    fn may_exist(&self) -> bool {
        let Some(reading) = &self.source.reading else { return true };
        let value = reading.values.iter().find(|(name, _)| **name == *self.key.field);
        value.is_some_and(|(_, value)| !matches!(value.datum, Some(Datum::Text(_))))
    }

    fn read_on(&mut self, history: &History) -> Result<Poll<Chart>, Missing> {
        let mut unread = match self.unread.take() {
            Some(unread) => unread,
            None => match self.open(history) {
                Ok(Poll::Ready(unread)) => unread,
                Ok(Poll::Pending) => return Ok(Poll::Pending),
                // The field exists, or may exist: the source has not answered yet.
                Err(Missing::NeverRecorded) if self.may_exist() => {
                    let plan = Plan { tier: Tier::Raw, step: None };
                    let unit = self.latest.and_then(|latest| latest.unit);
                    return Ok(Poll::Ready(self.finish(plan, unit, history)));
                }
                Err(missing) => return Err(missing),
            },
        };
        let mut rows = RowBudget::of_a_piece();
        loop {
            let point =
                unread.poll_next(&mut rows).map_err(|error| history.report_read_error(error));
            match point.map_err(|_| Missing::HistoryUnavailable)? {
                Poll::Ready(Some(point)) => self.read.push(point),
                Poll::Ready(None) => {
                    let chart = self.finish(unread.plan(), unread.unit(), history);
                    return Ok(Poll::Ready(chart));
                }
                Poll::Pending => {
                    self.unread = Some(unread);
                    return Ok(Poll::Pending);
                }
            }
        }
    }

    /// Returns the start and the end of the window.
    fn window(&self) -> (i64, i64) {
        let to = self.now.as_second() + 1;
        (to - self.key.range.seconds(), to)
    }

    /// Opens the window. The way over time decides the step, and is known for sure once it is open.
    fn open(&mut self, history: &History) -> Result<Poll<Points>, Missing> {
        let (from, to) = self.window();
        loop {
            let step = self.step();
            let window = Window {
                source: self.key.source.to_string(),
                field: self.key.field.clone(),
                from,
                to,
                step,
            };
            let found = history.poll_points(&window, &mut self.wait);
            let found = found.map_err(|error| match error {
                HistoryError::Off => Missing::NeverRecorded,
                _ => Missing::HistoryUnavailable,
            })?;
            let Poll::Ready(found) = found else { return Ok(Poll::Pending) };
            let mut points = found.ok_or(Missing::NeverRecorded)?;
            self.over_time = points.over_time();
            self.recorded_since = points.recorded_since();
            if self.step() != step {
                continue;
            }
            if let Some(Latest { unit: Some(unit), .. }) = self.latest {
                // The unit may have changed with a reading that is not written yet.
                points = points.in_unit(Some(unit));
            }
            return Ok(Poll::Ready(points));
        }
    }

    /// Returns the step of the rows to read.
    fn step(&self) -> Step {
        let range = self.key.range;
        match (self.over_time, range) {
            (OverTime::Sum | OverTime::Increase, _) => Step::Seconds(range.row_step()),
            (OverTime::Circular, _) => Step::Seconds(range.step()),
            // Single observations, unless there are too many.
            (_, Range::SixHours | Range::Day) => Step::Auto,
            _ => Step::Seconds(range.step()),
        }
    }

    /// Makes the chart of the rows that were read by a plan.
    fn finish(&mut self, plan: Plan, unit: Option<Unit>, history: &History) -> Chart {
        let range = self.key.range;
        let (from, to) = self.window();
        let over_time = self.over_time;
        let mut calendar = Calendar::new(history.zone().clone());
        let read = std::mem::take(&mut self.read);
        let (mut rows, step) = match (plan.tier, plan.step) {
            (Tier::Raw, None) if read.len() <= MAX_SINGLE => (read, None),
            (Tier::Raw, _) => (merge(&read, range.step(), &calendar), Some(range.step())),
            (Tier::Quarter, step) => (read, Some(step.unwrap_or(QUARTER))),
            (Tier::Day, step) => (read, Some(step.unwrap_or(DAY))),
        };
        let latest = self.latest.filter(|latest| latest.at >= from);
        if let Some(new) = latest.and_then(|latest| latest.row(over_time)) {
            let at = step.map_or(new.at, |step| calendar.step(new.at, step));
            // A single observation may be corrected under the same time.
            rows.pop_if(|last| step.is_none() && last.at == at);
            if rows.last().is_none_or(|last| last.at < at) {
                rows.push(Bucket { at, ..new });
            }
        }
        let plotted: Vec<Point> =
            rows.iter().filter_map(|row| Point::of(row, step, over_time, &mut calendar)).collect();
        let reading = self.source.reading.as_ref();
        let stale_after = reading.map_or(DEFAULT_STALE_AFTER, |reading| {
            reading.stale_at.duration_since(reading.observed.at).as_secs()
        });
        // A point has the time at which its span starts. The observation may be from its end, so two
        // points that follow each other are never a gap.
        let covered = stale_after.max(step.unwrap_or(range.step()) * 3 / 2);
        let frame = Frame { from, to, step, covered, unit, over_time };
        let marked = latest
            .filter(|_| frame.shape() == Shape::Line)
            .map(|latest| Point::single(latest.at, latest.number));
        let levels = match frame.shape() {
            Shape::Line => levels(&self.inputs.thresholds, unit),
            // A threshold applies to a value, and not to the amount of a span.
            Shape::Bars | Shape::Dots => Vec::new(),
        };
        let plot = Plot { levels, ..Plot::of(&plotted, marked, frame) };
        let recorded = sparse::Recorded {
            rows: &rows,
            since: self.recorded_since,
            latest: latest.map(|latest| latest.at),
        };
        let summary = sparse::summary(&recorded, &plot, range, history.zone());
        Chart::new(Content {
            source: self.key.source.clone(),
            title: self.source.title.to_string(),
            field: self.key.field.clone(),
            range,
            plot,
            summary,
            rows,
            zone: history.zone().clone(),
        })
    }
}

/// Merges rows to steps of the calendar.
fn merge(rows: &[Bucket], step: i64, calendar: &Calendar) -> Vec<Bucket> {
    let mut merger = Merger::new(calendar.clone(), step);
    let mut merged: Vec<Bucket> = rows.iter().filter_map(|row| merger.push(*row)).collect();
    merged.extend(merger.finish());
    merged
}
