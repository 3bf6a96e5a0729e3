//! Files with a self-signed certificate and its key, `cert.pem` and `key.pem` in one folder.
//!
//! [`create`] generates a new key. [`renew`] keeps the key, so that clients that have pinned it accept the
//! new certificate.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::content::{self, Wanted};
use super::info::CertificateInfo;
use super::name::{self, NameError};
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
    /// A name is not one for a certificate.
    #[error(transparent)]
    Name(#[from] NameError),
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
        /// Verb: `read`, `write`, `write in`, `create`, `replace`, `follow`.
        action: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        error: io::Error,
    },
}

/// Writes a new key, and a certificate for `names`, into `dir`. Of symbolic links there, it replaces the files that
/// they lead to.
///
/// # Errors
/// A name is none for a certificate; one of the files exists and `overwrite` is false; or another case of
/// [`FilesError`].
pub fn create(dir: &Path, names: &[String], overwrite: bool) -> Result<Written, FilesError> {
    let names = parsed(names)?;
    let (cert, key) = paths(dir);
    // Both are checked, and both are complete on the disk, before either is put in place, so that a certificate
    // and its key stay a pair.
    let exists = |path: &&PathBuf| fs::symlink_metadata(path).is_ok();
    if !overwrite && let Some(existing) = [&cert, &key].into_iter().find(exists) {
        return Err(FilesError::Exists(existing.clone()));
    }
    let pair = self_signed(&names)
        .map_err(|error| FilesError::Certificate { names: names.clone(), error })?;
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    let new_key = NewFile::write(&key, &pair.key_pem, KEY_MODE)?;
    let new_cert = NewFile::write(&cert, &pair.cert_pem, CERT_MODE)?;
    new_key.put(overwrite)?;
    new_cert.put(overwrite)?;
    written(vec![cert, key], names, &pair.cert_pem)
}

/// Replaces the certificate in `dir` by a new one for the same key. It has the names in `names`, or those of
/// the old certificate if `names` is empty, without texts that are no names.
///
/// A server that polls the files presents the new certificate without a restart.
///
/// # Errors
/// A name is none for a certificate; the certificate is not self-signed; or another case of [`FilesError`].
pub fn renew(dir: &Path, names: &[String]) -> Result<Written, FilesError> {
    let names = parsed(names)?;
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
    NewFile::write(&cert, &cert_pem, CERT_MODE)?.put(true)?;
    written(vec![cert], names, &cert_pem)
}

fn paths(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("cert.pem"), dir.join("key.pem"))
}

fn parsed(names: &[String]) -> Result<Vec<String>, NameError> {
    names.iter().map(|text| name::parse(text)).collect()
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

/// A complete file, which is not in its place yet. Dropped there, it leaves nothing.
struct NewFile {
    file: NamedTempFile,
    /// Its place: of a symbolic link, the path that it leads to.
    place: PathBuf,
}

impl NewFile {
    /// Writes a file to the disk, beside the place to which `path` leads.
    fn write(path: &Path, text: &str, mode: u32) -> Result<NewFile, FilesError> {
        let place = if path.is_symlink() {
            fs::canonicalize(path).map_err(io_error("follow", path))?
        } else {
            path.to_owned()
        };
        let folder = match place.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // It has its mode before it has any content.
        let mut file = tempfile::Builder::new()
            .prefix(".cert-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)
            .map_err(io_error("write in", folder))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all());
        written.map_err(io_error("write", path))?;
        Ok(NewFile { file, place })
    }

    /// Puts the file in its place atomically: a server that reads the file at the same time gets the old one or
    /// the new one.
    fn put(self, overwrite: bool) -> Result<(), FilesError> {
        let NewFile { file, place } = self;
        let put = match overwrite {
            true => file.persist(&place),
            false => file.persist_noclobber(&place),
        };
        let action = if overwrite { "replace" } else { "write" };
        put.map_err(|error| io_error(action, &place)(error.error))?;
        Ok(())
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |error| FilesError::Io { action, path, error }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use hostile::folder::entries;

    use super::*;

    #[test]
    fn renewals_at_the_same_time_leave_a_whole_certificate_and_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), &["tank.example".to_owned()], false).unwrap();
        let cert = folder.path().join("cert.pem");
        let mode = || fs::metadata(&cert).unwrap().permissions().mode();
        let (created, before) = (mode(), fs::read(&cert).unwrap());
        let mut reader = fs::File::open(&cert).unwrap();
        std::thread::scope(|scope| {
            let renewals: Vec<_> =
                (0..8).map(|_| scope.spawn(|| renew(folder.path(), &[]))).collect();
            for renewal in renewals {
                renewal.join().unwrap().unwrap();
            }
        });
        assert_eq!(entries(folder.path()), ["cert.pem", "key.pem"]);
        assert_eq!(mode(), created);
        // A process that has opened the old certificate reads all of it.
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == before && fs::read(&cert).unwrap() != before);
        assert_eq!(renew(folder.path(), &[]).unwrap().names, ["tank.example"]);
    }

    #[test]
    fn files_that_links_lead_to_are_replaced_and_the_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (real, certs) = (folder.path().join("real"), folder.path().join("certs"));
        let names = ["tank.example".to_owned()];
        create(&real, &names, false).unwrap();
        fs::create_dir(&certs).unwrap();
        for name in ["cert.pem", "key.pem"] {
            symlink(Path::new("../real").join(name), certs.join(name)).unwrap();
        }
        let contents = || ["cert.pem", "key.pem"].map(|name| fs::read(real.join(name)).unwrap());
        let [cert, key] = contents();
        renew(&certs, &[]).unwrap();
        let [renewed, kept] = contents();
        assert!(renewed != cert && kept == key);
        create(&certs, &names, true).unwrap();
        let [cert, key] = contents();
        assert!(cert != renewed && key != kept);
        for name in ["cert.pem", "key.pem"] {
            assert!(certs.join(name).is_symlink(), "{name}");
        }
        assert_eq!(entries(&real), ["cert.pem", "key.pem"]);
        let mode = fs::metadata(real.join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn link_to_no_file_prevents_both_files() {
        let folder = tempfile::tempdir().unwrap();
        symlink("nowhere", folder.path().join("cert.pem")).unwrap();
        let names = ["tank.example".to_owned()];
        let refused = create(folder.path(), &names, false);
        assert!(matches!(&refused, Err(FilesError::Exists(path)) if path.ends_with("cert.pem")));
        let refused = create(folder.path(), &names, true).unwrap_err().to_string();
        assert!(refused.starts_with("cannot follow ") && refused.contains("cert.pem"), "{refused}");
        assert_eq!(entries(folder.path()), ["cert.pem"]);
    }

    #[test]
    fn renewal_with_an_encrypted_key_names_the_encryption() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), &["tank.example".to_owned()], false).unwrap();
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        fs::write(folder.path().join("key.pem"), encrypted).unwrap();
        let error = renew(folder.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("encrypted"), "{error}");
    }
}
