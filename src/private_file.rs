//! Creates and replaces files with data of the site. A new file has mode 0600; an existing one keeps its mode,
//! which an operator may have chosen.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Mode of a new file.
const MODE: u32 = 0o600;

/// Mode bits that let the group or others read a file.
const READABLE_BY_OTHERS: u32 = 0o044;

/// Maximum number of symbolic links that are followed to a file that does not exist yet.
const MAX_LINKS: usize = 8;

/// Creates an empty file with mode 0600, if no file exists at `path`.
///
/// An existing file is not opened. Closing any descriptor of a file drops all POSIX locks of the
/// process on it, and with them SQLite's (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
///
/// # Errors
/// The file does not exist and cannot be created.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match create_new(&path) {
            Ok(_) => return Ok(()),
            Err(_) if path.exists() => return Ok(()),
            Err(error) => match fs::read_link(&path) {
                // A link to a file that does not exist yet, such as one on another disk.
                Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
                Err(_) => return Err(error),
            },
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Replaces a file in one step: writes a file beside it, whose name has `suffix` added, and renames
/// that. The mode of an existing file stays; a new file has mode 0600.
///
/// # Errors
/// The file cannot be written. The existing one is then unchanged.
pub(crate) fn replace(path: &Path, suffix: &str, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(suffix);
    let new = PathBuf::from(new);
    // A file that a crash left behind may have any mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_new(&new)?;
    if let Ok(existing) = fs::metadata(path) {
        file.set_permissions(existing.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // Without this a power cut could undo the rename.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Returns the mode of a file if the group or others can read it; `None` if they cannot, or if the
/// file does not exist.
pub(crate) fn exposed_mode(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & READABLE_BY_OTHERS != 0).then_some(mode)
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn created_file_is_private_and_an_existing_one_is_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        create(&path).unwrap();
        assert_eq!((mode(&path), exposed_mode(&path)), (0o600, None));
        fs::write(&path, "data").unwrap();
        set_mode(&path, 0o640);
        create(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"data");
        assert_eq!((mode(&path), exposed_mode(&path)), (0o640, Some(0o640)));
        assert!(create(&folder.path().join("none/a.db")).is_err());
    }

    #[test]
    fn link_to_a_file_that_does_not_exist_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        symlink("target", &link).unwrap();
        create(&link).unwrap();
        assert_eq!(mode(&target), 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        symlink("two", &one).unwrap();
        symlink("one", &two).unwrap();
        assert!(create(&one).is_err(), "the links form a cycle");
    }

    #[test]
    fn replaced_file_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("values.json");
        replace(&path, ".new", b"one").unwrap();
        assert_eq!(mode(&path), 0o600);
        set_mode(&path, 0o644);
        // A temporary file that a crash has left behind.
        let leftover = folder.path().join("values.json.new");
        fs::write(&leftover, "a longer rest").unwrap();
        set_mode(&leftover, 0o666);
        replace(&path, ".new", b"two").unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o644, b"two".to_vec()));
        assert!(!leftover.exists());
    }
}
