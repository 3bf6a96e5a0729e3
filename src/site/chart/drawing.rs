//! Drawing charts piece by piece.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use jiff::Timestamp;

use super::plot::{Frame, Plot};
use super::{Chart, DrawnFrom, Entry, Key, Known, Missing, Outcome, Range, Wanted};
use crate::board::{Datum, LastReading, SourceView};
use crate::engine::Response;
use crate::history::{Bucket, History, HistoryError, Points, ReaderWait, RowBudget, Step, Window};
use crate::site::Site;
use crate::site::answer::Answer;
use crate::site::api::find;
use crate::site::problem::Problem;
use crate::site::routes::Ask;
use crate::units::Unit;

/// Seconds after which a source without a reading would be stale.
const STALE_AFTER: i64 = 900;

/// Pieces of work after which a page begins no more charts: it is served with those that are there,
/// and a later request draws the others.
const PIECES_PER_PAGE: usize = 100;

/// A drawing that has begun.
pub(super) struct Drawing {
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
    pub(super) fn new(history: &History, wanted: Wanted<'_>, now: Timestamp) -> Drawing {
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
    pub(super) fn advance(&mut self, site: &Site) -> Poll<Outcome> {
        let at_work = site.charts.work();
        let drawn = self.draw_on(&site.history);
        drop(at_work);
        let outcome = match drawn {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(chart)) => Ok(Arc::new(chart)),
            Err(missing) => Err(missing),
        };
        let (key, drawn_from, drawn_at) = (self.key.clone(), self.drawn_from, self.now.as_second());
        let is_known = self.source.value(&self.key.field).is_some();
        let entry = Entry { outcome: outcome.clone(), drawn_from, drawn_at };
        site.charts.keep(key, entry, is_known);
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

/// A chart of a page that is to be drawn: names of its source and field.
pub(in crate::site) type Outdated = (Arc<str>, String);

/// Renders a page with the charts that are there.
type Render = fn(&Site, &Ask<'_>) -> Result<Response, Problem>;

/// Ways to render a page.
#[derive(Clone, Copy)]
pub(in crate::site) struct PageRenderers {
    /// Under a permit, once the charts are drawn.
    pub(in crate::site) render: Render,
    /// Where the request would have to wait for a permit for too long. It should be cheap.
    pub(in crate::site) without_permit: Render,
}

/// The charts of a page that are still to be drawn.
struct PageDrawing {
    outdated: VecDeque<Outdated>,
    range: Range,
    drawing: Option<Drawing>,
    pieces: usize,
    renderers: PageRenderers,
}

/// Draws charts for a page, then renders it. Where the drawing has to wait, the page is rendered
/// with the charts that are there.
pub(in crate::site) fn draw_for_page(
    outdated: Vec<Outdated>,
    range: Range,
    renderers: PageRenderers,
) -> Answer {
    let outdated = outdated.into();
    PageDrawing { outdated, range, drawing: None, pieces: 0, renderers }.unfinished()
}

impl PageDrawing {
    fn unfinished(self) -> Answer {
        let without_permit = self.renderers.without_permit;
        Answer::unfinished_or(
            move |site, ask| self.draw_on(site, ask),
            move |site, ask| without_permit(site, ask).map(Answer::Ready),
        )
    }

    fn draw_on(mut self, site: &Site, ask: &Ask<'_>) -> Result<Answer, Problem> {
        let Some(mut drawing) = self.drawing.take().or_else(|| self.next(site, ask)) else {
            return (self.renderers.render)(site, ask).map(Answer::Ready);
        };
        self.pieces += 1;
        match drawing.advance(site) {
            Poll::Pending => self.drawing = Some(drawing),
            Poll::Ready(Err(Missing::Unavailable)) => self.outdated.clear(),
            Poll::Ready(_) => {}
        }
        Ok(self.unfinished())
    }

    /// Begins the next one. Another request may have drawn some meanwhile.
    fn next(&mut self, site: &Site, ask: &Ask<'_>) -> Option<Drawing> {
        let snapshot = (site.snapshots)();
        while self.pieces < PIECES_PER_PAGE {
            let (source, field) = self.outdated.pop_front()?;
            let Some(source) = find(&snapshot.sources, &source) else { continue };
            let wanted = Wanted { source, field: &field, range: self.range };
            if let Known::Outdated(_) = site.charts.look(&site.history, wanted, ask.now) {
                return Some(Drawing::new(&site.history, wanted, ask.now));
            }
        }
        None
    }
}
