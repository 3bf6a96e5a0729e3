//! TLS of the HTTP clients: rustls with the aws-lc-rs provider, and the certificates that it trusts.
//!
//! The system's authorities are read by [`Authorities::of_system`], whose reads may hang as any file's, and given
//! to the settings of a client by [`ClientTls::trust`]. Clones of the settings share them, so one call is in force
//! for all clients from their next connection on, without a lock; a connection that is open or in its handshake
//! keeps the authorities that it began with. Sessions are not resumed across it.
//!
//! Sources share settings, which take a few KiB: one for the authorities of the system, and one for each content of a
//! `ca_file`. The sessions that these keep are bounded: see [`super::sessions`].

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore};

use super::pinned::PinnedOrTrusted;
use super::sessions::Sessions;
use super::trust_error::is_untrusted;
use crate::order;

/// TLS settings of an HTTP client. They are cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct ClientTls(Arc<ArcSwap<Settings>>);

#[derive(Debug)]
struct Settings {
    config: Arc<ClientConfig>,
    origin: Option<Origin>,
}

/// Origin of the certificates that a source trusts, for the advice if they do not verify a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    System,
    /// The system has none.
    EmptySystem,
    /// `ca_file`.
    File,
}

/// Certificate authorities of the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Authorities(Arc<[CertificateDer<'static>]>);

/// The certificate of a server has no chain to one that its source trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", advice(*.0))]
pub(super) struct UntrustedIssuer(Origin);

fn advice(origin: Origin) -> &'static str {
    match origin {
        Origin::System => {
            "the certificate is of an authority that this machine does not trust: install that authority, \
             or update the package ca-certificates, then send HUP to this server; or name the certificate \
             or its authority by ca_file"
        }
        Origin::EmptySystem => {
            "this machine has no certificate authorities: install the package ca-certificates, then send HUP \
             to this server; or name the certificate or its authority by ca_file"
        }
        Origin::File => {
            "the certificate is neither in ca_file nor of an authority in it: put the right one there, then \
             send HUP to this server"
        }
    }
}

impl Authorities {
    /// Reads the certificate authorities of the system, also from `$SSL_CERT_FILE` and `$SSL_CERT_DIR`.
    ///
    /// If the system has none, every https exchange by them fails with a TLS error.
    pub(crate) fn of_system() -> Authorities {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            log::warn!("cannot read a certificate authority of the system: {error}");
        }
        if found.certs.is_empty() {
            log::error!(
                "the system has no certificate authorities, so no https server can be trusted by them: \
                 install the package ca-certificates"
            );
        }
        let mut certificates = found.certs;
        order::sort_by(&mut certificates, |a, b| a.as_ref().cmp(b.as_ref()));
        certificates.dedup();
        Authorities(certificates.into())
    }

    /// Returns true if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl ClientTls {
    fn new(config: Arc<ClientConfig>, origin: Option<Origin>) -> ClientTls {
        ClientTls(Arc::new(ArcSwap::from_pointee(Settings { config, origin })))
    }

    /// Returns the settings for rustls.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.load().config)
    }

    /// Trusts these authorities from now on, in place of the earlier ones.
    pub(crate) fn trust(&self, authorities: &Authorities) {
        let origin = if authorities.is_empty() { Origin::EmptySystem } else { Origin::System };
        let config = trusting_config(&authorities.0);
        self.0.store(Arc::new(Settings { config, origin: Some(origin) }));
    }

    /// Returns the error of a handshake, with advice if the issuer of the certificate is not known.
    pub(super) fn explained(&self, error: io::Error) -> ureq::Error {
        // rustls reports its errors through the stream that it works on.
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner.and_then(|error| self.explain(error)) {
            Some(explained) => ureq::Error::Other(Box::new(explained)),
            None => error.into(),
        }
    }

    /// Returns an error with advice, if that of a handshake is that the certificate is not trusted.
    fn explain(&self, error: &rustls::Error) -> Option<UntrustedIssuer> {
        let is_unknown =
            matches!(error, rustls::Error::InvalidCertificate(error) if is_untrusted(error));
        self.0.load().origin.filter(|_| is_unknown).map(UntrustedIssuer)
    }
}

/// Returns the certificate authorities of the system, which are read now. Reports faults of them if they are
/// needed, and not only for certificates that no one has named.
pub(crate) fn system_authorities(are_needed: bool) -> Vec<CertificateDer<'static>> {
    if are_needed {
        return Authorities::of_system().0.to_vec();
    }
    rustls_native_certs::load_native_certs().certs
}

/// Returns the settings of a source that trusts these authorities of the system.
pub(crate) fn trusting_system(authorities: &Authorities) -> ClientTls {
    let tls = trusting(&[]);
    tls.trust(authorities);
    tls
}

