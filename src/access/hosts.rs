//! The names under which the server may be asked for, so that a page elsewhere cannot reach it
//! through a name of its own that it lets point here (DNS rebinding).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::header::HOST;

use crate::engine::{Authority, Host, Request};

/// A host name or an IP address, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(Name);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Address(IpAddr),
    /// In lower case, without a dot at its end.
    Dns(String),
}

/// Why a text is no host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no host name such as \"tank.example\" or \"192.0.2.7\", without a port")]
pub struct HostNameError(String);

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<HostName, HostNameError> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(HostName(Name::Address(address)));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=63).contains(&label.len()) && label.bytes().all(plain)
        };
        if name.split('.').all(is_label) {
            Ok(HostName(Name::Dns(name.to_ascii_lowercase())))
        } else {
            Err(HostNameError(text.to_owned()))
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Address(address) => address.fmt(f),
            Name::Dns(name) => f.write_str(name),
        }
    }
}

impl HostName {
    /// Returns whether a request's host is this one. Names compare without case and without a dot
    /// at the end; an escape in a name makes it another name.
    fn is(&self, host: Host<'_>) -> bool {
        match (&self.0, host) {
            (Name::Address(address), Host::Address(host)) => *address == host,
            (Name::Dns(name), Host::Name(host)) => {
                host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case(name)
            }
            _ => false,
        }
    }
}

/// Returns the request's host, which the engine has taken from an absolute target where there was
/// one (RFC 9112 3.2.2); `None` if it is absent, empty or malformed.
fn host(request: &Request) -> Option<Host<'_>> {
    let field = request.headers.get(HOST)?;
    Authority::parse(field.as_bytes()).ok().map(|authority| authority.host())
}

/// Returns whether the request's host is one of these names, or true if there are none.
pub(super) fn asks_for_one_of(names: &[HostName], request: &Request) -> bool {
    names.is_empty() || host(request).is_some_and(|host| names.iter().any(|name| name.is(host)))
}

/// Returns whether the request's host is a name or an address that means this machine everywhere. So
/// is the host of a request without a Host field, as HTTP/1.0 allows: no browser sends one.
pub fn names_this_machine(request: &Request) -> bool {
    if !request.headers.contains_key(HOST) {
        return true;
    }
    host(request).is_some_and(|host| match host {
        Host::Address(address) => address.to_canonical().is_loopback(),
        Host::Name(name) => {
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Future(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method, Version};

    use super::*;
    use crate::engine::Peer;

    fn request(host: Option<&str>) -> Request {
        let host = host.map(|host| (HOST, HeaderValue::from_str(host).unwrap()));
        Request {
            method: Method::GET,
            target: "/".parse().unwrap(),
            version: Version::HTTP_11,
            headers: HeaderMap::from_iter(host),
            body: Bytes::new(),
            peer: Peer { address: None, tls: true },
            client: None,
            proxied: false,
        }
    }

    #[test]
    fn names_are_compared_as_names() {
        let names: Vec<HostName> =
            ["Tank.example", "192.0.2.7", "::1"].map(|name| name.parse().unwrap()).to_vec();
        for (host, expected) in [
            (Some("tank.example"), true),
            (Some("tank.example:"), true),
            (Some("TANK.example.:6443"), true),
            (Some("192.0.2.7:6443"), true),
            (Some("[0:0::1]:6443"), true),
            (Some("evil.example"), false),
            (Some("tank.example.evil.example"), false),
            (Some("tank.example.."), false),
            (Some("%74ank.example"), false),
            (Some("192.0.2.8"), false),
            (Some("[::2]"), false),
            (Some("[v1.x]"), false),
            // The engine refuses these as malformed.
            (Some("[::1]evil.example"), false),
            (Some("tank.example:abc"), false),
            (Some("tank.example@evil.example"), false),
            (Some(""), false),
            (None, false),
        ] {
            let asked = request(host);
            assert_eq!(asks_for_one_of(&names, &asked), expected, "{host:?}");
            assert!(asks_for_one_of(&[], &asked), "without names all are served");
        }
    }

    #[test]
    fn this_machine_has_names_that_nobody_else_can_have() {
        for (host, expected) in [
            (None, true),
            (Some("127.0.0.1:6480"), true),
            (Some("127.1.2.3"), true),
            (Some("[::1]:6480"), true),
            (Some("[::ffff:127.0.0.1]"), true),
            (Some("localhost:6480"), true),
            (Some("Admin.LOCALHOST"), true),
            (Some("evil.example:6480"), false),
            (Some("localhost."), true),
            (Some("[::1]evil.example"), false),
            (Some("localhost:abc"), false),
            (Some("localhost.evil.example"), false),
            (Some("192.0.2.7"), false),
            (Some(""), false),
        ] {
            assert_eq!(names_this_machine(&request(host)), expected, "{host:?}");
        }
    }

    #[test]
    fn what_is_no_name() {
        for text in ["", "tank.example:6443", "https://tank.example", "a..b", "*.example", "[x]"] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
        assert_eq!("Tank.Example.".parse::<HostName>().unwrap().to_string(), "tank.example");
    }
}
