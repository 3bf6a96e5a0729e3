//! Answers that take more than one piece of work.
//!
//! A handler that needs the disk returns its work as a closure, which the engine runs in a turn of
//! its own under a permit of the route's [`Lane`]. A piece takes a few milliseconds at most and
//! returns the rest as another one. Access is decided once, before the first piece; the headers
//! that every response carries, the metrics and the line of the log are made once, after the last.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use super::problem::Problem;
use super::routes::Ask;
use super::{OPEN, Site};
use crate::access::{Pass, Posted};
use crate::engine::{Continuation, Lane, Reply, Request, Response};

/// Result of a handler, or of a piece of its work.
pub(super) enum Answer {
    /// The response.
    Ready(Response),
    /// More work to do.
    Unfinished(Work),
    /// The rest, once the request's body is read, of so many bytes at most.
    AfterBody(usize, Piece),
}

/// Work that is left to do.
pub(super) struct Work {
    next: Piece,
    fallback: Option<Piece>,
}

/// A few milliseconds of work.
type Piece = Box<dyn FnOnce(&Site, &Ask<'_>) -> Result<Answer, Problem> + Send>;

impl Answer {
    /// Goes on with `next`.
    pub(super) fn unfinished(
        next: impl FnOnce(&Site, &Ask<'_>) -> Result<Answer, Problem> + Send + 'static,
    ) -> Answer {
        Answer::Unfinished(Work { next: Box::new(next), fallback: None })
    }

    /// Goes on with `next` once the body is read, of `limit` bytes at most.
    pub(super) fn after_body(
        limit: usize,
        next: impl FnOnce(&Site, &Ask<'_>) -> Result<Answer, Problem> + Send + 'static,
    ) -> Answer {
        Answer::AfterBody(limit, Box::new(next))
    }

    /// Goes on with `next`, or with `fallback` if that has to wait for longer than
    /// [`FALLBACK_AFTER`](super::FALLBACK_AFTER).
    pub(super) fn unfinished_or(
        next: impl FnOnce(&Site, &Ask<'_>) -> Result<Answer, Problem> + Send + 'static,
        fallback: impl FnOnce(&Site, &Ask<'_>) -> Result<Answer, Problem> + Send + 'static,
    ) -> Answer {
        Answer::Unfinished(Work { next: Box::new(next), fallback: Some(Box::new(fallback)) })
    }
}

/// A request on its way to a response: what was found out when its head had come.
pub(super) struct Exchange {
    pub(super) begun: Instant,
    pub(super) now: Timestamp,
    /// Pattern of the route.
    pub(super) route: &'static str,
    /// Lane of the work.
    pub(super) lane: Lane,
    /// The pattern's parameter; empty where it has none.
    pub(super) parameter: Box<str>,
    /// Credentials that it took.
    pub(super) pass: Pass,
}

impl Exchange {
    pub(super) fn new(now: Timestamp, route: &'static str) -> Exchange {
        Exchange {
            begun: Instant::now(),
            now,
            route,
            lane: Lane::Interactive,
            parameter: Box::default(),
            pass: OPEN,
        }
    }

    pub(super) fn ask<'a>(&'a self, request: &'a Request) -> Ask<'a> {
        let by_session = self.pass.by_session;
        Ask { request, parameter: &self.parameter, now: self.now, by_session }
    }

    /// Does all of the work on the calling thread.
    pub(super) fn complete(
        &self,
        site: &Site,
        request: &Request,
        mut outcome: Result<Answer, Problem>,
    ) -> Result<Response, Problem> {
        loop {
            match outcome? {
                Answer::Ready(response) => return Ok(response),
                Answer::Unfinished(Work { next, .. }) | Answer::AfterBody(_, next) => {
                    outcome = next(site, &self.ask(request));
                }
            }
        }
    }
}

/// An exchange with work left to do, which outlives the call of the service.
struct Pending {
    site: Arc<Site>,
    exchange: Exchange,
    /// Rules of access that the request was held against.
    posted: Arc<Posted>,
}

/// The engine's reply to the first outcome of a request: the response, or the work that is left.
pub(super) fn reply(
    site: &Arc<Site>,
    exchange: Exchange,
    posted: &Arc<Posted>,
    request: &Request,
    outcome: Result<Answer, Problem>,
) -> Reply {
    let pending = |exchange| {
        let (site, posted) = (Arc::clone(site), Arc::clone(posted));
        Arc::new(Pending { site, exchange, posted })
    };
    let outcome = match outcome {
        Ok(Answer::Unfinished(work)) => return pending(exchange).reply_with(work),
        Ok(Answer::AfterBody(limit, next)) => return pending(exchange).reply_after(limit, next),
        Ok(Answer::Ready(response)) => Ok(response),
        Err(problem) => Err(problem),
    };
    Reply::Respond(site.conclude(&exchange, posted, request, outcome))
}

impl Pending {
    fn reply_with(self: Arc<Pending>, work: Work) -> Reply {
        let Work { next, fallback } = work;
        let lane = self.exchange.lane;
        match fallback {
            None => Reply::Heavy { lane, work: self.continued(next) },
            Some(fallback) => Reply::HeavyOr {
                lane,
                patience: super::FALLBACK_AFTER,
                work: Arc::clone(&self).continued(next),
                otherwise: self.continued(fallback),
            },
        }
    }

    fn reply_after(self: Arc<Pending>, limit: usize, next: Piece) -> Reply {
        Reply::ReadBody { limit, then: self.continued(next) }
    }

    fn continued(self: Arc<Pending>, piece: Piece) -> Continuation {
        Box::new(move |request, activity| {
            let Pending { site, exchange, posted } = &*self;
            activity.set_route(exchange.route);
            activity.progress();
            let outcome = match piece(site, &exchange.ask(request)) {
                Ok(Answer::Unfinished(work)) => return self.reply_with(work),
                Ok(Answer::AfterBody(limit, next)) => return self.reply_after(limit, next),
                Ok(Answer::Ready(response)) => Ok(response),
                Err(problem) => Err(problem),
            };
            Reply::Respond(site.conclude(exchange, posted, request, outcome))
        })
    }
}

#[cfg(test)]
mod tests;
