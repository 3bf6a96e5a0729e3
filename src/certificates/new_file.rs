//! Puts new files in the place of old ones: one of them atomically, or a certificate and its key so that a failure
//! leaves the old pair.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::files::{FilesError, io_error};
use crate::file_error::{MAX_PEM_BYTES, read_bounded, resolve_links};

/// Mode of a key: only its owner may read it.
const KEY_MODE: u32 = 0o600;
const CERT_MODE: u32 = 0o644;

/// Begin of the names of files that are not in their place.
const PREFIX: &str = ".cert-";

/// Places of a certificate and of its key, in each of which a file can be put without the loss of the other.
pub(super) struct Places {
    pub(super) cert: Place,
    pub(super) key: Place,
}

impl Places {
    /// Returns the places to which two paths lead.
    ///
    /// # Errors
    /// They are one file; one is a link to nothing, or anything but a file.
    pub(super) fn find(cert: &Path, key: &Path) -> Result<Places, FilesError> {
        let places = Places { cert: Place::find(cert)?, key: Place::find(key)? };
        let id = |place: &Place| place.existing.as_ref().map(|file| (file.dev(), file.ino()));
        match id(&places.cert) {
            // Also of hard links, and of a file that is mounted on another one.
            Some(file) if id(&places.key) == Some(file) => {
                Err(FilesError::OneFile { cert: cert.to_owned(), key: key.to_owned() })
            }
            _ => Ok(places),
        }
    }
}

/// Place of a file.
pub(super) struct Place {
    /// Its path; of a symbolic link, the one that it leads to.
    path: PathBuf,
    /// The file that is there.
    pub(super) existing: Option<Metadata>,
}

impl Place {
    fn find(path: &Path) -> Result<Place, FilesError> {
        let mut place = path.to_owned();
        if path.is_symlink() {
            place = fs::canonicalize(path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    let target = resolve_links(path).1;
                    FilesError::NoTarget { link: path.to_owned(), target }
                }
                _ => io_error("follow", path)(error),
            })?;
        }
        // In a folder that cannot be examined nothing can be written, which the write reports.
        let existing = fs::symlink_metadata(&place).ok();
        match &existing {
            Some(found) if found.is_dir() => {
                Err(FilesError::NoFile { path: path.to_owned(), kind: "folder" })
            }
            Some(found) if !found.is_file() => {
                Err(FilesError::NoFile { path: path.to_owned(), kind: "device, pipe or socket" })
            }
            _ => Ok(Place { path: place, existing }),
        }
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    /// Gives the file there a second name, which is removed when it is dropped. Without a file returns `None`.
    fn keep(&self) -> Result<Option<TempPath>, FilesError> {
        if self.existing.is_none() {
            return Ok(None);
        }
        let link = |name: &Path| fs::hard_link(&self.path, name);
        if let Ok(kept) = tempfile::Builder::new().prefix(PREFIX).make_in(self.folder(), link) {
            return Ok(Some(kept.into_temp_path()));
        }
        // The file system has no hard links.
        let bytes =
            read_bounded(&self.path, MAX_PEM_BYTES).map_err(io_error("read", &self.path))?;
        Ok(Some(NewFile::write(self, &bytes, KEY_MODE)?.file.into_temp_path()))
    }

    /// Undoes that a new key was put there: puts back the one that was kept, or removes the new one.
    fn restore(&self, kept: Option<TempPath>, failure: FilesError) -> FilesError {
        let Some(kept) = kept else {
            return match fs::remove_file(&self.path) {
                Ok(()) => failure,
                Err(error) => {
                    let (failure, key) = (Box::new(failure), self.path.clone());
                    FilesError::KeyStays { failure, key, error }
                }
            };
        };
        match kept.persist(&self.path) {
            Ok(()) => failure,
            Err(refused) => {
                let kept = refused.path.to_path_buf();
                // The only copy of the key must not be removed. That cannot fail: no file is touched.
                let _ = refused.path.keep();
                let (failure, key) = (Box::new(failure), self.path.clone());
                FilesError::KeyKept { failure, key, kept, error: refused.error }
            }
        }
    }
}

