//! Request lines (RFC 9112 3): method, target and version.
//!
//! A target in absolute form is taken apart here. Its authority replaces the Host field
//! (RFC 9112 3.2.2) and its path becomes the target, so that no later reader has to know the form.

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, Version, uri::PathAndQuery};
use ipnet::IpNet;
use memchr::{memchr, memmem, memrchr};

use super::addresses::is_trusted;
use super::authority::{Authority, AuthorityError};
use super::limits::MAX_TARGET_BYTES;
use super::message::Peer;
use super::refusal::Refusal;

/// Request line, checked.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    /// Target in origin form, or `*`.
    pub(super) target: Uri,
    pub(super) version: Version,
    /// Authority of a target in absolute form: the request's host, in place of the Host field.
    pub(super) authority: Option<HeaderValue>,
}

/// Schemes that a target in absolute form may have on a connection (RFC 9110 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schemes {
    Http,
    Https,
    /// A gateway in front of the server may have terminated TLS, or begun it.
    Both,
}

const MALFORMED_LINE: Refusal = Refusal::Malformed("The request line is malformed.");
const MALFORMED_TARGET: Refusal = Refusal::Malformed("The request target is malformed.");
const FRAGMENT: Refusal = Refusal::Malformed("The request target has a fragment.");
const UNKNOWN_SCHEME: Refusal =
    Refusal::Malformed("The scheme of the request target is neither http nor https.");

impl Schemes {
    /// Returns the schemes for the connections of a peer. Trusted proxies and clients on a unix
    /// socket are gateways: the scheme is the one that their own client used.
    pub(super) fn of(peer: Peer, trusted_proxies: &[IpNet]) -> Schemes {
        match peer.address.map(|address| address.ip().to_canonical()) {
            None => Schemes::Both,
            Some(address) if is_trusted(trusted_proxies, address) => Schemes::Both,
            Some(_) if peer.tls => Schemes::Https,
            Some(_) => Schemes::Http,
        }
    }

    fn check(self, scheme: &[u8]) -> Result<(), Refusal> {
        let is_https = match scheme {
            scheme if scheme.eq_ignore_ascii_case(b"http") => false,
            scheme if scheme.eq_ignore_ascii_case(b"https") => true,
            _ => return Err(UNKNOWN_SCHEME),
        };
        match (self, is_https) {
            (Schemes::Both, _) | (Schemes::Http, false) | (Schemes::Https, true) => Ok(()),
            (Schemes::Http, true) | (Schemes::Https, false) => Err(Refusal::Misdirected),
        }
    }
}

impl RequestLine {
    /// Parses `method SP request-target SP HTTP-version`, without its line ending.
    pub(super) fn parse(line: &Bytes, schemes: Schemes) -> Result<RequestLine, Refusal> {
        let first = memchr(b' ', line).ok_or(MALFORMED_LINE)?;
        let last = memrchr(b' ', line).filter(|last| *last > first).ok_or(MALFORMED_LINE)?;
        let method = Method::from_bytes(&line[..first]).map_err(|_| MALFORMED_LINE)?;
        let version = version(&line[last + 1..])?;
        let target = line.slice(first + 1..last);
        let is_visible = |byte: &u8| *byte > b' ' && *byte != 0x7f;
        if target.is_empty() || !target.iter().all(is_visible) {
            return Err(MALFORMED_LINE);
        }
        if target.len() > MAX_TARGET_BYTES {
            return Err(Refusal::TargetTooLong);
        }
        if target.contains(&b'#') {
            return Err(FRAGMENT);
        }
        let (target, authority) = self::target(&method, target, schemes)?;
        Ok(RequestLine { method, target, version, authority })
    }
}

/// Chooses the refusal of a request line that ends beyond every limit; `begun` is its beginning.
pub(super) fn refuse_endless(begun: &[u8]) -> Refusal {
    match memchr(b' ', begun) {
        Some(method) if Method::from_bytes(&begun[..method]).is_ok() => Refusal::TargetTooLong,
        // A method longer than all that are implemented (RFC 9112 3).
        None if Method::from_bytes(begun).is_ok() => Refusal::UnknownMethod,
        _ => MALFORMED_LINE,
    }
}

/// `HTTP/` DIGIT `.` DIGIT. Later minor versions of HTTP/1 are served as HTTP/1.1, as they must
/// be compatible with it (RFC 9110 2.5).
fn version(text: &[u8]) -> Result<Version, Refusal> {
    let [major, b'.', minor] = text.strip_prefix(b"HTTP/").ok_or(MALFORMED_LINE)? else {
        return Err(MALFORMED_LINE);
    };
    match (major, minor) {
        (b'1', b'0') => Ok(Version::HTTP_10),
        (b'1', b'1'..=b'9') => Ok(Version::HTTP_11),
        (b'0'..=b'9', b'0'..=b'9') => Err(Refusal::Version),
        _ => Err(MALFORMED_LINE),
    }
}

/// Returns the target in origin form or `*`, and the authority of an absolute form.
fn target(
    method: &Method,
    target: Bytes,
    schemes: Schemes,
) -> Result<(Uri, Option<HeaderValue>), Refusal> {
    if *method == Method::CONNECT {
        // The authority form, with its port (RFC 9112 3.2.3).
        return match Authority::parse(&target) {
            Ok(authority) if authority.port().is_some() => Err(Refusal::UnknownMethod),
            _ => Err(MALFORMED_TARGET),
        };
    }
    if target.as_ref() == b"*" {
        let goes = *method == Method::OPTIONS;
        return if goes { Ok((asterisk(), None)) } else { Err(MALFORMED_TARGET) };
    }
    if target.starts_with(b"/") {
        return Ok((origin(target)?, None));
    }
    let colon = memmem::find(&target, b"://").ok_or(MALFORMED_TARGET)?;
    let rest = target.slice(colon + 3..);
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = (rest.slice(..end), rest.slice(end..));
    if let Err(error) = Authority::parse(&authority) {
        return Err(match error {
            AuthorityError::Userinfo => Refusal::Malformed("The request target contains userinfo."),
            _ => MALFORMED_TARGET,
        });
    }
    schemes.check(&target[..colon])?;
    let authority = HeaderValue::from_maybe_shared(authority).map_err(|_| MALFORMED_TARGET)?;
    let target = match path.first() {
        // The server as a whole (RFC 9112 3.2.4).
        None if *method == Method::OPTIONS => asterisk(),
        Some(b'/') => origin(path)?,
        _ => origin([b"/", &path[..]].concat().into())?,
    };
    Ok((target, Some(authority)))
}

fn origin(target: Bytes) -> Result<Uri, Refusal> {
    PathAndQuery::from_maybe_shared(target).map(Uri::from).map_err(|_| MALFORMED_TARGET)
}

fn asterisk() -> Uri {
    Uri::from_static("*")
}
