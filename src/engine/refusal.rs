//! Requests that the engine refuses, one variant for each reason.
//!
//! A refusal ends its connection: bytes behind a request that is malformed, too long or abandoned
//! cannot be attributed to another request (RFC 9112 6.3 and 11.2). Each variant names the section
//! that it enforces. Status codes are those of RFC 9110 15, and 431 of RFC 6585 5.

use http::StatusCode;

/// Reason for which the engine answers a request itself, instead of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 400: the request breaks the syntax of HTTP/1.1 (RFC 9110 15.5.1).
    BadRequest(BadRequest),
    /// 408: the head or the body was incomplete at its deadline (RFC 9110 15.5.9).
    Timeout,
    /// 413: the body exceeds `max_body_bytes`, or its chunk lines `MAX_CHUNK_OVERHEAD`
    /// (RFC 9110 15.5.14; RFC 9112 7.1.1).
    BodyTooLarge,
    /// 414: the target exceeds 65,534 bytes, or the request line `max_header_bytes` (RFC 9112 3).
    TargetTooLong,
    /// 417: an expectation other than `100-continue` (RFC 9110 10.1.1).
    UnknownExpectation,
    /// 421: the target's scheme is not the connection's (RFC 9110 7.4).
    Misdirected,
    /// 431: the head exceeds `max_header_bytes` or `max_headers`, or a trailer section does
    /// (RFC 6585 5; RFC 9110 5.4).
    HeadTooLarge,
    /// 500: the service panicked (RFC 9110 15.6.1).
    Panicked,
    /// 501: a transfer coding other than `chunked` (RFC 9112 6.1).
    UnknownCoding,
    /// 501: CONNECT (RFC 9110 9.3.6), or a method as long as `max_header_bytes` (RFC 9112 3).
    UnknownMethod,
    /// 503: no worker was free within `queue_timeout`, or too many connections are open
    /// (RFC 9110 15.6.4).
    Overloaded,
    /// 503: no permit for expensive work was free within `queue_timeout` (RFC 9110 15.6.4).
    HeavyOverload,
    /// 505: a major version other than 1 (RFC 9110 15.6.6).
    UnknownVersion,
}

/// Rule that a malformed request breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(strum::VariantArray))]
pub enum BadRequest {
    /// `method SP request-target SP HTTP-version`, with visible characters only (RFC 9112 3).
    RequestLine,
    /// One of the four forms of a target, in the method that the form is for (RFC 9112 3.2).
    Target,
    /// No fragment in a target: no form of it has one (RFC 9112 3.2).
    TargetFragment,
    /// No userinfo in a target (RFC 9110 4.2.4).
    TargetUserinfo,
    /// `http` or `https` in a target in absolute form (RFC 9110 4.2).
    TargetScheme,
    /// CR LF at the end of each line, and neither CR nor LF elsewhere. RFC 9112 2.2 lets a
    /// recipient accept a bare LF; recipients that differ in that disagree about the end of a head.
    LineEnding,
    /// A token before the colon of a field line, without white space between: RFC 9112 5.1 demands
    /// the refusal. A folded line is refused as well (RFC 9112 5.2).
    FieldName,
    /// No control character in a field value but tab (RFC 9110 5.5).
    FieldValue,
    /// A Host field in HTTP/1.1 (RFC 9112 3.2).
    MissingHost,
    /// One Host field at most (RFC 9112 3.2).
    RepeatedHost,
    /// `uri-host [ ":" port ]` in the Host field (RFC 9110 7.2).
    Host,
    /// Either Content-Length or Transfer-Encoding: a message with both may be an attempt to smuggle
    /// a request (RFC 9112 6.1).
    LengthAndCoding,
    /// One Content-Length field at most. RFC 9110 8.6 lets a recipient merge equal ones.
    RepeatedLength,
    /// `1*DIGIT` in Content-Length (RFC 9110 8.6).
    Length,
    /// No Transfer-Encoding in HTTP/1.0: its framing is faulty (RFC 9112 6.1).
    CodingInHttp10,
    /// At least one coding in a Transfer-Encoding field (RFC 9112 6.1).
    EmptyCoding,
    /// `chunked` once, and as the last coding (RFC 9112 6.1 and 6.3).
    ChunkedTwice,
    /// Hexadecimal digits and nothing else in a chunk's size (RFC 9112 7.1).
    ChunkSize,
    /// `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )` behind a chunk's size
    /// (RFC 9112 7.1.1).
    ChunkExtension,
    /// At most `MAX_CHUNK_LINE` bytes in a chunk's size line (RFC 9112 7.1.1).
    ChunkLineTooLong,
    /// CR LF at the end of each line of a chunked body, and neither CR nor LF elsewhere in it
    /// (RFC 9112 7.1).
    ChunkLineEnding,
    /// CR LF behind as many bytes of a chunk as its size line announces (RFC 9112 7.1).
    ChunkLength,
    /// `field-line` in a trailer section (RFC 9112 7.1.2).
    TrailerField,
    /// A TLS handshake on a port for HTTPS (RFC 9110 4.2.2).
    PlainHttp,
}

