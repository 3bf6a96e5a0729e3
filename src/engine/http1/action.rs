//! Requests that a connection makes of its driver.

use std::fmt;

use super::head::Head;
use crate::message::{Request, RequestHead};
use crate::refusal::Refusal;
use crate::service::{Continuation, HeavyWork, Service};
use crate::stats::CloseReason;

/// Next action that a connection needs of its driver.
#[derive(Debug)]
pub(crate) enum Action {
    /// Read from the client, and pass the bytes to `Connection::receive`.
    Read,
    /// Write `Connection::output` until it is empty.
    Write,
    /// Run this call of the service. It ends in `Connection::respond`, or continues with
    /// `Connection::read_body`.
    Call(ServiceCall),
    /// Render this refusal, and pass the response to `Connection::refuse`.
    Refuse(Refused),
    /// Close the connection: all output is written.
    Close(Closing),
}

/// Call of the service for one request.
pub(crate) struct ServiceCall {
    pub(crate) request: Box<Request>,
    pub(crate) step: CallStep,
}

/// Step of the service's work on a request.
pub(crate) enum CallStep {
    /// [`Service::call`].
    Begin,
    /// Continuation of that call: the body is complete, or expensive work was given up.
    Continue(Continuation),
    /// Expensive work, which needs a permit.
    Heavy(HeavyWork),
}

impl fmt::Debug for ServiceCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceCall").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Refused request.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// Head of the request, if it could be parsed.
    pub(super) head: Option<Box<Head>>,
}

impl Refused {
    /// Renders the refusal by [`Service::refuse`].
    pub(crate) fn render(&self, service: &dyn Service) -> crate::Response {
        service.refuse(self.refusal, self.head.as_deref().map(RequestHead::from))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, head: None }
    }
}

/// End of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    /// A response was written that a reset could destroy: the client may still send (RFC 9112 9.6).
    pub(crate) linger: bool,
}
