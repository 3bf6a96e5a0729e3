//! TLS of the HTTP clients: rustls with the aws-lc-rs provider, and the certificates that it trusts.

use std::sync::Arc;

use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// Returns the settings that trust the certificate authorities of the system, which are read now.
///
/// If the system has none, every https exchange fails with a TLS error.
pub(crate) fn system() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("cannot read a certificate authority of the system: {error}");
    }
    if found.certs.is_empty() {
        log::error!("the system has no certificate authorities: no https source can be trusted");
    }
    trusting(found.certs.iter().map(AsRef::as_ref))
}

/// Returns the settings that trust these certificates (DER) and no others.
///
/// The provider is named explicitly, so that nothing depends on a default of the process.
pub(crate) fn trusting<'a>(certificates: impl Iterator<Item = &'a [u8]>) -> TlsConfig {
    let roots: Vec<Certificate<'static>> =
        certificates.map(|der| Certificate::from_der(der).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .build()
}
