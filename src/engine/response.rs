//! Response heads: the status line, the program's fields and the ones that are the
//! engine's to say (RFC 9112 4, 6 and 9).

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, response};

use super::message::{Body, Response, StreamBody};

/// What the response depends on of the request that it answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    pub(super) version: Version,
    /// The request was a HEAD: the same head, no body.
    pub(super) head_only: bool,
    /// Whether another request may follow on the connection.
    pub(super) keep_alive: bool,
}

/// What follows a head.
pub(super) enum Payload {
    Nothing,
    Full(Bytes),
    /// Read piece by piece; with the chunked coding, or delimited by the close.
    Stream {
        source: Box<dyn StreamBody>,
        chunked: bool,
    },
}

/// Writes the head of `response` behind `out`, and gives what must follow it.
///
/// A stream to an HTTP/1.0 client ends with the connection, so `exchange.keep_alive` must
/// have been settled by [`persists`] before.
pub(super) fn encode(response: Response, exchange: Exchange, out: &mut BytesMut) -> Payload {
    let (parts, body) = response.into_parts();
    out.reserve(512);
    // The version is the highest that this server speaks, not the client's (RFC 9110 6.2).
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(parts.status.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(parts.status.canonical_reason().unwrap_or_default().as_bytes());
    out.put_slice(b"\r\ndate: ");
    put_date(out, SystemTime::now());
    out.put_slice(b"\r\n");
    put_fields(out, &parts);
    let payload = put_framing(out, parts.status, body, exchange);
    match (exchange.keep_alive, exchange.version) {
        (false, _) => out.put_slice(b"connection: close\r\n"),
        (true, Version::HTTP_10) => out.put_slice(b"connection: keep-alive\r\n"),
        (true, _) => {}
    }
    out.put_slice(b"\r\n");
    payload
}

/// Whether the connection can outlast this response, as far as its framing goes.
pub(super) fn persists(response: &Response, exchange: Exchange) -> bool {
    let close_delimited = exchange.version == Version::HTTP_10
        && matches!(response.body(), Body::Stream(_))
        && !exchange.head_only
        && !bodiless(response.status());
    exchange.keep_alive && !close_delimited
}

fn put_fields(out: &mut BytesMut, parts: &response::Parts) {
    let fields: &HeaderMap<HeaderValue> = &parts.headers;
    for (name, value) in fields {
        if !is_ours(name) {
            out.put_slice(name.as_str().as_bytes());
            out.put_slice(b": ");
            out.put_slice(value.as_bytes());
            out.put_slice(b"\r\n");
        }
    }
}

/// The fields that only the engine can tell truly.
fn is_ours(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::CONTENT_LENGTH
        || *name == header::DATE
        || *name == header::TRANSFER_ENCODING
}

/// Statuses that never have a body (RFC 9110 6.4.1).
fn bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status.as_u16(), 204 | 304)
}

fn put_framing(out: &mut BytesMut, status: StatusCode, body: Body, exchange: Exchange) -> Payload {
    if bodiless(status) {
        return Payload::Nothing;
    }
    let payload = match body {
        Body::Full(bytes) => {
            out.put_slice(b"content-length: ");
            put_decimal(out, bytes.len());
            out.put_slice(b"\r\n");
            if bytes.is_empty() { Payload::Nothing } else { Payload::Full(bytes) }
        }
        Body::Stream(source) => {
            let chunked = exchange.version == Version::HTTP_11;
            if chunked {
                out.put_slice(b"transfer-encoding: chunked\r\n");
            }
            Payload::Stream { source, chunked }
        }
    };
    if exchange.head_only { Payload::Nothing } else { payload }
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

/// Formats the time as an IMF-fixdate (RFC 9110 5.6.7), once a second for each thread.
fn put_date(out: &mut BytesMut, now: SystemTime) {
    thread_local! {
        static LATEST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    LATEST.with_borrow_mut(|(at, text)| {
        if *at != seconds {
            *at = seconds;
            *text = httpdate::fmt_http_date(now);
        }
        out.put_slice(text.as_bytes());
    });
}
