//! Verification of servers.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::error::PostgresError;
use super::target::{RootCertificates, SslMode, Target};
use crate::file_error::{FileError, MAX_TEXT_BYTES};
use crate::outbound::tls::{
    ClientTls, encrypting_only, system_authorities, trusting, trusting_for_any_name,
    trusting_or_pinning,
};

/// TLS settings for the connections to a target. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct PostgresTls(ClientTls);

impl PostgresTls {
    /// Reads the certificates that the target trusts, if it has any. The reads have no deadline, as those of any file.
    ///
    /// # Errors
    /// The file of `sslrootcert` cannot be read, or contains no certificate.
    pub(crate) fn load(target: &Target) -> Result<PostgresTls, PostgresError> {
        let settings = match target.root_certificates() {
            None => encrypting_only(),
            Some(RootCertificates::File(path)) => {
                let certificates = read(&path)?;
                match target.ssl_mode() {
                    SslMode::VerifyFull => trusting_or_pinning(&certificates),
                    _ => trusting_for_any_name(&certificates),
                }
            }
            Some(RootCertificates::System) => {
                let certificates = system_authorities(true);
                match target.ssl_mode() {
                    SslMode::VerifyFull => trusting(&certificates),
                    _ => trusting_for_any_name(&certificates),
                }
            }
        };
        Ok(PostgresTls(settings))
    }

    pub(super) fn settings(&self) -> &ClientTls {
        &self.0
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, PostgresError> {
    let error = |error: &dyn std::fmt::Display| {
        PostgresError::Tls(format!("sslrootcert {}: {error}", path.display()))
    };
    let bytes = FileError::read(path, MAX_TEXT_BYTES).map_err(|reason| error(&reason))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| error(&"the file is no PEM"))?;
    if certificates.is_empty() {
        return Err(error(&"the file contains no certificate"));
    }
    Ok(certificates)
}

/// Returns the hash of a certificate for the channel binding `tls-server-end-point` (RFC 5929 4.1): by the hash of its
/// signature, or by SHA-256 in place of MD5 and SHA-1. `None` if its signature has no hash of its own.
pub(super) fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // RSA with MD5, SHA-1 and SHA-256; ECDSA with SHA-1 and SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        _ => return None,
    };
    Some(digest(algorithm, certificate).as_ref().to_vec())
}
