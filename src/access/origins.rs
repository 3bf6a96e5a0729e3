//! Protection against pages of other sites: they may read responses only if CORS allows it, and may not cause
//! unsafe requests (CSRF).

use std::fmt;
use std::str::FromStr;

use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::denial::OriginMismatch;
use super::hosts;
use super::scheme::is_secure;
use super::site_url::SiteUrl;
use crate::engine::{Authority, Request};

const HTTPS: &str = "https";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// An origin as browsers send it (RFC 6454 7): scheme, host, and the port unless it is the scheme's
/// default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It is `*`.
    #[error("\"*\" would let every site read what your visitors may read; name each site")]
    Any,
    /// It is not `scheme://host[:port]`.
    #[error("\"{0}\" is not an origin such as \"https://home.example\", without a path")]
    Malformed(String),
    /// Browsers send it in another form, so it would never match.
    #[error("\"{written}\" is written \"{serialised}\" by browsers")]
    NotSerialised {
        /// The configured text.
        written: String,
        /// The form that browsers send.
        serialised: String,
    },
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Origin, OriginError> {
        if text == "*" {
            return Err(OriginError::Any);
        }
        let malformed = || OriginError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
        let scheme = scheme.ok_or_else(malformed)?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(malformed)?;
        if uri.path() != "/" || uri.query().is_some() {
            return Err(malformed());
        }
        let default_port = if scheme == "https" { 443 } else { 80 };
        let port = authority.port_u16().filter(|port| *port != default_port);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let serialised = format!("{scheme}://{}{port}", authority.host().to_ascii_lowercase());
        if serialised != text {
            return Err(OriginError::NotSerialised { written: text.to_owned(), serialised });
        }
        HeaderValue::try_from(serialised).map(Origin).map_err(|_| malformed())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Returns the request's origin if it is one of these.
pub(super) fn allowed(origins: &[Origin], headers: &HeaderMap) -> Option<HeaderValue> {
    let mut sent = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (sent.next(), sent.next()) else { return None };
    origins.iter().find(|listed| listed.0 == origin).map(|listed| listed.0.clone())
}

/// Returns true if the method is not safe (RFC 9110 9.2.1).
pub(super) fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Returns true if the request has an origin, which browsers send with every unsafe method.
pub(super) fn names_origin(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_FETCH_SITE) || headers.contains_key(ORIGIN)
}

/// Returns true if a browser sent the request for a page of another site (Fetch Metadata; Origin for
/// older browsers). Programs send neither field.
///
/// The origin of the site's public address is this site's own, also if a proxy replaces the Host.
pub(super) fn is_cross_site(request: &Request, site_url: Option<&SiteUrl>) -> bool {
    let headers = &request.headers;
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let is_public = site_url.is_some_and(|url| url.origin().as_bytes() == origin.as_bytes());
    !is_public && is_same_origin(origin, request, site_url) != Some(true)
}

/// Returns the two origins of a request that a page of another site has caused, if their difference alone is
/// the evidence: a proxy may have changed the Host, or the scheme.
pub(super) fn mismatch(request: &Request, site_url: Option<&SiteUrl>) -> Option<OriginMismatch> {
    if request.headers.contains_key(SEC_FETCH_SITE) {
        return None;
    }
    let sent = hosts::shown(request, ORIGIN)?;
    let scheme = if is_secure(request, site_url) { HTTPS } else { "http" };
    let host = hosts::shown(request, HOST).unwrap_or_default();
    Some(OriginMismatch { sent, own: format!("{scheme}://{host}") })
}

