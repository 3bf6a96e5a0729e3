//! A bounded HTTP client for what stands near: our own listeners and supervisord's control
//! socket, over TCP, TLS or a unix socket.
//!
//! Each exchange has one total deadline, from the name to the last byte of the body, and a cap on
//! its body. No proxy, no redirect, no connection that is kept.

mod unix;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use ureq::http::{HeaderName, HeaderValue, Uri};
use ureq::tls::TlsConfig;
use ureq::{Agent, Body};

use self::unix::UnixConnector;
use crate::board::{ErrorKind, PollError};
use crate::outbound;
use crate::upstream::{SourceResolver, failure};

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// What an address without a path is asked for.
const HEALTH: &str = "/healthz";

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A unix socket's path.
    Unix(PathBuf),
    /// `http://host:port` or `https://host:port`, without user or path.
    Web(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Unix(path) => write!(f, "unix:{}", path.display()),
            Origin::Web(address) => f.write_str(address),
        }
    }
}

/// An address and what to ask for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub origin: Origin,
    /// The path, with its query.
    pub path: String,
}

impl Target {
    /// A server's health.
    pub fn health(origin: &Origin) -> Target {
        Target { origin: origin.clone(), path: HEALTH.to_owned() }
    }
}

/// A query is not shown, as it may hold a credential.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Unix(_) => self.origin.fmt(f),
            Origin::Web(address) => {
                let path = self.path.split('?').next().unwrap_or_default();
                write!(f, "{address}{path}")
            }
        }
    }
}

/// Why a text is no address. It does not repeat the text, which may hold a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither form.
    #[error("not an address such as http://127.0.0.1:6480, https://localhost:6443 or unix:/path")]
    Malformed,
    /// `user:password@` before the host.
    #[error("an address must not hold a user or a password, as every list of processes shows it")]
    Credentials,
    /// A page where a server is wanted.
    #[error("must end with the host and port, without a path")]
    Path,
}

impl FromStr for Origin {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Origin, TargetError> {
        let target: Target = text.parse()?;
        match target.path.as_str() {
            "/" | HEALTH => Ok(target.origin),
            _ => Err(TargetError::Path),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// Reads `unix:/path` or a URL; one that ends with its host means its `/healthz`.
    fn from_str(text: &str) -> Result<Target, TargetError> {
        if let Some(path) = text.strip_prefix("unix:") {
            // supervisord writes unix:///path.
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(TargetError::Malformed);
            }
            return Ok(Target { origin: Origin::Unix(path.into()), path: HEALTH.to_owned() });
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
        Ok(Target { origin: Origin::Web(format!("{scheme}://{authority}")), path: path.to_owned() })
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// The reason why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    /// The server, its name or the way there failed.
    #[error(transparent)]
    Failed(PollError),
    /// This process got no thread, descriptor or memory for it. The server may be well.
    #[error(transparent)]
    OwnShortage(PollError),
}

impl From<RequestError> for PollError {
    fn from(error: RequestError) -> PollError {
        match error {
            RequestError::Failed(error) | RequestError::OwnShortage(error) => error,
        }
    }
}

/// Speaks to one server.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    origin: Origin,
    timeout: Duration,
}

/// Attempts of one request at most.
const MAX_ATTEMPTS: usize = 4;

impl Client {
    /// Of these, `tls` is for https and `names` for hosts that are no addresses.
    pub(crate) fn new(
        origin: Origin,
        timeout: Duration,
        tls: TlsConfig,
        names: SourceResolver,
    ) -> Client {
        let total = Some(timeout);
        let config = Agent::config_builder()
            .timeout_global(total)
            .timeout_resolve(total)
            .timeout_connect(total)
            .timeout_send_request(total)
            .timeout_recv_response(total)
            .timeout_recv_body(total)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections(0)
            .user_agent(USER_AGENT)
            .tls_config(tls)
            .build();
        let agent = match &origin {
            Origin::Unix(path) => Agent::with_parts(config, UnixConnector::to(path), names),
            Origin::Web(_) => Agent::with_parts(config, outbound::connector(), names),
        };
        Client { agent, origin, timeout }
    }

    /// Requests a page, of which at most `limit` bytes are read.
    ///
    /// A connection that is reset before the response is opened again, within the same total
    /// deadline: a server at its connection cap may have evicted it for a newer one (RFC 9110
    /// 9.2.2 lets a client repeat an idempotent request).
    pub(crate) fn get(&self, path: &str, limit: u64) -> Result<Answer, RequestError> {
        let deadline = Instant::now() + self.timeout;
        let mut attempts = 1;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let request = self.agent.get(self.url(path)).config().timeout_global(Some(left));
            match request.build().call() {
                Err(ureq::Error::Io(error))
                    if error.kind() == io::ErrorKind::ConnectionReset
                        && attempts < MAX_ATTEMPTS =>
                {
                    attempts += 1;
                }
                response => return self.read(response, limit),
            }
        }
    }

    /// Sends a body of that type, and reads at most `limit` bytes of the answer.
    pub(crate) fn post(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: &[u8],
        limit: u64,
    ) -> Result<Answer, RequestError> {
        let mut request = self.agent.post(self.url(path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.read(request.send(body), limit)
    }

    fn url(&self, path: &str) -> String {
        match &self.origin {
            // An address, so that nobody looks up a name.
            Origin::Unix(_) => format!("http://127.0.0.1{path}"),
            Origin::Web(address) => format!("{address}{path}"),
        }
    }

    fn read(
        &self,
        response: Result<ureq::http::Response<Body>, ureq::Error>,
        limit: u64,
    ) -> Result<Answer, RequestError> {
        let failed = |error| {
            let is_own_shortage = failure::is_own_shortage(&error);
            match failure::of(error, self.timeout) {
                error if is_own_shortage => RequestError::OwnShortage(error),
                // The two are kept apart for sources only.
                PollError { kind: ErrorKind::TooLarge, .. } => RequestError::Failed(
                    PollError::new(ErrorKind::TooLarge, "the answer is larger than it may be"),
                ),
                error => RequestError::Failed(error),
            }
        };
        let mut response = response.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(limit).read_to_vec().map_err(failed)?;
        Ok(Answer { status, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        for (text, origin, path, shown) in [
            ("unix:/run/a.sock", "unix:/run/a.sock", "/healthz", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock", "/healthz", "unix:/run/a.sock"),
            ("http://[::1]:6480", "http://[::1]:6480", "/healthz", "http://[::1]:6480/healthz"),
            ("https://a.example/", "https://a.example", "/", "https://a.example/"),
            ("https://a.example/b?key=c", "https://a.example", "/b?key=c", "https://a.example/b"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.origin.to_string(), target.path.as_str()), (origin.into(), path));
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
        assert_eq!("http://a.example/".parse(), Ok(Origin::Web("http://a.example".to_owned())));
        assert_eq!("http://a.example/x".parse::<Origin>(), Err(TargetError::Path));
    }
}
