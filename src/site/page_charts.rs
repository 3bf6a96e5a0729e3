//! Draws the outdated charts of a page before the page is rendered.
//!
//! Drawing is expensive work: it runs piece by piece under a permit of the interactive lane. A page
//! does not wait for its charts for long. Where it would, it is rendered with the charts that are
//! drawn, and a later request draws the others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use jiff::Timestamp;

use super::answer::Answer;
use super::chart::{Cached, Drawing, Missing, Range, Subject, thresholds};
use super::content::Content;
use super::context::{Context, RouteRequest};
use super::problem::Problem;
use crate::board::SourceView;

/// Number of pieces of work after which a page begins no more charts.
const MAX_PIECES: usize = 100;

/// Names of the source and the field of a chart.
type ChartName = (Arc<str>, String);

/// Renders a page with the charts that are drawn.
type Render = fn(&Context, &RouteRequest<'_>) -> Result<Content, Problem>;

/// Ways to render a page.
#[derive(Clone, Copy)]
pub(super) struct PageRenderers {
    /// Renders the page under a permit, once the charts are drawn.
    pub(super) render: Render,
    /// Renders the page if the request would wait too long for a permit. It should be cheap.
    pub(super) without_permit: Render,
}

/// Returns those of the charts that have to be drawn.
pub(super) fn outdated<'s>(
    context: &Context,
    charts: impl Iterator<Item = (&'s SourceView, String)>,
    range: Range,
    now: Timestamp,
) -> Vec<ChartName> {
    if !context.history.is_enabled() {
        return Vec::new();
    }
    let alerts = context.alerts.view();
    let is_outdated = |source, field: &str| {
        let thresholds = thresholds(&alerts, source, field);
        let subject = Subject { source, field, range, thresholds: &thresholds };
        matches!(context.charts.get(&context.history, subject, now), Cached::Outdated(_))
    };
    charts
        .filter(|(source, field)| is_outdated(source, field))
        .map(|(source, field)| (source.name.clone(), field))
        .collect()
}

/// Draws charts, then renders their page.
pub(super) fn draw_and_render(
    outdated: Vec<ChartName>,
    range: Range,
    renderers: PageRenderers,
) -> Answer {
    let outdated = outdated.into();
    PageDrawing { outdated, range, drawing: None, pieces: 0, renderers }.unfinished()
}

/// Charts of a page that are still to be drawn.
struct PageDrawing {
    outdated: VecDeque<ChartName>,
    range: Range,
    drawing: Option<Drawing>,
    /// Number of pieces of work done so far.
    pieces: usize,
    renderers: PageRenderers,
}

impl PageDrawing {
    fn unfinished(self) -> Answer {
        let without_permit = self.renderers.without_permit;
        Answer::unfinished_or(
            move |context, request| self.advance(context, request),
            move |context, request| without_permit(context, request).map(Answer::Ready),
        )
    }

    fn advance(mut self, context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
        let Some(mut drawing) = self.drawing.take().or_else(|| self.next(context, request)) else {
            return (self.renderers.render)(context, request).map(Answer::Ready);
        };
        self.pieces += 1;
        match drawing.advance(&context.charts, &context.history) {
            Poll::Pending => self.drawing = Some(drawing),
            Poll::Ready(Err(Missing::HistoryUnavailable)) => self.outdated.clear(),
            Poll::Ready(_) => {}
        }
        Ok(self.unfinished())
    }

    /// Begins the next drawing. Skips charts that another request has drawn meanwhile.
    fn next(&mut self, context: &Context, request: &RouteRequest<'_>) -> Option<Drawing> {
        let snapshot = context.snapshot();
        while self.pieces < MAX_PIECES {
            let (source, field) = self.outdated.pop_front()?;
            let Some(source) = snapshot.sources.get(&source) else { continue };
            let thresholds = thresholds(&context.alerts.view(), source, &field);
            let range = self.range;
            let subject = Subject { source, field: &field, range, thresholds: &thresholds };
            if let Cached::Outdated(_) = context.charts.get(&context.history, subject, request.now)
            {
                return Some(Drawing::new(&context.history, subject, request.now));
            }
        }
        None
    }
}
