//! Requests and responses as plain data, which the engine and its service exchange.
//!
//! Methods, targets and header fields are types of the `http` crate. Its field values reject CR and LF,
//! so a service cannot split a response, hold the bytes above ASCII that a client may send, and are
//! cheap to clone. The types of tiny_http (0.12.0) fail all three: a value may hold CR LF and must be
//! ASCII, and its `Response` cannot carry `Connection: close` and sends Content-Length with 304.

use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};

/// Request with a complete head. Its body is read only if the service requests it with
/// [`Reply::ReadBody`](super::Reply::ReadBody).
#[derive(Debug, Clone)]
pub struct Request {
    /// Method, as sent.
    pub method: Method,
    /// Target in origin or asterisk form. The engine converts the absolute form (RFC 9112 3.2).
    pub target: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// Header fields; those of one name in order of arrival. Host is well-formed or empty. It is the
    /// authority of a target in absolute form, if the request had one (RFC 9112 3.2.2).
    pub headers: HeaderMap,
    /// Decoded body; empty before the service requests it.
    pub body: Bytes,
    /// Other end of the connection.
    pub peer: Peer,
    /// Address of the client: behind a trusted proxy the one that it forwards for, else the peer's.
    /// `None` on a unix socket.
    pub client: Option<IpAddr>,
    /// True if the peer is a trusted proxy, whose `X-Forwarded-*` fields are trusted.
    pub proxied: bool,
}

/// Head of a request, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// Method, as sent.
    pub method: &'a Method,
    /// Target.
    pub target: &'a Uri,
    /// Header fields.
    pub headers: &'a HeaderMap,
}

impl<'a> From<&'a Request> for RequestHead<'a> {
    fn from(request: &'a Request) -> RequestHead<'a> {
        let Request { method, target, headers, .. } = request;
        RequestHead { method, target, headers }
    }
}

/// Other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Address; `None` on a unix socket.
    pub address: Option<SocketAddr>,
    /// True if the connection uses TLS.
    pub tls: bool,
    /// User of the process that has connected to a unix socket (`SO_PEERCRED`, unix(7)); `None` over TCP.
    pub user: Option<u32>,
}

/// Response. The engine writes `Date`, `Content-Length` or `Transfer-Encoding`, and `Connection`. It
/// omits the body of a response to HEAD, and of 204 and 304.
pub type Response = http::Response<Body>;

/// Body of a response.
pub enum Body {
    /// Bytes in memory. Large ones are shared, not copied.
    Full(Bytes),
    /// Source that is read as fast as the client reads. It is sent with the chunked coding, to
    /// HTTP/1.0 clients up to the end of the connection.
    Stream(Box<dyn StreamBody>),
}

/// Source of a streamed body.
pub trait StreamBody: Read + Send {
    /// Returns the number of bytes that the source holds while its client does not read. They count
    /// against `max_buffered_bytes`.
    fn held_bytes(&self) -> usize {
        0
    }
}

impl<T: AsRef<[u8]> + Send> StreamBody for io::Cursor<T> {}

impl StreamBody for io::Repeat {}

impl Body {
    /// Returns an empty body.
    pub const fn empty() -> Body {
        Body::Full(Bytes::new())
    }

    /// Returns the number of bytes that no other body shares.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Body::Full(bytes) if bytes.is_unique() => bytes.len(),
            Body::Full(_) => 0,
            Body::Stream(source) => source.held_bytes(),
        }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Body {
        Body::Full(bytes.into())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Body::Stream(_) => f.write_str("Stream"),
        }
    }
}