/// Returns true if scheme, host and port of an Origin field are those of the request; `None` if either
/// cannot be parsed.
fn is_same_origin(
    origin: &HeaderValue,
    request: &Request,
    site_url: Option<&SiteUrl>,
) -> Option<bool> {
    let (scheme, origin) = origin.to_str().ok()?.split_once("://")?;
    let default_port = |scheme| if scheme == HTTPS { 443 } else { 80 };
    let own_scheme = if is_secure(request, site_url) { HTTPS } else { "http" };
    let origin = Authority::parse(origin.as_bytes()).ok()?;
    let host = Authority::parse(request.headers.get(HOST)?.as_bytes()).ok()?;
    // Some proxies remove the port from the Host.
    let public = site_url.filter(|url| url.is_host_of(request));
    let public = public.filter(|url| url.is_https() == (own_scheme == HTTPS)).map(SiteUrl::port);
    let own_port = host.port().or(public).unwrap_or(default_port(own_scheme));
    let ports = (origin.port().unwrap_or(default_port(scheme)), own_port);
    let same_host = origin.written_host().eq_ignore_ascii_case(host.written_host());
    Some(scheme == own_scheme && same_host && ports.0 == ports.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(sent: &[(&'static str, &'static str)], tls: bool) -> Request {
        Request {
            method: Method::POST,
            target: "/".parse().unwrap(),
            version: http::Version::HTTP_11,
            headers: fields(sent),
            body: bytes::Bytes::new(),
            peer: crate::engine::Peer {
                address: Some(([192, 0, 2, 1], 4096).into()),
                tls,
                user: None,
            },
            client: None,
            proxied: false,
        }
    }

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn origin_must_have_the_form_that_browsers_send() {
        for text in ["https://home.example", "http://home.example:8123", "http://[::1]:8123"] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        for (text, expected) in [
            ("*", "every site"),
            ("null", "not an origin"),
            ("home.example", "not an origin"),
            ("https://home.example/dash", "not an origin"),
            ("https://me@home.example", "not an origin"),
            ("ftp://home.example", "not an origin"),
            ("https://home.example/", "written \"https://home.example\" by browsers"),
            ("https://home.example:443", "written \"https://home.example\" by browsers"),
            ("https://Home.example", "written \"https://home.example\" by browsers"),
        ] {
            let error = text.parse::<Origin>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn only_listed_origins_are_allowed() {
        let origins = ["https://home.example".parse().unwrap()];
        for (sent, expected) in [
            (&[("origin", "https://home.example")][..], true),
            (&[("origin", "https://home.example.evil.example")], false),
            (&[("origin", "http://home.example")], false),
            (&[("origin", "null")], false),
            (&[], false),
            (&[("origin", "https://home.example"), ("origin", "https://home.example")], false),
        ] {
            assert_eq!(allowed(&origins, &fields(sent)).is_some(), expected, "{sent:?}");
        }
    }

    #[test]
    fn origin_of_the_public_address_is_the_sites_own() {
        const PUBLIC: &str = "https://tank.example:8443/pumphouse/";
        let url: SiteUrl = PUBLIC.parse().unwrap();
        // A proxy without TLS to this server, which replaces the Host or removes the port from it.
        for (host, origin, expected) in [
            ("127.0.0.1:6443", "https://tank.example:8443", false),
            ("tank.example", "https://tank.example:8443", false),
            ("tank.example:8443", "https://tank.example:8443", false),
            ("tank.example", "https://tank.example", true),
            ("tank.example", "http://tank.example:8443", true),
            ("127.0.0.1:6443", "https://evil.example", true),
            ("127.0.0.1:6443", "http://127.0.0.1:6443", false),
        ] {
            let mut request = request(&[], false);
            request.headers.insert(HOST, HeaderValue::from_static(host));
            request.headers.insert(ORIGIN, HeaderValue::from_static(origin));
            assert_eq!(is_cross_site(&request, Some(&url)), expected, "{host} {origin}");
            request.headers.insert(SEC_FETCH_SITE, HeaderValue::from_static("same-site"));
            assert!(is_cross_site(&request, Some(&url)), "the browser says otherwise");
        }
    }

    #[test]
    fn page_of_another_origin_is_cross_site() {
        const HERE: (&str, &str) = ("host", "pump.example:6443");
        const HERE_443: (&str, &str) = ("host", "pump.example");
        for (sent, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[HERE, ("origin", "https://pump.example:6443")], false),
            (&[HERE, ("origin", "https://evil.example")], true),
            (&[HERE, ("origin", "https://pump.example")], true),
            (&[HERE, ("origin", "null")], true),
            (&[("origin", "https://pump.example")], true),
            (&[HERE, ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], false),
            (&[HERE, ("origin", "http://pump.example:6443")], true),
            (&[HERE, ("origin", "https://pump.example:6080")], true),
            (&[HERE_443, ("origin", "https://Pump.example:443")], false),
            (&[HERE_443, ("origin", "http://pump.example")], true),
        ] {
            assert_eq!(is_cross_site(&request(sent, true), None), expected, "{sent:?}");
        }
    }

    #[test]
    fn scheme_of_an_origin_is_compared_with_the_scheme_that_the_browser_used() {
        const SENT: [(&str, &str); 2] =
            [("host", "pump.example"), ("origin", "https://pump.example")];
        let plain = request(&SENT, false);
        assert!(is_cross_site(&plain, None));
        let forwarded = [SENT[0], SENT[1], ("x-forwarded-proto", "https")];
        assert!(is_cross_site(&request(&forwarded, false), None), "not from a trusted proxy");
        assert!(!is_cross_site(&Request { proxied: true, ..request(&forwarded, false) }, None));
        let over_socket = |sent| {
            let peer = crate::engine::Peer { address: None, tls: false, user: None };
            is_cross_site(&Request { peer, ..request(sent, false) }, None)
        };
        assert!(!over_socket(&forwarded), "a proxy that terminates TLS");
        assert!(over_socket(&SENT));
    }
}
