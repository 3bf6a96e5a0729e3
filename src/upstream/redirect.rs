//! Resolves redirects, and rejects those that leave the configured origin.
//!
//! The path, query or headers of a request may contain a credential, which another origin must not receive,
//! and another origin's response is not the upstream's. A redirect to another host, port or scheme therefore
//! ends the poll with an error that names the target.

use ureq::http::uri::PathAndQuery;
use ureq::http::{StatusCode, Uri};

use crate::config::Method;

/// A redirect that is not followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RedirectError {
    /// The target has another host or port.
    #[error("redirect to another host, {0}, not followed; configure its URL if that is right")]
    OtherHost(String),
    /// The target has the scheme http, the current URL https.
    #[error("redirect from https to http, not followed")]
    Downgrade,
    /// The target has the scheme https, the current URL http.
    #[error("redirect to https; configure the https URL")]
    Upgrade,
    /// The location is missing, not a URL, or has another scheme.
    #[error("redirect without a usable location")]
    Unusable,
}

/// Returns true if the request after a redirect is a GET without a body (RFC 9110 15.4): after 303, and for a
/// POST after 301 and 302, as clients have always done.
pub(super) fn becomes_get(status: StatusCode, method: Method) -> bool {
    match status {
        StatusCode::SEE_OTHER => true,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method == Method::Post,
        _ => false,
    }
}

/// Resolves a Location field (RFC 9110 10.2.2) against the current URL.
pub(super) fn target(current: &Uri, location: &str) -> Result<Uri, RedirectError> {
    // Fragments are not sent to servers.
    let location = location.trim().split('#').next().unwrap_or_default();
    let scheme = current.scheme_str().unwrap_or_default();
    let has_scheme = location.split(['/', '?']).next().is_some_and(|start| start.contains(':'));
    let path = if has_scheme || location.starts_with("//") {
        let absolute =
            if has_scheme { location.to_owned() } else { format!("{scheme}:{location}") };
        let absolute: Uri = absolute.parse().map_err(|_| RedirectError::Unusable)?;
        same_origin(current, &absolute)?;
        absolute.path_and_query().map_or("/", PathAndQuery::as_str).to_owned()
    } else if location.starts_with('/') {
        location.to_owned()
    } else if location.starts_with('?') {
        format!("{}{location}", current.path())
    } else if location.is_empty() {
        return Err(RedirectError::Unusable);
    } else {
        // Relative to the directory of the current path (RFC 3986 5.2.3).
        let (directory, _) = current.path().rsplit_once('/').unwrap_or_default();
        format!("{directory}/{location}")
    };
    let mut parts = current.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(|_| RedirectError::Unusable)?);
    Uri::from_parts(parts).map_err(|_| RedirectError::Unusable)
}

fn same_origin(current: &Uri, target: &Uri) -> Result<(), RedirectError> {
    let host = target.host().ok_or(RedirectError::Unusable)?;
    if !current.host().is_some_and(|current| current.eq_ignore_ascii_case(host)) {
        return Err(RedirectError::OtherHost(host.to_owned()));
    }
    match (current.scheme_str(), target.scheme_str()) {
        (Some("https"), Some("http")) => return Err(RedirectError::Downgrade),
        (Some("http"), Some("https")) => return Err(RedirectError::Upgrade),
        (current, target) if current != target => return Err(RedirectError::Unusable),
        _ => {}
    }
    if port(current) != port(target) {
        return Err(RedirectError::OtherHost(format!("{host}:{}", port(target))));
    }
    Ok(())
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_within_the_origin_is_resolved() {
        let current: Uri = "https://user:pw@example.org/a/b?key=1".parse().unwrap();
        for (location, path) in [
            ("/c", "/c"),
            ("/c?d=http://e", "/c?d=http://e"),
            ("c", "/a/c"),
            ("?d", "/a/b?d"),
            ("https://example.org/c", "/c"),
            ("HTTPS://EXAMPLE.org:443/c#f", "/c"),
            ("//example.org", "/"),
        ] {
            let expected: Uri = format!("https://user:pw@example.org{path}").parse().unwrap();
            assert_eq!(target(&current, location), Ok(expected), "{location}");
        }
    }

    #[test]
    fn redirect_to_another_origin_is_rejected() {
        let current: Uri = "https://example.org/a".parse().unwrap();
        let other = |host: &str| RedirectError::OtherHost(host.to_owned());
        for (location, error) in [
            ("https://evil.test/a?token=1", other("evil.test")),
            ("//evil.test/a", other("evil.test")),
            ("https://example.org@evil.test/", other("evil.test")),
            ("https://example.org.evil.test/", other("example.org.evil.test")),
            ("https://example.org:8443/a", other("example.org:8443")),
            ("http://example.org/a", RedirectError::Downgrade),
            ("ftp://example.org/a", RedirectError::Unusable),
            ("mailto:someone@example.org", RedirectError::Unusable),
            ("", RedirectError::Unusable),
            ("#top", RedirectError::Unusable),
            ("https://", RedirectError::Unusable),
        ] {
            assert_eq!(target(&current, location), Err(error), "{location}");
        }
        let plain: Uri = "http://example.org/a".parse().unwrap();
        assert_eq!(target(&plain, "https://example.org/a"), Err(RedirectError::Upgrade));
    }
}
