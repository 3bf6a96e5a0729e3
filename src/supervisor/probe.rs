//! Health probes: requests of `/healthz`, or of another page, from outside the server.
//!
//! The command `probe` makes one, `watch` one at each tick. All servers of a probe are requested at the
//! same time, each by a thread and with a resolver of its own, so one that hangs delays no other.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::trust::Trust;
pub use super::trust::TrustError;
use crate::outbound::tls::ClientTls;
use crate::outbound::{Client, Failure, FailureKind, Response, Target, ThreadedResolver};
use crate::text::clean;
use crate::threads;

/// Longest response, bytes; that of `/healthz` has one line.
const MAX_RESPONSE: u64 = 16 * 1024;

/// Longest text of a response in a message, characters.
const MAX_REASON: usize = 400;

/// Names of the resolvers, and so of their threads.
const PROBE_LOOKUP: &str = "probe";
const PAGE_LOOKUP: &str = "page";

/// Outcome of a probe that did not show that the server is healthy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unhealthy {
    /// The server responded with another status than success.
    #[error("{target} answered {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Address that was probed.
        target: String,
        /// HTTP status.
        status: u16,
        /// Body of the response, on one line.
        reason: String,
    },
    /// There was no response within the deadline, or none that could be trusted.
    #[error("{target}: {error}")]
    Failed {
        /// Address that was probed.
        target: String,
        /// Failure of the request.
        error: Failure,
    },
    /// A defect of this program.
    #[error("{target}: the probe panicked")]
    Panicked {
        /// Address that was probed.
        target: String,
    },
    /// This process lacked a thread, a descriptor or memory for the probe, so nothing is known about
    /// the server.
    #[error("{target}: not probed, as this process lacks a resource: {error}")]
    NotProbed {
        /// Address that was to be probed.
        target: String,
        /// Failure of the request.
        error: Failure,
    },
}

/// Probes one or more servers. The outcome is that of the worst of them.
pub struct Prober {
    /// Servers, each with a resolver of its own, so that a lookup that hangs delays no other.
    targets: Vec<(Target, ThreadedResolver)>,
    timeout: Duration,
    trust: Trust,
    /// True if the latest probe rejected a certificate.
    was_rejected: bool,
}

impl Prober {
    /// Returns a prober that trusts the certificates in the file `ca` alone, or those of the system.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn new(
        targets: Vec<Target>,
        ca: Option<&Path>,
        timeout: Duration,
    ) -> Result<Prober, TrustError> {
        let named = |target| (target, ThreadedResolver::system(PROBE_LOOKUP));
        let targets = targets.into_iter().map(named).collect();
        Ok(Prober { targets, timeout, trust: Trust::load(ca)?, was_rejected: false })
    }

    /// Returns the names of the threads that resolve the host names of that many targets, and that of a
    /// page.
    pub fn lookup_threads(targets: usize) -> impl Iterator<Item = String> {
        let probes = std::iter::repeat_n(PROBE_LOOKUP, targets);
        probes.chain([PAGE_LOOKUP]).map(ThreadedResolver::thread_name)
    }

    /// Probes all servers at the same time, within the timeout. Returns their statuses in order.
    ///
    /// # Errors
    /// The first server that is not healthy; if there is none, the first that could not be probed.
    pub fn probe(&mut self) -> Result<Vec<u16>, Unhealthy> {
        self.trust.refresh(self.was_rejected);
        let (timeout, trust) = (self.timeout, &self.trust.config);
        let outcomes: Vec<Result<u16, Unhealthy>> = thread::scope(|scope| {
            let start = |(target, resolver): &(Target, ThreadedResolver)| {
                let (target, resolver) = (target.clone(), resolver.clone());
                let builder = thread::Builder::new().name(threads::PROBE.to_owned());
                builder
                    .spawn_scoped(scope, move || probe(&target, timeout, trust.clone(), resolver))
            };
            let started: Vec<_> = self.targets.iter().map(start).collect();
            type Started<'scope> =
                io::Result<thread::ScopedJoinHandle<'scope, Result<u16, Unhealthy>>>;
            let outcome =
                |(started, (target, resolver)): (Started<'_>, &(Target, ThreadedResolver))| {
                    match started {
                        Ok(thread) => {
                            let panicked = || Unhealthy::Panicked { target: target.to_string() };
                            thread.join().unwrap_or_else(|_| Err(panicked()))
                        }
                        // Without a thread, the server is probed on this one.
                        Err(_) => probe(target, timeout, trust.clone(), resolver.clone()),
                    }
                };
            started.into_iter().zip(&self.targets).map(outcome).collect()
        });
        self.was_rejected = outcomes.iter().any(|outcome| {
            matches!(outcome, Err(Unhealthy::Failed { error, .. }) if error.kind == FailureKind::Tls)
        });
        worst(outcomes)
    }

    /// Returns a page of a server, of at most `limit` bytes, within the timeout.
    pub(super) fn page(&self, target: &Target, limit: u64) -> Result<Response, Failure> {
        let resolver = ThreadedResolver::system(PAGE_LOOKUP);
        let client =
            Client::new(target.endpoint.clone(), self.timeout, self.trust.config.clone(), resolver);
        client.get(&target.path, limit)
    }
}

