//! HTTP client of one server: a receiver of messages, a listener of this program, or supervisord's control socket.
//!
//! A client finds the server by the host of its URL, or at a [`Place`] of its own. In the latter case the
//! URL's host is only the name that the request is for: that of the Host field and of the ClientHello.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ureq::http::header::{LOCATION, RETRY_AFTER};
use ureq::http::{HeaderName, HeaderValue};
use ureq::unversioned::transport::Connector as _;
use ureq::{Agent, Body, RequestBuilder};

use super::agent::agent;
use super::failure::{Failure, FailureKind};
use super::resolve::{FixedAddress, ThreadedResolver};
use super::retry_after;
use super::target::Endpoint;
use super::tls::ClientTls;
use super::tls_transport::TlsConnector;
use super::transport::connector;
use super::unix::UnixConnector;

use crate::wall_clock;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Most attempts of one request.
const MAX_ATTEMPTS: usize = 4;

/// Request with a deadline of its own.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Path with its query. Never logged: it may contain a credential.
    pub(crate) path: &'a str,
    /// Header fields. A User-Agent replaces that of the client.
    pub(crate) headers: &'a [(HeaderName, HeaderValue)],
    /// Body of a POST; `None`: a GET.
    pub(crate) body: Option<&'a [u8]>,
    /// End of the exchange, from the lookup of the name to the last byte of the response.
    pub(crate) deadline: Instant,
    /// Most bytes of the response's body that are read. The rest is dropped.
    pub(crate) limit: u64,
}

/// Response of any status.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The Location field, which a redirect has.
    pub(crate) location: Option<String>,
    /// True with a Retry-After field: the server says that it will serve later.
    pub(crate) has_retry_after: bool,
    /// Time that the server asks to wait, if the field can be parsed.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// Address of a server, which needs no lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// IP address and port.
    Tcp(SocketAddr),
    /// Path of a unix socket.
    Unix(PathBuf),
}

/// HTTP client of one server.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    /// Begin of every URL: scheme, host and port.
    base: String,
    timeout: Duration,
}

impl Client {
    /// Returns a client whose requests take no longer than `timeout`. An https endpoint needs `tls`,
    /// and one with a host name needs `resolver`.
    pub(crate) fn new(
        endpoint: Endpoint,
        timeout: Duration,
        tls: ClientTls,
        resolver: ThreadedResolver,
    ) -> Client {
        match endpoint {
            // The host is an address, so that nothing is looked up.
            Endpoint::Unix(path) => {
                Client::at(&Place::Unix(path), "http://127.0.0.1".to_owned(), timeout, tls)
            }
            Endpoint::Web(base) => {
                let agent = agent(timeout, USER_AGENT, None, connector(tls), resolver);
                Client { agent, base, timeout }
            }
        }
    }

    /// Returns a client of the server at `place`, whose URLs begin with `base`, such as
    /// `https://tank.example:6443`.
    pub(crate) fn at(place: &Place, base: String, timeout: Duration, tls: ClientTls) -> Client {
        let agent = match place {
            Place::Tcp(address) => {
                agent(timeout, USER_AGENT, None, connector(tls), FixedAddress(*address))
            }
            Place::Unix(path) => {
                // No socket is opened to this address.
                let unused = FixedAddress(SocketAddr::from(([127, 0, 0, 1], 1)));
                let connector = ().chain(UnixConnector::new(path)).chain(TlsConnector(tls));
                agent(timeout, USER_AGENT, None, connector, unused)
            }
        };
        Client { agent, base, timeout }
    }

    /// Requests a page, and reads at most `limit` bytes of it.
    ///
    /// A connection that is reset before the response is opened again, within the same total
    /// deadline: a server at its connection cap may have evicted it for a newer one (RFC 9110
    /// 9.2.2 lets a client repeat an idempotent request).
    pub(crate) fn get(&self, path: &str, limit: u64) -> Result<Response, Failure> {
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

    /// Sends a body with these header fields, and reads at most `limit` bytes of the response.
    pub(crate) fn post(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: &[u8],
        limit: u64,
    ) -> Result<Response, Failure> {
        self.read(with_headers(self.agent.post(self.url(path)), headers).send(body), limit)
    }

    /// Sends a request once, and reads the begin of the response. A body that breaks off is as long as it came: the
    /// status says what the server did.
    pub(crate) fn send(&self, request: &Request<'_>) -> Result<Response, Failure> {
        let left = request.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::new(ureq::Error::Timeout(ureq::Timeout::Global), self.timeout));
        }
        let url = self.url(request.path);
        let response = match request.body {
            Some(body) => with_headers(self.agent.post(url), request.headers)
                .config()
                .timeout_global(Some(left))
                .build()
                .send(body),
            None => with_headers(self.agent.get(url), request.headers)
                .config()
                .timeout_global(Some(left))
                .build()
                .call(),
        };
        let mut response = response.map_err(|error| Failure::new(error, self.timeout))?;
        let mut body = Vec::new();
        let _ = response.body_mut().as_reader().take(request.limit).read_to_end(&mut body);
        Ok(Response::of(&response, body))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn read(
        &self,
        response: Result<ureq::http::Response<Body>, ureq::Error>,
        limit: u64,
    ) -> Result<Response, Failure> {
        let failed = |error| {
            let mut failure = Failure::new(error, self.timeout);
            if failure.kind == FailureKind::TooLarge {
                "the response is larger than this client reads".clone_into(&mut failure.message);
            }
            failure
        };
        let mut response = response.map_err(failed)?;
        let body = response.body_mut().with_config().limit(limit).read_to_vec().map_err(failed)?;
        Ok(Response::of(&response, body))
    }
}

fn with_headers<T>(
    mut builder: RequestBuilder<T>,
    headers: &[(HeaderName, HeaderValue)],
) -> RequestBuilder<T> {
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder
}

impl Response {
    fn of(response: &ureq::http::Response<Body>, body: Vec<u8>) -> Response {
        let field = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = field(RETRY_AFTER);
        Response {
            status: response.status().as_u16(),
            location: field(LOCATION).map(str::to_owned),
            has_retry_after: response.headers().contains_key(RETRY_AFTER),
            retry_after: retry_after
                .and_then(|value| retry_after::parse(value, wall_clock::system_time())),
            body,
        }
    }
}
