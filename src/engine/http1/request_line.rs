//! Request line: `method SP request-target SP HTTP-version` (RFC 9112 3).
//!
//! A target in absolute form is split here. Its authority replaces the Host field (RFC 9112 3.2.2)
//! and its path becomes the target, so later readers meet origin form and `*` only.
//!
//! CONNECT is refused, and the connection closed: the bytes behind it may belong to a tunnel (RFC 9110
//! 9.3.6). Whether any other method is implemented is the service's decision.

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, Version, uri::PathAndQuery};
use memchr::{memchr, memmem, memrchr};

use super::authority::{Authority, AuthorityError};
use crate::limits::MAX_TARGET_BYTES;
use crate::message::Peer;
use crate::refusal::{BadRequest, Refusal};
use crate::trusted_proxies::TrustedProxies;

/// Parsed request line.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    /// Target in origin form, or `*`.
    pub(super) target: Uri,
    pub(super) version: Version,
    /// Authority of a target in absolute form. It replaces the Host field.
    pub(super) authority: Option<HeaderValue>,
}

/// Schemes that a target in absolute form may have on a connection (RFC 9110 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schemes {
    Http,
    Https,
    /// A gateway in front of the server may have terminated or originated TLS.
    Both,
}

impl Schemes {
    /// Returns the schemes for a peer's connections. Trusted proxies and clients on a unix socket are
    /// gateways, whose clients may have used either.
    pub(super) fn of(peer: Peer, trusted_proxies: &TrustedProxies) -> Schemes {
        match peer.address.map(|address| address.ip().to_canonical()) {
            None => Schemes::Both,
            address @ Some(_) if trusted_proxies.contains(address) => Schemes::Both,
            Some(_) if peer.tls => Schemes::Https,
            Some(_) => Schemes::Http,
        }
    }

    /// Refuses a scheme that the connection does not have.
    fn check(self, scheme: &[u8]) -> Result<(), Refusal> {
        let is_https = match scheme {
            scheme if scheme.eq_ignore_ascii_case(b"http") => false,
            scheme if scheme.eq_ignore_ascii_case(b"https") => true,
            _ => return Err(BadRequest::TargetScheme.into()),
        };
        match (self, is_https) {
            (Schemes::Both, _) | (Schemes::Http, false) | (Schemes::Https, true) => Ok(()),
            (Schemes::Http, true) | (Schemes::Https, false) => Err(Refusal::Misdirected),
        }
    }
}

impl RequestLine {
    /// Parses a line without its ending.
    pub(super) fn parse(line: &Bytes, schemes: Schemes) -> Result<RequestLine, Refusal> {
        let first = memchr(b' ', line).ok_or(BadRequest::RequestLine)?;
        let last =
            memrchr(b' ', line).filter(|last| *last > first).ok_or(BadRequest::RequestLine)?;
        let method = Method::from_bytes(&line[..first]).map_err(|_| BadRequest::RequestLine)?;
        let version = version(&line[last + 1..])?;
        let target = line.slice(first + 1..last);
        let is_visible = |byte: &u8| *byte > b' ' && *byte != 0x7f;
        if target.is_empty() || !target.iter().all(is_visible) {
            return Err(BadRequest::RequestLine.into());
        }
        if target.len() > MAX_TARGET_BYTES {
            return Err(Refusal::TargetTooLong);
        }
        if target.contains(&b'#') {
            return Err(BadRequest::TargetFragment.into());
        }
        let (target, authority) = self::target(&method, target, schemes)?;
        Ok(RequestLine { method, target, version, authority })
    }
}

/// Returns the refusal of a request line that exceeds `max_header_bytes`; `begun` is its beginning.
pub(super) fn refuse_endless(begun: &[u8]) -> Refusal {
    match memchr(b' ', begun) {
        Some(method) if Method::from_bytes(&begun[..method]).is_ok() => Refusal::TargetTooLong,
        // The method is longer than all that are implemented (RFC 9112 3).
        None if Method::from_bytes(begun).is_ok() => Refusal::UnknownMethod,
        _ => Refusal::BadRequest(BadRequest::RequestLine),
    }
}

/// Parses `"HTTP/" DIGIT "." DIGIT` (RFC 9112 2.3). A later minor version of HTTP/1 is served as
/// HTTP/1.1, with which it is compatible (RFC 9110 2.5).
fn version(text: &[u8]) -> Result<Version, Refusal> {
    let [major, b'.', minor] = text.strip_prefix(b"HTTP/").ok_or(BadRequest::RequestLine)? else {
        return Err(BadRequest::RequestLine.into());
    };
    match (major, minor) {
        (b'1', b'0') => Ok(Version::HTTP_10),
        (b'1', b'1'..=b'9') => Ok(Version::HTTP_11),
        (b'0'..=b'9', b'0'..=b'9') => Err(Refusal::UnknownVersion),
        _ => Err(BadRequest::RequestLine.into()),
    }
}

/// Returns the target in origin form or `*`, and the authority of an absolute form.
fn target(
    method: &Method,
    target: Bytes,
    schemes: Schemes,
) -> Result<(Uri, Option<HeaderValue>), Refusal> {
    if *method == Method::CONNECT {
        // Authority form, which includes a port (RFC 9112 3.2.3).
        return match Authority::parse(&target) {
            Ok(authority) if authority.port().is_some() => Err(Refusal::UnknownMethod),
            _ => Err(BadRequest::Target.into()),
        };
    }
    if target.as_ref() == b"*" {
        let is_options = *method == Method::OPTIONS;
        return if is_options { Ok((asterisk(), None)) } else { Err(BadRequest::Target.into()) };
    }
    if target.starts_with(b"/") {
        return Ok((origin(target)?, None));
    }
    let colon = memmem::find(&target, b"://").ok_or(BadRequest::Target)?;
    let rest = target.slice(colon + 3..);
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = (rest.slice(..end), rest.slice(end..));
    if let Err(error) = Authority::parse(&authority) {
        return Err(match error {
            AuthorityError::Userinfo => Refusal::BadRequest(BadRequest::TargetUserinfo),
            _ => Refusal::BadRequest(BadRequest::Target),
        });
    }
    schemes.check(&target[..colon])?;
    let authority = HeaderValue::from_maybe_shared(authority).map_err(|_| BadRequest::Target)?;
    let target = match path.first() {
        // Asterisk form as a proxy forwards it (RFC 9112 3.2.4).
        None if *method == Method::OPTIONS => asterisk(),
        Some(b'/') => origin(path)?,
        _ => origin([b"/", &path[..]].concat().into())?,
    };
    Ok((target, Some(authority)))
}

fn origin(target: Bytes) -> Result<Uri, Refusal> {
    PathAndQuery::from_maybe_shared(target)
        .map(Uri::from)
        .map_err(|_| Refusal::BadRequest(BadRequest::Target))
}

fn asterisk() -> Uri {
    Uri::from_static("*")
}
