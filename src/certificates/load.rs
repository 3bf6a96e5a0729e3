//! Loads the certificates of `[tls]`, and reports every file that cannot be used.

use std::fmt;
use std::path::PathBuf;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::content::{self, Wanted};
use super::info::CertificateInfo;
use super::{key_kind, review};
use crate::config::{CertificateFiles, ConfiguredPath, ErrorLine, TlsFiles};
use crate::engine::tls::{Identities, Identity, TlsError};
use crate::file_error::{FileError, MAX_PEM_BYTES, Shown};
use crate::shell::quoted;

/// Contents of the files of `[tls]`.
#[derive(Debug)]
pub struct Certificates {
    /// Certificates and keys for the engine.
    pub identities: Identities,
    /// Names, validity and problems of each certificate, the default one first.
    pub infos: Vec<CertificateInfo>,
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

/// Reasons why the files of `[tls]` cannot be used, at least one. Each is displayed as one line.
#[derive(Debug)]
pub struct CertificateErrors(Vec<CertificateError>);

impl CertificateErrors {
    /// Returns the errors without those of files that another process may be able to read, if any are left.
    pub fn of_every_process(mut self) -> Option<CertificateErrors> {
        self.0.retain(|error| match &error.fault {
            Fault::Missing(error)
            | Fault::InOtherFolder { error, .. }
            | Fault::Unreadable(error) => !error.is_of_process(),
            _ => true,
        });
        (!self.0.is_empty()).then_some(self)
    }

    /// Returns each error as a line.
    pub fn lines(&self) -> Vec<ErrorLine> {
        let line = |CertificateError { file, fault }: &CertificateError| file.error_line(fault);
        self.0.iter().map(line).collect()
    }

    /// Returns true if the same files may be usable later: the system is short of a resource.
    pub fn is_passing(&self) -> bool {
        self.0.iter().all(|error| match &error.fault {
            Fault::Unreadable(error) => error.is_passing(),
            _ => false,
        })
    }
}

impl std::error::Error for CertificateErrors {}

impl fmt::Display for CertificateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ErrorLine::text_of(self.lines()))
    }
}

/// A file of `[tls]` that cannot be used.
#[derive(Debug)]
struct CertificateError {
    file: ConfiguredPath,
    fault: Fault,
}

/// Reason why a file of `[tls]` cannot be used.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("cannot read {0}; `pumphouse-web cert` makes a self-signed pair")]
    Missing(FileError),
    #[error(
        "cannot read {error}; it is in {}: go there first, as relative paths start in the working directory",
        Shown(folder)
    )]
    InOtherFolder { error: FileError, folder: PathBuf },
    #[error("cannot read {0}")]
    Unreadable(FileError),
    #[error("{}: {reason}", Shown(path))]
    Content { path: PathBuf, reason: String },
    #[error(
        "{} is a private key, and {} a certificate; exchange \"cert\" and \"key\"",
        Shown(&.0.cert), Shown(&.0.key)
    )]
    Exchanged(CertificateFiles),
    #[error(
        "{} is the key of certificate {position} in {}; the server's own certificate must be the first, \
         followed by that of its issuer", Shown(&files.key), Shown(&files.cert)
    )]
    LeafNotFirst { files: CertificateFiles, position: usize },
    #[error(
        "{} is the key of another certificate than {}; the outputs of these must be equal: openssl x509 \
         -in {} -noout -pubkey; openssl pkey -in {} -pubout",
        Shown(&.0.key), Shown(&.0.cert), quoted(&.0.cert), quoted(&.0.key)
    )]
    Mismatch(CertificateFiles),
}

impl CertificateError {
    fn of_read(file: &ConfiguredPath, error: FileError) -> CertificateError {
        let fault = match file.folder_with_it() {
            _ if !error.is_missing() => Fault::Unreadable(error),
            Some(folder) => Fault::InOtherFolder { error, folder: folder.to_path_buf() },
            None => Fault::Missing(error),
        };
        CertificateError { file: file.clone(), fault }
    }

    fn of_content(file: &ConfiguredPath, reason: String) -> CertificateError {
        let fault = Fault::Content { path: file.to_path_buf(), reason };
        CertificateError { file: file.clone(), fault }
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
            contents: Vec::new(),
        })
    }

    /// Reads all files, and checks that each chain matches its key.
    ///
    /// # Errors
    /// Every file that cannot be used, with the reason.
    pub fn load(files: &TlsFiles) -> Result<Certificates, CertificateErrors> {
        let mut errors = Vec::new();
        let loaded: Vec<_> =
            files.pairs().filter_map(|pair| load_pair(pair, &mut errors)).collect();
        let mut contents = Vec::new();
        let (mut infos, mut identities) = (Vec::new(), Vec::new());
        for Loaded { identity, info, content } in loaded {
            identities.push((info.names.clone(), identity));
            infos.push(info);
            contents.push(content);
        }
        if !errors.is_empty() || identities.is_empty() {
            return Err(CertificateErrors(errors));
        }
        let (_, default) = identities.remove(0);
        let certified: Vec<String> = infos.iter().flat_map(|info| info.names.clone()).collect();
        if let Some(default) = infos.first_mut() {
            default.problems.extend(review::names(&certified, &files.expected_names));
        }
        Ok(Certificates { identities: Identities { default, named: identities }, infos, contents })
    }

    /// Returns true if both were loaded from files with the same contents.
    pub fn same_as(&self, other: &Certificates) -> bool {
        self.contents == other.contents
    }
}

