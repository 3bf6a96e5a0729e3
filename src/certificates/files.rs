//! Files with a self-signed certificate and its key, `cert.pem` and `key.pem` in one folder.
//!
//! [`create`] generates a new key. [`renew`] keeps the key, so that clients that have pinned it accept the
//! new certificate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::content::{self, Wanted};
use super::info::CertificateInfo;
use super::name::{self, NameError};
use super::new_file::{NewFile, Places, put_pair};
use crate::config::self_signed::{SelfSignedError, renewed, self_signed};
use crate::file_error::{MAX_PEM_BYTES, read_bounded};
use crate::shell::quoted;

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
    /// The certificate and the key are one file, by links.
    #[error(
        "{} and {} are one file, in which the certificate would replace the key; make each a file of its own, \
         or name another folder by --dir",
        cert.display(),
        key.display()
    )]
    OneFile {
        /// Path of the certificate.
        cert: PathBuf,
        /// Path of the key.
        key: PathBuf,
    },
    /// A symbolic link leads to no file.
    #[error(
        "{} links to {}, which does not exist; remove the link, or make that file",
        link.display(),
        target.display()
    )]
    NoTarget {
        /// Path of the link.
        link: PathBuf,
        /// The path that it leads to.
        target: PathBuf,
    },
    /// A path leads to anything but a file.
    #[error("{} is a {kind}, not a file; move it away, or name another folder by --dir", path.display())]
    NoFile {
        /// The path.
        path: PathBuf,
        /// Kind of the thing there.
        kind: &'static str,
    },
    /// The certificate could not be replaced after the key, and the key could not be put back.
    #[error(
        "{failure}; and the earlier key cannot be put back: {error}; put it back by: mv {} {}",
        quoted(kept),
        quoted(key)
    )]
    KeyKept {
        /// Reason why the certificate was not replaced.
        failure: Box<FilesError>,
        /// Path of the key.
        key: PathBuf,
        /// Path of the earlier key.
        kept: PathBuf,
        /// Reason why it was not put back.
        error: io::Error,
    },
    /// The certificate could not be written after the key, and the key could not be removed.
    #[error("{failure}; and the new key {} cannot be removed: {error}; remove it", key.display())]
    KeyStays {
        /// Reason why the certificate was not written.
        failure: Box<FilesError>,
        /// Path of the key.
        key: PathBuf,
        /// Reason why it was not removed.
        error: io::Error,
    },
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
/// [`FilesError`]. The earlier files stay then, and no other ones, unless the error says so.
pub fn create(dir: &Path, names: &[String], overwrite: bool) -> Result<Written, FilesError> {
    let names = parsed(names)?;
    let (cert, key) = paths(dir);
    // Both are checked, and both are complete on the disk, before either is put in place, so that a certificate
    // and its key stay a pair.
    let places = Places::find(&cert, &key)?;
    let exists = [(&cert, &places.cert), (&key, &places.key)];
    let existing = exists.into_iter().find(|(_, place)| place.existing.is_some());
    if !overwrite && let Some((path, _)) = existing {
        return Err(FilesError::Exists(path.clone()));
    }
    let pair = self_signed(&names)
        .map_err(|error| FilesError::Certificate { names: names.clone(), error })?;
    fs::create_dir_all(dir).map_err(io_error("create", dir))?;
    let new_key = NewFile::key(&places.key, &pair.key_pem)?;
    let new_cert = NewFile::cert(&places.cert, &pair.cert_pem)?;
    put_pair(new_key, new_cert, overwrite)?;
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
    let places = Places::find(&cert, &key)?;
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
    NewFile::cert(&places.cert, &cert_pem)?.put(true)?;
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

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |error| FilesError::Io { action, path, error }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

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
        let root = folder.path().display();
        let expected = format!(
            "{root}/cert.pem links to {root}/nowhere, which does not exist; remove the link, or make that file"
        );
        for overwrite in [false, true] {
            let refused = create(folder.path(), &["tank.example".to_owned()], overwrite);
            assert_eq!(refused.unwrap_err().to_string(), expected);
            assert_eq!(entries(folder.path()), ["cert.pem"]);
        }
        assert_eq!(renew(folder.path(), &[]).unwrap_err().to_string(), expected);
    }

    #[test]
    fn one_file_of_both_names_is_refused_and_stays() {
        let names = ["tank.example".to_owned()];
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] =
            [|file, other| symlink(file, other), |file, other| fs::hard_link(file, other)];
        for link in links {
            for (file, other) in [("cert.pem", "key.pem"), ("key.pem", "cert.pem")] {
                let folder = tempfile::tempdir().unwrap();
                create(folder.path(), &names, false).unwrap();
                let [file, other] = [file, other].map(|name| folder.path().join(name));
                let both = [fs::read(&file).unwrap(), fs::read(&other).unwrap()].concat();
                fs::write(&file, &both).unwrap();
                fs::remove_file(&other).unwrap();
                link(&file, &other).unwrap();
                for refused in [
                    create(folder.path(), &names, true),
                    create(folder.path(), &names, false),
                    renew(folder.path(), &[]),
                ] {
                    assert!(matches!(&refused, Err(FilesError::OneFile { .. })), "{refused:?}");
                    assert!(fs::read(&file).unwrap() == both);
                }
                assert_eq!(entries(folder.path()), ["cert.pem", "key.pem"]);
            }
        }
    }

    #[test]
    fn folder_and_socket_in_place_of_a_file_are_refused_before_anything_is_written() {
        let names = ["tank.example".to_owned()];
        for name in ["cert.pem", "key.pem"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            let refused = create(folder.path(), &names, true).unwrap_err().to_string();
            assert!(refused.contains(" is a folder, not a file; move it away"), "{refused}");
            fs::remove_dir(&path).unwrap();
            let _bound = std::os::unix::net::UnixListener::bind(&path).unwrap();
            let refused = create(folder.path(), &names, true).unwrap_err().to_string();
            assert!(refused.contains(" is a device, pipe or socket, not a file"), "{refused}");
            assert_eq!(entries(folder.path()), [name]);
        }
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