/// Returns the settings of a probe that trusts these certificate authorities and no others.
pub(crate) fn trusting(authorities: &[CertificateDer<'_>]) -> ClientTls {
    ClientTls::new(without_resumption(trusting_config(authorities)), None)
}

/// Returns settings that resume no session. A server presents no certificate in a session that is resumed, so a
/// probe would not notice one that has expired or was replaced.
fn without_resumption(config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    let mut config = Arc::unwrap_or_clone(config);
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Returns settings that resume the latest session of a host.
fn with_bounded_sessions(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.resumption = Resumption::store(Arc::new(Sessions::default()));
    Arc::new(config)
}

fn trusting_config(authorities: &[CertificateDer<'_>]) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(ALL_VERSIONS)
        .expect("the provider has cipher suites of every version");
    let config = builder.with_root_certificates(roots(authorities)).with_no_client_auth();
    with_bounded_sessions(config)
}

/// Returns the settings that trust these certificates and no others: as authorities, and each as the
/// certificate of the server itself, for any name.
pub(crate) fn trusting_or_pinning(certificates: &[CertificateDer<'static>]) -> ClientTls {
    let provider = provider();
    verifying(PinnedOrTrusted::new(certificates.into(), roots(certificates), &provider), provider)
}

/// Returns the settings of a probe that trusts a server that presents one of the certificates of its own
/// configuration, for any name, or one for the requested name that an authority has signed. Either must be
/// valid now.
pub(crate) fn identifying(
    own: Vec<CertificateDer<'static>>,
    authorities: &[CertificateDer<'_>],
) -> ClientTls {
    let provider = provider();
    let verifier = PinnedOrTrusted::new(own, roots(authorities), &provider);
    let tls = verifying(verifier.checking_validity(), provider);
    ClientTls::new(without_resumption(tls.config()), None)
}

/// Returns the settings that trust a chain to one of these certificates, for any name.
pub(crate) fn trusting_for_any_name(certificates: &[CertificateDer<'static>]) -> ClientTls {
    let provider = provider();
    let verifier = PinnedOrTrusted::new(certificates.into(), roots(certificates), &provider);
    verifying(verifier.for_any_name(), provider)
}

/// Returns the settings that encrypt and trust any certificate.
pub(crate) fn encrypting_only() -> ClientTls {
    let provider = provider();
    let verifier = PinnedOrTrusted::new(Vec::new(), roots(&[]), &provider);
    verifying(verifier.for_any_certificate(), provider)
}

fn verifying(verifier: PinnedOrTrusted, provider: Arc<CryptoProvider>) -> ClientTls {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(ALL_VERSIONS)
        .expect("the provider has cipher suites of every version");
    let config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    ClientTls::new(with_bounded_sessions(config), None)
}

/// Returns the settings of a source that trusts the certificates in its `ca_file`, as [`trusting_or_pinning`] does.
pub(crate) fn trusting_ca_file(certificates: &[CertificateDer<'static>]) -> ClientTls {
    let config = trusting_or_pinning(certificates).config();
    ClientTls::new(config, Some(Origin::File))
}

/// TLS settings of all sources with a `ca_file`: those whose files have the same content share them.
#[derive(Debug, Default)]
pub(crate) struct CaFiles(HashMap<Arc<[CertificateDer<'static>]>, ClientTls>);

impl CaFiles {
    /// Returns the settings of a source whose `ca_file` has these certificates.
    pub(crate) fn trusting(&mut self, certificates: &Arc<[CertificateDer<'static>]>) -> ClientTls {
        let settings = self.0.entry(Arc::clone(certificates));
        settings.or_insert_with(|| trusting_ca_file(certificates)).clone()
    }

    /// Forgets the settings that no source has any more.
    pub(crate) fn forget_unused(&mut self) {
        self.0.retain(|_, settings| Arc::strong_count(&settings.0) > 1);
    }
}

/// Returns the cryptography. It is named explicitly, so that nothing depends on a default of the process.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Returns the certificates as trust anchors, without those that cannot be one.
fn roots(certificates: &[CertificateDer<'_>]) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned().map(CertificateDer::into_owned));
    Arc::new(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates(name: &str) -> Arc<[CertificateDer<'static>]> {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        [made.cert.der().clone()].into()
    }

    #[test]
    fn sources_with_the_same_content_of_a_ca_file_share_settings_as_long_as_they_have_it() {
        let mut files = CaFiles::default();
        let (one, other) = (certificates("one.test"), certificates("other.test"));
        let settings: Vec<ClientTls> =
            [&one, &Arc::from(&*one), &other].map(|content| files.trusting(content)).into();
        assert!(Arc::ptr_eq(&settings[0].config(), &settings[1].config()));
        assert!(!Arc::ptr_eq(&settings[0].config(), &settings[2].config()));
        files.forget_unused();
        assert_eq!(files.0.len(), 2);
        drop(settings);
        files.forget_unused();
        assert!(files.0.is_empty());
    }
}
