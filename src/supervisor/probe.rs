//! Health probes from outside: `probe` asks once, `watch` again and again.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::TlsConfig;

use crate::outbound::{Client, Failure, FailureKind, Response, Target, ThreadedResolver, tls};
use crate::text::clean;
use crate::threads;

/// Bytes of an answer at most; health is told in a line.
const MAX_HEALTH: u64 = 16 * 1024;

/// Characters of a refusal that are shown.
const SHOWN: usize = 400;

/// Names of the resolvers.
const PROBE_LOOKUP: &str = "probe";
const PAGE_LOOKUP: &str = "page";

/// Why a server is not known to be healthy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unhealthy {
    /// It answered with another status than success.
    #[error("{target} answered {status}{}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Who was asked.
        target: String,
        /// The HTTP status.
        status: u16,
        /// What it said, on one line.
        reason: String,
    },
    /// There was no answer in time, or none that could be trusted.
    #[error("{target}: {error}")]
    Failed {
        /// Who was asked.
        target: String,
        /// What came instead.
        error: Failure,
    },
    /// A defect of this program.
    #[error("{target}: the probe panicked")]
    Panicked {
        /// Address that was probed.
        target: String,
    },
    /// This process lacked a thread, a descriptor or memory to ask, so that nothing is known about
    /// the server.
    #[error("{target}: not asked, for want of a resource of this process: {error}")]
    NotAsked {
        /// The server that was to be asked.
        target: String,
        /// The error of the attempt.
        error: Failure,
    },
}

/// The certificates to trust cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no PEM, or one of other things.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
}

/// Whose certificates are believed: the system's, or those of one file alone.
struct Trust {
    file: Option<PathBuf>,
    /// The file's bytes, as they were read last.
    pem: Vec<u8>,
    config: TlsConfig,
}

impl Trust {
    fn load(file: Option<&Path>) -> Result<Trust, TrustError> {
        let Some(path) = file else {
            return Ok(Trust { file: None, pem: Vec::new(), config: tls::system() });
        };
        let unreadable = |error| TrustError::Unreadable { path: path.to_owned(), error };
        let pem = std::fs::read(path).map_err(unreadable)?;
        let config = trusting(&pem).ok_or_else(|| TrustError::Empty(path.to_owned()))?;
        Ok(Trust { file: Some(path.to_owned()), pem, config })
    }

    /// Takes note of a file that has changed, as when a self-signed certificate was renewed, and
    /// of the system's certificates when a server's was refused. A file that is bad or away
    /// changes nothing: that is no fault of the server's.
    fn refresh(&mut self, refused: bool) {
        let Some(path) = &self.file else {
            if refused {
                self.config = tls::system();
            }
            return;
        };
        let Ok(pem) = std::fs::read(path) else { return };
        if pem == self.pem {
            return;
        }
        match trusting(&pem) {
            Some(config) => self.config = config,
            None => log::warn!("{} holds no certificate any more", path.display()),
        }
        self.pem = pem;
    }
}

fn trusting(pem: &[u8]) -> Option<TlsConfig> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect();
    (!found.is_empty()).then(|| tls::trusting(found.iter().map(AsRef::as_ref)))
}

/// Probes one server or several. A probe of several is as good as the worst of them.
pub struct Prober {
    /// Each with a resolver of its own, so that one name that hangs holds up no other.
    targets: Vec<(Target, ThreadedResolver)>,
    timeout: Duration,
    trust: Trust,
    /// The last probe found a certificate that it could not trust.
    refused: bool,
}

