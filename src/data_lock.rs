//! The lock that one process at a time holds to write the history and the files beside it.
//!
//! It is `flock(2)` on a file of its own, `pumphouse.db.lock`: closing any descriptor of the database itself
//! would drop SQLite's locks (<https://www.sqlite.org/howtocorrupt.html>, 2.2). The kernel releases the lock
//! when the process ends, by `kill -9`, too, so the file stays and is never removed: to remove it would let
//! two processes lock two files. Symbolic links to the database are resolved, so every name of it has the
//! same lock.
//!
//! The file has the process id, start, host and command of its holder. That is information for people: it may
//! be old, a lie, garbage or long, and decides nothing. At most 4 KiB of it are read.
//!
//! | | |
//! | --- | --- |
//! | another process holds it | this one serves without history, keeps its observations in memory, and tries again |
//! | the file cannot be opened or created, or the file system has no locks (NFS without a lock service) | the history works without the lock; the log, `doctor`, the scoreboard and the metrics say so; tried again each minute |
//! | no file can be at the path: it is a folder or a device, its name is too long, or its folder does not exist | nothing is written, neither the history nor the files beside it; the recorder reports it and tries again each minute |
//! | root creates the file | it gets the owner and the mode of the database, else the owner of the folder, so that another user can lock it |
//! | the path holds a file of another program | it is neither changed nor locked: as a file that cannot be opened |
//! | the database has a second name that is no symbolic link: a hard link, or a mount of its own | its lock is elsewhere; a warning says so |
//! | the file is removed or replaced while it is locked | noticed within a minute: the new file is locked, or its holder has won |
//! | a disk or network file system that hangs | the recorder's thread waits, and the main thread at the start, as for the files beside it |
//! | asked often | [`DataLock::is_ours`] reads an atomic and waits for nothing |
//! | readers (`export`, `history check`, `history backup`) | take no lock, and are unaffected |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;

use crate::file_error::user_name;
use crate::kernel::descriptors::is_shortage;
use crate::logging::OnChange;
use crate::shell::quoted;

mod holder;
mod owner;
mod path_fault;
mod place;
mod write_fault;

pub use holder::{Holder, find_holder};
pub use path_fault::path_fault;
pub use place::{lock_path, second_name};
pub use write_fault::{WriteFault, write_fault};

use holder::{own_content, read_holder};

/// Mode of a new file.
const MODE: u32 = 0o600;

/// Attempts to lock the file that is at the path, if it is replaced meanwhile.
const ATTEMPTS: usize = 8;

/// The lock on the files of the history.
#[derive(Debug)]
pub struct DataLock {
    /// Path of the database; `None` without a history: there is nothing to lock.
    database: Option<PathBuf>,
    state: Mutex<State>,
    /// True if this process writes the files.
    is_ours: AtomicBool,
    /// False if no file can be at the path.
    has_place: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// The locked file.
    file: Option<File>,
    /// The process that had the lock at the latest claim, if another one had it.
    holder: Option<Holder>,
    /// Reason for which the lock cannot be used.
    failure: OnChange<String>,
    /// Second name of the database.
    second_name: OnChange<String>,
}

/// Result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This process writes the files.
    Ours,
    /// This process writes the files, and perhaps another one does: the lock cannot be used, for this reason.
    Unlocked(Arc<str>),
    /// Another process does.
    Held(Holder),
    /// No process does: no file can be at the path, for this reason.
    NoPlace(String),
}

/// Kinds of failures.
enum ClaimError {
    Held(Holder),
    Unusable(io::Error),
}

impl From<io::Error> for ClaimError {
    fn from(error: io::Error) -> ClaimError {
        ClaimError::Unusable(error)
    }
}

impl DataLock {
    /// Returns the lock of a database, which [`DataLock::claim`] takes.
    pub fn of_database(path: &Path) -> DataLock {
        DataLock::over(Some(path.to_owned()))
    }

    /// Returns the lock of a process without a history, which it always has.
    pub fn none() -> DataLock {
        DataLock::over(None)
    }

