//! Files with a self-signed certificate and its key, `cert.pem` and `key.pem` in one folder.
//!
//! [`create`] generates a new key. [`renew`] keeps the key, so that clients that have pinned it accept the
//! new certificate.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::content::{self, Wanted};
use super::info::CertificateInfo;
use crate::config::self_signed::{SelfSignedError, renewed, self_signed};
use crate::file_error::{MAX_PEM_BYTES, read_bounded};

/// Mode of a key: only its owner may read it.
const KEY_MODE: u32 = 0o600;
const CERT_MODE: u32 = 0o644;

/// Names of a certificate for this machine alone.
pub const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Files that were written.
#[derive(Debug)]
pub struct Written {
    /// Their paths.
    pub paths: Vec<PathBuf>,
    /// Host names and IP addresses that the certificate is for.
    pub names: Vec<String>,
    /// The certificate, as read back.
    pub certificate: CertificateInfo,
}

/// Reason why the files were not written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file exists and must not be overwritten.
    #[error("{} exists; --force overwrites both files, --renew keeps the key", .0.display())]
    Exists(PathBuf),
    /// A certificate to be renewed is not self-signed.
    #[error(
        "{} was issued by an authority, which must renew it; --force replaces it and its key by \
         self-signed ones",
        .0.display()
    )]
    NotSelfSigned(PathBuf),
    /// A certificate to be renewed has no names, and the command specifies none.
    #[error("{} has no host name: specify one by --name", .0.display())]
    NoNames(PathBuf),
    /// A certificate to be renewed, or its key, cannot be parsed.
    #[error("cannot renew {}: {reason}", path.display())]
    Unreadable {
        /// Path of the certificate.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// A certificate cannot be generated for these names or with this key.
    #[error("cannot make a certificate for {}: {error}", names.join(", "))]
    Certificate {
        /// The names.
        names: Vec<String>,
        /// Reason.
        error: SelfSignedError,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// Verb: `read`, `write`, `write in`, `create`, `replace`.
        action: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        error: io::Error,
    },
}

/// Writes a new key, and a certificate for `names`, into `dir`.
///
/// # Errors
/// One of the files exists and `overwrite` is false; or another case of [`FilesError`].
pub fn create(dir: &Path, names: &[String], overwrite: bool) -> Result<Written, FilesError> {
    let (cert, key) = paths(dir);
    // Both are checked before either is written, so that a certificate and its key stay a pair.
    if !overwrite && let Some(existing) = [&cert, &key].into_iter().find(|path| path.exists()) {
        return Err(FilesError::Exists(existing.clone()));
    }
    let pair = self_signed(names)
        .map_err(|error| FilesError::Certificate { names: names.to_vec(), error })?;
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    write(&key, &pair.key_pem, KEY_MODE, overwrite)?;
    write(&cert, &pair.cert_pem, CERT_MODE, overwrite)?;
    written(vec![cert, key], names.to_vec(), &pair.cert_pem)
}

/// Replaces the certificate in `dir` by a new one for the same key. It has the names in `names`, or those of
/// the old certificate if `names` is empty.
///
/// A server that polls the files presents the new certificate without a restart.
///
/// # Errors
/// The certificate is not self-signed; or another case of [`FilesError`].
pub fn renew(dir: &Path, names: Vec<String>) -> Result<Written, FilesError> {
    let (cert, key) = paths(dir);
    let key_pem = read(&key)?;
    content::parse_key(key_pem.as_bytes()).map_err(|unusable| FilesError::Unreadable {
        path: cert.clone(),
        reason: format!("{}: {}", key.display(), unusable.describe(Wanted::Key, &key)),
    })?;
    let current = CertificateInfo::of_chain(read(&cert)?.as_bytes())
        .map_err(|reason| FilesError::Unreadable { path: cert.clone(), reason })?;
    if !current.self_issued {
        return Err(FilesError::NotSelfSigned(cert));
    }
    let names = if names.is_empty() { current.names } else { names };
    if names.is_empty() {
        return Err(FilesError::NoNames(cert));
    }
    let cert_pem = renewed(&names, &key_pem)
        .map_err(|error| FilesError::Certificate { names: names.clone(), error })?;
    replace(&cert, &cert_pem)?;
    written(vec![cert], names, &cert_pem)
}

