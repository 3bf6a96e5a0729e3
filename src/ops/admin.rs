//! The admin listener: health, metrics and the scoreboard, for this machine only.
//!
//! It is a `tiny_http::Server` on threads of its own, so that it answers while the public engine
//! is under attack. tiny_http ends its accept loop for good at the first error of `accept(2)`,
//! which a process short of descriptors meets, and tells of that by an error of `recv`; where the
//! last descriptor was just enough to accept, it panics for want of a second one, and tells nobody.
//! The bound socket is ours and only cloned for the server: when that clone is closed, the loop has
//! ended, and a new server takes the old one's place on the same port. What tiny_http lacks in
//! deadlines is borne by only being reachable from here.

use std::convert::Infallible;
use std::io::{self, Cursor, Read};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ::http::header::{ALLOW, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use jiff::Timestamp;
use tiny_http::Server;

use super::health::Health;
use super::metrics::Metrics;
use super::scoreboard::Scoreboard;
use crate::access::names_this_machine;
use crate::config::ListenAddr;
use crate::http::{Body, Peer, Request, Response, Throttle};
use crate::site::{Site, problem};

/// Threads that answer.
const THREADS: usize = 2;

/// Pause before a server that has ended is replaced.
const REBUILD_PAUSE: Duration = Duration::from_millis(200);

/// How often the server is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How long a stop waits for a request that is being answered.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// What the admin listener shows.
pub struct AdminSite {
    /// Behind `/healthz`.
    pub health: Arc<Health>,
    /// Behind `/metrics`.
    pub metrics: Metrics,
    /// Behind `/scoreboard`.
    pub scoreboard: Arc<Scoreboard>,
    /// Behind `/readyz`, which is the public one.
    pub site: Arc<Site>,
}

impl AdminSite {
    /// Answers a request. A function of the same shape as the public site's.
    pub fn call(&self, request: &Request) -> Response {
        let path = request.target.path();
        // A page elsewhere may have let a name of its own point here (DNS rebinding). On a unix
        // socket no browser comes, and the name means nothing.
        if request.peer.address.is_some() && !names_this_machine(request) {
            let detail = "The admin listener is asked for by localhost or a loopback address only.";
            return problem(StatusCode::MISDIRECTED_REQUEST, detail, path);
        }
        if !["/healthz", "/readyz", "/metrics", "/scoreboard"].contains(&path) {
            return problem(StatusCode::NOT_FOUND, "There is nothing at this address.", path);
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            let detail = "This address can only be read.";
            let mut refused = problem(StatusCode::METHOD_NOT_ALLOWED, detail, path);
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/readyz" => self.site.respond(request),
            "/metrics" => {
                let text = self.metrics.render(Timestamp::now());
                plain("text/plain; version=0.0.4; charset=utf-8", text)
            }
            "/scoreboard" => plain("application/json", self.scoreboard.render()),
            _ => self.healthz(path),
        }
    }

    fn healthz(&self, path: &str) -> Response {
        let stuck = self.health.stuck();
        if stuck.is_empty() {
            return plain("text/plain; charset=utf-8", "ok\n");
        }
        let stuck: Vec<String> = stuck.iter().map(ToString::to_string).collect();
        let detail = format!("Stuck: {}.", stuck.join(", "));
        problem(StatusCode::SERVICE_UNAVAILABLE, &detail, path)
    }
}

fn plain(content_type: &'static str, text: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::Full(text.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The bound socket.
enum Socket {
    Tcp(TcpListener),
    Unix { listener: UnixListener, path: PathBuf },
}

impl Socket {
    fn bind(address: &ListenAddr) -> io::Result<Socket> {
        match address {
            ListenAddr::Tcp(address) => TcpListener::bind(address).map(Socket::Tcp),
            ListenAddr::Unix(path) => {
                // One left behind by a server that died; a live one is found by connecting.
                if std::os::unix::net::UnixStream::connect(path)
                    .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
                {
                    std::fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                Ok(Socket::Unix { listener, path: path.clone() })
            }
            ListenAddr::Fd(_) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the admin listener takes no passed socket",
            )),
        }
    }

    fn server(&self) -> io::Result<Accepting> {
        let (listener, descriptor): (tiny_http::Listener, RawFd) = match self {
            Socket::Tcp(listener) => {
                let clone = listener.try_clone()?;
                let descriptor = clone.as_raw_fd();
                (clone.into(), descriptor)
            }
            Socket::Unix { listener, .. } => {
                let clone = listener.try_clone()?;
                let descriptor = clone.as_raw_fd();
                (clone.into(), descriptor)
            }
        };
        let socket = named(descriptor);
        let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
        Ok(Accepting { server, descriptor, socket })
    }

    fn local_addr(&self) -> String {
        match self {
            Socket::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("http://{address}/"),
                Err(_) => "an unknown address".to_owned(),
            },
            Socket::Unix { path, .. } => format!("unix:{}", path.display()),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Socket::Unix { path, .. } = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A server, with a way to tell whether it still accepts.
struct Accepting {
    server: Server,
    /// The number of the clone that its accept loop holds for as long as it runs.
    descriptor: RawFd,
    /// What that number stood for at first; `None` where there is no /proc.
    socket: Option<PathBuf>,
}

impl Accepting {
    /// False once the clone is closed, even if its number has been given to something else.
    fn is_alive(&self) -> bool {
        self.socket.is_none() || named(self.descriptor) == self.socket
    }
}

/// What a descriptor stands for: `socket:[4026]`. Takes no descriptor to find out (proc(5)).
fn named(descriptor: RawFd) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()
}

/// The running listener. Dropping it ends its threads.
pub struct Admin {
    local_addr: String,
    server: Arc<ArcSwapOption<Accepting>>,
    stop: Option<Sender<Infallible>>,
    ended: Receiver<Infallible>,
    keeper: Option<JoinHandle<()>>,
}

impl Admin {
    /// Binds the address and begins to answer.
    ///
    /// # Errors
    /// The address cannot be bound, or a thread not be made.
    pub fn start(address: &ListenAddr, site: AdminSite) -> io::Result<Admin> {
        let socket = Socket::bind(address)?;
        let local_addr = socket.local_addr();
        let server = Arc::new(ArcSwapOption::from(Some(Arc::new(socket.server()?))));
        let (stop, stopped) = bounded(0);
        let (running, ended) = bounded::<Infallible>(0);
        let current = Arc::clone(&server);
        let keeper = std::thread::Builder::new().name("pw-admin".to_owned()).spawn(move || {
            let _running = running;
            keep(&socket, &site, &current, &stopped);
        })?;
        Ok(Admin { local_addr, server, stop: Some(stop), ended, keeper: Some(keeper) })
    }

    /// Where it listens: `http://127.0.0.1:6480/`, `unix:/path`.
    pub fn local_addr(&self) -> &str {
        &self.local_addr
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(accepting) = self.server.load_full() {
            accepting.server.unblock();
        }
        // Nothing is ever sent: this waits for the end of the threads or for the bound.
        let timed_out = self.ended.recv_timeout(STOP_WAIT).is_err_and(|error| error.is_timeout());
        if let Some(keeper) = self.keeper.take()
            && !timed_out
        {
            let _ = keeper.join();
        }
    }
}

/// Answers by one server after another until told to stop.
fn keep(
    socket: &Socket,
    site: &AdminSite,
    current: &ArcSwapOption<Accepting>,
    stopped: &Receiver<Infallible>,
) {
    // Short of descriptors, each new server ends as soon as somebody comes.
    let mut endings = Throttle::default();
    loop {
        if let Some(accepting) = current.load_full() {
            serve(&accepting, site);
            current.store(None);
        }
        // Disconnected: told to stop.
        if !stopped.recv_timeout(REBUILD_PAUSE).is_err_and(|error| error.is_timeout()) {
            return;
        }
        match socket.server() {
            Ok(server) => {
                endings.warn(format_args!("the admin listener had ended and was started again"));
                current.store(Some(Arc::new(server)));
            }
            Err(error) => {
                endings.warn(format_args!("the admin listener cannot be started again: {error}"));
            }
        }
    }
}

/// Answers until the server's accept loop has ended, or it is unblocked.
fn serve(accepting: &Accepting, site: &AdminSite) {
    let server = &accepting.server;
    let (running, over) = bounded::<Infallible>(0);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let name = format!("pw-admin-{number}");
            let running = running.clone();
            let answering = std::thread::Builder::new().name(name).spawn_scoped(scope, move || {
                let _running = running;
                while let Ok(request) = server.recv() {
                    answer(request, site);
                }
                // An end is told to one thread only; each passes it on.
                server.unblock();
            });
            if let Err(error) = answering {
                log::warn!("the admin listener lacks a thread: {error}");
                server.unblock();
            }
        }
        drop(running);
        // Nothing is ever sent: this waits for the end of the threads.
        while over.recv_timeout(LOOK).is_err_and(|error| error.is_timeout()) {
            if !accepting.is_alive() {
                server.unblock();
            }
        }
    });
}

