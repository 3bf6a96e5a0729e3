//! Connections through an HTTP proxy: a tunnel (CONNECT, RFC 9110 9.3.6) for `https`, and requests in absolute
//! form (RFC 9112 3.2.2), which the proxy forwards, for `http`.
//!
//! curl does the same. Many proxies make tunnels for `https` alone: they refuse one for `http`, close the
//! connection, or never respond.
//!
//! ureq's own connector is not used: it makes tunnels for every scheme, and each of its reads from the proxy may
//! take the time of a whole exchange.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ureq::http::{StatusCode, Uri};
use ureq::unversioned::transport::time;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, Proxy};

use super::connect::connect;
use super::transport::{SocketTransport, remaining};

/// Longest head of a proxy's response, bytes.
const MAX_HEAD: usize = 16 * 1024;

/// Most header fields of a proxy's response.
const MAX_FIELDS: usize = 64;

/// Port of a URL with the scheme `https` that names none.
const HTTPS_PORT: u16 = 443;

/// A connection that the proxy did not make.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// There is no connection to the proxy itself.
    #[error("the proxy cannot be reached")]
    Unreachable(Error),
    /// The proxy answered with this status.
    #[error("the proxy refused the connection: {0}")]
    Refused(StatusCode),
    /// The proxy asks for credentials, or for others.
    #[error("the proxy requires a name and password; give them in the URL of the proxy")]
    Unauthorized,
    /// The proxy closed the connection without a response.
    #[error("the proxy closed the connection")]
    Closed,
    /// The request line of a request to forward exceeds the buffer.
    #[error("the request is too large for a proxy")]
    HeadTooLarge,
    /// The response of the proxy is not HTTP, or too long.
    #[error("the proxy's response violates the HTTP protocol")]
    Malformed,
}

impl From<ProxyError> for Error {
    fn from(error: ProxyError) -> Error {
        Error::Other(Box::new(error))
    }
}

/// Connects through the proxy of the client, if it has one.
#[derive(Debug)]
pub(super) struct ProxyConnector;

impl Connector for ProxyConnector {
    type Out = ProxyTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<ProxyTransport>, Error> {
        let Some(proxy) = details.config.proxy() else { return Ok(None) };
        let mut socket = open(proxy, details)?;
        let route = if details.needs_tls() {
            tunnel(&mut socket, proxy, details)?;
            Route::Tunnel
        } else {
            Route::Forward(Forward::new(proxy, details.uri))
        };
        Ok(Some(ProxyTransport { socket, route }))
    }
}

/// Connects to the proxy itself, by Happy Eyeballs.
fn open(proxy: &Proxy, details: &ConnectionDetails<'_>) -> Result<SocketTransport, Error> {
    let timeout = remaining(details)?;
    let addresses = details
        .resolver
        .resolve(proxy.uri(), details.config, timeout)
        .map_err(ProxyError::Unreachable)?;
    let deadline = match details.now + details.timeout.after {
        time::Instant::NotHappening => None,
        time::Instant::Exact(at) => Some(at),
        time::Instant::AlreadyHappened => return Err(Error::Timeout(details.timeout.reason)),
    };
    let socket = connect(&addresses, deadline)
        .map_err(|error| ProxyError::Unreachable(Error::Other(Box::new(error))))?;
    Ok(SocketTransport::new(socket, details))
}

/// Requests a tunnel to the host of the URL, and waits until the proxy has made it.
fn tunnel(
    socket: &mut SocketTransport,
    proxy: &Proxy,
    details: &ConnectionDetails<'_>,
) -> Result<(), Error> {
    let host = details.uri.host().unwrap_or_default();
    let target = format!("{host}:{}", details.uri.port_u16().unwrap_or(HTTPS_PORT));
    let authorization = authorization(proxy);
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    socket.send(request.as_bytes(), remaining(details)?)?;
    loop {
        let input = socket.buffers().input();
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(input).map_err(|_| ProxyError::Malformed)? {
            httparse::Status::Complete(length) => {
                let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
                // What follows comes from the host already.
                socket.buffers().input_consume(length);
                match status.ok_or(ProxyError::Malformed)? {
                    status if status.is_success() => return Ok(()),
                    // The final response follows.
                    status if status.is_informational() => {}
                    StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                        return Err(ProxyError::Unauthorized.into());
                    }
                    status => return Err(ProxyError::Refused(status).into()),
                }
            }
            httparse::Status::Partial if input.len() >= MAX_HEAD => {
                return Err(ProxyError::Malformed.into());
            }
            httparse::Status::Partial => {
                if !socket.await_input(remaining(details)?)? {
                    return Err(ProxyError::Closed.into());
                }
            }
        }
    }
}

/// Returns the header field with the credentials for the proxy, if it has any.
fn authorization(proxy: &Proxy) -> String {
    match (proxy.username(), proxy.password()) {
        (None, None) => String::new(),
        (name, password) => {
            let pair = format!("{}:{}", name.unwrap_or_default(), password.unwrap_or_default());
            format!("Proxy-Authorization: Basic {}\r\n", BASE64_STANDARD.encode(pair))
        }
    }
}

/// Parts of a request in absolute form that one to the host itself lacks.
struct Forward {
    /// Scheme and authority of the URL.
    origin: String,
    /// Header field with the credentials for the proxy.
    authorization: String,
}

impl Forward {
    fn new(proxy: &Proxy, uri: &Uri) -> Forward {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        Forward { origin: format!("http://{authority}"), authorization: authorization(proxy) }
    }

    /// Returns the beginning of a request in absolute form; `None` if it has no whole request line.
    fn rewrite(&self, request: &[u8]) -> Option<Vec<u8>> {
        let target = memchr::memchr(b' ', request)? + 1;
        let fields = memchr::memchr(b'\n', request)? + 1;
        let (origin, authorization) = (self.origin.as_bytes(), self.authorization.as_bytes());
        let line = request.get(target..fields)?;
        Some([&request[..target], origin, line, authorization, &request[fields..]].concat())
    }
}

/// Use of a connection to a proxy.
enum Route {
    /// Everything is from and to the host itself.
    Tunnel,
    /// The proxy forwards a request, of which nothing is sent yet.
    Forward(Forward),
    /// The proxy has a request to forward, and has sent nothing yet.
    Forwarded,
    /// The proxy has begun to respond.
    Responding,
}

/// Connection through a proxy.
pub(super) struct ProxyTransport {
    socket: SocketTransport,
    route: Route,
}

impl Transport for ProxyTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.socket.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Route::Forward(forward) = &self.route else {
            return self.socket.transmit_output(amount, timeout);
        };
        let request = forward.rewrite(&self.socket.buffers().output()[..amount]);
        self.route = Route::Forwarded;
        // The client sends the head as a whole, unless it is larger than its buffer.
        self.socket.send(&request.ok_or(ProxyError::HeadTooLarge)?, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let is_open = self.socket.await_input(timeout)?;
        if matches!(self.route, Route::Forwarded) {
            if !is_open {
                return Err(ProxyError::Closed.into());
            }
            self.route = Route::Responding;
        }
        Ok(is_open)
    }

    /// Returns false: no client of this program keeps a connection for a later request.
    fn is_open(&mut self) -> bool {
        false
    }
}

impl fmt::Debug for ProxyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyTransport").field(&self.socket).finish()
    }
}
