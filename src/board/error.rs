//! What went wrong with a poll, as the API tells it.

use strum::{Display, IntoStaticStr, VariantArray};

use crate::text::clean;

/// The kinds of failure that the JSON names in `error.kind` and the metrics in `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorKind {
    /// The total deadline passed.
    Timeout,
    /// The name could not be resolved.
    Dns,
    /// No connection could be made, or it broke.
    Connect,
    /// The TLS handshake failed or the certificate was refused.
    Tls,
    /// An HTTP status that is no success, or a redirect that is not followed.
    Http,
    /// The body exceeded its cap, before or after decompression.
    TooLarge,
    /// The body was not what this kind of upstream sends.
    Decode,
    /// The upstream asked us to slow down (429, or 503 with `Retry-After`).
    RateLimited,
    /// The poller's code panicked: a defect of ours.
    Panic,
}

impl ErrorKind {
    /// Returns the name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A failed poll. The message is for people and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct PollError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// One line for people.
    pub message: String,
}

impl PollError {
    /// A failure of that kind with its message, which may quote a peer: it is cleaned of hidden
    /// characters.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> PollError {
        PollError { kind, message: clean(&message.into()).into_owned() }
    }
}
