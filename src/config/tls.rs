//! `[tls]`: the certificate and its key, and what can be told about them.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::section::Section;
use super::server::{self, ListenAddr};
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
    /// `cert` and `key`: shown to clients that ask for no name, or for one of nobody's.
    pub default: CertificateFiles,
    /// `[[tls.certificate]]`: shown to clients that ask for one of its names.
    pub named: Vec<CertificateFiles>,
    /// From one look for renewed files to the next.
    pub check_every: Duration,
    /// Plain listeners that send everybody to the TLS ones.
    pub redirect_listen: Vec<ListenAddr>,
}

const CHECK_EVERY: Duration = Duration::from_secs(60);

pub(super) fn read(mut section: Section<'_, '_>) -> Option<TlsFiles> {
    let default = pair(&mut section);
    let check_every = section.duration_or("check_every", CHECK_EVERY);
    let redirect_listen = server::addresses(&mut section, "redirect_listen");
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
        files: CertificateFiles,
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
    /// Its issuer is its own subject.
    pub self_issued: bool,
    /// Good from then.
    pub not_before: Timestamp,
    /// Good until then.
    pub not_after: Timestamp,
}

/// What the files of `[tls]` hold.
#[derive(Debug)]
pub struct Certificates {
    /// For the engine.
    pub identities: Identities,
    /// What each says of itself, the default one first.
    pub told: Vec<CertificateInfo>,
    /// What is no error, but should be known.
    pub notices: Vec<String>,
    contents: Vec<FileContents>,
}

/// The bytes of a pair of files, to tell whether they have changed.
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
    /// One that is made here and stands in no file.
    ///
    /// # Errors
    /// Says what cannot be used, and why.
    pub fn from_pem(chain: &str, key: &str) -> Result<Certificates, Box<dyn std::error::Error>> {
        let default = Identity::from_pem(chain.as_bytes(), key.as_bytes())?;
        Ok(Certificates {
            identities: Identities { default, named: Vec::new() },
            told: vec![CertificateInfo::of_chain(chain.as_bytes())?],
            notices: Vec::new(),
            contents: Vec::new(),
        })
    }

    /// Whether the files held the same then and now.
    pub fn same_as(&self, other: &Certificates) -> bool {
        self.contents == other.contents
    }
}

impl TlsFiles {
    /// Reads all files, and checks that each chain and its key go together.
    ///
    /// # Errors
    /// Says which file is wrong, and why.
    pub fn load(&self) -> Result<Certificates, CertificateError> {
        let mut notices = Vec::new();
        let (default, info, contents) = self.default.load(&mut notices)?;
        let (mut told, mut contents) = (vec![info], vec![contents]);
        let mut named = Vec::new();
        for files in &self.named {
            let (identity, info, content) = files.load(&mut notices)?;
            named.push((info.names.clone(), identity));
            told.push(info);
            contents.push(content);
        }
        Ok(Certificates { identities: Identities { default, named }, told, notices, contents })
    }
}

impl CertificateFiles {
    fn load(
        &self,
        notices: &mut Vec<String>,
    ) -> Result<(Identity, CertificateInfo, FileContents), CertificateError> {
        let chain = read_file(&self.cert)?;
        let key = read_file(&self.key)?;
        let identity = Identity::from_pem(&chain, &key)
            .map_err(|error| CertificateError::Tls { files: self.clone(), error })?;
        let info = CertificateInfo::of_chain(&chain)
            .map_err(|reason| CertificateError::Leaf { path: self.cert.clone(), reason })?;
        if is_open_to_others(&self.key) {
            let key = self.key.display();
            notices.push(format!("others can read the private key: chmod o-rwx {key}"));
        }
        Ok((identity, info, FileContents { chain, key }))
    }
}

/// Whether anybody on this machine may read or write a file.
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
            self_issued: leaf.issuer() == leaf.subject(),
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
