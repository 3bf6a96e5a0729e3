//! Faults of upstreams, and an upstream that can show each of them.
//!
//! [`FaultyUpstream`] is healthy until [`FaultyUpstream::inject`] is called and again after
//! [`FaultyUpstream::recover`], so that a test sees the healthy state on both sides of the fault.
//! [`Fault::effect`] states what the fault must do to its own source, and to no other.

mod response;
mod server;

use strum::VariantArray;

pub use server::FaultyUpstream;

/// Fault of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum Fault {
    /// Drops every SYN, as its accept queue is full.
    DropsSyn,
    /// Accepts the connection and sends nothing.
    NeverSends,
    /// Accepts the connection and never answers the ClientHello.
    TlsStalls,
    /// Sends the head one byte at a time.
    DripsHead,
    /// Sends the body one byte at a time.
    DripsBody,
    /// Sends a body without end.
    EndlessBody,
    /// Sends a small gzip body that expands to 32 MiB.
    GzipBomb,
    /// Sends a small body in bare DEFLATE that expands to 32 MiB.
    DeflateBomb,
    /// Answers 200 with an HTML page that reports an outage.
    ErrorPage,
    /// Answers 200 with an empty body.
    EmptyBody,
    /// Sends JSON that breaks off.
    TruncatedJson,
    /// Sends a PNG image as `application/json`.
    WrongType,
    /// Sends 100,000 nested arrays.
    DeepNesting,
    /// Redirects to its own URL.
    RedirectLoop,
    /// Redirects from https to http.
    RedirectsToHttp,
    /// Redirects to another host.
    RedirectsToAnotherHost,
    /// Answers 429 with `Retry-After` in seconds.
    TooManyRequests,
    /// Answers 503 with `Retry-After` as a date.
    Unavailable,
    /// Answers 304 to a request without a condition.
    NotModified,
    /// Resets the connection in the middle of the body.
    Resets,
    /// Presents a certificate that has expired.
    CertificateExpired,
    /// Presents a certificate for another name.
    CertificateForAnotherName,
    /// Reports an observation time one hour in the future.
    ClockAhead,
    /// Sends `"NaN"` in place of a number.
    NotANumber,
    /// Sends 1e999 in place of a number.
    NumberOutOfRange,
    /// Sends null in place of a number.
    NullValue,
}

/// Effect of a fault on its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The poll fails with an error of this kind, and the last value stays.
    PollFails(&'static str),
    /// The value is null and has a note.
    ValueIsNull,
    /// The value is present and has a note about its time.
    ValueHasNote,
}

impl Fault {
    /// All faults.
    pub const ALL: &[Fault] = Fault::VARIANTS;

    /// Returns the effect that the fault must have.
    pub fn effect(self) -> Effect {
        match self {
            Fault::DropsSyn
            | Fault::NeverSends
            | Fault::TlsStalls
            | Fault::DripsHead
            | Fault::DripsBody => Effect::PollFails("timeout"),
            Fault::EndlessBody | Fault::GzipBomb | Fault::DeflateBomb => {
                Effect::PollFails("too_large")
            }
            Fault::ErrorPage
            | Fault::EmptyBody
            | Fault::TruncatedJson
            | Fault::WrongType
            | Fault::DeepNesting => Effect::PollFails("decode"),
            Fault::RedirectLoop
            | Fault::RedirectsToHttp
            | Fault::RedirectsToAnotherHost
            | Fault::NotModified => Effect::PollFails("http"),
            Fault::TooManyRequests | Fault::Unavailable => Effect::PollFails("rate_limited"),
            Fault::Resets => Effect::PollFails("connect"),
            Fault::CertificateExpired | Fault::CertificateForAnotherName => {
                Effect::PollFails("tls")
            }
            Fault::ClockAhead => Effect::ValueHasNote,
            Fault::NotANumber | Fault::NumberOutOfRange | Fault::NullValue => Effect::ValueIsNull,
        }
    }

    /// Returns true if the upstream of this fault serves HTTPS.
    fn needs_tls(self) -> bool {
        matches!(
            self,
            Fault::TlsStalls
                | Fault::RedirectsToHttp
                | Fault::CertificateExpired
                | Fault::CertificateForAnotherName
        )
    }
}
