//! Requests and responses, as plain data.

use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};

/// A request. Its head is always whole; its body is there only if the program requested it, by
/// [`Reply::ReadBody`](super::Reply::ReadBody).
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, as sent.
    pub method: Method,
    /// The request target in origin or asterisk form (RFC 9112 3.2). The engine turns the
    /// absolute form into one of these.
    pub target: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The header fields, in order of arrival for each name. Host is well formed or empty, and is
    /// the authority of the target where that had the absolute form (RFC 9112 3.2.2).
    pub headers: HeaderMap,
    /// The decoded body; empty until the program has requested it.
    pub body: Bytes,
    /// Who asks.
    pub peer: Peer,
    /// The visitor behind the peer, where the peer is a trusted proxy; else the peer. `None` on
    /// a unix socket.
    pub client: Option<IpAddr>,
    /// The peer is a trusted proxy: what it says of the request may be believed.
    pub proxied: bool,
}

/// What a request asks for, where no more of it is known or needed.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method, as sent.
    pub method: &'a Method,
    /// The request target.
    pub target: &'a Uri,
    /// The header fields.
    pub headers: &'a HeaderMap,
}

impl<'a> From<&'a Request> for RequestHead<'a> {
    fn from(request: &'a Request) -> RequestHead<'a> {
        let Request { method, target, headers, .. } = request;
        RequestHead { method, target, headers }
    }
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address; `None` on a unix socket.
    pub address: Option<SocketAddr>,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// A response. The engine adds `Date`, `Content-Length` or `Transfer-Encoding`, and
/// `Connection`; it leaves the body out for HEAD, 204 and 304.
pub type Response = http::Response<Body>;

/// The body of a response.
pub enum Body {
    /// All of it in memory, shared rather than copied.
    Full(Bytes),
    /// Read piece by piece as the client takes it, sent chunked where the version allows it.
    Stream(Box<dyn StreamBody>),
}

/// Source of a streamed body.
pub trait StreamBody: Read + Send {
    /// Bytes of memory that it holds while its client does not read. They count against
    /// `max_buffered_bytes`.
    fn held_bytes(&self) -> usize {
        0
    }
}

impl<T: AsRef<[u8]> + Send> StreamBody for io::Cursor<T> {}

impl StreamBody for io::Repeat {}

impl Body {
    /// No body.
    pub const fn empty() -> Body {
        Body::Full(Bytes::new())
    }

    /// Bytes that are held for this body alone.
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
