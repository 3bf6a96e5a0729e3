//! Certificates that a probe over https trusts.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::file_error::{MAX_TEXT_BYTES, read_bounded};

/// Error of the certificates to trust.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// File.
        path: PathBuf,
        /// Error of the read.
        error: io::Error,
    },
    /// The file holds no certificate in PEM.
    #[error("{} holds no certificate: give a file in PEM, with BEGIN CERTIFICATE", .0.display())]
    Empty(PathBuf),
}

/// Reads the certificates of a PEM file; at least one.
pub(super) fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let unreadable = |error| TrustError::Unreadable { path: path.to_owned(), error };
    let pem = read_bounded(path, MAX_TEXT_BYTES).map_err(unreadable)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    if found.is_empty() { Err(TrustError::Empty(path.to_owned())) } else { Ok(found) }
}
