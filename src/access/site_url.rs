//! The public address of the site, `[site] url`.
//!
//! A reverse proxy may publish the site below a path, such as `https://tank.example/pumphouse/`. Some
//! proxies remove that path from the requests that they pass on, and some do not, so the site serves both
//! forms. Links on pages are relative and need no address. It is needed where the site has to know the URL
//! in the browser: for the path and the attributes of cookies, for the origin of forms, as a host name
//! beside `names`, and for absolute links.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::header::HOST;

use super::hosts::HostName;
use super::percent::{has_escaped_separator, percent_decoded};
use crate::engine::{Authority, Host, Request};

/// An absolute `http` or `https` URL whose path ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrl {
    is_https: bool,
    host: HostName,
    port: u16,
    /// Scheme, host, and the port unless it is the scheme's default (RFC 6454 6.2).
    origin: String,
    /// The path as written; begins and ends with a slash.
    path: String,
    /// The path, percent-decoded.
    decoded_path: String,
}

/// A text is not the public address of a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SiteUrlError {
    /// It does not begin with `http://` or `https://`.
    #[error("\"{written}\" does not begin with http:// or https://; write it as \"{suggestion}\"")]
    Scheme {
        /// The configured text.
        written: String,
        /// An address with a scheme.
        suggestion: String,
    },
    /// It contains credentials. The message does not repeat them.
    #[error("must not contain a user name or password: it is shown to visitors")]
    UserInfo,
    /// It has a query or a fragment.
    #[error("\"{written}\" must end with its path, without ? and #; write it as \"{suggestion}\"")]
    Suffix {
        /// The configured text.
        written: String,
        /// The address without them.
        suggestion: String,
    },
    /// The host or the port is malformed.
    #[error(
        "\"{0}\" has no valid host and port, such as tank.example or tank.example:8443; a name with \
         other letters than a to z is written in its xn-- form"
    )]
    Authority(String),
    /// The path has empty segments, `.` or `..`.
    #[error("\"{written}\" has //, . or .. in its path; write it as \"{suggestion}\"")]
    Segments {
        /// The configured text.
        written: String,
        /// The address without them.
        suggestion: String,
    },
    /// The path has a character that an address, or the path of a cookie, cannot have.
    #[error(
        "\"{0}\" has a path with other characters than letters, digits, -._~!$&'()*+,=:@ and / between \
         its parts; use a plain path, such as /pumphouse/"
    )]
    Path(String),
}

impl FromStr for SiteUrl {
    type Err = SiteUrlError;

    fn from_str(text: &str) -> Result<SiteUrl, SiteUrlError> {
        let written = || text.to_owned();
        let (is_https, rest) = without_scheme(text)
            .ok_or_else(|| SiteUrlError::Scheme { written: written(), suggestion: guess(text) })?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(SiteUrlError::UserInfo);
        }
        let invalid_authority = || SiteUrlError::Authority(written());
        let authority = Authority::parse(authority.as_bytes()).map_err(|_| invalid_authority())?;
        let host: HostName = authority.written_host().parse().map_err(|_| invalid_authority())?;
        let default_port = if is_https { 443 } else { 80 };
        let port = authority.port().unwrap_or(default_port);
        if port == 0 {
            return Err(invalid_authority());
        }
        let origin =
            origin(is_https, authority.host(), Some(port).filter(|port| *port != default_port));
        if let Some(suffix) = path.find(['?', '#']) {
            let suggestion = format!("{origin}{}", with_slash(&path[..suffix]));
            return Err(SiteUrlError::Suffix { written: written(), suggestion });
        }
        let path = with_slash(path);
        let decoded_path = decoded(&path).ok_or_else(|| SiteUrlError::Path(written()))?;
        if plain_segments(&decoded_path) != decoded_path {
            let suggestion = format!("{origin}{}", plain_segments(&path));
            return Err(SiteUrlError::Segments { written: written(), suggestion });
        }
        Ok(SiteUrl { is_https, host, port, origin, path: path.into_owned(), decoded_path })
    }
}

impl SiteUrl {
    /// Returns true if the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Returns scheme, host and port as browsers send them in `Origin`, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the address without its last slash, for programs that append paths with a leading one.
    pub fn without_slash(&self) -> String {
        format!("{}{}", self.origin, self.path.trim_end_matches('/'))
    }

    /// Returns the path, which begins and ends with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path, percent-decoded.
    pub fn decoded_path(&self) -> &str {
        &self.decoded_path
    }

    /// Returns the port, which may be the scheme's default.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the name of the host.
    pub fn host_name(&self) -> &HostName {
        &self.host
    }

    /// Returns true if the host of the request is this one, with its port or without any: some proxies
    /// omit the port. A request for another port was sent to a listener that the browser reaches directly.
    pub(super) fn is_host_of(&self, request: &Request) -> bool {
        let field = request.headers.get(HOST).map(|host| host.as_bytes());
        let authority = field.and_then(|text| Authority::parse(text).ok());
        authority.is_some_and(|authority| {
            self.host.matches(authority.host())
                && authority.port().is_none_or(|port| port == self.port)
        })
    }

    /// Returns the path that cookies of this request's response have.
    ///
    /// It is the path of the site where the browser's URL begins with it, and `/` elsewhere: a browser that
    /// reaches the server directly requests paths without it, and would never send the cookie back.
    pub fn cookie_path(&self, request: &Request) -> &str {
        let is_below = request.target.path().starts_with(&self.path);
        if is_below || self.is_host_of(request) { &self.path } else { "/" }
    }
}

