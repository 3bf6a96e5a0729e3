//! Host names of the server. A request for another name is refused. Otherwise a page of another site could
//! reach the server by a name of its own that resolves to our address (DNS rebinding).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::header::{HOST, HeaderName};
use rustls::pki_types::DnsName;

use super::site_url::SiteUrl;
use crate::engine::{Authority, Host, Request};
use crate::text;

/// A host name or an IP address, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(Name);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Address(IpAddr),
    /// A DNS name in lower case, without a final dot.
    Dns(String),
}

/// A text is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a host name such as \"tank.example\" or \"192.0.2.7\", without a port")]
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
    /// Returns true if it is an IP address.
    pub fn is_address(&self) -> bool {
        matches!(self.0, Name::Address(_))
    }

    /// Returns true if clients accept a certificate for it: they take `tank.1` for an IPv4 address, and some
    /// refuse `-a.example`.
    pub fn is_certifiable(&self) -> bool {
        match &self.0 {
            Name::Address(_) => true,
            Name::Dns(name) => DnsName::try_from(&**name).is_ok(),
        }
    }

    /// Returns true if a request's host is this one. Names are compared without case and final dot; a
    /// percent-encoded name is another name.
    pub(super) fn matches(&self, host: Host<'_>) -> bool {
        match (&self.0, host) {
            (Name::Address(address), Host::Address(host)) => *address == host,
            (Name::Dns(name), Host::Name(host)) => {
                host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case(name)
            }
            _ => false,
        }
    }
}

/// Returns the request's host; `None` if it is absent, empty or malformed. The engine has replaced it by
/// the authority of an absolute target (RFC 9112 3.2.2).
fn host(request: &Request) -> Option<Host<'_>> {
    let field = request.headers.get(HOST)?;
    Authority::parse(field.as_bytes()).ok().map(|authority| authority.host())
}

/// Returns true if the request's host is one of these names or that of the site's public address, or if
/// there are no names.
pub(super) fn matches_any(
    names: &[HostName],
    site_url: Option<&SiteUrl>,
    request: &Request,
) -> bool {
    let all = || names.iter().chain(site_url.map(SiteUrl::host_name));
    names.is_empty() || host(request).is_some_and(|host| all().any(|name| name.matches(host)))
}

/// Most characters of a field that a refusal repeats.
const MAX_SHOWN: usize = 64;

/// Returns the Host field or another for the message of a refusal: cut, and with hidden characters escaped.
pub(super) fn shown(request: &Request, name: HeaderName) -> Option<String> {
    let field = String::from_utf8_lossy(request.headers.get(name)?.as_bytes());
    let escaped = text::escape_line(&field);
    let mut shown: String = escaped.chars().take(MAX_SHOWN).collect();
    if shown.len() < escaped.len() {
        shown.push('…');
    }
    Some(shown)
}

/// Returns true if the request's host is a loopback address, `localhost`, or absent. HTTP/1.0 requests may
/// lack it; browsers always send it.
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
            peer: Peer { address: None, tls: true, user: None },
            client: None,
            proxied: false,
        }
    }

    #[test]
    fn host_matches_by_name_or_address() {
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
            let request = request(host);
            assert_eq!(matches_any(&names, None, &request), expected, "{host:?}");
            assert!(
                matches_any(&[], None, &request),
                "without configured names every host matches"
            );
        }
    }

    #[test]
    fn host_of_the_public_address_is_a_name_beside_others() {
        let url: SiteUrl = "https://tank.example/pumphouse/".parse().unwrap();
        let names = ["192.0.2.7".parse().unwrap()];
        for (host, expected) in [
            (Some("tank.example"), true),
            (Some("Tank.Example.:8443"), true),
            (Some("192.0.2.7:6443"), true),
            (Some("evil.example"), false),
            (None, false),
        ] {
            let request = request(host);
            assert_eq!(matches_any(&names, Some(&url), &request), expected, "{host:?}");
            assert!(matches_any(&[], Some(&url), &request), "it restricts nothing by itself");
        }
    }

    #[test]
    fn foreign_host_is_shown_cut_and_without_hidden_characters() {
        let long = "a".repeat(9000);
        for (host, expected) in [
            (None, None),
            (Some("evil.example:80"), Some("evil.example:80".to_owned())),
            (Some(&*long), Some(format!("{}…", "a".repeat(64)))),
        ] {
            assert_eq!(shown(&request(host), HOST), expected);
        }
        let mut request = request(Some(""));
        let hidden = "e\u{202e}vil\u{9b}".as_bytes();
        request.headers.insert(HOST, HeaderValue::from_bytes(hidden).unwrap());
        assert_eq!(shown(&request, HOST).unwrap(), "e\\u{202e}vil\\u{9b}");
        let hidden = "\u{202e}".repeat(20);
        request.headers.insert(HOST, HeaderValue::from_bytes(hidden.as_bytes()).unwrap());
        assert!(shown(&request, HOST).unwrap().ends_with('…'), "the escapes are cut");
    }

    #[test]
    fn loopback_names_and_addresses_name_this_machine() {
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
    fn text_that_is_not_a_host_name_is_rejected() {
        for text in ["", "tank.example:6443", "https://tank.example", "a..b", "*.example", "[x]"] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
        assert_eq!("Tank.Example.".parse::<HostName>().unwrap().to_string(), "tank.example");
    }

    #[test]
    fn name_that_no_client_accepts_in_a_certificate_is_told_from_others() {
        let long = "a.".repeat(127) + "a";
        for (name, expected) in [
            ("tank.example", true),
            ("my_pi.lan", true),
            ("192.0.2.7", true),
            ("[::1]", true),
            ("-a.example", false),
            ("10.0.0.999", false),
            ("tank.1", false),
            (&long, false),
        ] {
            assert_eq!(name.parse::<HostName>().unwrap().is_certifiable(), expected, "{name}");
        }
    }
}
