//! What passes between the engine and the program it serves.

use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, Version};

use super::activity::Activity;
use super::reply::Reply;

/// A request. Its head is always whole; its body is there only if the program requested it, by
/// [`Reply::ReadBody`].
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

/// The program behind the engine.
pub trait Service: Send + Sync + 'static {
    /// Answers a request whose head is whole, or returns the next step. Runs on a worker; may
    /// block that worker, no other. The program may set the route on `activity`, for the
    /// scoreboard.
    ///
    /// Called once for each request, before any of its body is read: the place to decide about
    /// access. A [`Continuation`](super::reply::Continuation) carries that decision along.
    fn call(&self, request: &Request, activity: &Activity) -> Reply;

    /// Renders the answer to a request that never reached [`Service::call`], or did not come back
    /// from there; `head` is its head, if that was understood. The engine sends it with the
    /// refusal's status and closes. Must not block.
    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response;
}

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