/// Writes the address with its path.
impl fmt::Display for SiteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

fn without_scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let is_https = scheme.eq_ignore_ascii_case("https");
    (is_https || scheme.eq_ignore_ascii_case("http")).then_some((is_https, rest))
}

/// Returns an address that a text without a scheme may mean, or an example.
fn guess(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest).trim_start_matches('/');
    let meant = format!("https://{rest}").parse::<SiteUrl>();
    meant.map_or_else(|_| "https://tank.example/pumphouse/".to_owned(), |url| url.to_string())
}

/// Returns the origin as browsers serialise it; `port` is `None` for the scheme's default.
fn origin(is_https: bool, host: Host<'_>, port: Option<u16>) -> String {
    let scheme = if is_https { "https" } else { "http" };
    let host = match host {
        Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        Host::Address(address) => address.to_string(),
        Host::Name(name) | Host::Future(name) => name.to_ascii_lowercase(),
    };
    port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
}

fn with_slash(path: &str) -> Cow<'_, str> {
    if path.ends_with('/') { path.into() } else { format!("{path}/").into() }
}

/// Returns the path without empty segments, `.` and `..`.
fn plain_segments(path: &str) -> String {
    let mut plain = "/".to_owned();
    for segment in path.split('/').filter(|segment| !matches!(*segment, "" | "." | "..")) {
        plain.push_str(segment);
        plain.push('/');
    }
    plain
}

/// Decodes a path; `None` if it has a character that the path of an address or of a cookie cannot have
/// (RFC 3986 3.3, RFC 6265 4.1.1), or an escape that stands for a slash or for no text.
fn decoded(path: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/%".contains(&byte);
    if !path.bytes().all(is_plain) || has_escaped_separator(path) {
        return None;
    }
    let decoded = percent_decoded(path)?;
    (!decoded.contains(char::is_control)).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_normalised() {
        for (text, expected, port) in [
            ("https://tank.example", "https://tank.example/", 443),
            ("https://tank.example/pumphouse", "https://tank.example/pumphouse/", 443),
            ("HTTPS://Tank.Example:443/Pumphouse/", "https://tank.example/Pumphouse/", 443),
            ("http://tank.example:8080/a/b", "http://tank.example:8080/a/b/", 8080),
            ("http://tank.example:/", "http://tank.example/", 80),
            ("http://192.0.2.7/", "http://192.0.2.7/", 80),
            ("https://[0:0::1]:6443/", "https://[::1]:6443/", 6443),
            ("https://tank.example/p%C3%BCmp/", "https://tank.example/p%C3%BCmp/", 443),
            ("https://tank.example/~anna/a:b", "https://tank.example/~anna/a:b/", 443),
        ] {
            let url: SiteUrl = text.parse().unwrap();
            assert_eq!((&*url.to_string(), url.port()), (expected, port), "{text}");
            assert_eq!(url.to_string().parse(), Ok(url), "{text}");
        }
        let url: SiteUrl = "https://tank.example/p%C3%BCmp/".parse().unwrap();
        assert_eq!((url.path(), url.decoded_path()), ("/p%C3%BCmp/", "/pümp/"));
    }

    #[test]
    fn other_text_is_rejected_with_a_suggestion() {
        for (text, expected) in [
            ("", "write it as \"https://tank.example/pumphouse/\""),
            ("tank.example/pumphouse", "write it as \"https://tank.example/pumphouse/\""),
            ("//barn.example", "write it as \"https://barn.example/\""),
            ("/pumphouse/", "write it as \"https://pumphouse/\""),
            ("ftp://barn.example/", "write it as \"https://barn.example/\""),
            ("https:/barn.example/", "does not begin with http:// or https://"),
            ("https://anna:s3cret@tank.example/", "must not contain a user name"),
            ("https://tank.example/p?a=b", "write it as \"https://tank.example/p/\""),
            ("https://tank.example#top", "write it as \"https://tank.example/\""),
            ("https://", "no valid host"),
            ("https:///pumphouse/", "no valid host"),
            ("https://tank.example:0/", "no valid host and port"),
            ("https://tank.example:99999/", "no valid host and port"),
            ("https://tank example/", "no valid host"),
            ("https://tänk.example/", "xn--"),
            ("https://*.example/", "no valid host"),
            ("https://tank.example\\pumphouse", "use a plain path"),
            ("https://tank.example//pumphouse/", "write it as \"https://tank.example/pumphouse/\""),
            ("https://tank.example/a/../b/", "write it as \"https://tank.example/a/b/\""),
            ("https://tank.example/%2e%2e/", "has //, . or .. in its path"),
            ("https://tank.example/a%2Fb/", "use a plain path"),
            ("https://tank.example/a b/", "use a plain path"),
            ("https://tank.example/a;b/", "use a plain path"),
            ("https://tank.example/pümp/", "use a plain path"),
            ("https://tank.example/%zz/", "use a plain path"),
            ("https://tank.example/%+1/", "use a plain path"),
            ("https://tank.example/%ff/", "use a plain path"),
            ("https://tank.example/%0a/", "use a plain path"),
        ] {
            let error = text.parse::<SiteUrl>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("s3cret"));
        }
    }
}
