//! Writes the files: all of them, or none, and never over an existing one.
//!
//! ```text
//! check that none exists ─► staging folder ─► write and sync each file there ─► move each to its place
//!                           (the mark of an    (no partial file is ever in     (never over another;
//!                            unfinished run)    its place)                      the configuration last)
//! ```
//! The staging folder is removed at the end. After `kill -9` it remains, with a list of the files; a
//! second run reads that and says which of them are in place and how to begin again.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::iter;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::folder::{self, Created, Owner};
use super::names;
use crate::shell::quoted;

/// Folder with the files of a run that has not ended.
const STAGING: &str = ".pumphouse-init";

/// List of the files, in the staging folder.
const LIST: &str = "files";

/// Mode of a secret: only its owner may read it.
pub(super) const SECRET: u32 = 0o600;
/// Mode of a file without secrets.
pub(super) const PLAIN: u32 = 0o644;
const FOLDER: u32 = 0o755;
const STAGING_MODE: u32 = 0o700;

/// Longest list that is read: all names fit.
const MAX_LIST_BYTES: u64 = 1024;

/// A file to write.
#[derive(Debug, Clone)]
pub(super) struct PlannedFile {
    /// One of [`names::ALL`]: relative to the folder, with at most one folder of its own.
    pub path: &'static str,
    /// Mode bits.
    pub mode: u32,
    /// Content.
    pub content: String,
}

/// Reason why no file was written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Files exist.
    #[error(
        "{} already: {}; nothing was written, since `init` never overwrites. Move {} away, or name \
         another folder by --dir",
        if .0.len() == 1 { "this file exists" } else { "these files exist" },
        listed(.0),
        if .0.len() == 1 { "it" } else { "them" }
    )]
    Exist(Vec<PathBuf>),
    /// An earlier run was interrupted, or another one runs.
    #[error(
        "an earlier `init` was interrupted, or another one runs now: {} exists, and {}. To begin \
         again: rm -rf {}",
        staging.display(),
        if written.is_empty() { "no file is in place".to_owned() } else { format!("of its files are in place: {}", listed(written)) },
        shell_words(staging, written)
    )]
    Interrupted {
        /// The staging folder.
        staging: PathBuf,
        /// Its files that are in place.
        written: Vec<PathBuf>,
    },
    /// An earlier run was interrupted before it wrote its list or after it removed it, or another one runs.
    #[error(
        "an earlier `init` was interrupted as it began or ended, or another one runs now: {} exists, \
         without its list of files. If none runs, remove it and repeat this command, which names the \
         files that are in place: rm -rf {}",
        .0.display(),
        quoted(.0)
    )]
    Unlisted(PathBuf),
    /// A file or folder cannot be written. Files that were in place already are removed again.
    #[error("cannot {action} {}: {error}; nothing was written", path.display())]
    Io {
        /// Verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Reason.
        error: io::Error,
    },
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

fn shell_words(staging: &Path, written: &[PathBuf]) -> String {
    let paths = iter::once(staging).chain(written.iter().map(PathBuf::as_path));
    paths.map(quoted).collect::<Vec<_>>().join(" ")
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |error| FilesError::Io { action, path, error }
}

/// Checks that none of the files exists in `folder`, and that no run was interrupted there.
///
/// # Errors
/// One of those cases.
pub(super) fn check_absent(folder: &Path, paths: &[&str]) -> Result<(), FilesError> {
    let staging = folder.join(STAGING);
    // A link to nothing exists, too.
    let exists = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
    if exists(&staging) {
        let list = match read_list(&staging.join(LIST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FilesError::Unlisted(staging));
            }
            list => list.unwrap_or_default(),
        };
        // The owner of the folder may have written this list, and root may run the command that names its
        // files. So it names files of `init` only, and none behind a link.
        let is_inside = |path: &PathBuf| {
            path.parent().is_some_and(|it| {
                it == folder || fs::symlink_metadata(it).is_ok_and(|it| it.is_dir())
            })
        };
        let written = names::ALL.into_iter().filter(|name| list.lines().any(|line| line == *name));
        let written = written.map(|name| folder.join(name));
        let written = written.filter(|path| is_inside(path) && exists(path)).collect();
        return Err(FilesError::Interrupted { staging, written });
    }
    let existing: Vec<PathBuf> =
        paths.iter().map(|path| folder.join(path)).filter(exists).collect();
    if existing.is_empty() { Ok(()) } else { Err(FilesError::Exist(existing)) }
}

/// Reads the list of a run that was interrupted. It may be anything: a pipe, a device, a link.
fn read_list(path: &Path) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut list = String::new();
    if file.metadata()?.is_file() {
        file.take(MAX_LIST_BYTES).read_to_string(&mut list)?;
    }
    Ok(list)
}

/// An open folder, with its path for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Its descriptor.
    pub folder: BorrowedFd<'a>,
    /// Its path.
    pub path: &'a Path,
}

/// Writes all files into a folder, in their order.
///
/// # Errors
/// A file exists, or cannot be written. Then none of them remains.
pub(super) fn write(
    target: Target<'_>,
    files: &[PlannedFile],
    owner: Owner,
) -> Result<(), FilesError> {
    let paths: Vec<&str> = files.iter().map(|file| file.path).collect();
    check_absent(target.path, &paths)?;
    let mut staging = Staging::create(target, &paths)?;
    let mut placed = Placed::default();
    let written = stage_and_place(target, &mut staging, files, owner, &mut placed);
    if written.is_ok() {
        placed.keep();
    }
    written
}

