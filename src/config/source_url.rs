//! URLs of upstreams, which may contain secrets.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use super::secret::Secret;

/// An `http` or `https` URL. The values in its query and the last part of its path (a share link is a
/// capability) may be secrets: `Display` and `Debug` omit them.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceUrl {
    text: String,
    redacted: String,
}

/// A text is not the URL of an upstream. The error does not repeat the text, which may contain secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    /// The text is not a URL.
    #[error("is not a URL such as \"https://host/path\"")]
    Malformed,
    /// The scheme is neither `http` nor `https`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// The URL contains credentials, which other programs would log.
    #[error("must not contain a user name or password; give credentials by their own keys")]
    UserInfo,
}

impl SourceUrl {
    /// Returns the whole URL, secrets included. Not for logs.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host and port, in lower case: `host:8080`; without the port if the URL has none.
    pub fn authority(&self) -> String {
        let (_, rest) = self.as_str().split_once("://").unwrap_or_default();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest[..end].to_ascii_lowercase()
    }

    /// Returns true if the scheme is `https`.
    pub fn is_https(&self) -> bool {
        const SCHEME: &str = "https:";
        self.as_str().get(..SCHEME.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SCHEME))
    }
}

impl SourceUrl {
    /// Returns the last part of the path, which is the capability of a share link.
    pub fn share(&self) -> Option<Secret> {
        let (_, last) = self.path().rsplit_once('/')?;
        Some(Secret::new(last.to_owned()))
    }

    /// Returns the URL of a resource of an API of which this is the base. Not for logs.
    ///
    /// `path` is appended to the path of the base, except for segments that the base ends with already, so that
    /// both `https://host` and `https://host/v1/forecast` lead to `/v1/forecast`. The parameters of the base
    /// come first in the query.
    pub fn endpoint(&self, path: &str, query: &str) -> String {
        let base = if path.is_empty() { self.path() } else { self.path().trim_end_matches('/') };
        let path = &path[overlap(base, path)..];
        let mut url = format!("{base}{path}");
        let mut separator = '?';
        for query in [self.query(), query] {
            if !query.is_empty() {
                url.push(separator);
                url.push_str(query);
                separator = '&';
            }
        }
        url
    }

    /// Returns the possible secrets: the values of the query's parameters, encoded and decoded, and the
    /// last part of the path if it looks like a key.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let values = self
            .query()
            .split('&')
            .map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let decoded = values.clone().map(form_decoded);
        let share = self.share().filter(|share| looks_like_a_key(share.expose()));
        values.map(str::to_owned).chain(decoded).map(Secret::new).chain(share)
    }

    /// Returns the query without its question mark.
    fn query(&self) -> &str {
        // A fragment may contain a question mark.
        let text = self.text.split('#').next().unwrap_or_default();
        text.split_once('?').map_or("", |(_, query)| query)
    }

    /// Returns the part before the query.
    fn path(&self) -> &str {
        self.text.split(['?', '#']).next().unwrap_or_default()
    }
}

/// Returns the length of the longest beginning of `path`, in whole segments, that `base` ends with.
fn overlap(base: &str, path: &str) -> usize {
    // The name of a host is no segment.
    let base = base.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let base = base.unwrap_or_default();
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    // `path` begins with a slash, so that a match ends a whole segment of `base` and begins one.
    ends.filter(|end| base.ends_with(&path[..*end])).max().unwrap_or_default()
}

/// Returns true if a part of a path has at least 8 bytes and a digit, unlike an ordinary word.
fn looks_like_a_key(text: &str) -> bool {
    text.len() >= 8 && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Decodes the value of a parameter (WHATWG URL 5.1).
pub(super) fn form_decoded(value: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&byte, following)) = rest.split_first() {
        rest = following;
        let digit = |at: usize| following.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        decoded.push(match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                rest = &following[2..];
                // Two hexadecimal digits fit into a byte.
                (high * 16 + low) as u8
            }
            (b'+', ..) => b' ',
            (byte, ..) => byte,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

impl FromStr for SourceUrl {
    type Err = SourceUrlError;

    fn from_str(text: &str) -> Result<SourceUrl, SourceUrlError> {
        let uri: Uri = text.parse().map_err(|_| SourceUrlError::Malformed)?;
        let scheme = uri.scheme_str().ok_or(SourceUrlError::Malformed)?;
        if scheme != "http" && scheme != "https" {
            return Err(SourceUrlError::Scheme);
        }
        let authority = uri.authority().ok_or(SourceUrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(SourceUrlError::UserInfo);
        }
        let (folder, last) = uri.path().rsplit_once('/').unwrap_or_default();
        let last = if last.is_empty() { "" } else { "…" };
        let query = uri.query().map_or_else(String::new, redact_query);
        let redacted = format!("{scheme}://{authority}{folder}/{last}{query}");
        Ok(SourceUrl { text: text.to_owned(), redacted })
    }
}

/// Replaces the values of the parameters, and keeps their names.
fn redact_query(query: &str) -> String {
    let parameters: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) => format!("{name}=…"),
            None => "…".to_owned(),
        })
        .collect();
    format!("?{}", parameters.join("&"))
}

