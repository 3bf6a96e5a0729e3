//! Phases of a connection, with the data of each.

use super::body::BodyDecoder;
use super::framing::Framing;
use super::response::ResponseContext;
use crate::message::{Request, Response};
use crate::service::Continuation;

/// Phase of a connection.
pub(super) enum Phase {
    /// Between two requests.
    Idle,
    /// Within a head, or before the first one.
    Head,
    /// The service has the request. The body behind its head has not been read.
    Handling(ResponseContext, PendingBody),
    /// Within a body that the service has requested.
    Body(Box<Receiving>),
    /// The response exists. The body that the service did not request is dropped before the response
    /// is sent.
    Discard(Box<Discarding>),
}

/// Body behind a head, of which nothing was read.
#[derive(Clone, Copy)]
pub(super) struct PendingBody {
    pub(super) framing: Framing,
    pub(super) expects_continue: bool,
}

impl PendingBody {
    /// No body, or one that was read.
    pub(super) const NONE: PendingBody =
        PendingBody { framing: Framing::None, expects_continue: false };
}

/// Data of [`Phase::Body`].
pub(super) struct Receiving {
    pub(super) request: Box<Request>,
    pub(super) context: ResponseContext,
    /// Called once the body is complete.
    pub(super) then: Continuation,
    pub(super) decoder: BodyDecoder,
    /// The client waits for `100 Continue`, which was not sent yet.
    pub(super) expects_continue: bool,
}

/// Data of [`Phase::Discard`].
pub(super) struct Discarding {
    pub(super) response: Response,
    pub(super) context: ResponseContext,
    pub(super) decoder: BodyDecoder,
}