fn answer(request: tiny_http::Request, site: &AdminSite) {
    let response = match translate(&request) {
        // A defect must cost this answer, not the listener.
        Some(request) => {
            catch_unwind(AssertUnwindSafe(|| site.call(&request))).unwrap_or_else(|_| {
                let path = request.target.path();
                problem(StatusCode::INTERNAL_SERVER_ERROR, "The log says why.", path)
            })
        }
        None => problem(StatusCode::BAD_REQUEST, "The request is malformed.", "/"),
    };
    // A client that has gone needs no answer.
    let _ = request.respond(to_tiny(response));
}

/// tiny_http's request in the engine's terms; its body is of no interest here.
fn translate(request: &tiny_http::Request) -> Option<Request> {
    let mut headers = HeaderMap::new();
    for header in request.headers() {
        let name = HeaderName::from_bytes(header.field.as_str().as_str().as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(header.value.as_str()).ok()?);
    }
    let old = *request.http_version() < tiny_http::HTTPVersion(1, 1);
    Some(Request {
        method: request.method().as_str().parse().ok()?,
        target: request.url().parse::<Uri>().ok()?,
        version: if old { Version::HTTP_10 } else { Version::HTTP_11 },
        headers,
        body: Bytes::new(),
        peer: Peer { address: request.remote_addr().copied(), tls: false },
        client: request.remote_addr().map(|address| address.ip()),
        proxied: false,
    })
}

/// The engine's response in tiny_http's terms.
fn to_tiny(response: Response) -> tiny_http::Response<Box<dyn Read + Send>> {
    let (parts, body) = response.into_parts();
    let (reader, length): (Box<dyn Read + Send>, _) = match body {
        Body::Full(bytes) => {
            let length = bytes.len();
            (Box::new(Cursor::new(bytes)), Some(length))
        }
        Body::Stream(source) => (source, None),
    };
    let headers = parts.headers.iter().filter_map(|(name, value)| {
        tiny_http::Header::from_bytes(name.as_str(), value.as_bytes()).ok()
    });
    // Its own would tell its name.
    let server = tiny_http::Header::from_bytes("Server", env!("CARGO_PKG_NAME")).ok();
    tiny_http::Response::new(
        tiny_http::StatusCode(parts.status.as_u16()),
        headers.chain(server).collect(),
        reader,
        length,
        None,
    )
    .with_chunked_threshold(usize::MAX)
}
