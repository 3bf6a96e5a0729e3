//! Framing of a request: the delimitation of its body (RFC 9112 6) and the persistence of its
//! connection (RFC 9112 9.3).
//!
//! If a proxy and this server disagree about the end of a request, a client can smuggle another
//! request past the proxy (RFC 9112 11.2). Every ambiguous framing is therefore refused, also where
//! the RFC allows a recipient to repair it: equal Content-Length values, or Content-Length beside
//! Transfer-Encoding.

use http::{HeaderMap, Version, header};

use super::head::Head;
use crate::refusal::{BadRequest, Refusal};

/// Delimitation of the bytes behind a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body follows.
    None,
    /// `Content-Length` of at least one.
    Length(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked {
        /// Number of header fields, to which `max_headers` adds those of the trailer section.
        header_fields: usize,
    },
}

/// Framing of one request and of the response to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Semantics {
    pub(super) framing: Framing,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 10.1.1).
    pub(super) expects_continue: bool,
    /// The client allows another request on this connection.
    pub(super) keep_alive: bool,
}

/// Determines the framing of a request. Refuses an ambiguous one, and a body over the limit.
pub(super) fn semantics(head: &Head, max_body_bytes: usize) -> Result<Semantics, Refusal> {
    let framing = framing(head, max_body_bytes)?;
    let expects_continue = expects_continue(head)? && framing != Framing::None;
    Ok(Semantics { framing, expects_continue, keep_alive: keep_alive(head) })
}

/// Determines the delimitation of the body (RFC 9112 6.3).
fn framing(head: &Head, max_body_bytes: usize) -> Result<Framing, Refusal> {
    let codings = head.headers.contains_key(header::TRANSFER_ENCODING);
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    match (codings, lengths.next(), lengths.next()) {
        (true, Some(_), _) => Err(BadRequest::LengthAndCoding.into()),
        (_, _, Some(_)) => Err(BadRequest::RepeatedLength.into()),
        (true, None, _) if head.version == Version::HTTP_10 => {
            Err(BadRequest::CodingInHttp10.into())
        }
        (true, None, _) => chunked_only(&head.headers),
        (false, Some(length), None) => match content_length(length.as_bytes())? {
            0 => Ok(Framing::None),
            length if length > max_body_bytes => Err(Refusal::BodyTooLarge),
            length => Ok(Framing::Length(length)),
        },
        (false, None, None) => Ok(Framing::None),
    }
}

/// Parses `1*DIGIT` (RFC 9110 8.6): no sign, no space, no list of equal values.
fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(BadRequest::Length.into());
    }
    // A number beyond `usize` is beyond any limit.
    Ok(std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX))
}

/// Accepts `chunked`, the one coding that this server decodes, exactly once (RFC 9112 6.1).
fn chunked_only(headers: &HeaderMap) -> Result<Framing, Refusal> {
    let mut codings = tokens(headers, &header::TRANSFER_ENCODING);
    match (codings.next(), codings.next()) {
        (Some(only), None) if only.eq_ignore_ascii_case(b"chunked") => {
            Ok(Framing::Chunked { header_fields: headers.len() })
        }
        (None, _) => Err(BadRequest::EmptyCoding.into()),
        (Some(first), Some(_)) if first.eq_ignore_ascii_case(b"chunked") => {
            Err(BadRequest::ChunkedTwice.into())
        }
        _ => Err(Refusal::UnknownCoding),
    }
}

/// Returns true if the client waits for `100 Continue` (RFC 9110 10.1.1).
fn expects_continue(head: &Head) -> Result<bool, Refusal> {
    // RFC 9110 10.1.1 demands that an HTTP/1.0 request is read as without it.
    if head.version == Version::HTTP_10 {
        return Ok(false);
    }
    let mut expects = false;
    for expectation in tokens(&head.headers, &header::EXPECT) {
        if !expectation.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::UnknownExpectation);
        }
        expects = true;
    }
    Ok(expects)
}

/// Returns true if the connection persists after the response (RFC 9112 9.3).
fn keep_alive(head: &Head) -> bool {
    let option = |wanted: &[u8]| {
        tokens(&head.headers, &header::CONNECTION).any(|option| option.eq_ignore_ascii_case(wanted))
    };
    match head.version {
        Version::HTTP_11 => !option(b"close"),
        _ => option(b"keep-alive") && !option(b"close"),
    }
}

/// Returns the members of the comma-separated list that all fields of that name make up. Empty ones
/// are skipped (RFC 9110 5.6.1).
fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &header::HeaderName,
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}
