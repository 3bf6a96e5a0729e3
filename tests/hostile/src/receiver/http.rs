//! An HTTP server that keeps the requests that it gets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::Identity;

/// Bound on each read and write.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// Response to requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpAnswer {
    /// The request is taken if the protocol allows it.
    Takes,
    /// As [`HttpAnswer::Takes`], but the response comes after this time.
    TakesSlowly(Duration),
    /// This status, with a `Retry-After` of so many seconds if there is one, and nothing is taken.
    Fails {
        /// Status and reason, such as `503 Service Unavailable`.
        status: &'static str,
        /// Seconds to wait.
        retry_after: Option<u64>,
    },
}

/// A request that was taken.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method and path.
    pub line: String,
    /// Fields, whose names are in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Time at which it was complete.
    pub at: Instant,
}

impl Received {
    /// Returns the value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON.
    ///
    /// # Errors
    /// It is no JSON.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }
}

/// Checks a request by the rules of a protocol, and returns the body of the response.
pub type Check = fn(&Received) -> Result<String, String>;

/// A server on loopback.
pub struct HttpReceiver {
    address: SocketAddr,
    is_tls: bool,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    check: Check,
    answer: Mutex<HttpAnswer>,
    tls: Mutex<Option<Arc<ServerConfig>>>,
    attempts: AtomicUsize,
    stopping: AtomicBool,
    taken: Mutex<Vec<Received>>,
    /// Reasons for which requests were rejected.
    rejected: Mutex<Vec<String>>,
}

impl HttpReceiver {
    /// Starts a server, over TLS with a certificate if there is one.
    pub fn start(check: Check, identity: Option<&Identity>) -> HttpReceiver {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            check,
            answer: Mutex::new(HttpAnswer::Takes),
            tls: Mutex::new(identity.map(tls_config)),
            attempts: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            taken: Mutex::default(),
            rejected: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let accepting = std::thread::spawn(move || accept(&listener, &shared));
        HttpReceiver { address, is_tls: identity.is_some(), state, accepting: Some(accepting) }
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the scheme of its URL.
    pub fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// Responds to later requests in this way.
    pub fn answer(&self, answer: HttpAnswer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    /// Presents another certificate to later connections.
    pub fn present(&self, identity: &Identity) {
        *self.state.tls.lock().unwrap() = Some(tls_config(identity));
    }

    /// Number of complete requests, whether they were taken or not.
    pub fn attempts(&self) -> usize {
        self.state.attempts.load(Ordering::SeqCst)
    }

    /// Returns the requests that were taken, in their order.
    pub fn taken(&self) -> Vec<Received> {
        self.state.taken.lock().unwrap().clone()
    }

    /// Returns the reasons for which requests were rejected by the rules of the protocol.
    pub fn rejected(&self) -> Vec<String> {
        self.state.rejected.lock().unwrap().clone()
    }
}

impl Drop for HttpReceiver {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that blocks in accept.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn tls_config(identity: &Identity) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().map_while(Result::ok) {
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        let state = Arc::clone(state);
        // The thread ends with its client; each read and write is bounded.
        std::thread::spawn(move || {
            let _ = stream.set_read_timeout(Some(MAX_SILENCE));
            let _ = stream.set_write_timeout(Some(MAX_SILENCE));
            let tls = state.tls.lock().unwrap().clone();
            match tls {
                None => serve(&mut { stream }, &state),
                Some(config) => {
                    let session = ServerConnection::new(config).unwrap();
                    let mut tls = StreamOwned::new(session, stream);
                    serve(&mut tls, &state);
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                }
            }
        });
    }
}

/// Reads one request, and answers it on a connection that ends with it.
fn serve(stream: &mut (impl Read + Write), state: &State) {
    let Some(request) = read(stream) else { return };
    state.attempts.fetch_add(1, Ordering::SeqCst);
    let answer = state.answer.lock().unwrap().clone();
    let pause = match answer {
        HttpAnswer::TakesSlowly(pause) => pause,
        HttpAnswer::Takes | HttpAnswer::Fails { .. } => Duration::ZERO,
    };
    let (status, fields, body) = match answer {
        HttpAnswer::Fails { status, retry_after } => {
            let fields = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
            (status, fields.unwrap_or_default(), String::new())
        }
        HttpAnswer::Takes | HttpAnswer::TakesSlowly(_) => match (state.check)(&request) {
            Ok(body) => {
                state.taken.lock().unwrap().push(request);
                ("200 OK", String::new(), body)
            }
            Err(reason) => {
                state.rejected.lock().unwrap().push(reason.clone());
                ("400 Bad Request", String::new(), reason)
            }
        },
    };
    std::thread::sleep(pause);
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\n{fields}Content-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.flush();
}

/// Reads a request with a `Content-Length`; `None` if it ends before.
fn read(stream: &mut impl Read) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let (head, begin) = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&bytes[..end]).into_owned(), end + 4);
        }
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    };
    let mut lines = head.lines();
    let line = lines.next()?.rsplit_once(' ')?.0.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(Some(0), |(_, value)| value.parse().ok())?;
    while bytes.len() < begin + length {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => bytes.extend_from_slice(&buffer[..length]),
            _ => return None,
        }
    }
    let body = bytes[begin..begin + length].to_vec();
    Some(Received { line, headers, body, at: Instant::now() })
}
