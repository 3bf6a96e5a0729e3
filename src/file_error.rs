//! Explains why a file cannot be read: where it was sought, as which user, and what helps.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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

/// Maximum size of a file that this program has written itself. That of a thousand accounts or sources is smaller.
pub(crate) const MAX_OWN_BYTES: u64 = 32 << 20;

/// Longest time that a named pipe may have no writer, or a file another process's lease, so that a command does not
/// wait without a word.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Interval of the attempts to open a file under a lease.
const LEASE_PAUSE: Duration = Duration::from_millis(50);

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
            || self.is_passing()
    }

    /// Returns true if there is no file.
    pub(crate) fn is_missing(&self) -> bool {
        self.error.kind() == ErrorKind::NotFound
    }

    /// Returns true if the same file may be readable later: the process or the system has no descriptor or memory
    /// left, or another process has a lease on the file.
    pub(crate) fn is_passing(&self) -> bool {
        is_shortage(&self.error) || self.error.kind() == ErrorKind::WouldBlock
    }
}

/// Reads a regular file or a pipe of at most `limit` bytes. The bound holds for what is read, because a pipe
/// has no size, and a file may grow.
///
/// # Errors
/// It cannot be read, is a device, is larger, or is a pipe that is empty or has no writer for a while; or another
/// process keeps its lease on it.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open(path, MAX_WAIT)?;
    if metadata.file_type().is_fifo() {
        let bytes = pipe::read(&file, limit + 1, MAX_WAIT)?;
        // An empty configuration would be valid, without sources and accounts.
        if bytes.is_empty() {
            let text = "is a pipe that holds nothing: a pipe can be read once only, and a reload needs a file";
            return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
        }
        return within(limit, &metadata, bytes);
    }
    read_file(&file, &metadata, limit)
}

/// Reads a file that this program has written itself, of at most [`MAX_OWN_BYTES`]. A pipe in its place is not waited
/// for.
///
/// # Errors
/// It cannot be read, is no regular file or is larger.
pub(crate) fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let (file, metadata) = open_own(path)?;
    read_file(&file, &metadata, MAX_OWN_BYTES)
}

/// Opens a file that this program has written itself.
///
/// # Errors
/// It cannot be opened, or is no regular file.
pub(crate) fn open_own(path: &Path) -> io::Result<(File, Metadata)> {
    let (file, metadata) = open(path, MAX_WAIT)?;
    if metadata.file_type().is_fifo() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is a pipe, not a file"));
    }
    if metadata.is_dir() {
        return Err(Errno::ISDIR.into());
    }
    Ok((file, metadata))
}

/// Opens a file or a pipe without waiting for anything but the end of a lease, for at most `patience`.
fn open(path: &Path, patience: Duration) -> io::Result<(File, Metadata)> {
    // Without this flag, the open itself waits: for the writer of a pipe, for the line of a modem, or for the end of
    // a lease, which may last for /proc/sys/fs/lease-break-time.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let begun = Instant::now();
    let file = loop {
        let error = match File::options().read(true).custom_flags(flags).open(path) {
            Ok(file) => break file,
            Err(error) => error,
        };
        match Errno::from_io_error(&error) {
            // The attempt itself has asked the holder to end its lease (fcntl(2), F_SETLEASE).
            Some(Errno::AGAIN) if begun.elapsed() < patience => std::thread::sleep(LEASE_PAUSE),
            Some(Errno::AGAIN) => {
                let text = format!(
                    "another process, such as Samba or an NFS server, has a lease on it and has not ended it within \
                     {} s",
                    patience.as_secs()
                );
                return Err(io::Error::new(ErrorKind::WouldBlock, text));
            }
            Some(Errno::NXIO) => {
                let text = "is a socket or a device, not a file";
                return Err(io::Error::new(ErrorKind::InvalidInput, text));
            }
            _ => return Err(error),
        }
    };
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is a device, not a file"));
    }
    Ok((file, metadata))
}

fn read_file(file: &File, metadata: &Metadata, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    within(limit, metadata, bytes)
}

/// Returns what was read of a file, if that is not more than `limit` bytes.
fn within(limit: u64, metadata: &Metadata, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
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
pub(crate) fn resolve_links(path: &Path) -> (Option<PathBuf>, PathBuf) {
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
    use std::process::{Child, Command, Stdio};

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

    /// A process that takes a lease on the file of its argument. It ends the lease some time after the kernel has
    /// asked for that, or at the end of its input, whichever the second argument is.
    const HOLDER: &str = "
import fcntl, os, signal, sys, time
file = os.open(sys.argv[1], os.O_RDWR)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
if sys.argv[2] == 'ends':
    signal.sigwait([signal.SIGIO])
    time.sleep(0.2)
else:
    sys.stdin.read()
";

    /// Returns `None` on a file system without leases.
    fn leased(path: &Path, end: &str) -> Option<Child> {
        let mut command = Command::new("python3");
        command.args(["-c", HOLDER]).arg(path).arg(end);
        let mut holder = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed");
        let mut line = [0; 5];
        if holder.stdout.as_mut().unwrap().read_exact(&mut line).is_err() {
            holder.wait().unwrap();
            hostile::skip::report("leases, which this file system does not have");
            return None;
        }
        assert_eq!(&line, b"held\n");
        Some(holder)
    }

    #[test]
    fn file_under_a_lease_is_read_when_the_lease_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "a").unwrap();
        let Some(mut holder) = leased(&path, "ends") else { return };
        assert_eq!(FileError::read(&path, 8).unwrap(), b"a");
        assert!(holder.wait().unwrap().success());
    }

    #[test]
    fn file_under_a_lease_that_does_not_end_may_be_readable_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "a").unwrap();
        let Some(mut holder) = leased(&path, "stays") else { return };
        let error = open(&path, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("has a lease on it"), "{error}");
        let error = FileError { path, error };
        assert!(error.is_passing() && error.is_of_process());
        drop(holder.stdin.take());
        assert!(holder.wait().unwrap().success());
    }

    #[test]
    fn pipe_in_place_of_an_own_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        hostile::folder::make_pipe(&path);
        assert_eq!(read_own(&path).unwrap_err().to_string(), "is a pipe, not a file");
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
