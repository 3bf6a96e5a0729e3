//! Interface between the engine and the program that it serves.

use std::fmt;
use std::time::Duration;

use super::activity::Activity;
use super::message::{Request, RequestHead, Response};
use super::refusal::Refusal;

/// The program behind the engine.
pub trait Service: Send + Sync + 'static {
    /// Answers a request whose head is whole, or returns the next step. Runs on a worker; may
    /// block that worker, no other. The program may set the route on `activity`, for the
    /// scoreboard.
    ///
    /// Called once for each request, before any of its body is read: the place to decide about
    /// access. A [`Continuation`] carries that decision along.
    fn call(&self, request: &Request, activity: &Activity) -> Reply;

    /// Renders the answer to a request that never reached [`Service::call`], or did not come back
    /// from there; `head` is its head, if that was understood. The engine sends it with the
    /// refusal's status and closes. Must not block.
    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response;
}

/// Next step towards the answer to a request.
pub enum Reply {
    /// The response. A request body that was not read is dropped up to `MAX_DISCARDED_BODY` bytes;
    /// behind a longer one the connection is closed.
    Respond(Response),
    /// The body, of at most so many bytes, then the continuation. A larger body is refused with
    /// 413.
    ReadBody {
        /// Bytes of the decoded body at most; `max_body_bytes` holds as well.
        limit: usize,
        /// Called once the body is whole.
        then: Continuation,
    },
    /// A piece of expensive work, which runs in a turn of its own while the request holds one of
    /// the lane's permits. It should take a few milliseconds at most, and return the rest of the
    /// work as another `Heavy`.
    Heavy {
        /// Concurrency limit that the work counts against.
        lane: Lane,
        /// The work.
        work: Continuation,
    },
    /// Expensive work that the answer can do without: `otherwise` is called, without a permit, if
    /// the request has to wait for one for longer than `patience`, at first or again later.
    HeavyOr {
        /// Concurrency limit that the work counts against.
        lane: Lane,
        /// Longest wait for a permit; `queue_timeout` holds as well. Looked at every
        /// `SWEEP_INTERVAL`.
        patience: Duration,
        /// The work.
        work: Continuation,
        /// Leads to an answer without that work. It should be cheap.
        otherwise: Continuation,
    },
}

/// Work that goes on once its precondition holds. It runs on a worker.
pub type Continuation = Box<dyn FnOnce(&Request, &Activity) -> Reply + Send>;

/// Concurrency limit for expensive work. Each lane has permits of its own, so that one cannot
/// use up the other's.
///
/// The streamed body of a response that was made by [`Reply::Heavy`] is read under a permit of
/// the same lane. Its source may return [`WouldBlock`](std::io::ErrorKind::WouldBlock) to end the
/// turn: it is read on in a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Requests of scripts, with [`Settings::heavy_requests`](super::Settings::heavy_requests)
    /// permits.
    Bulk,
    /// Requests of people who look at a page, with one permit.
    Interactive,
}

/// Expensive work that a request has left to do.
pub(super) struct HeavyWork {
    pub(super) lane: Lane,
    pub(super) run: Continuation,
    pub(super) fallback: Option<Fallback>,
}

/// Way to an answer without expensive work.
pub(super) struct Fallback {
    /// Longest wait for a permit.
    pub(super) patience: Duration,
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
