//! One message of a channel, and the result of sending it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::alert::Notice;

/// A message to send: all notices of a channel that are due, at least one, oldest first.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The notices. Those of one incident have been joined: of a fire and its end, both are here, in that order.
    pub notices: Vec<Arc<Notice>>,
    /// Identity of the message: the same at each attempt to send the same notices.
    pub key: Arc<str>,
    /// Number of further notices that were dropped because too many waited.
    pub dropped: u64,
    /// True if a notice could not be saved before it was sent, since the disk did not take it in time.
    pub unsaved: bool,
    /// Present, by which ages are computed.
    pub now: Timestamp,
}

/// Sends the messages of a channel.
pub trait Deliver: Send + Sync {
    /// Sends a message. Returns by `deadline` at the latest.
    ///
    /// # Errors
    /// The message was not sent, or it is not known whether it was.
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError>;
}

/// A message was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DeliveryError {
    /// Consequence.
    pub fault: DeliveryFault,
    /// Text for people, without secrets.
    pub message: Arc<str>,
    /// Time that the server asked to wait.
    pub retry_after: Option<Duration>,
}

/// Consequence of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryFault {
    /// It may pass: the message is sent again.
    Transient,
    /// The server takes no message of this channel, such as for a token that is not valid. Messages wait for another
    /// configuration, and are sent again now and then: it may be a proxy that starts.
    Refused,
    /// The server does not take this message, and may take others. It is set aside, tried again by itself, and
    /// dropped only once the server has taken others for a day.
    Undeliverable,
}

impl DeliveryError {
    /// Returns an error without a wait.
    pub(super) fn new(fault: DeliveryFault, message: impl Into<Arc<str>>) -> DeliveryError {
        DeliveryError { fault, message: message.into(), retry_after: None }
    }
}
