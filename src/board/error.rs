//! Errors of polls, as the API reports them.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::text::clean;

/// Kind of a poll's failure: `error.kind` in JSON, `outcome` in metrics.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum ErrorKind {
    /// The total deadline passed.
    Timeout,
    /// The name could not be resolved.
    Dns,
    /// The connection could not be established, or was closed.
    Connect,
    /// The TLS handshake failed, or the certificate was rejected.
    Tls,
    /// The HTTP status is not a success, or is a redirect that is not followed.
    Http,
    /// The body exceeded its cap, before or after decompression.
    TooLarge,
    /// The body could not be decoded by this kind of source.
    Decode,
    /// The upstream requested a lower rate (429, or 503 with `Retry-After`).
    RateLimited,
    /// The system refused a thread or a descriptor for the poll.
    Resources,
    /// The poller panicked: a bug in this program.
    Panic,
}

impl ErrorKind {
    /// Returns the name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Error of a poll. The message is for people and contains no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct PollError {
    /// Kind of the failure.
    pub kind: ErrorKind,
    /// Message, one line.
    pub message: String,
}

impl PollError {
    /// Returns an error with its message. Hidden characters are replaced, since the message may quote an
    /// upstream.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> PollError {
        PollError { kind, message: clean(&message.into()).into_owned() }
    }
}
