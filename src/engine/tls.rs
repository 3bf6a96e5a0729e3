//! TLS: the server's configuration, and the layer between a socket and its connection.

use std::io::{self, Read, Write};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::hash::HashAlgorithm;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, SupportedCipherSuite};

use super::limits::{SPARE_ROOM, TLS_BUFFER};
use records::RecordTracker;

mod records;

/// The application protocols that are negotiated, the better first (RFC 7301). Who names neither,
/// though it names some, is refused: so `curl --http1.0` needs its own.
const ALPN: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Session tickets sent after a TLS 1.3 handshake. One serves a client that comes back; each
/// more costs every handshake an encryption and a write.
const TICKETS: usize = 1;

/// Why a certificate chain and a key make no server.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain is not PEM.
    #[error("the certificate chain cannot be read as PEM: {0}")]
    Chain(#[source] pem::Error),
    /// The chain's file holds no certificate.
    #[error("the certificate chain holds no certificate (BEGIN CERTIFICATE)")]
    NoCertificate,
    /// The key's file holds no private key, or is not PEM.
    #[error("the private key cannot be read as PEM: {0}")]
    Key(#[source] pem::Error),
    /// The key is of no use with this chain.
    #[error("the certificate and the private key do not go together: {0}")]
    Mismatch(#[source] rustls::Error),
    /// No ticket key could be made.
    #[error("no session ticket key could be made: {0}")]
    Ticketer(#[source] rustls::Error),
}

/// A certificate chain with its private key.
#[derive(Debug, Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads a chain (PEM, leaf first) and its key (PEM), and checks that they go together.
    ///
    /// # Errors
    /// Says which of the two cannot be used, and why.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, TlsError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Chain)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Mismatch)?;
        Ok(Identity(Arc::new(pair)))
    }
}

/// Which identity to show to whom.
#[derive(Debug, Clone)]
pub struct Identities {
    /// For clients that name nobody, or somebody else.
    pub default: Identity,
    /// For clients that name one of these (SNI, RFC 6066 3): `tank.example`, `*.example`.
    pub named: Vec<(Vec<String>, Identity)>,
}

impl Identities {
    fn choose(&self, name: Option<&str>) -> &Identity {
        let named = |name| self.named.iter().find(|(names, _)| serves(names, name));
        name.and_then(named).map_or(&self.default, |(_, identity)| identity)
    }
}

/// Whether a certificate for these names is good for that one (RFC 6125 6.4: a wildcard stands
/// for one whole label).
fn serves(names: &[String], wanted: &str) -> bool {
    names.iter().any(|name| match (name.strip_prefix("*."), wanted.split_once('.')) {
        (Some(parent), Some((_, wanted))) => parent.eq_ignore_ascii_case(wanted),
        (None, _) => name.eq_ignore_ascii_case(wanted),
        (Some(_), None) => false,
    })
}

/// The identities in use. They can be replaced at any time: handshakes that begin afterwards
/// show the new ones, and sessions go on.
#[derive(Debug)]
pub struct LiveIdentities(ArcSwap<Identities>);

impl LiveIdentities {
    /// Begins with these.
    pub fn new(identities: Identities) -> Arc<LiveIdentities> {
        Arc::new(LiveIdentities(ArcSwap::from_pointee(identities)))
    }

    /// Shows these from now on.
    pub fn replace(&self, identities: Identities) {
        self.0.store(Arc::new(identities));
    }
}

impl ResolvesServerCert for LiveIdentities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().choose(hello.server_name()).0))
    }
}

/// A configuration for TLS 1.2 and 1.3 with one identity: that chain (PEM, leaf first) and key
/// (PEM).
///
/// # Errors
/// Says which of the two cannot be used, and why.
pub fn server_config(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let default = Identity::from_pem(chain_pem, key_pem)?;
    live_server_config(LiveIdentities::new(Identities { default, named: Vec::new() }))
}

/// A configuration for TLS 1.2 and 1.3. Every suite has forward secrecy; keys of session
/// tickets are changed every few hours.
///
/// # Errors
/// The system has no randomness for the ticket keys.
pub fn live_server_config(identities: Arc<LiveIdentities>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Mismatch)?
        .with_no_client_auth()
        .with_cert_resolver(identities);
    config.ignore_client_order = true;
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Ticketer)?;
    config.send_tls13_tickets = TICKETS;
    Ok(Arc::new(config))
}

/// The default cryptography, with the cipher suites of SHA-256 before those of SHA-384. Clients
/// commonly name AES-256 first, and with it a hash that takes a fifth of the whole handshake on
/// processors which have instructions for SHA-256 only. AES-128 is the one that every TLS 1.3
/// implementation must have (RFC 8446 9.1).
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    // A stable sort: everything else stays in rustls' order.
    provider.cipher_suites.sort_by_key(|suite| {
        let hash = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider.algorithm(),
            SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider.algorithm(),
        };
        hash != HashAlgorithm::SHA256
    });
    provider
}