/// Omits the secrets.
impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted)
    }
}

/// Omits the secrets.
impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.redacted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displayed_url_has_no_secret() {
        let cases = [
            ("https://www.mypt.in/s/s3cret", "https://www.mypt.in/s/…"),
            ("https://h/v1/devices?apiKey=s3cret&x", "https://h/v1/…?apiKey=…&…"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
            ("https://api.open-meteo.com", "https://api.open-meteo.com/"),
        ];
        for (text, shown) in cases {
            let url: SourceUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), text);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("s3cret"));
        }
    }

    #[test]
    fn endpoint_joins_path_and_query_of_the_base() {
        for (base, path, query, expected) in [
            ("https://h", "/v1/forecast", "a=1", "https://h/v1/forecast?a=1"),
            ("https://h/", "/v1/forecast", "a=1", "https://h/v1/forecast?a=1"),
            ("https://h/p/", "/v1/forecast", "", "https://h/p/v1/forecast"),
            ("https://h/p?key=k", "/v1/forecast", "a=1", "https://h/p/v1/forecast?key=k&a=1"),
            ("https://h?key=k", "/v1/forecast", "a=1", "https://h/v1/forecast?key=k&a=1"),
            (
                "https://h/v1/forecast?key=k",
                "/v1/forecast",
                "a=1",
                "https://h/v1/forecast?key=k&a=1",
            ),
            ("https://h/v1/forecast/?", "/v1/forecast", "a=1", "https://h/v1/forecast?a=1"),
            (
                "https://h/v1/devices?key=k",
                "/v1/devices/m",
                "a=1",
                "https://h/v1/devices/m?key=k&a=1",
            ),
            ("https://h/p/v1", "/v1/forecast", "", "https://h/p/v1/forecast"),
            // Segments are compared in whole.
            ("https://h/xv1", "/v1/forecast", "", "https://h/xv1/v1/forecast"),
            ("https://h/v1/fore", "/v1/forecast", "", "https://h/v1/fore/v1/forecast"),
            ("https://v1", "/v1/forecast", "", "https://v1/v1/forecast"),
            ("https://h/p?key=k#f?g", "/v1/forecast", "a=1", "https://h/p/v1/forecast?key=k&a=1"),
            // The URL of a document, which has no further path.
            ("https://h/p/?key=k", "", "a=1", "https://h/p/?key=k&a=1"),
            ("https://h/p/?key=k#f", "", "", "https://h/p/?key=k"),
        ] {
            let url: SourceUrl = base.parse().unwrap();
            assert_eq!(url.endpoint(path, query), expected, "{base}");
        }
    }

    #[test]
    fn values_and_keys_of_a_url_are_secrets() {
        for (text, secrets) in [
            ("https://h/data?key=a%2Fb+c&days=1&flag", &["1", "a%2Fb+c", "a/b c", "flag"][..]),
            ("https://h/data?broken=%4&last=%zz#x", &["%4", "%zz"]),
            ("https://h/share/k3y0fth3tank?", &["k3y0fth3tank"]),
            ("https://h/observations/latest", &[]),
        ] {
            let url: SourceUrl = text.parse().unwrap();
            let mut found: Vec<String> =
                url.secrets().map(|secret| secret.expose().to_owned()).collect();
            found.retain(|secret| !secret.is_empty());
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, secrets, "{text}");
        }
    }

    #[test]
    fn invalid_url_is_rejected_and_not_repeated() {
        let cases = [
            ("s3cret", SourceUrlError::Malformed),
            ("/s3cret", SourceUrlError::Malformed),
            ("ftp://h/s3cret", SourceUrlError::Scheme),
            ("https://me:s3cret@h/", SourceUrlError::UserInfo),
        ];
        for (text, error) in cases {
            let refused = text.parse::<SourceUrl>().unwrap_err();
            assert_eq!(refused, error);
            assert!(!refused.to_string().contains("s3cret"));
        }
    }
}
