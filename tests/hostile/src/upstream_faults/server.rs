//! The server of a faulty upstream: its listener, its connections and its certificates.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::{Fault, response};

/// An upstream on loopback that is healthy until its fault is injected.
pub struct FaultyUpstream {
    fault: Fault,
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    faulty: AtomicBool,
    /// Level that healthy responses report.
    level: AtomicUsize,
    stopping: AtomicBool,
    /// The authority of both certificates, in PEM.
    authority: String,
    /// TLS configuration that presents a valid certificate.
    good: Arc<ServerConfig>,
    /// TLS configuration that presents an invalid certificate, if that is the fault.
    bad: Arc<ServerConfig>,
}

/// A certificate authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl FaultyUpstream {
    /// Starts an upstream, still without its fault, on a port of the kernel's choice.
    pub fn new(fault: Fault) -> FaultyUpstream {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        // The kernel queues one connection more than the backlog.
        listener.listen(if fault == Fault::DropsSyn { 1 } else { 64 }).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        match fault {
            Fault::GzipBomb => {
                response::gzip_bomb();
            }
            Fault::DeflateBomb => {
                response::deflate_bomb();
            }
            _ => {}
        }
        let bad_name = match fault {
            Fault::CertificateForAnotherName => "elsewhere.test",
            _ => "127.0.0.1",
        };
        let authority = Authority::new();
        let state = Arc::new(State {
            faulty: AtomicBool::new(false),
            level: AtomicUsize::new(50),
            stopping: AtomicBool::new(false),
            good: authority.issue("127.0.0.1", false),
            bad: authority.issue(bad_name, fault == Fault::CertificateExpired),
            authority: authority.pem,
        });
        let shared = Arc::clone(&state);
        let accepting = std::thread::spawn(move || accept(fault, &listener, address, &shared));
        FaultyUpstream { fault, address, state, accepting: Some(accepting) }
    }

    /// Returns the fault.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Returns the URL that a source polls.
    pub fn url(&self) -> String {
        let scheme = if self.fault.needs_tls() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Returns the certificate of the authority that a client must trust, in PEM. It has issued both
    /// the certificate that the upstream presents without its fault and the one with it.
    pub fn ca_certs(&self) -> String {
        self.state.authority.clone()
    }

    /// Begins the fault.
    pub fn inject(&self) {
        self.state.faulty.store(true, Ordering::SeqCst);
    }

    /// Ends the fault; later answers report this level.
    pub fn recover(&self, level: usize) {
        self.state.level.store(level, Ordering::SeqCst);
        self.state.faulty.store(false, Ordering::SeqCst);
    }
}

impl Drop for FaultyUpstream {
    fn drop(&mut self) {
        self.state.faulty.store(false, Ordering::SeqCst);
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that blocks in accept.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// Issues a certificate for a name, and returns the TLS configuration that presents it.
    fn issue(&self, name: &str, expired: bool) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        Arc::new(config)
    }
}

fn accept(fault: Fault, listener: &Socket, address: SocketAddr, state: &Arc<State>) {
    loop {
        if fault == Fault::DropsSyn && state.faulty.load(Ordering::SeqCst) {
            let filling: Vec<Socket> = (0..4).filter_map(|_| begin_connect(address)).collect();
            while state.faulty.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            drop(filling);
        }
        let Ok((stream, _)) = listener.accept() else { return };
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        let state = Arc::clone(state);
        // The thread ends with its client, whose poll is bounded in time.
        std::thread::spawn(move || serve(fault, TcpStream::from(stream), &state));
    }
}

/// Begins a connect without waiting for it, to fill the accept queue.
fn begin_connect(address: SocketAddr) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.set_nonblocking(true).ok()?;
    let _ = socket.connect(&address.into());
    Some(socket)
}

fn serve(fault: Fault, stream: TcpStream, state: &State) {
    let injected = state.faulty.load(Ordering::SeqCst).then_some(fault);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.set_write_timeout(Some(Duration::from_secs(5)));
    if injected == Some(Fault::TlsStalls) {
        return response::read_until_end(stream);
    }
    let level = state.level.load(Ordering::SeqCst);
    if !fault.needs_tls() {
        return response::answer(injected, level, stream);
    }
    let is_bad =
        matches!(injected, Some(Fault::CertificateExpired | Fault::CertificateForAnotherName));
    let config = if is_bad { &state.bad } else { &state.good };
    let session = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut tls = StreamOwned::new(session, stream);
    if tls.read(&mut [0; 4096]).is_ok() {
        let answer = match injected {
            Some(Fault::RedirectsToHttp) => response::redirect("http://127.0.0.1/"),
            _ => response::healthy(level),
        };
        let _ = tls.write_all(answer.as_bytes());
        tls.conn.send_close_notify();
        let _ = tls.flush();
    }
}