/// A complete file, which is not in its place yet. Dropped there, it leaves nothing.
pub(super) struct NewFile<'a> {
    file: NamedTempFile,
    place: &'a Place,
}

impl<'a> NewFile<'a> {
    /// Writes a certificate to the disk, beside its place.
    pub(super) fn cert(place: &'a Place, pem: &str) -> Result<NewFile<'a>, FilesError> {
        NewFile::write(place, pem.as_bytes(), CERT_MODE)
    }

    /// Writes a key to the disk, beside its place.
    pub(super) fn key(place: &'a Place, pem: &str) -> Result<NewFile<'a>, FilesError> {
        NewFile::write(place, pem.as_bytes(), KEY_MODE)
    }

    fn write(place: &'a Place, bytes: &[u8], mode: u32) -> Result<NewFile<'a>, FilesError> {
        // It has its mode before it has any content.
        let mut file = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(place.folder())
            .map_err(io_error("write in", place.folder()))?;
        let written = file.write_all(bytes).and_then(|()| file.as_file().sync_all());
        written.map_err(io_error("write", &place.path))?;
        Ok(NewFile { file, place })
    }

    /// Puts the file in its place atomically: a server that reads the file at the same time gets the old one or
    /// the new one.
    pub(super) fn put(self, overwrite: bool) -> Result<(), FilesError> {
        let NewFile { file, place } = self;
        let put = match overwrite {
            true => file.persist(&place.path),
            false => file.persist_noclobber(&place.path),
        };
        let action = if overwrite { "replace" } else { "write" };
        put.map_err(|error| io_error(action, &place.path)(error.error))?;
        Ok(())
    }
}

/// Puts a key and its certificate in their places. If one of them cannot be put there, the earlier ones stay.
pub(super) fn put_pair(
    key: NewFile<'_>,
    cert: NewFile<'_>,
    overwrite: bool,
) -> Result<(), FilesError> {
    let place = key.place;
    // Both cannot be replaced at once, and the certificate's place may refuse: it is a mount, or immutable.
    let kept = place.keep()?;
    key.put(overwrite)?;
    cert.put(overwrite).map_err(|failure| place.restore(kept, failure))
}

#[cfg(test)]
mod tests {
    use hostile::folder::entries;

    use super::*;

    /// Places in a folder with an old key.
    fn places(folder: &Path) -> Places {
        fs::write(folder.join("key.pem"), "old").unwrap();
        Places::find(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap()
    }

    /// Puts a pair whose certificate is refused: a folder was made in its place meanwhile.
    fn put_refused(folder: &Path, places: &Places) -> String {
        let key = NewFile::key(&places.key, "new").unwrap();
        let cert = NewFile::cert(&places.cert, "new").unwrap();
        fs::create_dir(folder.join("cert.pem")).unwrap();
        put_pair(key, cert, true).unwrap_err().to_string()
    }

    #[test]
    fn key_whose_certificate_is_refused_is_the_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let places = places(folder);
        let error = put_refused(folder, &places);
        assert!(error.starts_with("cannot replace ") && error.contains("cert.pem"), "{error}");
        assert_eq!(fs::read_to_string(folder.join("key.pem")).unwrap(), "old");
        assert_eq!(entries(folder), ["cert.pem", "key.pem"]);
    }

    #[test]
    fn key_whose_certificate_is_refused_is_removed_if_there_was_none() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let places = Places::find(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
        put_refused(folder, &places);
        assert_eq!(entries(folder), ["cert.pem"]);
    }

    #[test]
    fn key_that_cannot_be_put_back_is_kept_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let places = places(folder);
        let kept = places.key.keep().unwrap().unwrap();
        let name = kept.to_path_buf();
        fs::remove_file(folder.join("key.pem")).unwrap();
        fs::create_dir(folder.join("key.pem")).unwrap();
        let failure = FilesError::NoNames(folder.join("cert.pem"));
        let error = places.key.restore(Some(kept), failure).to_string();
        assert!(error.contains("has no host name"), "{error}");
        assert!(error.contains(&format!("mv {} ", name.display())), "{error}");
        assert_eq!(fs::read_to_string(name).unwrap(), "old");
    }
}
