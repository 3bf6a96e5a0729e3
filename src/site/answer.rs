//! Handlers, and their results, which may take several pieces of work.
//!
//! Most handlers answer from memory, at once. A handler that needs the disk returns its work as a
//! closure, which the engine runs in a turn of its own under a permit of the route's [`Lane`]. A
//! piece takes a few milliseconds at most and returns the rest as another one. Access is decided
//! once, before the first piece; `finish` runs once, after the last.

use http::Method;

use super::content::Content;
use super::context::{Context, RouteRequest};
use super::problem::Problem;
use crate::engine::Lane;

/// Result of a handler, or of a piece of its work.
pub(super) enum Answer {
    /// The content.
    Ready(Content),
    /// More work to do.
    Unfinished(Work),
    /// Work that follows once the request's body, of at most that many bytes, is read.
    AfterBody(usize, Piece),
}

/// Work that is left to do.
pub(super) struct Work {
    /// Next piece, which runs under a permit.
    pub(super) next: Piece,
    /// Piece that runs instead if the wait for a permit would be too long.
    pub(super) fallback: Option<Piece>,
}

/// A few milliseconds of work.
pub(super) type Piece =
    Box<dyn FnOnce(&Context, &RouteRequest<'_>) -> Result<Answer, Problem> + Send>;

impl Answer {
    /// Returns an answer that is complete.
    pub(super) fn ready(content: impl Into<Content>) -> Answer {
        Answer::Ready(content.into())
    }

    /// Returns an answer that continues with `next`.
    pub(super) fn unfinished(
        next: impl FnOnce(&Context, &RouteRequest<'_>) -> Result<Answer, Problem> + Send + 'static,
    ) -> Answer {
        Answer::Unfinished(Work { next: Box::new(next), fallback: None })
    }

    /// Returns an answer that continues with `next`, or with `fallback` if `next` would wait too long
    /// for a permit.
    pub(super) fn unfinished_or(
        next: impl FnOnce(&Context, &RouteRequest<'_>) -> Result<Answer, Problem> + Send + 'static,
        fallback: impl FnOnce(&Context, &RouteRequest<'_>) -> Result<Answer, Problem> + Send + 'static,
    ) -> Answer {
        Answer::Unfinished(Work { next: Box::new(next), fallback: Some(Box::new(fallback)) })
    }
}

/// Handler of a route. The engine turns the answer to a GET into that to a HEAD.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Answers at once, from memory.
    Light(fn(&Context, &RouteRequest<'_>) -> Result<Content, Problem>),
    /// Answers at once, or by expensive work, such as reading from a disk, that counts against
    /// the lane's limit.
    Heavy(Lane, fn(&Context, &RouteRequest<'_>) -> Result<Answer, Problem>),
    /// Answers a POST once its body, of at most that many bytes, is read; other methods at once.
    Form(usize, fn(&Context, &RouteRequest<'_>) -> Result<Content, Problem>),
}

impl Handler {
    /// Returns the lane of the handler's work.
    pub(super) fn lane(self) -> Lane {
        match self {
            Handler::Heavy(lane, _) => lane,
            Handler::Light(_) | Handler::Form(..) => Lane::Interactive,
        }
    }

    /// Calls the handler, or returns the work that follows the body if the handler needs one.
    pub(super) fn call(
        self,
        context: &Context,
        request: &RouteRequest<'_>,
    ) -> Result<Answer, Problem> {
        match self {
            Handler::Form(limit, handler) if request.http.method == Method::POST => {
                let rest = move |context: &Context, request: &RouteRequest<'_>| {
                    handler(context, request).map(Answer::Ready)
                };
                Ok(Answer::AfterBody(limit, Box::new(rest)))
            }
            Handler::Light(handler) | Handler::Form(_, handler) => {
                handler(context, request).map(Answer::Ready)
            }
            Handler::Heavy(_, handler) => handler(context, request),
        }
    }
}

#[cfg(test)]
mod tests;
