//! Servers, certificates and configurations for the tests of probes and plans.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use hostile::certificates::Years;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::alarm::AlarmKind;
use super::fault::Verdict;
use super::plan::{Planner, ProbeSettings};

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

/// Long enough for a handshake on a busy machine.
pub(super) const AMPLE: Duration = Duration::from_secs(20);

/// A certificate with its key, both in PEM.
pub(super) struct Made {
    pub(super) cert: String,
    pub(super) der: CertificateDer<'static>,
    pub(super) key: KeyPair,
}

pub(super) const NOW: Years = (2000, 4000);

pub(super) const PAST: Years = (2000, 2001);

pub(super) const FUTURE: Years = (3000, 4000);

pub(super) fn certificate(names: &[&str], (from, to): Years) -> Made {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    Made { cert: made.pem(), der: made.der().clone(), key }
}

/// Serves `response` over TLS with a certificate, in versions that this program speaks or does not.
pub(super) fn serve_tls(made: &Made, response: &'static str) -> SocketAddr {
    let identity = Identity::of(made);
    serve_tls_as(&identity, response)
}

/// Certificate that a server presents, which may be replaced while it runs.
#[derive(Debug, Clone)]
pub(super) struct Identity(Arc<ArcSwap<CertifiedKey>>);

impl Identity {
    pub(super) fn of(made: &Made) -> Identity {
        Identity(Arc::new(ArcSwap::from(Identity::certified(made))))
    }

    pub(super) fn replace(&self, made: &Made) {
        self.0.store(Identity::certified(made));
    }

    fn certified(made: &Made) -> Arc<CertifiedKey> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.key.serialize_der()));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Arc::new(CertifiedKey::from_der(vec![made.der.clone()], key, &provider).unwrap())
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Serves `response` over TLS with the certificate of `identity`.
pub(super) fn serve_tls_as(identity: &Identity, response: &'static str) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identity.clone()));
    let config = Arc::new(config);
    serve(move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::StreamOwned::new(connection, stream);
        // A client that rejects the certificate disconnects before it sends a request.
        if tls.read(&mut [0; 1024]).is_ok() {
            let _ = tls.write_all(response.as_bytes());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    })
}

/// Accepts connections on loopback, and calls `answer` with each.
pub(super) fn serve(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap())));
    address
}

/// Returns an address that refuses connections as long as the socket lives, which keeps it from others.
pub(super) fn refused() -> (SocketAddr, socket2::Socket) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap(), socket)
}

pub(super) fn serve_plain(response: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(response.as_bytes());
    })
}

/// Writes a configuration with a certificate, and returns its path.
pub(super) fn configuration(folder: &Path, server: &str, made: Option<&Made>) -> PathBuf {
    let mut text = format!("[server]\n{server}\n");
    if let Some(made) = made {
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, &made.cert).unwrap();
        // The key is not readable for the probe, which does not need it.
        let pair = format!("[tls]\ncert = \"{}\"\nkey = \"{}\"\n", cert.display(), key.display());
        text.push_str(&pair);
    }
    let path = folder.join("pumphouse.toml");
    std::fs::write(&path, text).unwrap();
    path
}

pub(super) fn planner(config: &Path) -> Planner {
    let config = Some(config.to_owned());
    Planner::new(ProbeSettings { config, ..ProbeSettings::default() })
}

pub(super) fn misconfigured(kind: AlarmKind) -> Verdict {
    Verdict::Misconfigured { kind, answered: true }
}
