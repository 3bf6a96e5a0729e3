//! Drawing charts piece by piece.

use std::sync::{Arc, OnceLock};
use std::task::Poll;

use jiff::Timestamp;

use super::cache::{Charts, DrawnFrom, Entry, Key, Wanted};
use super::drawn::{Chart, Missing, Outcome};
use super::plot::{Frame, Plot};
use crate::board::{Datum, LastReading, SourceView};
use crate::history::{Bucket, History, HistoryError, Points, ReaderWait, RowBudget, Step, Window};
use crate::units::Unit;

/// Seconds after which a source without a reading would be stale.
const STALE_AFTER: i64 = 900;

/// A drawing that has begun.
pub(in crate::site) struct Drawing {
    source: SourceView,
    key: Key,
    now: Timestamp,
    drawn_from: DrawnFrom,
    wait: ReaderWait,
    /// Points that are left to read; `None` before the window is open.
    points: Option<Points>,
    read: Vec<Bucket>,
}

impl Drawing {
    pub(in crate::site) fn new(history: &History, wanted: Wanted<'_>, now: Timestamp) -> Drawing {
        Drawing {
            source: wanted.source.clone(),
            key: wanted.key(),
            now,
            drawn_from: wanted.drawn_from(history),
            wait: ReaderWait::default(),
            points: None,
            read: Vec::new(),
        }
    }

    /// Does a piece of the work; what it has come to is kept.
    pub(in crate::site) fn advance(&mut self, charts: &Charts, history: &History) -> Poll<Outcome> {
        let at_work = charts.work();
        let drawn = self.draw_on(history);
        drop(at_work);
        let outcome = match drawn {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(chart)) => Ok(Arc::new(chart)),
            Err(missing) => Err(missing),
        };
        let (key, drawn_from, drawn_at) = (self.key.clone(), self.drawn_from, self.now.as_second());
        let is_known = self.source.value(&self.key.field).is_some();
        let entry = Entry { outcome: outcome.clone(), drawn_from, drawn_at };
        charts.keep(key, entry, is_known);
        Poll::Ready(outcome)
    }

    fn latest(&self) -> Option<(Bucket, Option<Unit>)> {
        self.source.reading.as_ref().and_then(|kept| latest(kept, &self.key.field))
    }

    fn draw_on(&mut self, history: &History) -> Result<Poll<Chart>, Missing> {
        let mut points = match self.points.take() {
            Some(points) => points,
            None => match self.open(history)? {
                Poll::Ready(points) => points,
                Poll::Pending => return Ok(Poll::Pending),
            },
        };
        let mut rows = RowBudget::of_a_piece();
        loop {
            let point =
                points.poll_next(&mut rows).map_err(|error| history.report_read_error(error));
            match point.map_err(|_| Missing::Unavailable)? {
                Poll::Ready(Some(point)) => self.read.push(point),
                Poll::Ready(None) => return self.finish(&points, history).map(Poll::Ready),
                Poll::Pending => {
                    self.points = Some(points);
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
            HistoryError::Off => Missing::Never,
            _ => Missing::Unavailable,
        })?;
        let Poll::Ready(found) = found else { return Ok(Poll::Pending) };
        let mut points = found.ok_or(Missing::Never)?;
        if let Some((_, Some(told_now))) = self.latest() {
            // The board may know of a change of units that the history has not heard of yet.
            points = points.in_unit(Some(told_now));
        }
        Ok(Poll::Ready(points))
    }

    fn finish(&mut self, points: &Points, history: &History) -> Result<Chart, Missing> {
        let (range, unit) = (self.key.range, points.unit());
        let Window { from, to, .. } = *points.window();
        let mut points = std::mem::take(&mut self.read);
        let latest = self.latest().map(|(latest, _)| latest).filter(|latest| latest.at >= from);
        // The board's latest reading may not have been written yet.
        let unwritten =
            latest.filter(|it| points.last().is_none_or(|last| last.at < it.at - range.step()));
        points.extend(unwritten);
        let reading = self.source.reading.as_ref();
        let stale_after = reading
            .map_or(STALE_AFTER, |kept| kept.stale_at.duration_since(kept.observed.at).as_secs());
        let frame = Frame { from, to, step: range.step(), stale_after, unit };
        // A line through means ends at what is so now, which is what the last of them is part of.
        let end = latest.filter(|it| points.last().is_some_and(|last| last.at < it.at));
        let drawn: Vec<Bucket> = points.iter().copied().chain(end).collect();
        let plot = Plot::of(&drawn, frame).ok_or(Missing::Nothing)?;
        Ok(Chart {
            source: self.key.source.clone(),
            title: self.source.title.to_string(),
            field: self.key.field.clone(),
            range,
            plot,
            points,
            unit,
            zone: history.zone().clone(),
            wide: OnceLock::new(),
            narrow: OnceLock::new(),
            table: OnceLock::new(),
            pictures: Default::default(),
        })
    }
}

/// The latest observation as the board knows it.
fn latest(kept: &LastReading, field: &str) -> Option<(Bucket, Option<Unit>)> {
    let (_, value) = kept.values.iter().find(|(name, _)| **name == *field)?;
    match value.datum {
        Some(Datum::Number(number)) => {
            Some((Bucket::single(kept.observed.at.as_second(), number.get()), value.unit))
        }
        _ => None,
    }
}