/// Probes one server.
fn probe(
    target: &Target,
    timeout: Duration,
    trust: ClientTls,
    resolver: ThreadedResolver,
) -> Result<u16, Unhealthy> {
    let client = Client::new(target.endpoint.clone(), timeout, trust, resolver);
    match client.get(&target.path, MAX_RESPONSE) {
        Ok(Response { status, .. }) if (200..300).contains(&status) => Ok(status),
        Ok(Response { status, body }) => {
            let reason = one_line(&body, MAX_REASON);
            Err(Unhealthy::Refused { target: target.to_string(), status, reason })
        }
        Err(error) if error.is_local_shortage => {
            Err(Unhealthy::NotProbed { target: target.to_string(), error })
        }
        Err(error) => Err(Unhealthy::Failed { target: target.to_string(), error }),
    }
}

/// Returns the statuses, or else the first error about a server, or else the first error of this
/// process.
fn worst(outcomes: Vec<Result<u16, Unhealthy>>) -> Result<Vec<u16>, Unhealthy> {
    let is_not_probed =
        |outcome: &Result<u16, Unhealthy>| matches!(outcome, Err(Unhealthy::NotProbed { .. }));
    let (not_probed, probed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(is_not_probed);
    probed.into_iter().chain(not_probed).collect()
}

/// Returns a peer's text for one line of a log: without hidden characters, and of at most
/// `max_characters`.
pub(super) fn one_line(bytes: &[u8], max_characters: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = clean(text.trim());
    let mut line: String = text.chars().take(max_characters).collect();
    if text.chars().nth(max_characters).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    use super::*;

    const BOUND: Duration = Duration::from_millis(300);

    fn prober(addresses: &[&str]) -> Prober {
        let targets = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Prober::new(targets, None, BOUND).unwrap()
    }

    /// Writes the same bytes to each connection, if `drip` one byte every 50 ms.
    fn answer(listener: UnixListener, bytes: &'static str, drip: bool) {
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                for piece in bytes.as_bytes().chunks(if drip { 1 } else { bytes.len() }) {
                    let pause = if drip { Duration::from_millis(50) } else { Duration::ZERO };
                    thread::sleep(pause);
                    if stream.write_all(piece).is_err() {
                        break;
                    }
                }
            }
        });
    }

    /// Resets the first connections and responds to the later ones. Returns true if all probes succeeded,
    /// and the number of connections.
    fn reset_first(resets: usize, probes: usize) -> (bool, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/healthz", listener.local_addr().unwrap());
        listener.set_nonblocking(false).unwrap();
        let (count, counted) = crossbeam_channel::unbounded();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let _ = count.send(());
                let _ = stream.read(&mut [0; 4096]);
                if number < resets {
                    let now = Some(Duration::ZERO);
                    socket2::SockRef::from(&stream).set_linger(now).unwrap();
                } else {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
                }
            }
        });
        let targets = vec![address.parse().unwrap()];
        let mut prober = Prober::new(targets, None, Duration::from_secs(20)).unwrap();
        let healthy = (0..probes).all(|_| prober.probe().is_ok());
        (healthy, counted.try_iter().count())
    }

    #[test]
    fn connection_reset_before_the_response_is_opened_again_a_few_times() {
        assert_eq!(reset_first(3, 1), (true, 4));
        assert_eq!(reset_first(usize::MAX, 1), (false, 4));
    }

    #[test]
    fn probe_of_a_unix_socket_reports_its_response() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes, drip, expected) in [
            ("well", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", false, ""),
            ("ill", "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\na\nb\u{1b}\n", false, "503: a b"),
            (
                "garbage",
                "SSH-2.0-x\r\n\r\n",
                false,
                "http: the response violates the HTTP protocol",
            ),
            ("early", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n", false, "connect: "),
            ("drip", "HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaaaa\r\n", true, "timeout: no"),
        ] {
            let path = folder.path().join(name);
            answer(UnixListener::bind(&path).unwrap(), bytes, drip);
            let address = format!("unix:{}", path.display());
            match prober(&[&address]).probe() {
                Ok(statuses) => assert_eq!((statuses, expected), (vec![200], ""), "{name}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(!expected.is_empty() && text.contains(expected), "{name}: {text}");
                    assert!(text.starts_with(&address) && !text.contains('\u{1b}'), "{text}");
                }
            }
        }
        let missing = format!("unix:{}", folder.path().join("missing").display());
        let text = prober(&[&missing]).probe().unwrap_err().to_string();
        assert!(text.contains("connect: No such file"), "{text}");
    }

    /// The kernel completes connections for a stopped process until its accept queue is full; then
    /// connect(2) blocks.
    #[test]
    fn probe_of_a_full_accept_queue_times_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full");
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(1).unwrap();
        let address = format!("unix:{}", path.display());
        for _ in 0..4 {
            let text = prober(&[&address]).probe().unwrap_err().to_string();
            assert!(text.contains("timeout: no complete response within 0.3 s"), "{text}");
        }
    }

    #[test]
    fn probe_of_several_servers_takes_one_timeout_and_reports_the_first_failure() {
        let silent: Vec<_> = (0..8).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<String> = silent
            .iter()
            .map(|listener| format!("http://{}/?key=s3cret", listener.local_addr().unwrap()))
            .collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let begun = Instant::now();
        let text = prober(&addresses).probe().unwrap_err().to_string();
        // Eight timeouts in sequence would be twice as long as this.
        assert!(begun.elapsed() < 4 * BOUND, "{:?}", begun.elapsed());
        let first = format!("http://{}/: timeout: ", silent[0].local_addr().unwrap());
        assert!(text.starts_with(&first), "{text}");
    }

    #[test]
    fn failure_of_a_server_is_reported_before_one_that_was_not_probed() {
        let error = || Failure {
            kind: FailureKind::Dns,
            message: "no thread".to_owned(),
            is_local_shortage: false,
        };
        let not_probed = || Err(Unhealthy::NotProbed { target: "a".to_owned(), error: error() });
        let failed = || Err(Unhealthy::Failed { target: "b".to_owned(), error: error() });
        assert_eq!(worst(vec![Ok(200), Ok(204)]), Ok(vec![200, 204]));
        for outcomes in [vec![not_probed(), Ok(200), failed()], vec![failed(), not_probed()]] {
            assert!(matches!(worst(outcomes), Err(Unhealthy::Failed { .. })));
        }
        assert!(matches!(worst(vec![Ok(200), not_probed()]), Err(Unhealthy::NotProbed { .. })));
    }
}
