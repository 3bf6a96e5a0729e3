//! How a request's body is delimited, and whether its connection lasts (RFC 9112 6 and 9).
//!
//! Where two implementations could disagree about the end of a request, one can smuggle
//! another request past them. So whatever is ambiguous is refused, even where the RFC
//! would let a recipient repair it.

use http::{HeaderMap, Version, header};

use super::head::Head;
use super::refusal::Refusal;

/// How the bytes after a head are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body follows.
    None,
    /// `Content-Length`: that many bytes, at least one.
    Length(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked {
        /// Number of the head's fields; those of the trailer count on from there.
        header_fields: usize,
    },
}

/// What a head says of its connection and its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Semantics {
    pub(super) framing: Framing,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110 10.1.1).
    pub(super) expects_continue: bool,
    /// The client is willing to send another request on this connection.
    pub(super) keep_alive: bool,
}

/// Reads the framing of a request, refusing what is ambiguous or too large.
pub(super) fn semantics(head: &Head, max_body_bytes: usize) -> Result<Semantics, Refusal> {
    let framing = framing(head, max_body_bytes)?;
    let expects_continue = expects_continue(head)? && framing != Framing::None;
    Ok(Semantics { framing, expects_continue, keep_alive: keep_alive(head) })
}

fn framing(head: &Head, max_body_bytes: usize) -> Result<Framing, Refusal> {
    let codings = head.headers.contains_key(header::TRANSFER_ENCODING);
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    match (codings, lengths.next(), lengths.next()) {
        (true, Some(_), _) => Err(Refusal::Malformed(
            "Content-Length and Transfer-Encoding must not appear together.",
        )),
        (_, _, Some(_)) => {
            Err(Refusal::Malformed("There is more than one Content-Length header field."))
        }
        (true, None, _) if head.version == Version::HTTP_10 => {
            Err(Refusal::Malformed("HTTP/1.0 knows no Transfer-Encoding."))
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

/// `1*DIGIT` and nothing else: no sign, no space, no list of equal values.
fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed("Content-Length must be one decimal number."));
    }
    // Digits are ASCII, and a number past `usize` is past any limit.
    Ok(std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX))
}

/// The one coding that is decoded, exactly once (RFC 9112 6.1).
fn chunked_only(headers: &HeaderMap) -> Result<Framing, Refusal> {
    let mut codings = tokens(headers, &header::TRANSFER_ENCODING);
    match (codings.next(), codings.next()) {
        (Some(only), None) if only.eq_ignore_ascii_case(b"chunked") => {
            Ok(Framing::Chunked { header_fields: headers.len() })
        }
        (None, _) => Err(Refusal::Malformed("Transfer-Encoding names no coding.")),
        (Some(first), Some(_)) if first.eq_ignore_ascii_case(b"chunked") => {
            Err(Refusal::Malformed("The chunked coding must be applied once, and last."))
        }
        _ => Err(Refusal::UnknownCoding),
    }
}

fn expects_continue(head: &Head) -> Result<bool, Refusal> {
    // An HTTP/1.0 client cannot mean it (RFC 9110 10.1.1).
    if head.version == Version::HTTP_10 {
        return Ok(false);
    }
    let mut expects = false;
    for expectation in tokens(&head.headers, &header::EXPECT) {
        if !expectation.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::Expectation);
        }
        expects = true;
    }
    Ok(expects)
}

/// RFC 9112 9.3.
fn keep_alive(head: &Head) -> bool {
    let option = |wanted: &[u8]| {
        tokens(&head.headers, &header::CONNECTION).any(|option| option.eq_ignore_ascii_case(wanted))
    };
    match head.version {
        Version::HTTP_11 => !option(b"close"),
        _ => option(b"keep-alive") && !option(b"close"),
    }
}

/// The members of a comma-separated list over all fields of that name; empty ones count for
/// nothing (RFC 9110 5.6.1).
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
