//! TLS of the HTTP clients: rustls with the aws-lc-rs provider, and the certificates that it trusts.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore};

use super::pinned::PinnedOrTrusted;

/// TLS settings of an HTTP client. They are cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Returns the settings for rustls.
    pub(crate) fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }
}

/// Returns the settings that trust the certificate authorities of the system, which are read now.
///
/// If the system has none, every https exchange fails with a TLS error.
pub(crate) fn system() -> ClientTls {
    trusting(&system_authorities())
}

/// Returns the certificate authorities of the system, which are read now.
pub(crate) fn system_authorities() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("cannot read a certificate authority of the system: {error}");
    }
    if found.certs.is_empty() {
        log::error!("the system has no certificate authorities: no https source can be trusted");
    }
    found.certs
}

/// Returns the settings that trust these certificate authorities and no others.
pub(crate) fn trusting(authorities: &[CertificateDer<'_>]) -> ClientTls {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(ALL_VERSIONS)
        .expect("the provider has cipher suites of every version");
    let config = builder.with_root_certificates(roots(authorities)).with_no_client_auth();
    ClientTls(Arc::new(config))
}

/// Returns the settings that trust these certificates and no others: as authorities, and each as the
/// certificate of the server itself, for any name.
pub(crate) fn trusting_or_pinning(certificates: &[CertificateDer<'static>]) -> ClientTls {
    let provider = provider();
    verifying(PinnedOrTrusted::new(certificates.into(), roots(certificates), &provider), provider)
}

/// Returns the settings that trust a server that presents one of the certificates of its own
/// configuration, for any name, or one for the requested name that an authority has signed. Either must be
/// valid now.
pub(crate) fn identifying(
    own: Vec<CertificateDer<'static>>,
    authorities: &[CertificateDer<'_>],
) -> ClientTls {
    let provider = provider();
    let verifier = PinnedOrTrusted::new(own, roots(authorities), &provider);
    verifying(verifier.checking_validity(), provider)
}

fn verifying(verifier: PinnedOrTrusted, provider: Arc<CryptoProvider>) -> ClientTls {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(ALL_VERSIONS)
        .expect("the provider has cipher suites of every version");
    let config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    ClientTls(Arc::new(config))
}

/// Returns the cryptography. It is named explicitly, so that nothing depends on a default of the process.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Returns the certificates as trust anchors, without those that cannot be one.
fn roots(certificates: &[CertificateDer<'_>]) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned().map(CertificateDer::into_owned));
    Arc::new(roots)
}
