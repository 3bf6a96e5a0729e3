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
//! | the file cannot be created, or the file system has no locks (NFS without a lock service) | the history works without the lock; a warning says so; tried again each minute |
//! | the file is removed or replaced while it is locked | noticed within a minute: the new file is locked, or its holder has won |
//! | a disk or network file system that hangs | the recorder's thread waits, and the main thread at the start, as for the files beside it |
//! | asked often | [`DataLock::is_ours`] reads an atomic and waits for nothing |
//! | readers (`export`, `history check`, `history backup`) | take no lock, and are unaffected |

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::logging::OnChange;
use crate::text::clean;
use crate::timestamp::Rfc3339;

/// Most bytes read from the file.
const MAX_CONTENT: u64 = 4096;

/// Most characters of the command and of the host in the file, and of what is shown of them.
const MAX_TEXT: usize = 200;

/// Mode of a new file.
const MODE: u32 = 0o600;

/// Maximum number of symbolic links that are followed to a database that does not exist yet.
const MAX_LINKS: usize = 8;

/// Attempts to lock the file that is at the path, if it is replaced meanwhile.
const ATTEMPTS: usize = 8;

/// The lock on the files of the history.
#[derive(Debug)]
pub struct DataLock {
    /// Path of the lock's file; `None` without a history: there is nothing to lock.
    path: Option<PathBuf>,
    state: Mutex<State>,
    /// True if this process writes the files.
    is_ours: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// The locked file.
    file: Option<File>,
    /// The process that had the lock at the latest claim, if another one had it.
    holder: Option<Holder>,
    /// Reason for which the lock cannot be used.
    failure: OnChange<String>,
}

/// Result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This process writes the files.
    Ours,
    /// Another process does.
    Held(Holder),
}

/// The process that holds the lock, by the content of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// Process id.
    pub pid: Option<u32>,
    /// Time of its start.
    pub started: Option<Timestamp>,
    host: Option<String>,
    command: Option<String>,
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
        let mut name = resolve(path).into_os_string();
        name.push(".lock");
        DataLock::over(Some(name.into()))
    }

    /// Returns the lock of a process without a history, which it always has.
    pub fn none() -> DataLock {
        DataLock::over(None)
    }

    fn over(path: Option<PathBuf>) -> DataLock {
        let is_ours = AtomicBool::new(path.is_none());
        let state = Mutex::new(State { file: None, holder: None, failure: OnChange::new() });
        DataLock { path, state, is_ours }
    }

    /// Returns true if this process writes the files, as of the latest claim. Never waits.
    pub fn is_ours(&self) -> bool {
        self.is_ours.load(Ordering::Acquire)
    }

    /// Takes the lock if it is free, without waiting for its holder. Called again, checks that the locked file
    /// is still the one at the path.
    ///
    /// If the file system allows no lock, the files are ours, and a warning is logged once.
    pub fn claim(&self) -> Claim {
        let Some(path) = &self.path else { return Claim::Ours };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.file.as_ref().is_some_and(|file| is_at(file, path)) {
            return Claim::Ours;
        }
        let claim = match lock(path) {
            Ok(file) => {
                state.failure.clear();
                state.file = Some(file);
                Claim::Ours
            }
            Err(ClaimError::Held(holder)) => {
                state.file = None;
                Claim::Held(holder)
            }
            // Nothing has shown that the other process has ended.
            Err(ClaimError::Unusable(error)) if is_shortage(&error) && state.holder.is_some() => {
                Claim::Held(state.holder.clone().unwrap_or_default())
            }
            // A lock that this process has is as good as before.
            Err(ClaimError::Unusable(error)) => {
                if state.failure.set(error.to_string()) {
                    log::warn!(
                        "cannot lock the history by {}: {error}; it is recorded without the lock, so \
                         start no second server with the same [history] path",
                        path.display()
                    );
                }
                Claim::Ours
            }
        };
        state.holder = match &claim {
            Claim::Ours => None,
            Claim::Held(holder) => Some(holder.clone()),
        };
        self.is_ours.store(claim == Claim::Ours, Ordering::Release);
        claim
    }
}

/// Returns true if the process or the system has no descriptor or memory left.
fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