impl Refusal {
    /// Returns the status of the response.
    pub const fn status(self) -> StatusCode {
        match self {
            Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
            Refusal::Timeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::UnknownExpectation => StatusCode::EXPECTATION_FAILED,
            Refusal::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::UnknownCoding | Refusal::UnknownMethod => StatusCode::NOT_IMPLEMENTED,
            Refusal::Overloaded | Refusal::HeavyOverload => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::UnknownVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    /// Returns one sentence for the client.
    pub const fn detail(self) -> &'static str {
        match self {
            Refusal::BadRequest(rule) => rule.detail(),
            Refusal::Timeout => "The request was not complete in time.",
            Refusal::BodyTooLarge => "The request body is larger than this server accepts.",
            Refusal::TargetTooLong => "The request target is longer than this server accepts.",
            Refusal::UnknownExpectation => {
                "The only expectation this server meets is 100-continue."
            }
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
            Refusal::UnknownVersion => "This server speaks HTTP/1.0 and HTTP/1.1.",
        }
    }
}

impl From<BadRequest> for Refusal {
    fn from(rule: BadRequest) -> Refusal {
        Refusal::BadRequest(rule)
    }
}

impl BadRequest {
    /// Returns one sentence for the client.
    pub const fn detail(self) -> &'static str {
        match self {
            BadRequest::RequestLine => "The request line is malformed.",
            BadRequest::Target => "The request target is malformed.",
            BadRequest::TargetFragment => "The request target has a fragment.",
            BadRequest::TargetUserinfo => "The request target contains userinfo.",
            BadRequest::TargetScheme => {
                "The scheme of the request target is neither http nor https."
            }
            BadRequest::LineEnding => {
                "Every line of the head must end with CR LF, and contain neither elsewhere."
            }
            BadRequest::FieldName => "A header field's name is malformed.",
            BadRequest::FieldValue => "A header field's value is malformed.",
            BadRequest::MissingHost => "HTTP/1.1 requires a Host header field.",
            BadRequest::RepeatedHost => "There is more than one Host header field.",
            BadRequest::Host => "The Host header field is malformed.",
            BadRequest::LengthAndCoding => {
                "Content-Length and Transfer-Encoding must not appear together."
            }
            BadRequest::RepeatedLength => "There is more than one Content-Length header field.",
            BadRequest::Length => "Content-Length must be one decimal number.",
            BadRequest::CodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding.",
            BadRequest::EmptyCoding => "Transfer-Encoding names no coding.",
            BadRequest::ChunkedTwice => "The chunked coding must be applied once, and last.",
            BadRequest::ChunkSize => "A chunk's size is malformed.",
            BadRequest::ChunkExtension => "A chunk's extension is malformed.",
            BadRequest::ChunkLineTooLong => "A chunk's size line is too long.",
            BadRequest::ChunkLineEnding => {
                "Every line of a chunked body must end with CR LF, and contain neither elsewhere."
            }
            BadRequest::ChunkLength => "A chunk does not have its declared size.",
            BadRequest::TrailerField => "A trailer field is malformed.",
            BadRequest::PlainHttp => "This port speaks HTTPS: use https:// here.",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_broken_rule_has_a_sentence_of_its_own_and_status_400() {
        let mut details = HashSet::new();
        for rule in BadRequest::VARIANTS {
            let refusal = Refusal::from(*rule);
            assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{rule:?}");
            assert!(refusal.detail().ends_with('.'), "{rule:?}");
            assert!(details.insert(refusal.detail()), "{rule:?}");
        }
    }
}