    fn over(database: Option<PathBuf>) -> DataLock {
        let is_ours = AtomicBool::new(database.is_none());
        let state = Mutex::new(State {
            file: None,
            holder: None,
            failure: OnChange::new(),
            second_name: OnChange::new(),
        });
        DataLock { database, state, is_ours, has_place: AtomicBool::new(true) }
    }

    /// Returns true if this process writes the files, as of the latest claim. Never waits.
    pub fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Acquire)
    }

    /// Returns false if no file can be at the path, as of the latest claim. Never waits.
    pub fn has_place(&self) -> bool {
        self.has_place.load(Ordering::Acquire)
    }

    /// Takes the lock if it is free, without waiting for its holder. Called again, checks that the locked file
    /// is still the one at the path.
    ///
    /// If the file system allows no lock, the files are written without it, and a warning is logged once.
    pub fn claim(&self) -> Claim {
        let Some(database) = &self.database else { return Claim::Ours };
        let path = &lock_path(database);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_locked = state.file.as_ref().is_some_and(|file| is_at(file, path));
        let fault = if is_locked { None } else { path_fault(database) };
        self.has_place.store(fault.is_none(), Ordering::Release);
        if let Some(fault) = fault {
            (state.file, state.holder) = (None, None);
            self.is_ours.store(false, Ordering::Release);
            return Claim::NoPlace(fault);
        }
        if let Some(reason) = second_name(database)
            && state.second_name.set(reason.clone())
        {
            log::warn!("{reason}");
        }
        if is_locked {
            return Claim::Ours;
        }
        let claim = state.conclude(path, lock(path, database));
        self.is_ours.store(state.holder.is_none(), Ordering::Release);
        claim
    }
}

impl State {
    /// Stores the outcome of an attempt to lock the file at `path`.
    fn conclude(&mut self, path: &Path, outcome: Result<File, ClaimError>) -> Claim {
        let claim = match (outcome, self.holder.take()) {
            (Ok(file), _) => {
                self.failure.clear();
                self.file = Some(file);
                return Claim::Ours;
            }
            (Err(ClaimError::Held(holder)), _) => Claim::Held(holder),
            // Nothing has shown that the other process has ended.
            (Err(ClaimError::Unusable(error)), Some(holder)) if is_shortage(&error) => {
                Claim::Held(holder)
            }
            (Err(ClaimError::Unusable(error)), _) => {
                let reason = describe(path, &error);
                if self.failure.set(reason.clone()) {
                    log::warn!("{reason}");
                }
                Claim::Unlocked(reason.into())
            }
        };
        self.file = None;
        if let Claim::Held(holder) = &claim {
            self.holder = Some(holder.clone());
        }
        claim
    }
}

/// Returns why the history is not locked, with the remedy.
fn describe(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied if path.exists() => format!(
            "; to have the lock, run as root: chown {} {}",
            quoted(Path::new(&user_name())),
            quoted(path)
        ),
        _ => String::new(),
    };
    format!(
        "cannot lock the history by {}: {error}; without the lock, a second server with the same [history] path \
         would record it, too, so start none{remedy}",
        path.display()
    )
}

/// Opens, creates and locks the file at `path` for a database.
fn lock(path: &Path, database: &Path) -> Result<File, ClaimError> {
    for _ in 0..ATTEMPTS {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(MODE)
            .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file").into());
        }
        match file.try_lock() {
            // Removed by an operator between the two calls: the next process would lock another file.
            Ok(()) if !is_at(&file, path) => {}
            Ok(()) => {
                if !holder::is_own(&mut file)? {
                    let reason =
                        "it is a file of another program; give the history another [history] path";
                    return Err(io::Error::other(reason).into());
                }
                owner::hand_over(&file, database);
                // What cannot be written, as on a full disk, is missing; an old content would be wrong.
                let _ = file.set_len(0).and_then(|()| file.write_all(own_content().as_bytes()));
                return Ok(file);
            }
            Err(TryLockError::WouldBlock) => return Err(ClaimError::Held(read_holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(io::Error::other("it is replaced again and again").into())
}

/// Returns true if `file` is the one at `path`, or if that cannot be determined.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata().map(id), fs::symlink_metadata(path).map(id)) {
        (Ok(own), Ok(found)) => own == found,
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        (Err(_), _) => true,
    }
}

#[cfg(test)]
mod tests;
