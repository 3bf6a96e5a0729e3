//! A well-behaved visitor who comes ten times a second, each time on a fresh TLS connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::client::read_response;

const PERIOD: Duration = Duration::from_millis(100);

/// What the canary has seen.
#[derive(Debug, Clone, Default)]
pub struct CanaryReport {
    /// Time from the connect to the whole answer, of each visit that got one.
    pub served: Vec<Duration>,
    /// Visits that got none, each with its reason.
    pub missed: Vec<String>,
}

impl CanaryReport {
    /// The time within which that share of the visits was served.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut times = self.served.clone();
        times.sort_unstable();
        let last = times.len().saturating_sub(1);
        // A share of a length is within it.
        let at = (share * last as f64).round() as usize;
        times.get(at).copied().unwrap_or_default()
    }
}

/// A running canary.
pub struct Canary {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<CanaryReport>,
}

impl Canary {
    /// Begins its visits. Longer than `patience` for a step is a miss.
    pub fn start(address: SocketAddr, config: Arc<ClientConfig>, patience: Duration) -> Canary {
        Canary::start_with(move || visit(address, &config, patience))
    }

    /// Starts a canary that requests `/healthz` of an admin listener. A visit whose connection is
    /// reset is repeated, up to so many attempts in all.
    pub fn start_at_admin(address: SocketAddr, patience: Duration, attempts: usize) -> Canary {
        Canary::start_with(move || {
            let mut visit = visit_admin(address, patience);
            for _ in 1..attempts {
                match &visit {
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                        visit = visit_admin(address, patience);
                    }
                    _ => break,
                }
            }
            visit
        })
    }

    /// Starts a canary that makes these visits, each of which is bounded in time.
    pub fn start_with(visit: impl Fn() -> io::Result<()> + Send + 'static) -> Canary {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut report = CanaryReport::default();
            while !stopped.load(Ordering::SeqCst) {
                let begun = Instant::now();
                match visit() {
                    Ok(()) => report.served.push(begun.elapsed()),
                    Err(error) => report.missed.push(error.to_string()),
                }
                std::thread::sleep(PERIOD.saturating_sub(begun.elapsed()));
            }
            report
        });
        Canary { stop, thread }
    }

    /// Ends its visits and tells of them.
    pub fn stop(self) -> CanaryReport {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the canary does not panic")
    }
}

/// One visit: a fresh connection, a handshake, a request and its answer.
///
/// # Errors
/// There is no answer within `patience` for each step, or it is not 200.
pub fn visit(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    patience: Duration,
) -> io::Result<()> {
    let socket = TcpStream::connect_timeout(&address, patience)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    request(&mut stream, "/ping", "")
}

/// Visits the admin listener on a fresh connection and requests `/healthz`.
///
/// # Errors
/// There is no answer within `patience` for each step, or it is not 200.
pub fn visit_admin(address: SocketAddr, patience: Duration) -> io::Result<()> {
    let mut socket = TcpStream::connect_timeout(&address, patience)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    request(&mut socket, "/healthz", "")
}

/// Sends the only request of a connection, with these additional fields, and reads its response.
///
/// # Errors
/// There is no answer, or it is not 200.
pub fn request(stream: &mut (impl Read + Write), target: &str, fields: &str) -> io::Result<()> {
    let head = "Host: localhost\r\nConnection: close\r\n";
    stream.write_all(format!("GET {target} HTTP/1.1\r\n{head}{fields}\r\n").as_bytes())?;
    stream.flush()?;
    let response = read_response(stream)?;
    if response.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&response[..12.min(response.len())])))
    }
}
