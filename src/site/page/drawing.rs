//! Draws the charts of a page, piece by piece, before the page is rendered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use crate::site::answer::Answer;
use crate::site::chart::{Drawing, Known, Missing, Range, Wanted};
use crate::site::content::Content;
use crate::site::context::{Context, RouteRequest};
use crate::site::problem::Problem;
use crate::site::sources::find;

/// Pieces of work after which a page begins no more charts: it is served with those that are there,
/// and a later request draws the others.
const PIECES_PER_PAGE: usize = 100;

/// A chart of a page that is to be drawn: names of its source and field.
pub(super) type Outdated = (Arc<str>, String);

/// Renders a page with the charts that are there.
type Render = fn(&Context, &RouteRequest<'_>) -> Result<Content, Problem>;

/// Ways to render a page.
#[derive(Clone, Copy)]
pub(super) struct PageRenderers {
    /// Under a permit, once the charts are drawn.
    pub(super) render: Render,
    /// Where the request would have to wait for a permit for too long. It should be cheap.
    pub(super) without_permit: Render,
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
pub(super) fn draw_for_page(
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
            move |context, request| self.draw_on(context, request),
            move |context, request| without_permit(context, request).map(Answer::Ready),
        )
    }

    fn draw_on(mut self, context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
        let Some(mut drawing) = self.drawing.take().or_else(|| self.next(context, request)) else {
            return (self.renderers.render)(context, request).map(Answer::Ready);
        };
        self.pieces += 1;
        match drawing.advance(&context.charts, &context.history) {
            Poll::Pending => self.drawing = Some(drawing),
            Poll::Ready(Err(Missing::Unavailable)) => self.outdated.clear(),
            Poll::Ready(_) => {}
        }
        Ok(self.unfinished())
    }

    /// Begins the next one. Another request may have drawn some meanwhile.
    fn next(&mut self, context: &Context, request: &RouteRequest<'_>) -> Option<Drawing> {
        let snapshot = context.snapshot();
        while self.pieces < PIECES_PER_PAGE {
            let (source, field) = self.outdated.pop_front()?;
            let Some(source) = find(&snapshot.sources, &source) else { continue };
            let wanted = Wanted { source, field: &field, range: self.range };
            if let Known::Outdated(_) = context.charts.look(&context.history, wanted, request.now) {
                return Some(Drawing::new(&context.history, wanted, request.now));
            }
        }
        None
    }
}
