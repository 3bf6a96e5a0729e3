//! Reads the points of a chart from the history, piece by piece, and builds the chart from them.

use std::sync::Arc;
use std::task::Poll;

use jiff::Timestamp;

use super::cache::{ChartCache, Entry, Inputs, Key, Missing, Outcome, Subject};
use super::plot::{Frame, Plot};
use super::rendering::{Chart, Content};
use crate::board::{Datum, LastReading, SourceView};
use crate::history::{Bucket, History, HistoryError, Points, ReaderWait, RowBudget, Step, Window};
use crate::units::Unit;

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
    wait: ReaderWait,
    /// Points that are still to be read; `None` before the window is open.
    unread: Option<Points>,
    read: Vec<Bucket>,
}

impl Drawing {
    /// Begins a drawing. It reads nothing before the first [`advance`](Drawing::advance).
    pub(in crate::site) fn new(history: &History, subject: Subject<'_>, now: Timestamp) -> Drawing {
        Drawing {
            source: subject.source.clone(),
            key: subject.key(),
            now,
            inputs: subject.inputs(history),
            wait: ReaderWait::default(),
            unread: None,
            read: Vec::new(),
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
        let entry =
            Entry { outcome: outcome.clone(), inputs: self.inputs, drawn_at: self.now.as_second() };
        let field_exists = self.source.value(&self.key.field).is_some();
        cache.insert(self.key.clone(), entry, field_exists);
        Poll::Ready(outcome)
    }

    /// Returns the latest reading of the field, which the history may not have written yet.
    fn latest(&self) -> Option<(Bucket, Option<Unit>)> {
        self.source.reading.as_ref().and_then(|reading| latest(reading, &self.key.field))
    }

    fn read_on(&mut self, history: &History) -> Result<Poll<Chart>, Missing> {
        let mut unread = match self.unread.take() {
            Some(unread) => unread,
            None => match self.open(history)? {
                Poll::Ready(unread) => unread,
                Poll::Pending => return Ok(Poll::Pending),
            },
        };
        let mut rows = RowBudget::of_a_piece();
        loop {
            let point =
                unread.poll_next(&mut rows).map_err(|error| history.report_read_error(error));
            match point.map_err(|_| Missing::HistoryUnavailable)? {
                Poll::Ready(Some(point)) => self.read.push(point),
                Poll::Ready(None) => return self.finish(&unread, history).map(Poll::Ready),
                Poll::Pending => {
                    self.unread = Some(unread);
                    return Ok(Poll::Pending);
                }
            }
        }
    }

    fn open(&mut self, history: &History) -> Result<Poll<Points>, Missing> {
        let to = self.now.as_second() + 1;
        let window = Window {
            source: self.key.source.to_string(),
            field: self.key.field.clone(),
            from: to - self.key.range.seconds(),
            to,
            step: Step::Seconds(self.key.range.step()),
        };
        let found = history.poll_points(&window, &mut self.wait).map_err(|error| match error {
            HistoryError::Off => Missing::NeverRecorded,
            _ => Missing::HistoryUnavailable,
        })?;
        let Poll::Ready(found) = found else { return Ok(Poll::Pending) };
        let mut points = found.ok_or(Missing::NeverRecorded)?;
        if let Some((_, Some(unit))) = self.latest() {
            // The unit may have changed with a reading that is not written yet.
            points = points.in_unit(Some(unit));
        }
        Ok(Poll::Ready(points))
    }

    fn finish(&mut self, points: &Points, history: &History) -> Result<Chart, Missing> {
        let (range, unit) = (self.key.range, points.unit());
        let Window { from, to, .. } = *points.window();
        let mut points = std::mem::take(&mut self.read);
        let latest = self.latest().map(|(latest, _)| latest).filter(|latest| latest.at >= from);
        let unwritten =
            latest.filter(|new| points.last().is_none_or(|last| last.at < new.at - range.step()));
        points.extend(unwritten);
        let reading = self.source.reading.as_ref();
        let stale_after = reading.map_or(DEFAULT_STALE_AFTER, |reading| {
            reading.stale_at.duration_since(reading.observed.at).as_secs()
        });
        let frame = Frame { from, to, step: range.step(), stale_after, unit };
        // The last point is the mean of a span; the line ends at the latest reading, which is part
        // of that span.
        let end = latest.filter(|new| points.last().is_some_and(|last| last.at < new.at));
        let drawn: Vec<Bucket> = points.iter().copied().chain(end).collect();
        let plot = Plot::of(&drawn, frame).ok_or(Missing::NothingInRange)?;
        Ok(Chart::new(Content {
            source: self.key.source.clone(),
            title: self.source.title.to_string(),
            field: self.key.field.clone(),
            range,
            plot,
            points,
            unit,
            zone: history.zone().clone(),
        }))
    }
}

fn latest(reading: &LastReading, field: &str) -> Option<(Bucket, Option<Unit>)> {
    let (_, value) = reading.values.iter().find(|(name, _)| **name == *field)?;
    match value.datum {
        Some(Datum::Number(number)) => {
            Some((Bucket::single(reading.observed.at.as_second(), number.get()), value.unit))
        }
        _ => None,
    }
}
