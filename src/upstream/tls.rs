//! How upstreams are authenticated: rustls with the aws-lc-rs provider, and the
//! certificate authorities that the system trusts.

use std::sync::Arc;

use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// The settings for every source, with the system's authorities read once. Without
/// any authority each https source fails with a `tls` error, and the rest goes on.
pub(crate) fn system() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("certificate authorities of the system: {error}");
    }
    if found.certs.is_empty() {
        log::error!("the system has no certificate authorities: no https source can be trusted");
    }
    trusting(found.certs.iter().map(AsRef::as_ref))
}

/// The settings that trust these authorities (DER) and no others. The provider is
/// named explicitly, so that nothing hangs on a default of the process.
pub(crate) fn trusting<'a>(authorities: impl Iterator<Item = &'a [u8]>) -> TlsConfig {
    let roots: Vec<Certificate<'static>> =
        authorities.map(|der| Certificate::from_der(der).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&roots))
        .build()
}
