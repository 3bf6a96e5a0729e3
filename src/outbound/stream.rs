//! Connections for protocols other than HTTP, with one deadline for everything that happens on them.
//!
//! A timeout of the socket bounds one system call: a server that sends a byte now and then would hold the thread
//! without end. A [`DeadlineStream`] computes the time that is left before each call, also within the handshake of
//! TLS, and fails with `TimedOut` at the deadline. Its socket is non-blocking, and waits happen in `poll(2)` only.
//! A connection that is kept gets a new deadline for each exchange.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockAddr, Socket, Type};

use super::connect::connect;
use super::cutoff::{CUTOFF_INTERVAL, Cutoff};
use super::resolve::ThreadedResolver;
use super::tls::ClientTls;

/// Connection with an absolute deadline, plain or encrypted.
pub(crate) enum DeadlineStream {
    /// Socket without TLS.
    Plain(DeadlineSocket),
    /// TLS session over a socket.
    Tls(Box<StreamOwned<ClientConnection, DeadlineSocket>>),
}

/// Socket with an absolute deadline.
#[derive(Debug)]
pub(crate) struct DeadlineSocket {
    socket: Socket,
    deadline: Instant,
    cutoff: Option<Cutoff>,
}

impl DeadlineStream {
    /// Connects to a host, until the deadline at most.
    ///
    /// # Errors
    /// The lookup of the name or every attempt to connect failed, or the deadline passed.
    pub(crate) fn connect(
        host: &str,
        port: u16,
        resolver: &ThreadedResolver,
        deadline: Instant,
    ) -> Result<DeadlineStream, ureq::Error> {
        let addresses = resolver
            .ordered_addresses(host, port, Some(deadline))
            .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        let socket = connect(&addresses, Some(deadline))
            .map_err(|error| ureq::Error::Other(Box::new(error)))?;
        socket.set_nonblocking(true)?;
        Ok(DeadlineStream::Plain(DeadlineSocket { socket, deadline, cutoff: None }))
    }

