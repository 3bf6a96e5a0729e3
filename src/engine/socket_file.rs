//! File of a unix socket: bound without harm to other files, and removed at the end.
//!
//! `bind(2)` fails with `EADDRINUSE` if any file is at the path, and a socket outlives its process. The
//! path in a configuration may be a typo that names a database or a private key. A new listener
//! therefore replaces only a socket on which no process listens, and a listener that ends removes only
//! the file that it has created.
//!
//! 1. [`inspect_socket_path`] connects to the socket. `ECONNREFUSED` alone proves that no process
//!    listens there (unix(7)).
//! 2. A file is removed by its identity, not by its name: it is renamed, compared, and renamed back if
//!    it is another one. A file that another process puts there at the same time stays in place.
//! 3. A mode is set through a descriptor of the file that was created, between `bind(2)` and `listen(2)`.

use std::fs::{self, File, FileType, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

/// Age up to which a socket may belong to a process between `bind(2)` and `listen(2)`.
const YOUNG: Duration = Duration::from_secs(1);

/// Pause before such a socket is probed again.
const LISTEN_PAUSE: Duration = Duration::from_millis(100);

/// State of the path of a unix socket before a listener is bound to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketPath {
    /// There is no file.
    Free,
    /// No process listens on the socket. A new listener replaces it.
    Abandoned,
    /// A process listens on the socket.
    Listening,
}

/// Reason for which a listener can neither use nor replace the file at a path.
#[derive(Debug, thiserror::Error)]
pub enum SocketPathError {
    /// The file is not a socket.
    #[error(
        "{0} is at this path; only a socket that no process listens on is replaced: move it \
         away, or choose another path"
    )]
    NotASocket(&'static str),
    /// A process listens on the socket.
    #[error("another process listens on this socket: stop it, or choose another path")]
    Listening,
    /// The state of the socket cannot be determined.
    #[error(
        "cannot determine whether a process listens on the socket at this path: {0}; if none \
         does, remove it, or choose another path"
    )]
    Unknown(io::Error),
    /// The abandoned socket cannot be removed.
    #[error(
        "cannot remove the abandoned socket at this path: {0}; remove it, or choose another path"
    )]
    NotRemoved(io::Error),
    /// Another process has replaced the file.
    #[error("the file at this path was replaced just now; if another server starts there, stop it")]
    Replaced,
}

impl From<SocketPathError> for io::Error {
    fn from(error: SocketPathError) -> io::Error {
        io::Error::new(io::ErrorKind::AddrInUse, error)
    }
}

/// Returns the state of a path. Connects once to a process that listens there, and changes no file.
///
/// # Errors
/// A listener cannot be bound to the path.
pub fn inspect_socket_path(path: &Path) -> Result<SocketPath, SocketPathError> {
    match find_socket(path)? {
        None => Ok(SocketPath::Free),
        Some(_) => probe(path),
    }
}

/// Returns the metadata of the socket; `None` if there is no file. Symbolic links are not followed.
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

/// Connects to a socket without blocking. A refused connection proves that no process listens. A full
/// backlog (EAGAIN) and another type of socket (EPROTOTYPE) belong to a live process. Any other error,
/// such as EACCES, proves nothing.
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

/// Identity of a file, which survives `chmod`, `chown` and `rename`. The inode number alone would be
/// ambiguous: the file system may reuse the number of a removed file.
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

/// File of a listening socket. Dropping it removes that file, but not one that has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// `None` if the file was removed right after it was created.
    id: Option<FileId>,
}

impl SocketFile {
    /// Binds `socket` to `path`. Replaces an abandoned socket there.
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

    /// Sets the mode of the file, whatever the umask. `chmod(2)` follows symbolic links, and another process may
    /// have replaced the file by one, so this opens the file itself, compares it, and changes what it has opened.
    pub(super) fn set_mode(&self, mode: u32) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&self.path, flags, Mode::empty())?);
        if self.id != Some(FileId::from(&file.metadata()?)) {
            return Err(SocketPathError::Replaced.into());
        }
        // fchmod(2) refuses a descriptor of O_PATH; its entry in /proc leads to the same file.
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        fs::set_permissions(opened, Permissions::from_mode(mode))
    }

    /// Removes the file if it is the one that was created. `compared` runs between the comparison and
    /// the removal: a test replaces the file then.
    fn remove(&self, compared: impl FnOnce()) {
        // Without this comparison, a successor's socket would be renamed for a moment.
        if let Some(id) = self.id
            && FileId::at(&self.path) == Some(id)
        {
            compared();
            // Fails if another process has removed or replaced the file, which then needs no removal.
            let _ = remove(&self.path, id);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove(|| ());
    }
}

/// Removes the socket at a path, if no process listens on it.
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

/// Removes the file of that identity, but not one that has just replaced it. `unlink(2)` takes a
/// name, so the file is renamed first, compared, and renamed back if it is another one.
fn remove(path: &Path, id: FileId) -> Result<(), SocketPathError> {
    let aside = path.with_file_name(aside_name());
    match renameat_with(CWD, path, CWD, &aside, RenameFlags::NOREPLACE) {
        Ok(()) if FileId::at(&aside) == Some(id) => {
            fs::remove_file(&aside).map_err(SocketPathError::NotRemoved)
        }
        Ok(()) => match renameat_with(CWD, &aside, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => Err(SocketPathError::Replaced),
            Err(error) => Err(SocketPathError::NotRemoved(io::Error::other(format!(
                "the path had another file, which is now {}: {error}",
                aside.display()
            )))),
        },
        Err(Errno::NOENT) => Ok(()),
        // The file system lacks the flag. The identity was compared just before.
        Err(Errno::INVAL | Errno::NOSYS) if FileId::at(path) == Some(id) => {
            fs::remove_file(path).map_err(SocketPathError::NotRemoved)
        }
        Err(error) => Err(SocketPathError::NotRemoved(error.into())),
    }
}

/// Returns a name that no other file has. A process id would not be unique: a killed process may have
/// left its file, and in a container each start has the same id.
fn aside_name() -> String {
    format!(".pumphouse-{:016x}.old", fastrand::u64(..))
}

#[cfg(test)]
mod tests;
