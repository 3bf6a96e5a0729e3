//! `[tls]`: certificate and key files, their loading, and the names and validity of the certificates.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::listen_addr::{self, ListenAddr};
use super::section::Section;
use crate::engine::tls::{Identities, Identity, TlsError};

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The PEM chain, leaf first.
    pub cert: PathBuf,
    /// The PEM private key.
    pub key: PathBuf,
}

/// The `[tls]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `cert` and `key`: for clients whose ClientHello names no host, or a host that no other certificate has.
    pub default: CertificateFiles,
    /// `[[tls.certificate]]`: for clients whose ClientHello names one of its hosts.
    pub named: Vec<CertificateFiles>,
    /// Interval between checks for renewed files.
    pub check_every: Duration,
    /// Plain HTTP listeners that redirect to the TLS ones.
    pub redirect_listen: Vec<ListenAddr>,
}

const CHECK_EVERY: Duration = Duration::from_secs(60);

pub(super) fn read(mut section: Section<'_, '_>) -> Option<TlsFiles> {
    let default = pair(&mut section);
    let check_every = section.duration_or("check_every", CHECK_EVERY);
    let redirect_listen = listen_addr::read_all(&mut section, "redirect_listen");
    let mut named = Vec::new();
    for mut section in section.sections("certificate") {
        section.rename("[[tls.certificate]]".to_owned());
        named.extend(pair(&mut section));
        section.finish();
    }
    section.finish();
    Some(TlsFiles { default: default?, named, check_every, redirect_listen })
}

fn pair(section: &mut Section<'_, '_>) -> Option<CertificateFiles> {
    let cert = section.string("cert");
    let key = section.string("key");
    let cert = section.require("cert", cert);
    let key = section.require("key", key);
    Some(CertificateFiles { cert: cert?.value.into(), key: key?.value.into() })
}

/// Error of loading the files of `[tls]`.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}; `pumphouse-web cert` makes a self-signed pair", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        error: std::io::Error,
    },
    /// A file is not valid, or chain and key do not match.
    #[error("{} and {}: {error}", files.cert.display(), files.key.display())]
    Tls {
        /// The two files.
        files: CertificateFiles,
        /// Error of the TLS library.
        error: TlsError,
    },
    /// The leaf certificate cannot be parsed.
    #[error("{}: the first certificate cannot be read: {reason}", path.display())]
    Leaf {
        /// File of the chain.
        path: PathBuf,
        /// Error of the parser.
        reason: String,
    },
}

/// Names and validity of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Host names and addresses that it is valid for (RFC 5280 4.2.1.6).
    pub names: Vec<String>,
    /// True if issuer and subject are the same.
    pub self_issued: bool,
    /// Start of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
}

/// Contents of the files of `[tls]`.
#[derive(Debug)]
pub struct Certificates {
    /// Certificates and keys for the engine.
    pub identities: Identities,
    /// Names and validity of each certificate, the default one first.
    pub infos: Vec<CertificateInfo>,
    /// Settings that are valid but probably unintended, as texts for people.
    pub warnings: Vec<String>,
    contents: Vec<FileContents>,
}

/// Bytes of two files, compared to detect a change.
#[derive(PartialEq, Eq)]
struct FileContents {
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for FileContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Certificates {
    /// Wraps a certificate that was generated and is in no file.
    ///
    /// # Errors
    /// The chain or the key is not valid, or they do not match.
    pub fn from_pem(chain: &str, key: &str) -> Result<Certificates, Box<dyn std::error::Error>> {
        let default = Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
        Ok(Certificates {
            identities: Identities { default, named: Vec::new() },
            infos: vec![CertificateInfo::of_chain(chain.as_bytes())?],
            warnings: Vec::new(),
            contents: Vec::new(),
        })
    }

    /// Returns true if both were loaded from files with the same contents.
    pub fn same_as(&self, other: &Certificates) -> bool {
        self.contents == other.contents
    }
}

impl TlsFiles {
    /// Reads all files, and checks that each chain matches its key.
    ///
    /// # Errors
    /// The error names the file and the reason.
    pub fn load(&self) -> Result<Certificates, CertificateError> {
        let mut warnings = Vec::new();
        let (default, info, contents) = self.default.load(&mut warnings)?;
        let (mut infos, mut contents) = (vec![info], vec![contents]);
        let mut named = Vec::new();
        for files in &self.named {
            let (identity, info, content) = files.load(&mut warnings)?;
            named.push((info.names.clone(), identity));
            infos.push(info);
            contents.push(content);
        }
        Ok(Certificates { identities: Identities { default, named }, infos, warnings, contents })
    }
}

impl CertificateFiles {
    fn load(
        &self,
        warnings: &mut Vec<String>,
    ) -> Result<(Identity, CertificateInfo, FileContents), CertificateError> {
        let chain = read_file(&self.cert)?;
        let key = read_file(&self.key)?;
        let identity = Identity::from_pem(&chain, &key)
            .map_err(|error| CertificateError::Tls { files: self.clone(), error })?;
        let info = CertificateInfo::of_chain(&chain)
            .map_err(|reason| CertificateError::Leaf { path: self.cert.clone(), reason })?;
        if is_open_to_others(&self.key) {
            let key = self.key.display();
            warnings.push(format!("other users can read the private key; run: chmod o-rwx {key}"));
        }
        Ok((identity, info, FileContents { chain, key }))
    }
}

/// Returns true if every user of this machine may read or write a file.
fn is_open_to_others(path: &Path) -> bool {
    const OTHERS: u32 = 0o006;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0)
}

fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    std::fs::read(path).map_err(|error| CertificateError::File { path: path.to_owned(), error })
}

impl CertificateInfo {
    /// Reads the first certificate of a PEM chain.
    ///
    /// # Errors
    /// The text is no PEM, or its first certificate cannot be parsed.
    pub fn of_chain(pem: &[u8]) -> Result<CertificateInfo, String> {
        let leaf = CertificateDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let (_, leaf) = X509Certificate::from_der(&leaf).map_err(|error| error.to_string())?;
        let timestamp = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| error.to_string())
        };
        let names = match leaf.subject_alternative_name() {
            Ok(Some(names)) => names.value.general_names.iter().filter_map(name).collect(),
            _ => Vec::new(),
        };
        Ok(CertificateInfo {
            names,
            self_issued: leaf.issuer() == leaf.subject(),
            not_before: timestamp(leaf.validity().not_before)?,
            not_after: timestamp(leaf.validity().not_after)?,
        })
    }

    /// Returns the number of whole days until it expires, negative afterwards.
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