impl Prober {
    /// Trusts the certificates in `ca` alone, or those that the system trusts.
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
        Ok(Prober { targets, timeout, trust: Trust::load(ca)?, refused: false })
    }

    /// Names of the threads that look up the names of so many targets, and one for a page.
    pub fn lookup_threads(targets: usize) -> impl Iterator<Item = String> {
        let probes = std::iter::repeat_n(PROBE_LOOKUP, targets);
        probes.chain([PAGE_LOOKUP]).map(ThreadedResolver::thread_name)
    }

    /// Asks all at once, each within the timeout; so all of it takes no longer than that. Gives
    /// the statuses in the order of the targets.
    ///
    /// # Errors
    /// The first of them that is not healthy; if there is none, the first that could not be asked.
    pub fn probe(&mut self) -> Result<Vec<u16>, Unhealthy> {
        self.trust.refresh(self.refused);
        let (timeout, trust) = (self.timeout, &self.trust.config);
        let outcomes: Vec<Result<u16, Unhealthy>> = thread::scope(|scope| {
            let ask = |(target, names): &(Target, ThreadedResolver)| {
                let (target, names) = (target.clone(), names.clone());
                let asking = thread::Builder::new().name(threads::PROBE.to_owned());
                asking.spawn_scoped(scope, move || judge(&target, timeout, trust.clone(), names))
            };
            let asked: Vec<_> = self.targets.iter().map(ask).collect();
            type Asked<'scope> =
                io::Result<thread::ScopedJoinHandle<'scope, Result<u16, Unhealthy>>>;
            let outcome = |(asked, (target, names)): (Asked<'_>, &(Target, ThreadedResolver))| {
                match asked {
                    Ok(asked) => {
                        let panicked = || Unhealthy::Panicked { target: target.to_string() };
                        asked.join().unwrap_or_else(|_| Err(panicked()))
                    }
                    // A server is not unhealthy because this process gets no thread.
                    Err(_) => judge(target, timeout, trust.clone(), names.clone()),
                }
            };
            asked.into_iter().zip(&self.targets).map(outcome).collect()
        });
        self.refused = outcomes.iter().any(|outcome| {
            matches!(outcome, Err(Unhealthy::Failed { error, .. }) if error.kind == FailureKind::Tls)
        });
        worst(outcomes)
    }

    /// A page of a server, within the timeout, of at most `limit` bytes.
    pub(super) fn page(&self, target: &Target, limit: u64) -> Result<Response, Failure> {
        let names = ThreadedResolver::system(PAGE_LOOKUP);
        let client =
            Client::new(target.endpoint.clone(), self.timeout, self.trust.config.clone(), names);
        client.get(&target.path, limit)
    }
}

fn judge(
    target: &Target,
    timeout: Duration,
    trust: TlsConfig,
    names: ThreadedResolver,
) -> Result<u16, Unhealthy> {
    let client = Client::new(target.endpoint.clone(), timeout, trust, names);
    match client.get(&target.path, MAX_HEALTH) {
        Ok(Response { status, .. }) if (200..300).contains(&status) => Ok(status),
        Ok(Response { status, body }) => {
            let reason = one_line(&body, SHOWN);
            Err(Unhealthy::Refused { target: target.to_string(), status, reason })
        }
        Err(error) if error.is_local_shortage => {
            Err(Unhealthy::NotAsked { target: target.to_string(), error })
        }
        Err(error) => Err(Unhealthy::Failed { target: target.to_string(), error }),
    }
}

/// The statuses, or the error that says most about the servers.
fn worst(outcomes: Vec<Result<u16, Unhealthy>>) -> Result<Vec<u16>, Unhealthy> {
    let not_asked =
        |outcome: &Result<u16, Unhealthy>| matches!(outcome, Err(Unhealthy::NotAsked { .. }));
    let (not_asked, asked): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(not_asked);
    asked.into_iter().chain(not_asked).collect()
}