    /// Connects to a unix socket, until the deadline at most.
    ///
    /// # Errors
    /// The socket refused the connection, or the deadline passed while its accept queue was full.
    pub(crate) fn connect_unix(path: &Path, deadline: Instant) -> io::Result<DeadlineStream> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let address = SockAddr::unix(path)?;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        // A full accept queue blocks connect(2), which the write timeout (SO_SNDTIMEO) bounds.
        socket.set_write_timeout(Some(left))?;
        socket.connect(&address).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })?;
        socket.set_nonblocking(true)?;
        Ok(DeadlineStream::Plain(DeadlineSocket { socket, deadline, cutoff: None }))
    }

    /// Replaces the deadline, for the next exchange on a connection that is kept.
    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        self.socket_mut().deadline = deadline;
    }

    /// Lets another thread end the calls.
    pub(crate) fn end_at(&mut self, cutoff: Cutoff) {
        self.socket_mut().cutoff = Some(cutoff);
    }

    fn socket_mut(&mut self) -> &mut DeadlineSocket {
        match self {
            DeadlineStream::Plain(plain) => plain,
            DeadlineStream::Tls(tls) => &mut tls.sock,
        }
    }

    /// Returns the certificate that the server presented, if the connection is encrypted.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            DeadlineStream::Plain(_) => None,
            DeadlineStream::Tls(tls) => tls.conn.peer_certificates()?.first(),
        }
    }

    /// Encrypts the connection, and verifies that the server's certificate is for `host`.
    ///
    /// # Errors
    /// The handshake failed, the certificate is not trusted, the deadline passed, or the connection is encrypted
    /// already.
    pub(crate) fn encrypt(
        self,
        host: &str,
        tls: &ClientTls,
    ) -> Result<DeadlineStream, ureq::Error> {
        let DeadlineStream::Plain(mut socket) = self else {
            return Err(ureq::Error::Tls("the connection is encrypted already"));
        };
        // The brackets of an IPv6 address belong to the URL.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| ureq::Error::Tls("the host is no name that a certificate can have"))?;
        let mut connection = ClientConnection::new(tls.config(), name)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| tls.explained(error))?;
        }
        Ok(DeadlineStream::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    /// Returns true if the connection is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, DeadlineStream::Tls(_))
    }

    /// Returns true if the other end is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let Ok(peer) = self.socket().peer_addr() else { return false };
        peer.is_unix() || peer.as_socket().is_some_and(|peer| is_loopback(peer.ip()))
    }

    /// Returns the address of this end.
    pub(crate) fn local_address(&self) -> Option<IpAddr> {
        let local = self.socket().local_addr().ok()?.as_socket()?;
        Some(local.ip().to_canonical())
    }

    fn socket(&self) -> &Socket {
        match self {
            DeadlineStream::Plain(plain) => &plain.socket,
            DeadlineStream::Tls(tls) => &tls.sock.socket,
        }
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl DeadlineSocket {
    /// Waits until the socket is ready, or for some time.
    ///
    /// # Errors
    /// The deadline passed.
    pub(super) fn wait(&self, ready: PollFlags) -> io::Result<()> {
        let left = self.left()?;
        let left = if self.cutoff.is_some() { left.min(CUTOFF_INTERVAL) } else { left };
        // A time that the kernel cannot represent is never reached.
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        match poll(&mut [PollFd::new(&self.socket, ready)], Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the time that is left.
    ///
    /// # Errors
    /// None is left.
    pub(super) fn left(&self) -> io::Result<Duration> {
        let cutoff = self.cutoff.as_ref().and_then(Cutoff::get);
        let deadline = cutoff.map_or(self.deadline, |cutoff| cutoff.min(self.deadline));
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Returns the socket, whose calls do not block.
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Repeats a system call until it does not block, and waits between two of them.
    fn until_done(
        &mut self,
        ready: PollFlags,
        mut call: impl FnMut(&mut Socket) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            // Before each call, so that a peer that is always ready does not go past the deadline either.
            self.left()?;
            match call(&mut self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(ready)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Read for DeadlineSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.until_done(PollFlags::IN, |socket| socket.read(buffer))
    }
}

impl Write for DeadlineSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.until_done(PollFlags::OUT, |socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for DeadlineStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            DeadlineStream::Plain(plain) => plain.read(buffer),
            DeadlineStream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            DeadlineStream::Plain(plain) => plain.write(bytes),
            DeadlineStream::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            DeadlineStream::Plain(plain) => plain.flush(),
            DeadlineStream::Tls(tls) => tls.flush(),
        }
    }
}

/// Shows the address of the socket, and not the state of TLS.
impl fmt::Debug for DeadlineStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeadlineStream").field(self.socket()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::Arc;
    use std::thread;

    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, Stream};

    use super::*;
    use crate::outbound::tls::trusting_ca_file;
    use crate::outbound::{Failure, FailureKind};

    const SHORT: Duration = Duration::from_millis(300);
    /// Bound that a slow machine does not reach, and a stream without a deadline does.
    const AMPLE: Duration = Duration::from_secs(20);

    fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    fn connected(port: u16, deadline: Instant) -> DeadlineStream {
        let resolver = ThreadedResolver::system();
        DeadlineStream::connect("127.0.0.1", port, &resolver, deadline).unwrap()
    }

    #[test]
    fn peer_that_is_silent_drips_or_reads_nothing_ends_at_the_deadline() {
        let (listener, port) = listener();
        let drip = thread::spawn(move || {
            let _silent = listener.accept().unwrap();
            let (mut dripping, _) = listener.accept().unwrap();
            let deaf = listener.accept().unwrap();
            while dripping.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
            drop(deaf);
        });
        let begun = Instant::now();
        let mut silent = connected(port, begun + SHORT);
        let mut dripping = connected(port, begun + SHORT);
        let mut deaf = connected(port, begun + SHORT);
        let mut byte = [0];
        assert_eq!(silent.read(&mut byte).unwrap_err().kind(), ErrorKind::TimedOut);
        let mut sink = Vec::new();
        assert_eq!(dripping.read_to_end(&mut sink).unwrap_err().kind(), ErrorKind::TimedOut);
        drop(dripping);
        let much = vec![0; 64 * 1024 * 1024];
        assert_eq!(deaf.write_all(&much).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < AMPLE);
        drip.join().unwrap();
    }

    #[test]
    fn handshake_with_a_silent_peer_ends_at_the_deadline() {
        let (listener, port) = listener();
        let begun = Instant::now();
        let stream = connected(port, begun + SHORT);
        let tls = crate::outbound::tls::trusting(&[]);
        let error = stream.encrypt("tank.test", &tls).unwrap_err();
        assert_eq!(Failure::new(error, SHORT).kind, FailureKind::Timeout);
        assert!(begun.elapsed() < AMPLE);
        drop(listener);
    }

    #[test]
    fn certificate_is_verified_and_bytes_pass_through_tls() {
        let made = rcgen::generate_simple_self_signed(["mail.test".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let other = rcgen::CertificateParams::new(["mail.test".to_owned()]).map(|mut params| {
            params.distinguished_name.push(rcgen::DnType::CommonName, "other");
            params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap()
        });
        let other = other.unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let (listener, port) = listener();
        let server = thread::spawn(move || {
            for _ in 0..2 {
                let (mut socket, _) = listener.accept().unwrap();
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = Stream::new(&mut connection, &mut socket);
                let mut bytes = [0; 4];
                if stream.read_exact(&mut bytes).is_ok() {
                    stream.write_all(&bytes).unwrap();
                }
            }
        });
        let certificates = |certificate: &CertificateDer<'static>| [certificate.clone()];
        let connect = |certificate| {
            let tls = trusting_ca_file(&certificates(certificate));
            connected(port, Instant::now() + AMPLE).encrypt("mail.test", &tls)
        };
        let mut stream = connect(&certificate).unwrap();
        assert!(stream.is_encrypted() && stream.is_loopback());
        stream.write_all(b"ping").unwrap();
        stream.flush().unwrap();
        let mut echo = [0; 4];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"ping");
        let failure = Failure::new(connect(other.der()).unwrap_err(), AMPLE);
        assert_eq!(failure.kind, FailureKind::Tls);
        assert!(failure.message.contains("ca_file"), "{failure}");
        server.join().unwrap();
    }

    #[test]
    fn checks_of_a_certificate_are_those_that_were_asked_for() {
        use crate::outbound::tls::{encrypting_only, trusting, trusting_for_any_name};
        use hostile::certificates::{authority, server};
        const YEARS: (i32, i32) = (2020, 2120);
        let key = || rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertifiedIssuer::self_signed(authority("ca", YEARS), key()).unwrap();
        let other = rcgen::CertifiedIssuer::self_signed(authority("ca", YEARS), key()).unwrap();
        let leaf_key = key();
        let leaf = server("db.test", YEARS).signed_by(&leaf_key, &ca).unwrap();
        let leaf = leaf.der().clone();
        let (ca, other) = ([ca.der().clone()], [other.der().clone()]);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.clone()],
                PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let cases = [
            (trusting(&ca), "db.test", true),
            (trusting(&ca), "other.test", false),
            (trusting(&other), "db.test", false),
            (trusting_for_any_name(&ca), "other.test", true),
            (trusting_for_any_name(&other), "db.test", false),
            (encrypting_only(), "other.test", true),
        ];
        let (listener, port) = listener();
        let count = cases.len();
        let thread = thread::spawn(move || {
            for _ in 0..count {
                let (mut socket, _) = listener.accept().unwrap();
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                let mut bytes = [0; 1];
                let _ = Stream::new(&mut connection, &mut socket).read(&mut bytes);
            }
        });
        for (number, (tls, host, is_accepted)) in cases.into_iter().enumerate() {
            let encrypted = connected(port, Instant::now() + AMPLE).encrypt(host, &tls);
            assert_eq!(encrypted.is_ok(), is_accepted, "case {number}");
            if let Ok(stream) = encrypted {
                assert_eq!(stream.peer_certificate(), Some(&leaf));
            }
        }
        thread.join().unwrap();
    }
}
