//! A canary: a well-behaved client that visits ten times a second, each time on a fresh connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::client::read_response;
use crate::standstill::{Pulse, STANDSTILL};

const PERIOD: Duration = Duration::from_millis(100);

/// Status of a connection that a listener rejects at its cap.
const REJECTED: &str = "HTTP/1.1 503";

/// Visits of a canary.
#[derive(Debug, Clone, Default)]
pub struct CanaryReport {
    /// Time from the connect to the whole response, for each visit that was served.
    pub served: Vec<Duration>,
    /// Reason of each visit that was not served.
    pub missed: Vec<String>,
    /// Number of visits that failed while the machine stood still, and lasted less than
    /// [`STANDSTILL`] apart from that.
    pub excused: usize,
}

impl CanaryReport {
    /// Returns the number of visits that were served, that of all, and that of the excused if there
    /// are any: `300 of 301 (1 excused)`.
    pub fn tally(&self) -> String {
        let mut tally =
            format!("{} of {}", self.served.len(), self.served.len() + self.missed.len());
        if self.excused > 0 {
            tally += &format!(" ({} excused)", self.excused);
        }
        tally
    }

    /// Returns the time within which this share of the served visits was served.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut times = self.served.clone();
        times.sort_unstable();
        let last = times.len().saturating_sub(1);
        // The index is within the length, as the share is at most 1.
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
    /// Starts a canary that requests `/ping` over TLS. `timeout` bounds each step of a visit.
    pub fn start(address: SocketAddr, config: Arc<ClientConfig>, timeout: Duration) -> Canary {
        Canary::start_with(move || visit(address, &config, timeout))
    }

    /// Starts a canary that requests `/healthz` of an admin listener. A visit whose connection is evicted
    /// or rejected at the cap is repeated, up to `attempts` in all. One that is evicted before its request arrives is
    /// closed, a later one is reset.
    pub fn start_at_admin(address: SocketAddr, timeout: Duration, attempts: usize) -> Canary {
        let at_cap = |error: &io::Error| {
            let is_evicted = [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof];
            is_evicted.contains(&error.kind()) || error.to_string() == REJECTED
        };
        Canary::start_with(move || {
            let mut visit = visit_admin(address, timeout);
            for _ in 1..attempts {
                if !visit.as_ref().is_err_and(at_cap) {
                    break;
                }
                visit = visit_admin(address, timeout);
            }
            visit
        })
    }

    /// Starts a canary that makes these visits, each of which is bounded in time.
    pub fn start_with(visit: impl Fn() -> io::Result<()> + Send + 'static) -> Canary {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let pulse = Pulse::start().expect("the system allows one more thread");
            let mut report = CanaryReport::default();
            while !stopped.load(Ordering::SeqCst) {
                let begun = Instant::now();
                let stood_before = pulse.stood_still();
                match visit() {
                    Ok(()) => report.served.push(begun.elapsed()),
                    Err(error) => {
                        let stood = pulse.stood_still() - stood_before;
                        if is_excused(begun.elapsed(), stood) {
                            report.excused += 1;
                        } else {
                            report.missed.push(error.to_string());
                        }
                    }
                }
                std::thread::sleep(PERIOD.saturating_sub(begun.elapsed()));
            }
            report
        });
        Canary { stop, thread }
    }

    /// Stops the canary and returns its visits.
    pub fn stop(self) -> CanaryReport {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("the canary does not panic")
    }
}

/// Returns true if a visit of this length failed because the machine stood still for `stood` of it,
/// and not because the server was slow besides.
fn is_excused(visit: Duration, stood: Duration) -> bool {
    !stood.is_zero() && visit.saturating_sub(stood) < STANDSTILL
}

/// Makes one visit: a fresh connection, a handshake, a request and its response.
///
/// # Errors
/// A step takes longer than `timeout`, or the status is not 200.
pub fn visit(address: SocketAddr, config: &Arc<ClientConfig>, timeout: Duration) -> io::Result<()> {
    let socket = TcpStream::connect_timeout(&address, timeout)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    request(&mut stream, "/ping", "")
}

/// Visits the admin listener on a fresh connection and requests `/healthz`.
///
/// # Errors
/// A step takes longer than `timeout`, or the status is not 200.
pub fn visit_admin(address: SocketAddr, timeout: Duration) -> io::Result<()> {
    let mut socket = TcpStream::connect_timeout(&address, timeout)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    request(&mut socket, "/healthz", "")
}

/// Sends the only request of a connection, with these additional fields, and reads its response.
///
/// # Errors
/// There is no response, or its status is not 200.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_visit_is_excused_only_by_a_standstill_that_was_nearly_all_of_it() {
        let seconds = Duration::from_secs;
        assert!(!is_excused(seconds(0), seconds(0)));
        assert!(is_excused(seconds(50), seconds(50)));
        assert!(is_excused(seconds(50) + seconds(1) / 2, seconds(50)));
        assert!(!is_excused(seconds(60), seconds(2)), "the server hung, too");
    }
}