/// Returns a peer's text for one line of a log: without hidden characters, of bounded length.
pub(super) fn one_line(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = clean(text.trim());
    let mut line: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
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

    use ureq::tls::RootCerts;

    use super::*;

    const BOUND: Duration = Duration::from_millis(300);

    fn prober(addresses: &[&str]) -> Prober {
        let targets = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Prober::new(targets, None, BOUND).unwrap()
    }

    /// Answers so many connections with the same bytes, a piece at a time when it drips.
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

    /// Resets the first connections, answers the later ones, and returns how many came.
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
    fn a_unix_socket_is_asked_for_its_health() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes, drip, expected) in [
            ("well", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", false, ""),
            ("ill", "HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\na\nb\u{1b}\n", false, "503: a b"),
            ("garbage", "SSH-2.0-x\r\n\r\n", false, "http: the answer breaks the HTTP protocol"),
            ("early", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n", false, "connect: "),
            ("drip", "HTTP/1.1 200 OK\r\nX: aaaaaaaaaaaaaaaaaaaaaaa\r\n", true, "timeout: no"),
        ] {
            let path = folder.path().join(name);
            answer(UnixListener::bind(&path).unwrap(), bytes, drip);
            let address = format!("unix:{}", path.display());
            match prober(&[&address]).probe() {
                Ok(statuses) => assert_eq!((statuses, expected), (vec![200], ""), "{name}"),
                Err(error) => {
                    let told = error.to_string();
                    assert!(!expected.is_empty() && told.contains(expected), "{name}: {told}");
                    assert!(told.starts_with(&address) && !told.contains('\u{1b}'), "{told}");
                }
            }
        }
        let nobody = format!("unix:{}", folder.path().join("nobody").display());
        let told = prober(&[&nobody]).probe().unwrap_err().to_string();
        assert!(told.contains("connect: No such file"), "{told}");
    }

    /// A stopped process goes on listening until its queue is full; then connect(2) waits.
    #[test]
    fn a_full_queue_is_a_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full");
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(1).unwrap();
        let address = format!("unix:{}", path.display());
        for _ in 0..4 {
            let told = prober(&[&address]).probe().unwrap_err().to_string();
            assert!(told.contains("timeout: no complete answer within 0.3 s"), "{told}");
        }
    }

    #[test]
    fn several_are_asked_at_once_and_the_first_failure_is_told() {
        let silent: Vec<_> = (0..8).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<String> = silent
            .iter()
            .map(|listener| format!("http://{}/?key=s3cret", listener.local_addr().unwrap()))
            .collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let begun = Instant::now();
        let told = prober(&addresses).probe().unwrap_err().to_string();
        // Eight one after the other would be twice as long as this.
        assert!(begun.elapsed() < 4 * BOUND, "{:?}", begun.elapsed());
        let first = format!("http://{}/: timeout: ", silent[0].local_addr().unwrap());
        assert!(told.starts_with(&first), "{told}");
    }

    #[test]
    fn failure_of_a_server_goes_before_one_that_was_not_asked() {
        let error = || Failure {
            kind: FailureKind::Dns,
            message: "no thread".to_owned(),
            is_local_shortage: false,
        };
        let not_asked = || Err(Unhealthy::NotAsked { target: "a".to_owned(), error: error() });
        let failed = || Err(Unhealthy::Failed { target: "b".to_owned(), error: error() });
        assert_eq!(worst(vec![Ok(200), Ok(204)]), Ok(vec![200, 204]));
        for outcomes in [vec![not_asked(), Ok(200), failed()], vec![failed(), not_asked()]] {
            assert!(matches!(worst(outcomes), Err(Unhealthy::Failed { .. })));
        }
        assert!(matches!(worst(vec![Ok(200), not_asked()]), Err(Unhealthy::NotAsked { .. })));
    }

    #[test]
    fn renewed_certificates_are_noticed_and_bad_files_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let missing = Trust::load(Some(&path)).err().unwrap().to_string();
        assert!(missing.contains("cannot read"), "{missing}");
        let pem = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            made.cert.pem().into_bytes()
        };
        let (first, second) = (pem(), pem());
        std::fs::write(&path, "nothing").unwrap();
        assert!(matches!(Trust::load(Some(&path)), Err(TrustError::Empty(_))));
        std::fs::write(&path, &first).unwrap();
        let mut trust = Trust::load(Some(&path)).unwrap();
        let trusted = |trust: &Trust| match trust.config.root_certs() {
            RootCerts::Specific(roots) => roots[0].der().to_vec(),
            other => panic!("{other:?}"),
        };
        let before = trusted(&trust);
        for bad in [Some("nothing"), None] {
            match bad {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            trust.refresh(true);
            assert_eq!(trusted(&trust), before);
        }
        std::fs::write(&path, &second).unwrap();
        trust.refresh(false);
        assert_ne!(trusted(&trust), before);
    }
}