/// Opens, creates and locks the file at `path`.
fn lock(path: &Path) -> Result<File, ClaimError> {
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

/// Returns the path of a database with its symbolic links resolved, also if it does not exist yet.
fn resolve(path: &Path) -> PathBuf {
    let parent = |path: &Path| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if let Ok(real) = fs::canonicalize(&path) {
            return real;
        }
        match fs::read_link(&path) {
            Ok(target) => path = parent(&path).join(target),
            Err(_) => break,
        }
    }
    match (fs::canonicalize(parent(&path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// Returns the content by which this process names itself.
fn own_content() -> String {
    let command: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!(
        "pid {}\nstarted {}\nhost {}\ncommand {}\n",
        std::process::id(),
        Rfc3339(Timestamp::now()),
        shorten(&host),
        shorten(&command.join(" ")),
    )
}

/// Returns a text in one line of at most [`MAX_TEXT`] characters.
fn shorten(text: &str) -> String {
    let text: String = text.trim().chars().take(MAX_TEXT).collect();
    clean(&text).into_owned()
}

fn read_holder(file: &mut File) -> Holder {
    let mut bytes = Vec::new();
    // An unreadable content is an unknown holder.
    let read = file.rewind().and_then(|()| file.take(MAX_CONTENT).read_to_end(&mut bytes));
    if read.is_err() {
        return Holder::default();
    }
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(content: &str) -> Holder {
    let find = |key: &str| {
        let value = content.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
        Some(shorten(value)).filter(|value| !value.is_empty())
    };
    Holder {
        pid: find("pid").and_then(|pid| pid.parse().ok()),
        started: find("started").and_then(|started| started.parse().ok()),
        host: find("host"),
        command: find("command"),
    }
}

impl Holder {
    /// Returns the process and its start, without texts that strangers need not know.
    pub fn brief(&self) -> String {
        let process = match self.pid {
            Some(pid) => format!("process {pid}"),
            None => "an unknown process".to_owned(),
        };
        match self.started {
            Some(started) => format!("{process}, started {}", Rfc3339(started)),
            None => process,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.brief())?;
        if let Some(host) = &self.host {
            write!(f, ", on {host}")?;
        }
        if let Some(command) = &self.command {
            write!(f, ": {command}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn fixture() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        (folder, path)
    }

    #[test]
    fn second_claim_names_the_first_and_succeeds_after_it() {
        let (folder, path) = fixture();
        let (first, second) = (DataLock::of_database(&path), DataLock::of_database(&path));
        assert!(!first.is_ours());
        assert_eq!(first.claim(), Claim::Ours);
        assert_eq!(first.claim(), Claim::Ours, "it has it already");
        let Claim::Held(holder) = second.claim() else { panic!("two hold the lock") };
        assert_eq!(holder.pid, Some(std::process::id()));
        assert!(holder.started.is_some());
        assert!(holder.to_string().contains(&holder.brief()), "{holder}");
        assert_eq!((first.is_ours(), second.is_ours()), (true, false));
        let mode = folder.path().join("pumphouse.db.lock").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(first);
        assert_eq!(second.claim(), Claim::Ours);
        assert!(second.is_ours());
        assert!(DataLock::none().is_ours());
    }

    #[test]
    fn every_name_of_a_database_has_the_same_lock() {
        let (folder, path) = fixture();
        let [link, chain, beside] =
            ["link.db", "chain.db", "beside"].map(|name| folder.path().join(name));
        symlink("pumphouse.db", &link).unwrap();
        symlink("link.db", &chain).unwrap();
        symlink(".", &beside).unwrap();
        for exists in [false, true] {
            if exists {
                fs::write(&path, "").unwrap();
            }
            let first = DataLock::of_database(&path);
            assert_eq!(first.claim(), Claim::Ours);
            for name in [&link, &chain, &beside.join("pumphouse.db")] {
                let claim = DataLock::of_database(name).claim();
                assert!(matches!(claim, Claim::Held(_)), "{} {exists}", name.display());
            }
        }
    }

    #[test]
    fn content_decides_nothing_and_is_bounded() {
        let (folder, path) = fixture();
        let file = folder.path().join("pumphouse.db.lock");
        let (first, second) = (DataLock::of_database(&path), DataLock::of_database(&path));
        fs::write(&file, "pid 1\nstarted 2020-01-01T00:00:00Z\n").unwrap();
        assert_eq!(first.claim(), Claim::Ours, "a content without a lock");
        for (content, expected) in [
            (b"".to_vec(), "an unknown process"),
            (b"\xff\xfe\0\0garbage".to_vec(), "an unknown process"),
            (b"pid -1\nstarted never\n".to_vec(), "an unknown process"),
            (
                b"pid 7\nstarted 2026-01-31T16:00:00Z".to_vec(),
                "process 7, started 2026-01-31T16:00:00Z",
            ),
            (b"pid 7\ncommand a\x1b[2Jb".to_vec(), "process 7: a"),
            (vec![b'x'; 64 << 20], "an unknown process"),
            ([b"pid 7\ncommand ", &vec![b'y'; 1 << 20][..]].concat(), "process 7: yyyy"),
        ] {
            fs::write(&file, content).unwrap();
            let Claim::Held(holder) = second.claim() else { panic!("two hold the lock") };
            let text = holder.to_string();
            assert!(text.starts_with(expected), "{text}");
            assert!(text.len() < 2 * MAX_TEXT && !text.contains('\x1b'), "{text}");
        }
    }

    #[test]
    fn removed_file_is_noticed_by_its_holder() {
        let (folder, path) = fixture();
        let file = folder.path().join("pumphouse.db.lock");
        let (first, second) = (DataLock::of_database(&path), DataLock::of_database(&path));
        assert_eq!(first.claim(), Claim::Ours);
        fs::remove_file(&file).unwrap();
        assert_eq!(first.claim(), Claim::Ours, "it locks the new file");
        assert!(matches!(second.claim(), Claim::Held(_)));
        fs::remove_file(&file).unwrap();
        assert_eq!(second.claim(), Claim::Ours);
        assert!(matches!(first.claim(), Claim::Held(_)), "the second has won");
        assert!(!first.is_ours());
    }

    #[test]
    fn path_that_cannot_be_locked_is_ours_without_the_lock() {
        let (folder, path) = fixture();
        let file = folder.path().join("pumphouse.db.lock");
        let claims = || (0..2).map(|_| DataLock::of_database(&path).claim()).collect::<Vec<_>>();
        fs::create_dir(&file).unwrap();
        assert_eq!(claims(), [Claim::Ours, Claim::Ours]);
        fs::remove_dir(&file).unwrap();
        // A link is not followed: its target would be truncated.
        fs::write(folder.path().join("victim"), "whole").unwrap();
        symlink("victim", &file).unwrap();
        assert_eq!(claims(), [Claim::Ours, Claim::Ours]);
        assert_eq!(fs::read(folder.path().join("victim")).unwrap(), b"whole");
        fs::remove_file(&file).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &file, 0o600.into()).unwrap();
        assert_eq!(claims(), [Claim::Ours, Claim::Ours], "no wait for a pipe");
        let missing = folder.path().join("none/pumphouse.db");
        assert_eq!(DataLock::of_database(&missing).claim(), Claim::Ours);
    }
}