/// A chain and its key.
struct Loaded {
    identity: Identity,
    info: CertificateInfo,
    content: FileContents,
}

/// Loads a chain and its key. Adds every reason why they cannot be used.
fn load_pair(files: &CertificateFiles, errors: &mut Vec<CertificateError>) -> Option<Loaded> {
    let (chain_bytes, key_bytes) = match (
        FileError::read(&files.cert, MAX_PEM_BYTES),
        FileError::read(&files.key, MAX_PEM_BYTES),
    ) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => {
            // The file that can be read may have an error of its own.
            if let Ok(chain) = &chain {
                errors.extend(parse_chain(chain, &files.cert).err());
            }
            errors.extend(chain.err().map(|error| CertificateError::of_read(&files.cert, error)));
            if let Ok(key) = &key {
                errors.extend(parse_key(key, &files.key).err());
            }
            errors.extend(key.err().map(|error| CertificateError::of_read(&files.key, error)));
            return None;
        }
    };
    if content::holds(&chain_bytes, Wanted::Key) && content::holds(&key_bytes, Wanted::Chain) {
        // A file with both is usable for either.
        let is_one_file = content::holds(&chain_bytes, Wanted::Chain);
        if !is_one_file && !content::holds(&key_bytes, Wanted::Key) {
            let fault = Fault::Exchanged(files.clone());
            errors.push(CertificateError { file: files.cert.clone(), fault });
            return None;
        }
    }
    let chain = parse_chain(&chain_bytes, &files.cert).map_err(|error| errors.push(error)).ok();
    let key = parse_key(&key_bytes, &files.key).map_err(|error| errors.push(error)).ok();
    let ((chain, mut info), key) = (chain?, key?);
    match identity(files, &chain, &key) {
        Ok(identity) => {
            info.problems.extend(review::exposed_key(&files.key));
            let content = FileContents { chain: chain_bytes, key: key_bytes };
            Some(Loaded { identity, info, content })
        }
        Err(error) => {
            errors.push(error);
            None
        }
    }
}

type Chain = Vec<CertificateDer<'static>>;

fn parse_chain(
    bytes: &[u8],
    file: &ConfiguredPath,
) -> Result<(Chain, CertificateInfo), CertificateError> {
    let failed = |reason| CertificateError::of_content(file, reason);
    let chain = content::parse_chain(bytes);
    let chain = chain.map_err(|unusable| failed(unusable.describe(Wanted::Chain, file)))?;
    let info = CertificateInfo::of_der(&chain).map_err(failed)?;
    Ok((chain, info))
}

fn parse_key(
    bytes: &[u8],
    file: &ConfiguredPath,
) -> Result<PrivateKeyDer<'static>, CertificateError> {
    content::parse_key(bytes).map_err(|unusable| {
        CertificateError::of_content(file, unusable.describe(Wanted::Key, file))
    })
}

fn identity(
    files: &CertificateFiles,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<Identity, CertificateError> {
    let failed = CertificateError::of_content;
    Identity::from_der(chain.to_vec(), key.clone_key()).map_err(|error| match error {
        TlsError::UnsupportedKey(_) => failed(&files.key, key_kind::reason(key)),
        TlsError::Mismatch(rustls::Error::InconsistentKeys(_)) => mismatch(files, chain, key),
        // A parsed chain has a first certificate.
        error => failed(&files.cert, unusable_certificate(&chain[0], &error)),
    })
}

/// Returns the error for a key that does not belong to the first certificate of a chain.
fn mismatch(
    files: &CertificateFiles,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> CertificateError {
    let belongs = |der: &CertificateDer<'static>| {
        Identity::from_der(vec![der.clone()], key.clone_key()).is_ok()
    };
    let (file, fault) = match chain.iter().skip(1).position(belongs) {
        // The first that was tried is the second of the chain.
        Some(index) => {
            (&files.cert, Fault::LeafNotFirst { files: files.clone(), position: index + 2 })
        }
        None => (&files.key, Fault::Mismatch(files.clone())),
    };
    CertificateError { file: file.clone(), fault }
}

/// Returns the reason for a certificate that rustls does not accept, although its key is supported.
fn unusable_certificate(leaf: &CertificateDer<'_>, error: &TlsError) -> String {
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else {
        return format!("the certificate cannot be used ({error}); issue another one");
    };
    let version = leaf.version();
    if version != X509Version::V3 {
        return format!(
            "the certificate has the version {version} of X.509 and not V3, so it has no names; issue one \
             with subjectAltName (openssl x509 -req: -extfile; or `pumphouse-web cert --name …`)"
        );
    }
    match unknown_critical_extension(&leaf) {
        Some(id) => format!(
            "the certificate has the critical extension {id}, which TLS clients do not know, so they must \
             refuse it; issue one without this extension, or mark it as not critical"
        ),
        None => format!("the certificate cannot be used ({error}); issue another one"),
    }
}

/// Returns the number of the first extension that is critical, and that rustls does not process (RFC 5280 4.2).
fn unknown_critical_extension(leaf: &X509Certificate<'_>) -> Option<String> {
    /// Key usage, alternative names, basic and name constraints, distribution points of CRLs and extended key
    /// usage.
    const KNOWN: [&str; 6] =
        ["2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.37"];
    let critical = leaf.extensions().iter().filter(|extension| extension.critical);
    critical.map(|extension| extension.oid.to_id_string()).find(|id| !KNOWN.contains(&id.as_str()))
}

#[cfg(test)]
mod tests;
