//! Scheme and port of the URL in the browser.

use http::HeaderName;
use http::header::HOST;

use super::site_url::SiteUrl;
use crate::engine::{Authority, Request};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Returns true if the browser uses TLS: on our own connection, or on that of a trusted proxy, which reports
/// it by `X-Forwarded-Proto`. If several proxies have added to that field, the first value is that of the
/// proxy nearest to the browser. Without a report, a request for the site's public address has its scheme.
pub fn is_secure(request: &Request, site_url: Option<&SiteUrl>) -> bool {
    let forwarded = request.headers.get(FORWARDED_PROTO).filter(|_| is_from_gateway(request));
    let first = forwarded.map(|field| field.as_bytes().split(|byte| *byte == b',').next());
    let is_https = |scheme: &[u8]| scheme.trim_ascii().eq_ignore_ascii_case(b"https");
    let is_public = |url: &SiteUrl| url.is_https() && url.is_host_of(request);
    first.map_or_else(
        || request.peer.tls || site_url.is_some_and(is_public),
        |scheme| scheme.is_some_and(is_https),
    )
}

/// Returns true if the peer is a trusted proxy, or a client on a unix socket, which browsers cannot use.
/// The same peers may use either scheme in an absolute target (`Schemes::of`).
fn is_from_gateway(request: &Request) -> bool {
    request.proxied || request.peer.address.is_none()
}

/// Returns the port in the browser's URL, or the default of its scheme.
pub fn requested_port(request: &Request, site_url: Option<&SiteUrl>) -> u16 {
    if let Some(url) = site_url.filter(|url| url.is_host_of(request)) {
        return url.port();
    }
    let target = request.target.authority().map(|authority| authority.as_str().as_bytes());
    let field = || request.headers.get(HOST).map(|host| host.as_bytes());
    let authority = target.or_else(field).and_then(|text| Authority::parse(text).ok());
    let default = if is_secure(request, site_url) { 443 } else { 80 };
    authority.and_then(|authority| authority.port()).unwrap_or(default)
}
