//! TLS 1.2 and 1.3 of the server: identities, and the configuration of rustls.
//!
//! An identity is chosen by the name that the client requests (SNI). Identities can be replaced while
//! the server runs: a handshake takes those that are current when its ClientHello arrives. `layer`
//! holds the session of one connection.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::hash::HashAlgorithm;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedCipherSuite};

pub(super) mod layer;
mod records;

/// Application protocols by preference (RFC 7301). A client that offers protocols but none of these
/// is refused, and `curl --http1.0` offers `http/1.0` only.
const ALPN: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Number of session tickets sent after a TLS 1.3 handshake. One lets a client resume its session;
/// each further one costs every handshake an encryption and a write.
const TICKETS: usize = 1;

/// Reason for which a certificate chain and a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain is not PEM (RFC 7468).
    #[error("the certificate chain cannot be read as PEM: {0}")]
    Chain(#[source] pem::Error),
    /// The chain's file holds no certificate.
    #[error("the certificate chain holds no certificate (BEGIN CERTIFICATE)")]
    NoCertificate,
    /// The key's file holds no private key, or is not PEM.
    #[error("the private key cannot be read as PEM: {0}")]
    Key(#[source] pem::Error),
    /// The key is damaged, or its algorithm or size is not supported.
    #[error("the private key cannot be used: {0}")]
    UnsupportedKey(#[source] rustls::Error),
    /// The key does not belong to the first certificate of the chain.
    #[error("the private key does not belong to the certificate: {0}")]
    Mismatch(#[source] rustls::Error),
    /// The system has no randomness for the keys of session tickets.
    #[error("cannot make a key for session tickets: {0}")]
    Ticketer(#[source] rustls::Error),
}

/// A certificate chain with its private key.
#[derive(Debug, Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Parses a chain (PEM, leaf first) and its key (PEM), and checks that they belong together.
    ///
    /// # Errors
    /// Those of [`TlsError`] for the chain, the key or both.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Identity, TlsError> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Chain)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        Identity::from_der(chain, key)
    }

    /// Checks that a chain, leaf first, and its key can be used, and that they belong together.
    ///
    /// # Errors
    /// Those of [`TlsError`] for the key, or for both.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Identity, TlsError> {
        let provider = provider();
        let usable = provider.key_provider.load_private_key(key.clone_key());
        usable.map_err(TlsError::UnsupportedKey)?;
        let pair = CertifiedKey::from_der(chain, key, &provider).map_err(TlsError::Mismatch)?;
        Ok(Identity(Arc::new(pair)))
    }
}

/// Identities of the server, by the names that clients request.
#[derive(Debug, Clone)]
pub struct Identities {
    /// Identity for clients that request no name, or another one.
    pub default: Identity,
    /// Identities for clients that request one of the names (SNI, RFC 6066 3): `tank.example`,
    /// `*.example`.
    pub named: Vec<(Vec<String>, Identity)>,
}

impl Identities {
    fn choose(&self, name: Option<&str>) -> &Identity {
        let named = |name| self.named.iter().find(|(names, _)| covers(names, name));
        name.and_then(named).map_or(&self.default, |(_, identity)| identity)
    }
}

/// Returns true if a certificate for `names` covers `wanted`. A wildcard stands for one whole label
/// (RFC 6125 6.4.3).
pub fn covers(names: &[String], wanted: &str) -> bool {
    names.iter().any(|name| match (name.strip_prefix("*."), wanted.split_once('.')) {
        (Some(parent), Some((_, wanted))) => parent.eq_ignore_ascii_case(wanted),
        (None, _) => name.eq_ignore_ascii_case(wanted),
        (Some(_), None) => false,
    })
}

/// Current identities. Sessions that exist are not affected when they are replaced.
#[derive(Debug)]
pub struct LiveIdentities(ArcSwap<Identities>);

impl LiveIdentities {
    /// Returns a holder of these identities.
    pub fn new(identities: Identities) -> Arc<LiveIdentities> {
        Arc::new(LiveIdentities(ArcSwap::from_pointee(identities)))
    }

    /// Replaces the identities for handshakes that begin from now on.
    pub fn replace(&self, identities: Identities) {
        self.0.store(Arc::new(identities));
    }
}

impl ResolvesServerCert for LiveIdentities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().choose(hello.server_name()).0))
    }
}

/// Returns a configuration with one identity: a chain (PEM, leaf first) and its key (PEM).
///
/// # Errors
/// Those of [`Identity::from_pem`] and [`live_server_config`].
pub fn server_config(chain_pem: &[u8], key_pem: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let default = Identity::from_pem(chain_pem, key_pem)?;
    live_server_config(LiveIdentities::new(Identities { default, named: Vec::new() }))
}

/// Returns a configuration for TLS 1.2 and 1.3. All of its suites have forward secrecy, and rustls
/// replaces the keys of session tickets every few hours.
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

/// Returns the cryptography of aws-lc, with the cipher suites of SHA-256 before those of SHA-384.
///
/// Most clients name AES-256 first, and with it SHA-384. That hash takes a fifth of a handshake on
/// processors that have instructions for SHA-256 only. AES-128 with SHA-256 is mandatory in TLS 1.3
/// (RFC 8446 9.1).
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let has_sha256 = |suite: &SupportedCipherSuite| {
        let hash = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider.algorithm(),
            SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider.algorithm(),
        };
        hash == HashAlgorithm::SHA256
    };
    // Within a hash, rustls' order remains.
    let (mut suites, others): (Vec<_>, Vec<_>) =
        provider.cipher_suites.into_iter().partition(has_sha256);
    suites.extend(others);
    provider.cipher_suites = suites;
    provider
}

#[cfg(test)]
mod tests;
