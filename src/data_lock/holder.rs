//! The holder of the lock, as the content of the lock's file describes it: information for people only.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::Timestamp;
use procfs::LockType;

use super::place::lock_path;
use crate::file_error::open_own;
use crate::kernel::host_name::host_name;
use crate::text::clean;
use crate::timestamp::Rfc3339;
use crate::wall_clock;

/// Most bytes read from the file.
const MAX_CONTENT: u64 = 4096;

/// Most characters of the command and of the host, in the file and in messages.
pub(super) const MAX_TEXT: usize = 200;

/// First word of the file.
const FIRST_WORD: &[u8] = b"pid ";

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

/// Returns the content by which this process names itself.
pub(super) fn own_content() -> String {
    let command: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    format!(
        "pid {}\nstarted {}\nhost {}\ncommand {}\n",
        std::process::id(),
        Rfc3339(wall_clock::now()),
        shorten(&host_name()),
        shorten(&command.join(" ")),
    )
}

/// Returns a text in one line of at most [`MAX_TEXT`] characters.
fn shorten(text: &str) -> String {
    let text: String = text.trim().chars().take(MAX_TEXT).collect();
    clean(&text).into_owned()
}

pub(super) fn read_holder(file: &mut File) -> Holder {
    let mut bytes = Vec::new();
    // An unreadable content is an unknown holder.
    let read = file.rewind().and_then(|()| file.take(MAX_CONTENT).read_to_end(&mut bytes));
    if read.is_err() {
        return Holder::default();
    }
    parse(&String::from_utf8_lossy(&bytes))
}

/// Returns true if a file is empty, or begins as the one of a lock.
pub(super) fn is_own(file: &mut File) -> io::Result<bool> {
    let mut begin = Vec::new();
    file.rewind()?;
    file.take(FIRST_WORD.len() as u64).read_to_end(&mut begin)?;
    file.rewind()?;
    // A full disk may have cut the word.
    Ok(FIRST_WORD.starts_with(&begin))
}

/// Returns the process that holds the lock of a database, as the kernel lists its locks. Takes no lock, which
/// a server that starts meanwhile would meet.
///
/// The kernel lists no locks of processes in other containers.
pub fn find_holder(database: &Path) -> Option<Holder> {
    let (mut file, metadata) = open_own(&lock_path(database)).ok()?;
    let holder = read_holder(&mut file);
    let locks = procfs::locks().ok()?;
    // Some file systems list another device: there the process has to be the one that the content names.
    let device = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let is_held = locks.iter().any(|lock| {
        let is_named = || {
            let pid = lock.pid.and_then(|pid| u32::try_from(pid).ok());
            pid.is_some() && pid == holder.pid
        };
        lock.lock_type == LockType::FLock
            && lock.inode == metadata.ino()
            && ((lock.devmaj, lock.devmin) == device || is_named())
    });
    is_held.then_some(holder)
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
