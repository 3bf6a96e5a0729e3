//! Explains why a file cannot be read: where it was sought, as which user, and what helps.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::kernel::descriptors::is_shortage;
use crate::kernel::{accounts, pipe};
use crate::shell::quoted;

/// Maximum number of symbolic links that an explanation follows.
const MAX_LINKS: usize = 8;

/// Maximum size of a certificate, key or secret file.
pub(crate) const MAX_PEM_BYTES: u64 = 1 << 20;

/// Maximum size of a configuration or of a file of trusted certificates.
pub(crate) const MAX_TEXT_BYTES: u64 = 16 << 20;

/// Longest time that a named pipe may have no writer, so that a command does not wait without a word.
const MAX_WAIT_FOR_WRITER: Duration = Duration::from_secs(10);

/// A path in a message. A relative one is followed by the folder that it starts at.
#[derive(Debug)]
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)?;
        match std::env::current_dir() {
            Ok(folder) if self.0.is_relative() => write!(f, " in {}", folder.display()),
            _ => Ok(()),
        }
    }
}

/// A file cannot be read. Displayed as its path, the reason and, where there is one, the remedy.
#[derive(Debug)]
pub(crate) struct FileError {
    /// Path of the file.
    pub(crate) path: PathBuf,
    /// Error of the system.
    pub(crate) error: io::Error,
}

impl FileError {
    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// It cannot be read, is a device or is larger.
    pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
        read_bounded(path, limit).map_err(|error| FileError { path: path.to_owned(), error })
    }

    /// Returns true if another process may be able to read it: with other rights, another working directory
    /// or more descriptors.
    pub(crate) fn is_of_process(&self) -> bool {
        self.error.kind() == ErrorKind::PermissionDenied
            || self.is_missing() && self.path.is_relative()
            || self.is_shortage()
    }

    /// Returns true if there is no file.
    pub(crate) fn is_missing(&self) -> bool {
        self.error.kind() == ErrorKind::NotFound
    }

    /// Returns true if the process or the system has no descriptor or memory left.
    pub(crate) fn is_shortage(&self) -> bool {
        is_shortage(&self.error)
    }
}

/// Reads a regular file or a pipe of at most `limit` bytes. The bound holds for what is read, because a pipe
/// has no size, and a file may grow.
///
/// # Errors
/// It cannot be read, is a device, is larger, or is a pipe that is empty or has no writer for a while.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Without this flag, the open itself waits: for the writer of a pipe, or for the line of a modem.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let opened = File::options().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => {
            io::Error::new(ErrorKind::InvalidInput, "is a socket or a device, not a file")
        }
        _ => error,
    })?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is a device, not a file"));
    }
    let mut bytes = Vec::new();
    if kind.is_fifo() {
        bytes = pipe::read(&file, limit + 1, MAX_WAIT_FOR_WRITER)?;
        // An empty configuration would be valid, without sources and accounts.
        if bytes.is_empty() {
            let text = "is a pipe that holds nothing: a pipe can be read once only, and a reload needs a file";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
        }
    } else {
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    let size = metadata.len().max(bytes.len() as u64);
    if bytes.len() as u64 > limit {
        let text =
            format!("has at least {size} bytes, at most {limit} are read; is it the right file?");
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

impl std::error::Error for FileError {}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileError { path, error } = self;
        write!(f, "{}: ", Shown(path))?;
        match error.kind() {
            ErrorKind::NotFound => match missing_part(path) {
                Some(reason) => f.write_str(&reason),
                None => f.write_str("no such file"),
            },
            ErrorKind::IsADirectory => f.write_str("is a folder, not a file"),
            ErrorKind::PermissionDenied => f.write_str(&denied(path)),
            _ => error.fmt(f),
        }
    }
}