/// What came of bytes from the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Intake {
    /// Taken in; there may be an answer to write.
    Taken,
    /// The client has ended the session (`close_notify`).
    Ended,
    /// The first byte belongs to an HTTP request, not to a handshake.
    PlainHttp,
    /// The protocol was broken; an alert waits to be written.
    Broken,
}

/// A TLS session without a socket. It takes no room before the client has said something.
pub(super) enum TlsLayer {
    Silent(Arc<ServerConfig>),
    Session(Box<TlsSession>),
}

/// A session that the client has begun.
pub(super) struct TlsSession {
    session: ServerConnection,
    records: RecordTracker,
}

/// A read that rustls makes room for, and that brings nothing.
struct NoInput;

impl Read for NoInput {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl TlsSession {
    fn new(config: Arc<ServerConfig>) -> Result<TlsSession, rustls::Error> {
        let mut session = ServerConnection::new(config)?;
        session.set_buffer_limit(Some(TLS_BUFFER));
        Ok(TlsSession { session, records: RecordTracker::default() })
    }

    /// Gives back the room of records that were taken in; returns the bytes that remain held.
    fn shrink(&mut self) -> usize {
        let handshaking = self.session.is_handshaking();
        // A handshake message may be joined from many records.
        let incoming = if handshaking { self.records.received() } else { self.records.partial() };
        if incoming == 0 && self.records.largest() > SPARE_ROOM {
            // Before a read, rustls cuts an empty buffer to the size of a small read.
            let _ = self.session.read_tls(&mut NoInput);
            self.records.forget_largest();
        }
        let outgoing = if self.session.wants_write() {
            let state = self.session.process_new_packets();
            state.map_or(TLS_BUFFER, |state| state.tls_bytes_to_write())
        } else {
            0
        };
        incoming + outgoing
    }
}

impl TlsLayer {
    pub(super) fn new(config: Arc<ServerConfig>) -> TlsLayer {
        TlsLayer::Silent(config)
    }

    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            TlsLayer::Silent(_) => true,
            TlsLayer::Session(tls) => tls.session.is_handshaking(),
        }
    }

    /// Takes ciphertext in and gives the plaintext in it to `deliver`.
    pub(super) fn receive(
        &mut self,
        mut ciphertext: &[u8],
        scratch: &mut [u8],
        mut deliver: impl FnMut(&[u8]),
    ) -> Intake {
        let TlsSession { session, records } = match self {
            TlsLayer::Session(tls) => &mut **tls,
            TlsLayer::Silent(config) => {
                if ciphertext.first().is_some_and(u8::is_ascii_uppercase) {
                    return Intake::PlainHttp;
                }
                match TlsSession::new(Arc::clone(config)) {
                    Ok(session) => {
                        *self = TlsLayer::Session(Box::new(session));
                        return self.receive(ciphertext, scratch, deliver);
                    }
                    Err(_) => return Intake::Broken,
                }
            }
        };
        records.follow(ciphertext);
        while !ciphertext.is_empty() {
            // A slice is read without fail; what is decrypted is drained at once, so that
            // the session never refuses more.
            if session.read_tls(&mut ciphertext).is_err() || session.process_new_packets().is_err()
            {
                return Intake::Broken;
            }
            loop {
                match session.reader().read(scratch) {
                    Ok(0) => return Intake::Ended,
                    Ok(length) => deliver(&scratch[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => return Intake::Broken,
                }
            }
        }
        Intake::Taken
    }

    /// Encrypts as much of `plaintext` as there is room for; tells how much that was.
    pub(super) fn encrypt(&mut self, plaintext: [&[u8]; 2]) -> usize {
        let TlsLayer::Session(tls) = self else { return 0 };
        let slices = plaintext.map(io::IoSlice::new);
        // The writer's one error is that it is full, which zero tells as well.
        tls.session.writer().write_vectored(&slices).unwrap_or(0)
    }

    /// Ciphertext is waiting to be written.
    pub(super) fn wants_write(&self) -> bool {
        matches!(self, TlsLayer::Session(tls) if tls.session.wants_write())
    }

    /// Writes ciphertext once.
    pub(super) fn write_to(&mut self, socket: &mut dyn Write) -> io::Result<usize> {
        match self {
            TlsLayer::Silent(_) => Ok(0),
            TlsLayer::Session(tls) => tls.session.write_tls(socket),
        }
    }

    /// Says goodbye (RFC 8446 6.1), if there is a session to end.
    pub(super) fn close(&mut self) {
        if let TlsLayer::Session(tls) = self {
            tls.session.send_close_notify();
        }
    }

    /// Gives back the room that the session does not need while it waits; returns the bytes of
    /// records that it holds.
    pub(super) fn shrink(&mut self) -> usize {
        match self {
            TlsLayer::Silent(_) => 0,
            TlsLayer::Session(tls) => tls.shrink(),
        }
    }
}

#[cfg(test)]
mod tests;
