//! Requests that the engine refuses.

use http::StatusCode;

/// Why the engine answered in the program's stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 400: the head or the body's framing breaks RFC 9112; the text names the rule.
    Malformed(&'static str),
    /// 408: the head or the body was not complete at its deadline.
    Timeout,
    /// 413: the body exceeds `max_body_bytes`.
    BodyTooLarge,
    /// 414: the target exceeds 65,534 bytes, or the request line `max_header_bytes`.
    TargetTooLong,
    /// 417: an expectation other than `100-continue`.
    Expectation,
    /// 421: the target's scheme is not the connection's.
    Misdirected,
    /// 431: the head exceeds `max_header_bytes` or `max_headers`.
    HeadTooLarge,
    /// 500: the handler panicked.
    Panicked,
    /// 501: a transfer coding other than `chunked`.
    UnknownCoding,
    /// 501: CONNECT, or a method as long as `max_header_bytes`.
    UnknownMethod,
    /// 503: no worker was free within `queue_timeout`, or too many connections are open.
    Overloaded,
    /// 503: no permit for expensive work was free within `queue_timeout`.
    HeavyOverload,
    /// 505: a major version other than 1.
    Version,
}

impl Refusal {
    /// The status that this refusal is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::Timeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
            Refusal::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::UnknownCoding | Refusal::UnknownMethod => StatusCode::NOT_IMPLEMENTED,
            Refusal::Overloaded | Refusal::HeavyOverload => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    /// One sentence for the client.
    pub const fn detail(self) -> &'static str {
        match self {
            Refusal::Malformed(rule) => rule,
            Refusal::Timeout => "The request was not complete in time.",
            Refusal::BodyTooLarge => "The request body is larger than this server accepts.",
            Refusal::TargetTooLong => "The request target is longer than this server accepts.",
            Refusal::Expectation => "The only expectation this server meets is 100-continue.",
            Refusal::Misdirected => {
                "The scheme of the request target is not the scheme of this connection."
            }
            Refusal::HeadTooLarge => "The request head is larger than this server accepts.",
            Refusal::Panicked => {
                "The server failed while it handled the request; the log says why."
            }
            Refusal::UnknownCoding => "The only transfer coding this server decodes is chunked.",
            Refusal::UnknownMethod => "The method is not implemented.",
            Refusal::Overloaded => "Every worker is busy; try again shortly.",
            Refusal::HeavyOverload => {
                "Too many expensive requests are in progress; retry shortly, or request less: a \
                 shorter window, or a coarser step."
            }
            Refusal::Version => "This server speaks HTTP/1.0 and HTTP/1.1.",
        }
    }
}