/// Returns the part of a path that does not exist, if that is not the file itself: a folder, or the target of
/// a symbolic link.
fn missing_part(path: &Path) -> Option<String> {
    let (link, target) = resolve_links(path);
    if let Some(link) = link {
        return Some(format!(
            "{} links to {}, which does not exist",
            link.display(),
            target.display()
        ));
    }
    let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let missing = folders.filter(|folder| !folder.exists()).last()?;
    Some(format!("the folder {} does not exist", missing.display()))
}

/// Explains which part of a path the user of this process must not read, and how to let it.
fn denied(path: &Path) -> String {
    let (user, group) = (user_name(), accounts::group_name(rustix::process::getegid().as_raw()));
    let (_, target) = resolve_links(path);
    let absolute = std::path::absolute(&target).unwrap_or(target);
    let mut folders: Vec<&Path> = absolute.ancestors().skip(1).collect();
    folders.reverse();
    // A folder is closed if nothing in it can be examined.
    let closed = folders.into_iter().find(|folder| {
        fs::metadata(folder.join("."))
            .is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    });
    let (subject, what, mode) = match closed {
        Some(folder) => (folder, "enter the folder", "g+x"),
        None => (absolute.as_path(), "read the file", "g+r"),
    };
    let quoted = quoted(subject);
    format!(
        "permission denied: the user {user} must not {what} {}; allow it by: chgrp {group} {quoted} && \
         chmod {mode} {quoted}",
        subject.display()
    )
}

/// Follows the symbolic links at the end of a path. Returns the last of them, and its target.
fn resolve_links(path: &Path) -> (Option<PathBuf>, PathBuf) {
    let (mut link, mut target) = (None, path.to_owned());
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&target) else { break };
        let folder = target.parent().unwrap_or(Path::new(""));
        let next = folder.join(next);
        link = Some(std::mem::replace(&mut target, next));
    }
    (link, target)
}

/// Returns the name of the user of this process.
pub(crate) fn user_name() -> String {
    accounts::user_name(rustix::process::geteuid().as_raw())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn relative_path_names_the_folder_it_starts_at() {
        let folder = std::env::current_dir().unwrap();
        let relative = format!("certs/none.pem in {}", folder.display());
        assert_eq!(Shown(Path::new("certs/none.pem")).to_string(), relative);
        assert_eq!(Shown(Path::new("/srv/none.pem")).to_string(), "/srv/none.pem");
    }

    #[test]
    fn unreadable_file_names_the_part_of_its_path_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        symlink("gone", folder.path().join("link")).unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for (name, expected) in [
            ("none", "no such file".to_owned()),
            ("a/b/none", format!("the folder {root}/a does not exist")),
            ("link", format!("{root}/link links to {root}/gone, which does not exist")),
            ("sub", "is a folder, not a file".to_owned()),
        ] {
            let error = FileError::read(&folder.path().join(name), MAX_PEM_BYTES).unwrap_err();
            assert_eq!(error.to_string(), format!("{root}/{name}: {expected}"));
            assert_eq!(error.is_missing(), name != "sub");
        }
    }

    #[test]
    fn large_files_and_devices_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (size, is_read) in [(8, true), (9, false)] {
            std::fs::write(&path, vec![b'a'; size]).unwrap();
            assert_eq!(FileError::read(&path, 8).is_ok(), is_read, "{size}");
        }
        let error = FileError::read(&path, 8).unwrap_err().to_string();
        assert!(error.contains("has at least 9 bytes, at most 8"), "{error}");
        // No size is known of it, as of a file that grows.
        let error = FileError::read(Path::new("/proc/self/maps"), 8).unwrap_err().to_string();
        assert!(error.contains("has at least 9 bytes, at most 8"), "{error}");
        let error = FileError::read(Path::new("/dev/null"), 8).unwrap_err().to_string();
        assert_eq!(error, "/dev/null: is a device, not a file");
        let socket = folder.path().join("socket");
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let error = FileError::read(&socket, 8).unwrap_err().to_string();
        assert!(error.ends_with("/socket: is a socket or a device, not a file"), "{error}");
    }
}
