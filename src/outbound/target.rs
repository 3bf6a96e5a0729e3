//! Addresses of servers, and of pages on them, as operators write them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use ureq::http::Uri;

/// Path of an address without one.
const HEALTH: &str = "/healthz";

/// Address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Path of a unix socket.
    Unix(PathBuf),
    /// `http://host:port` or `https://host:port`, without user or path.
    Web(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Web(address) => f.write_str(address),
        }
    }
}

/// Address of a server, and the path to request there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Server.
    pub endpoint: Endpoint,
    /// Path, with its query.
    pub path: String,
}

impl Target {
    /// Returns the target `/healthz` of a server.
    pub fn health(endpoint: &Endpoint) -> Target {
        Target { endpoint: endpoint.clone(), path: HEALTH.to_owned() }
    }
}

/// Shows the address and the path without its query, which may hold a credential.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Unix(_) => self.endpoint.fmt(f),
            Endpoint::Web(address) => {
                let path = self.path.split('?').next().unwrap_or_default();
                write!(f, "{address}{path}")
            }
        }
    }
}

/// Error of parsing a [`Target`] or an [`Endpoint`].
///
/// It does not repeat the text, which may hold a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The text is neither `unix:/path` nor a URL with http or https.
    #[error("not an address such as http://127.0.0.1:6480, https://localhost:6443 or unix:/path")]
    Malformed,
    /// The URL has `user:password@` before its host.
    #[error("an address must not hold a user or a password, as every list of processes shows it")]
    Credentials,
    /// An [`Endpoint`] has a path other than `/` and `/healthz`.
    #[error("the address must end with the host and port, without a path")]
    Path,
}

impl FromStr for Endpoint {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Endpoint, TargetError> {
        let target: Target = text.parse()?;
        match target.path.as_str() {
            "/" | HEALTH => Ok(target.endpoint),
            _ => Err(TargetError::Path),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// Parses `unix:/path` or a URL. The path of a URL that ends with its host is `/healthz`.
    fn from_str(text: &str) -> Result<Target, TargetError> {
        if let Some(path) = text.strip_prefix("unix:") {
            // supervisord writes unix:///path.
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(TargetError::Malformed);
            }
            return Ok(Target { endpoint: Endpoint::Unix(path.into()), path: HEALTH.to_owned() });
        }
        let uri: Uri = text.parse().map_err(|_| TargetError::Malformed)?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme));
        let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else {
            return Err(TargetError::Malformed);
        };
        if authority.as_str().contains('@') {
            return Err(TargetError::Credentials);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let named = text.ends_with('/') || path != "/";
        let path = if named { path } else { HEALTH };
        Ok(Target {
            endpoint: Endpoint::Web(format!("{scheme}://{authority}")),
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_and_shown_without_credentials() {
        for (text, endpoint, path, shown) in [
            ("unix:/run/a.sock", "unix:/run/a.sock", "/healthz", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock", "/healthz", "unix:/run/a.sock"),
            ("http://[::1]:6480", "http://[::1]:6480", "/healthz", "http://[::1]:6480/healthz"),
            ("https://a.example/", "https://a.example", "/", "https://a.example/"),
            ("https://a.example/b?key=c", "https://a.example", "/b?key=c", "https://a.example/b"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(
                (target.endpoint.to_string(), target.path.as_str()),
                (endpoint.into(), path)
            );
            assert_eq!(target.to_string(), shown);
        }
        for (text, error) in [
            ("", TargetError::Malformed),
            ("127.0.0.1:6480", TargetError::Malformed),
            ("/healthz", TargetError::Malformed),
            ("unix:relative", TargetError::Malformed),
            ("ftp://a.example/", TargetError::Malformed),
            ("http://joe:s3cret@a.example/", TargetError::Credentials),
        ] {
            let refused = text.parse::<Target>().unwrap_err();
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("s3cret"));
        }
        assert_eq!("http://a.example/".parse(), Ok(Endpoint::Web("http://a.example".to_owned())));
        assert_eq!("http://a.example/x".parse::<Endpoint>(), Err(TargetError::Path));
    }
}