fn paths(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("cert.pem"), dir.join("key.pem"))
}

fn written(paths: Vec<PathBuf>, names: Vec<String>, cert_pem: &str) -> Result<Written, FilesError> {
    let certificate = CertificateInfo::of_chain(cert_pem.as_bytes())
        .map_err(|reason| FilesError::Unreadable { path: paths[0].clone(), reason })?;
    Ok(Written { paths, names, certificate })
}

fn read(path: &Path) -> Result<String, FilesError> {
    let bytes = read_bounded(path, MAX_PEM_BYTES).map_err(io_error("read", path))?;
    // PEM is ASCII; the parser reports what is not.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Replaces a certificate atomically, so that a server that reads the file at the same time gets the old one
/// or the new one. Of a symbolic link, the file that it leads to is replaced.
fn replace(path: &Path, text: &str) -> Result<(), FilesError> {
    let file = fs::canonicalize(path).map_err(io_error("read", path))?;
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mode = Permissions::from_mode(CERT_MODE);
    let mut new = tempfile::Builder::new()
        .prefix(".cert-")
        .permissions(mode)
        .tempfile_in(folder)
        .map_err(io_error("write in", folder))?;
    let written = new.write_all(text.as_bytes()).and_then(|()| new.as_file().sync_all());
    written.map_err(io_error("write", path))?;
    new.persist(&file).map_err(|error| io_error("replace", path)(error.error))?;
    Ok(())
}

/// Writes a file whose mode is set when it is created, before any content is written.
fn write(path: &Path, text: &str, mode: u32, overwrite: bool) -> Result<(), FilesError> {
    let written = || -> io::Result<()> {
        if overwrite && path.exists() {
            // A new file gets the mode, and descriptors of the old one do not read the new content.
            fs::remove_file(path)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    written().map_err(io_error("write", path))
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |error| FilesError::Io { action, path, error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn renewals_at_the_same_time_leave_a_whole_certificate_and_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), &["tank.example".to_owned()], false).unwrap();
        let mode = || fs::metadata(folder.path().join("cert.pem")).unwrap().permissions().mode();
        let created = mode();
        std::thread::scope(|scope| {
            let renewals: Vec<_> =
                (0..8).map(|_| scope.spawn(|| renew(folder.path(), Vec::new()))).collect();
            for renewal in renewals {
                renewal.join().unwrap().unwrap();
            }
        });
        assert_eq!(entries(folder.path()), ["cert.pem", "key.pem"]);
        assert_eq!(mode(), created);
        assert_eq!(renew(folder.path(), Vec::new()).unwrap().names, ["tank.example"]);
    }

    #[test]
    fn renewal_replaces_the_file_that_a_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let (real, certs) = (folder.path().join("real"), folder.path().join("certs"));
        create(&real, &["tank.example".to_owned()], false).unwrap();
        fs::create_dir(&certs).unwrap();
        for name in ["cert.pem", "key.pem"] {
            symlink(real.join(name), certs.join(name)).unwrap();
        }
        let before = fs::read(real.join("cert.pem")).unwrap();
        renew(&certs, Vec::new()).unwrap();
        assert!(certs.join("cert.pem").is_symlink());
        assert_ne!(fs::read(real.join("cert.pem")).unwrap(), before);
    }

    #[test]
    fn renewal_with_an_encrypted_key_names_the_encryption() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), &["tank.example".to_owned()], false).unwrap();
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        fs::write(folder.path().join("key.pem"), encrypted).unwrap();
        let error = renew(folder.path(), Vec::new()).unwrap_err().to_string();
        assert!(error.contains("encrypted"), "{error}");
    }
}
