//! The address of an upstream, which may hold secrets.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use super::secret::Secret;

/// An `http` or `https` URL. Keys in its query, a password before its host and the last part of
/// its path (a share link is a capability) are secrets: what is displayed leaves them out.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceUrl {
    text: String,
    redacted: String,
}

/// Why a text is no such URL. Says nothing of the text, which may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    /// Not a URL at all.
    #[error("is not a URL such as \"https://host/path\"")]
    Malformed,
    /// A scheme that cannot be polled.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// Credentials in the URL, where logs and errors of other programs find them.
    #[error("must not hold a user name or password; give credentials by their own keys")]
    UserInfo,
}

impl SourceUrl {
    /// The URL to ask. Not for logs: it may hold secrets.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it takes a certificate to be believed.
    pub fn is_https(&self) -> bool {
        const SCHEME: &str = "https:";
        self.as_str().get(..SCHEME.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SCHEME))
    }
}

impl SourceUrl {
    /// The last part of the path, which for a share link is the capability.
    pub fn share(&self) -> Option<Secret> {
        let (_, last) = self.path().rsplit_once('/')?;
        Some(Secret::new(last.to_owned()))
    }

    /// What may prove something: the values of the query's parameters, as they are written and
    /// as they are meant, and a last part of the path that is no word.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let query = self.text.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or_default();
        let values = query.split('&').map(|it| it.split_once('=').map_or(it, |(_, value)| value));
        let meant = values.clone().map(percent_decoded);
        let share = self.share().filter(|share| is_no_word(share.expose()));
        values.map(str::to_owned).chain(meant).map(Secret::new).chain(share)
    }

    fn path(&self) -> &str {
        self.text.split(['?', '#']).next().unwrap_or_default()
    }
}

/// Whether it may be a key: of some length, with a digit in it.
fn is_no_word(text: &str) -> bool {
    text.len() >= 8 && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The text behind a parameter's value (WHATWG URL 5.1).
fn percent_decoded(value: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let digit = |at: usize| behind.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        decoded.push(match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                rest = &behind[2..];
                // Two hexadecimal digits are a byte.
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

/// Keeps the names of the parameters and hides their values.
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

/// Without its secrets.
impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted)
    }
}

/// Without its secrets.
impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.redacted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_holds_no_secret() {
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
    fn what_may_prove_something_is_a_secret() {
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
    fn other_texts_are_refused_without_being_repeated() {
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
