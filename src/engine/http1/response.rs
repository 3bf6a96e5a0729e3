//! Head of a response: status line, the service's fields, and the fields that the engine owns
//! (RFC 9112 4, 6 and 9).
//!
//! The engine alone writes `Date`, `Content-Length`, `Transfer-Encoding` and `Connection`, and drops
//! the service's: so a response cannot contradict its own framing.
use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, response};

use super::date;
use crate::message::{Body, Response};

/// Properties of a request that its response depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseContext {
    pub(super) version: Version,
    /// The method is HEAD: the response has the head of a GET's, and no body (RFC 9110 9.3.2).
    pub(super) head_only: bool,
    /// Another request may follow on the connection.
    pub(super) keep_alive: bool,
}

impl ResponseContext {
    /// Returns the context of a refused request. The connection is closed behind its response.
    pub(crate) const fn refused(head_only: bool) -> ResponseContext {
        ResponseContext { version: Version::HTTP_11, head_only, keep_alive: false }
    }
}

/// Delimitation of a response's body (RFC 9112 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    /// The status permits no body.
    None,
    /// `Content-Length`.
    Length(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection, as an HTTP/1.0 client decodes no chunks.
    Close,
}

impl BodyFraming {
    /// Determines the framing of a response's body, before HEAD omits it.
    pub(super) fn of(response: &Response, version: Version) -> BodyFraming {
        match response.body() {
            _ if is_bodiless(response.status()) => BodyFraming::None,
            Body::Full(bytes) => BodyFraming::Length(bytes.len()),
            Body::Stream(_) if version == Version::HTTP_11 => BodyFraming::Chunked,
            Body::Stream(_) => BodyFraming::Close,
        }
    }
}

/// Returns true for statuses whose responses have no content (RFC 9110 6.4.1).
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status.as_u16(), 204 | 304)
}

/// Appends the head of a response to `out`.
pub(super) fn encode_head(
    parts: &response::Parts,
    framing: BodyFraming,
    context: ResponseContext,
    out: &mut BytesMut,
) {
    out.reserve(512);
    // The highest version of the server, also in a response to HTTP/1.0 (RFC 9110 6.2).
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(parts.status.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(parts.status.canonical_reason().unwrap_or_default().as_bytes());
    out.put_slice(b"\r\ndate: ");
    date::put(out);
    out.put_slice(b"\r\n");
    put_fields(out, &parts.headers);
    match framing {
        BodyFraming::Length(length) => {
            out.put_slice(b"content-length: ");
            put_decimal(out, length);
            out.put_slice(b"\r\n");
        }
        BodyFraming::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
        BodyFraming::None | BodyFraming::Close => {}
    }
    match (context.keep_alive, context.version) {
        (false, _) => out.put_slice(b"connection: close\r\n"),
        // HTTP/1.0 closes unless both sides agree (RFC 9112 9.3).
        (true, Version::HTTP_10) => out.put_slice(b"connection: keep-alive\r\n"),
        (true, _) => {}
    }
    out.put_slice(b"\r\n");
}

fn put_fields(out: &mut BytesMut, fields: &HeaderMap<HeaderValue>) {
    for (name, value) in fields {
        if !is_engine_field(name) {
            out.put_slice(name.as_str().as_bytes());
            out.put_slice(b": ");
            out.put_slice(value.as_bytes());
            out.put_slice(b"\r\n");
        }
    }
}

fn is_engine_field(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::CONTENT_LENGTH
        || *name == header::DATE
        || *name == header::TRANSFER_ENCODING
}

fn put_decimal(out: &mut BytesMut, number: usize) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(&digits[at..]);
}
