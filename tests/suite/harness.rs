//! An engine in this process, services for it, and waits that are bounded.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use hostile::client::{TEST_TIMEOUT, connect_tls, read_response};
use hostile::target::client_config;
use http::Method;
use pumphouse_web::engine::{
    Activity, Body, ConnectionState, Engine, Listener, Refusal, Reply, Request, RequestHead,
};
use pumphouse_web::engine::{Response, Service, Settings, Stats, tls};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Returns TLS configurations of a server and of a client that trusts it.
pub fn tls_pair() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let server =
        tls::server_config(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes())
            .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (server, client_config(roots))
}

/// An engine in this process, with a service of the test.
pub struct TestEngine {
    pub address: SocketAddr,
    pub client: Arc<ClientConfig>,
    pub stats: Arc<Stats>,
    pub engine: Engine,
}

impl TestEngine {
    /// Serves HTTPS on a port of the kernel's choice.
    pub fn https(settings: Settings, service: impl Service) -> TestEngine {
        let (server, client) = tls_pair();
        TestEngine::start(settings, Some(server), client, service)
    }

    /// Serves plain HTTP on a port of the kernel's choice.
    pub fn http(settings: Settings, service: impl Service) -> TestEngine {
        TestEngine::start(settings, None, client_config(RootCertStore::empty()), service)
    }

    fn start(
        settings: Settings,
        server: Option<Arc<ServerConfig>>,
        client: Arc<ClientConfig>,
        service: impl Service,
    ) -> TestEngine {
        let listener = Listener::tcp((Ipv4Addr::LOCALHOST, 0).into(), 128).unwrap();
        let address = listener.local_addr().parse().unwrap();
        // Added to the running engine, as an address that comes late: every test of a defence is one of
        // such a listener, too. The listeners of a start take the same way.
        let engine = Engine::start(Vec::new(), settings, server, Arc::new(service)).unwrap();
        engine.add_listener(listener).unwrap();
        TestEngine { address, client, stats: engine.stats(), engine }
    }

    /// Waits until one connection waits for a worker while the handler of another one runs. Both
    /// gauges are read at one moment, so that a connection is not counted as waiting and as handled.
    pub fn wait_until_one_waits_behind_one(&self) {
        eventually("a connection waits for the busy worker", || {
            let count = |state| self.stats.connections(state);
            (count(ConnectionState::Active), count(ConnectionState::Queued)) == (1, 1)
        });
    }

    /// Sends one request on a fresh TLS connection; returns the response.
    pub fn fresh_https(&self, target: &str) -> String {
        let mut stream = connect_tls(self.address, &self.client).unwrap();
        stream.write_all(get(target).as_bytes()).unwrap();
        String::from_utf8(read_response(&mut stream).unwrap()).unwrap()
    }
}

/// Returns a request for `target` that keeps the connection alive.
pub fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Waits until a condition is true; fails after [`TEST_TIMEOUT`].
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < TEST_TIMEOUT, "not after {TEST_TIMEOUT:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a test whose checks must end before a deadline of the server. `attempt` gets the deadline and
/// returns `None` if the deadline passed first; it is then repeated with a longer one.
///
/// On a slow machine the checks are thereby repeated, and never skipped.
pub fn before_deadline<T>(attempt: impl Fn(Duration) -> Option<T>) -> T {
    let deadlines = [4, 8, 16].map(Duration::from_secs);
    let done = deadlines.into_iter().find_map(attempt);
    done.expect("the checks end before a deadline of 16 s")
}

/// A service made of one function. Reads the body of a POST and responds with its length.
pub struct Program<F>(pub F);

impl<F: Fn(&Request) -> Response + Send + Sync + 'static> Service for Program<F> {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        if request.method == Method::POST {
            let length = |request: &Request| format!("{} bytes", request.body.len());
            return Reply::ReadBody {
                limit: usize::MAX,
                then: Box::new(move |request, _| Response::new(length(request).into()).into()),
            };
        }
        (self.0)(request).into()
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        let target = head.map_or_else(String::new, |head| head.target.to_string());
        http::Response::builder()
            .status(refusal.status())
            .header("Retry-After", "1")
            .header("X-Target", target)
            .body(Body::from(refusal.detail()))
            .unwrap()
    }
}

/// Responds with the path. The response of `/large` exceeds the buffers of any socket, and all
/// requests share it.
pub fn plain_program(request: &Request) -> Response {
    static LARGE: LazyLock<Bytes> = LazyLock::new(|| vec![b'x'; 32 << 20].into());
    match request.target.path() {
        "/large" => Response::new(Body::from(LARGE.clone())),
        path => Response::new(Body::from(path.to_owned())),
    }
}

/// A service that reads the body of every POST except those of `/ignored`, and responds with its
/// length. Each request for `/large` gets a response of its own.
pub struct BodyProgram;

impl Service for BodyProgram {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        let path = request.target.path();
        if request.method == http::Method::POST && path != "/ignored" {
            let length = |request: &Request| Body::from(request.body.len().to_string());
            let then = Box::new(move |request: &Request, _: &Activity| {
                Response::new(length(request)).into()
            });
            return Reply::ReadBody { limit: usize::MAX, then };
        }
        let body = if path == "/large" { vec![b'x'; 16 << 20] } else { b"done".to_vec() };
        Response::new(Body::from(body)).into()
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        Program(plain_program).refuse(refusal, head)
    }
}

/// Returns a service whose `/block` blocks until the sender is dropped, and a receiver of a message
/// for each request that blocks.
pub fn blocking_program() -> (Program<impl Fn(&Request) -> Response>, Receiver<()>, Sender<()>) {
    let (entered, enter) = bounded(64);
    let (release, released) = bounded::<()>(0);
    let program = Program(move |request: &Request| {
        if request.target.path() == "/block" {
            entered.send(()).unwrap();
            // Ends when the test drops its sender.
            let _ = released.recv_timeout(TEST_TIMEOUT);
        }
        Response::new(Body::from("done"))
    });
    (program, enter, release)
}
