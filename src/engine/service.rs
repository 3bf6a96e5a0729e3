//! Interface between the engine and the program that it serves, its service.
//!
//! A worker calls [`Service::call`] once the head of a request is complete. The reply is the response,
//! or the next step towards it: the body is read first, or expensive work is done piece by piece under
//! a concurrency limit, a [`Lane`]. Between two steps the request holds no worker.

use std::fmt;
use std::time::Duration;

use super::activity::Activity;
use super::message::{Request, RequestHead, Response};
use super::refusal::Refusal;

/// Program behind the engine.
pub trait Service: Send + Sync + 'static {
    /// Answers a request, or returns the next step. May block, which occupies one worker. May set the
    /// route on `activity`, for the scoreboard.
    ///
    /// It is called once for each request, before any of the body is read, and so decides about
    /// access. A [`Continuation`] keeps that decision.
    fn call(&self, request: &Request, activity: &Activity) -> Reply;

    /// Renders the response to a request that the engine refuses, with [`Refusal::status`]. `head` is
    /// its head, if that could be parsed. The connection is closed behind it. Must not block, as
    /// the reaper calls it too.
    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response;
}

/// Next step towards the response to a request.
pub enum Reply {
    /// Sends the response. A request body that was not read is dropped up to `MAX_DISCARDED_BODY` bytes;
    /// behind a longer one the connection is closed.
    Respond(Response),
    /// Reads the body, and then calls the continuation. A body over the limit is refused with 413.
    ReadBody {
        /// Most bytes of the decoded body. `max_body_bytes` applies as well.
        limit: usize,
        /// Called once the body is complete.
        then: Continuation,
    },
    /// Runs a piece of expensive work while the request holds a permit of the lane. A piece should
    /// take a few milliseconds at most, and return the rest of the work as another `Heavy`.
    Heavy {
        /// Concurrency limit that the work counts against.
        lane: Lane,
        /// The work.
        work: Continuation,
    },
    /// Runs expensive work that is optional. If the request waits for a permit for longer than
    /// `max_wait`, at first or later, `fallback` is called instead, without a permit.
    HeavyOr {
        /// Concurrency limit that the work counts against.
        lane: Lane,
        /// Longest wait for a permit, checked every 100 ms. `queue_timeout` applies as well.
        max_wait: Duration,
        /// The work.
        work: Continuation,
        /// Cheap call that leads to a response without the work.
        fallback: Continuation,
    },
}

/// Call that continues a request. It runs on a worker.
pub type Continuation = Box<dyn FnOnce(&Request, &Activity) -> Reply + Send>;

/// Concurrency limit for expensive work (a bulkhead). Each lane has its own permits, so that one cannot
/// use up the other's.
///
/// The streamed body of a response that [`Reply::Heavy`] led to is read under a permit of the same
/// lane. Its source may return [`WouldBlock`](std::io::ErrorKind::WouldBlock) to end the turn; it is
/// read again in a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Lane for requests of scripts, with [`Settings::heavy_requests`](super::Settings::heavy_requests)
    /// permits.
    Bulk,
    /// Lane for requests of people at a page, with one permit.
    Interactive,
}

/// Piece of expensive work.
pub(super) struct HeavyWork {
    pub(super) lane: Lane,
    pub(super) run: Continuation,
    pub(super) fallback: Option<Fallback>,
}

/// Call that replaces expensive work.
pub(super) struct Fallback {
    /// Longest wait for a permit.
    pub(super) max_wait: Duration,
    pub(super) run: Continuation,
}

impl From<Response> for Reply {
    fn from(response: Response) -> Reply {
        Reply::Respond(response)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Respond(response) => f.debug_tuple("Respond").field(response).finish(),
            Reply::ReadBody { limit, .. } => write!(f, "ReadBody({limit})"),
            Reply::Heavy { lane, .. } => write!(f, "Heavy({lane:?})"),
            Reply::HeavyOr { lane, .. } => write!(f, "HeavyOr({lane:?})"),
        }
    }
}