fn stage_and_place(
    target: Target<'_>,
    staging: &mut Staging,
    files: &[PlannedFile],
    owner: Owner,
    placed: &mut Placed,
) -> Result<(), FilesError> {
    for (number, file) in files.iter().enumerate() {
        let path = target.path.join(file.path);
        staging.write(&number.to_string(), file, owner).map_err(io_error("write", &path))?;
    }
    for (number, file) in files.iter().enumerate() {
        let to = target.path.join(file.path);
        let (folder, name) = match file.path.split_once('/') {
            Some((folder, name)) => {
                let path = target.path.join(folder);
                let opened = placed.open_or_create(target.folder, folder, staging, owner);
                (opened.map_err(io_error("create", &path))?, name)
            }
            None => {
                let same = target.folder.try_clone_to_owned();
                (same.map_err(io_error("write into", target.path))?, file.path)
            }
        };
        move_new(staging.folder.as_fd(), &number.to_string(), folder.as_fd(), name).map_err(
            |error| match error.kind() {
                io::ErrorKind::AlreadyExists => FilesError::Exist(vec![to.clone()]),
                _ => io_error("write", &to)(error),
            },
        )?;
        let synced = rustix::fs::fsync(&folder);
        placed.files.push((folder, name));
        synced.map_err(|error| io_error("write", &to)(error.into()))?;
    }
    Ok(())
}

/// Moves a file to a name that no file has.
fn move_new(
    from: BorrowedFd<'_>,
    name: &str,
    to: BorrowedFd<'_>,
    new_name: &str,
) -> io::Result<()> {
    match rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
        // A file system without this flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(from, name, to, new_name, AtFlags::empty())?;
            rustix::fs::unlinkat(from, name, AtFlags::empty())?;
            Ok(())
        }
        moved => Ok(moved?),
    }
}

/// The staging folder, removed when dropped.
struct Staging {
    parent: OwnedFd,
    folder: OwnedFd,
    /// Files that were written into it.
    names: Vec<String>,
}

impl Staging {
    /// Creates the folder with the list of files. Of two runs at the same time only one creates it.
    fn create(target: Target<'_>, paths: &[&str]) -> Result<Staging, FilesError> {
        let path = target.path.join(STAGING);
        let folder = match folder::create(target.folder, OsStr::new(STAGING), STAGING_MODE, None) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(FilesError::Interrupted { staging: path, written: Vec::new() });
            }
            created => created.map_err(io_error("write into", target.path))?,
        };
        let parent = target.folder.try_clone_to_owned();
        let parent = parent.map_err(io_error("write into", target.path))?;
        let mut staging = Staging { parent, folder, names: Vec::new() };
        let list = PlannedFile { path: LIST, mode: SECRET, content: paths.join("\n") };
        staging.write(LIST, &list, None).map_err(io_error("write", &path.join(LIST)))?;
        rustix::fs::fsync(&staging.folder)
            .map_err(|error| io_error("write", &path)(error.into()))?;
        Ok(staging)
    }

    /// Writes a file with its final mode and owner, and waits until the disk has it.
    fn write(&mut self, name: &str, file: &PlannedFile, owner: Owner) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(SECRET);
        let mut opened = File::from(rustix::fs::openat(&self.folder, name, flags, mode)?);
        self.names.push(name.to_owned());
        opened.write_all(file.content.as_bytes())?;
        if let Some((user, group)) = owner {
            std::os::unix::fs::fchown(&opened, Some(user), Some(group))?;
        }
        // After the owner, and whatever the umask.
        opened.set_permissions(Permissions::from_mode(file.mode))?;
        opened.sync_all()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The list, which is the first, goes last: until then, it names the files that are in place. What cannot be
        // removed is reported by the next run.
        for name in self.names.iter().rev() {
            let _ = rustix::fs::unlinkat(&self.folder, &**name, AtFlags::empty());
        }
        let _ = rustix::fs::unlinkat(&self.parent, STAGING, AtFlags::REMOVEDIR);
    }
}

/// Files and folders of this run that are in place, removed when dropped. Files go first.
#[derive(Default)]
struct Placed {
    files: Vec<(OwnedFd, &'static str)>,
    folders: Created,
}

impl Placed {
    /// Opens a folder, or moves a new one there that has its owner already: `kill -9` leaves none of root's,
    /// which the server's user could not enter.
    fn open_or_create(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &str,
        staging: &Staging,
        owner: Owner,
    ) -> io::Result<OwnedFd> {
        let name = OsStr::new(name);
        match folder::open(parent, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let staging = staging.folder.as_fd();
        let folder = folder::create(staging, name, FOLDER, owner)?;
        // This replaces nothing but an empty folder.
        if let Err(error) = rustix::fs::renameat(staging, name, parent, name) {
            let _ = rustix::fs::unlinkat(staging, name, AtFlags::REMOVEDIR);
            return Err(error.into());
        }
        self.folders.add(parent, name)?;
        Ok(folder)
    }

    fn keep(mut self) {
        self.files.clear();
        std::mem::take(&mut self.folders).keep();
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for (folder, name) in &self.files {
            let _ = rustix::fs::unlinkat(folder, *name, AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests;
