//! Files of unix sockets: which of them a new listener may replace, and which it removes.
//!
//! A path in a configuration may be a typo that names the history's database or a private key.
//! So a new listener replaces only a socket that no process listens on, and a listener that ends
//! removes only the file that it made itself.

use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// A socket younger than this may belong to a process that has bound it and not called
/// `listen(2)` yet.
const YOUNG: Duration = Duration::from_secs(1);

/// Pause before a young socket is probed once more.
const LISTEN_PAUSE: Duration = Duration::from_millis(100);

/// State of the path of a unix socket before a listener is bound to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketPath {
    /// No file is there.
    Free,
    /// A socket is there that no process listens on. A new listener replaces it.
    Abandoned,
    /// A process listens there.
    Listening,
}

/// The reason why a listener can neither use nor replace what is at a path.
#[derive(Debug, thiserror::Error)]
pub enum SocketPathError {
    /// Another kind of file is there.
    #[error(
        "{0} is at this path; only a socket that no process listens on is replaced: move it \
         away, or choose another path"
    )]
    NotASocket(&'static str),
    /// A process listens there.
    #[error("another process listens on this socket: stop it, or choose another path")]
    Listening,
    /// The state of the path is unknown.
    #[error(
        "cannot find out whether a process listens on the socket at this path: {0}; if none \
         does, remove it, or choose another path"
    )]
    Unknown(io::Error),
    /// The abandoned socket is still in the way.
    #[error(
        "cannot remove the abandoned socket at this path: {0}; remove it, or choose another path"
    )]
    NotRemoved(io::Error),
    /// Another process has just put another file there.
    #[error("the file at this path was replaced just now; if another server starts there, stop it")]
    Replaced,
}

impl From<SocketPathError> for io::Error {
    fn from(error: SocketPathError) -> io::Error {
        io::Error::new(io::ErrorKind::AddrInUse, error)
    }
}

/// Returns the state of a path without changing anything but for one connection to a process
/// that listens there.
///
/// # Errors
/// A listener cannot be bound there.
pub fn inspect_socket_path(path: &Path) -> Result<SocketPath, SocketPathError> {
    match find_socket(path)? {
        None => Ok(SocketPath::Free),
        Some(_) => probe(path),
    }
}

/// The socket's metadata; `None` where there is no file. A symbolic link is a file of its own.
fn find_socket(path: &Path) -> Result<Option<Metadata>, SocketPathError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(Some(metadata)),
        Ok(metadata) => Err(SocketPathError::NotASocket(kind_of(metadata.file_type()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SocketPathError::Unknown(error)),
    }
}

fn kind_of(file: FileType) -> &'static str {
    if file.is_file() {
        "a regular file"
    } else if file.is_dir() {
        "a directory"
    } else if file.is_symlink() {
        "a symbolic link"
    } else if file.is_fifo() {
        "a named pipe"
    } else {
        "a device"
    }
}

/// Connects without blocking. Only a refused connection proves that no process listens: a full
/// backlog (EAGAIN) or another type of socket (EPROTOTYPE) belongs to a live process, and without
/// permission (EACCES) nothing is known.
fn probe(path: &Path) -> Result<SocketPath, SocketPathError> {
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    match connect() {
        Ok(()) => Ok(SocketPath::Listening),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(SocketPath::Abandoned),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(SocketPath::Free),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::AGAIN | Errno::PROTOTYPE) => Ok(SocketPath::Listening),
            _ => Err(SocketPathError::Unknown(error)),
        },
    }
}

/// The identity of a file. It survives `chmod`, `chown` and `rename`. The inode's number alone
/// would not do, as the next file may get the number of one that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> FileId {
        FileId {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl FileId {
    fn at(path: &Path) -> Option<FileId> {
        fs::symlink_metadata(path).ok().as_ref().map(FileId::from)
    }
}

/// The file of a listening socket. Dropping it removes that file, and no other that has taken
/// its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// `None` where the file was gone as soon as it was made.
    id: Option<FileId>,
}

impl SocketFile {
    /// Binds `socket` to `path`, which may hold a socket that no process listens on.
    pub(super) fn bind(socket: &Socket, path: &Path) -> io::Result<SocketFile> {
        let address = SockAddr::unix(path)?;
        match socket.bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_abandoned(path)?;
                socket.bind(&address)?;
            }
            other => other?,
        }
        Ok(SocketFile { path: path.to_owned(), id: FileId::at(path) })
    }
}

impl SocketFile {
    /// Removes the file if it is still the one that was made. `looked` runs between the look and
    /// the removal: tests put a successor's socket there then.
    fn remove(&self, looked: impl FnOnce()) {
        // Looked at first, so that a successor's socket stays where it is for its clients.
        if let Some(id) = self.id
            && FileId::at(&self.path) == Some(id)
        {
            looked();
            // It may be gone already; then there is nothing to remove.
            let _ = remove(&self.path, id);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove(|| ());
    }
}

/// Removes a socket that no process listens on.
fn remove_abandoned(path: &Path) -> Result<(), SocketPathError> {
    let Some(metadata) = find_socket(path)? else { return Ok(()) };
    let mut state = probe(path)?;
    if state == SocketPath::Abandoned && is_young(&metadata) {
        thread::sleep(LISTEN_PAUSE);
        state = probe(path)?;
    }
    match state {
        SocketPath::Free => Ok(()),
        SocketPath::Abandoned => remove(path, FileId::from(&metadata)),
        SocketPath::Listening => Err(SocketPathError::Listening),
    }
}

fn is_young(metadata: &Metadata) -> bool {
    let age = metadata.modified().map(|at| SystemTime::now().duration_since(at));
    age.is_ok_and(|age| age.is_ok_and(|age| age < YOUNG))
}

/// Removes the file of that identity and no other that has just taken its place. `unlink(2)`
/// goes by name, so the file is renamed first, looked at, and put back if it is another.
fn remove(path: &Path, id: FileId) -> Result<(), SocketPathError> {
    let aside = path.with_file_name(aside_name());
    match renameat_with(CWD, path, CWD, &aside, RenameFlags::NOREPLACE) {
        Ok(()) if FileId::at(&aside) == Some(id) => {
            fs::remove_file(&aside).map_err(SocketPathError::NotRemoved)
        }
        Ok(()) => match renameat_with(CWD, &aside, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => Err(SocketPathError::Replaced),
            Err(error) => Err(SocketPathError::NotRemoved(io::Error::other(format!(
                "another file was there, which is now {}: {error}",
                aside.display()
            )))),
        },
        Err(Errno::NOENT) => Ok(()),
        // A file system without that flag: the identity is checked just before.
        Err(Errno::INVAL | Errno::NOSYS) if FileId::at(path) == Some(id) => {
            fs::remove_file(path).map_err(SocketPathError::NotRemoved)
        }
        Err(error) => Err(SocketPathError::NotRemoved(error.into())),
    }
}

/// A name that no other file has: one that a killed process has left must not be in the way. A
/// process's number would not do, as in containers each start gets the same.
fn aside_name() -> String {
    format!(".pumphouse-{:016x}.old", fastrand::u64(..))
}

#[cfg(test)]
mod tests;
