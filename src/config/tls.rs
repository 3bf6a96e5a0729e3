//! `[tls]`: the certificate and its key, and what can be told about them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::section::Section;
use crate::http::tls::{TlsError, server_config};

/// The `[tls]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The PEM chain, leaf first.
    pub cert: PathBuf,
    /// The PEM private key.
    pub key: PathBuf,
}

pub(super) fn read(mut section: Section<'_, '_>) -> Option<TlsFiles> {
    let cert = section.string("cert");
    let key = section.string("key");
    let cert = section.require("cert", cert);
    let key = section.require("key", key);
    section.finish();
    Some(TlsFiles { cert: cert?.value.into(), key: key?.value.into() })
}

/// Why the files of `[tls]` make no server.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}; `pumphouse-web cert` makes a self-signed pair", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The files are of no use, or not of use together.
    #[error("{} and {}: {error}", files.cert.display(), files.key.display())]
    Tls {
        /// The pair.
        files: TlsFiles,
        /// Why.
        error: TlsError,
    },
    /// The leaf cannot be understood.
    #[error("{}: the first certificate cannot be read: {reason}", path.display())]
    Leaf {
        /// The chain's file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The names and addresses that it is good for (RFC 5280 4.2.1.6).
    pub names: Vec<String>,
    /// Good from then.
    pub not_before: Timestamp,
    /// Good until then.
    pub not_after: Timestamp,
}

impl TlsFiles {
    /// Reads both files and checks that they go together.
    ///
    /// # Errors
    /// Says which file is wrong, and why.
    pub fn load(&self) -> Result<(Arc<ServerConfig>, CertificateInfo), CertificateError> {
        let chain = read_file(&self.cert)?;
        let key = read_file(&self.key)?;
        let config = server_config(&chain, &key)
            .map_err(|error| CertificateError::Tls { files: self.clone(), error })?;
        let info = CertificateInfo::of_chain(&chain)
            .map_err(|reason| CertificateError::Leaf { path: self.cert.clone(), reason })?;
        Ok((config, info))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|error| CertificateError::File { path: path.to_owned(), error })
}

impl CertificateInfo {
    /// Reads the first certificate of a PEM chain.
    ///
    /// # Errors
    /// Says why it cannot be read.
    pub fn of_chain(pem: &[u8]) -> Result<CertificateInfo, String> {
        let leaf = CertificateDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let (_, leaf) = X509Certificate::from_der(&leaf).map_err(|error| error.to_string())?;
        let moment = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| error.to_string())
        };
        let names = match leaf.subject_alternative_name() {
            Ok(Some(names)) => names.value.general_names.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        Ok(CertificateInfo {
            names,
            not_before: moment(leaf.validity().not_before)?,
            not_after: moment(leaf.validity().not_after)?,
        })
    }

    /// Whole days until it expires; negative once it has.
    pub fn days_left(&self, now: Timestamp) -> i64 {
        const DAY: i64 = 24 * 60 * 60;
        (self.not_after.as_second() - now.as_second()).div_euclid(DAY)
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(std::net::IpAddr::from),
                _ => None,
            };
            address.map(|address| address.to_string())
        }
        _ => None,
    }
}
