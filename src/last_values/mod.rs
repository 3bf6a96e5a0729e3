//! The last readings of all sources, saved for the next start.
//!
//! One thread, `pw-last-values`, follows the board's snapshots and writes their readings to a file beside the
//! history: at once after the first change, then at most once a minute, since a memory card wears with each
//! write. The file of a fleet is written less often, at most 32 KiB a second on average. A power cut or `kill -9`
//! thus loses a minute at most, or three with 10,000 sources; a regular stop loses nothing. A new stamp that is
//! in the future is written within seconds: its age is counted from its first sight, which a restart would
//! otherwise make later. The file is written under a temporary name, synced and renamed (`file`), so a complete
//! file exists at any time. No poller and no handler blocks on it.
//!
//! Only the process that has the lock on the history writes the file, or renames a damaged one.
//!
//! [`load`] returns the readings to the board, which shows them with their true ages before the first
//! poll. A damaged file is renamed, never overwritten.

mod file;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, select};
use jiff::Timestamp;

use crate::board::{BoardReader, FieldName, SavedReading, Snapshot, SourceView};
use crate::data_lock::DataLock;
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread, StopToken};

/// Interval between two writes. A power cut can lose the readings of this time.
const WRITE_INTERVAL: Duration = Duration::from_secs(60);

/// Interval between two writes if a reading has a new stamp in the future.
const URGENT_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes that are written in a second on average, at most. A reading of four values takes about 600.
const MAX_RATE: u64 = 32 * 1024;

/// The same while readings have new stamps in the future.
const MAX_URGENT_RATE: u64 = 256 * 1024;

/// Longest wait without a change.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// Shortest time between two looks at the snapshot. Of a thousand sources, one changes every few milliseconds.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Reads the saved readings. A damaged file is logged, and renamed if this process has the lock.
pub fn load(path: &std::path::Path, lock: &DataLock) -> Vec<SavedReading> {
    if !lock.has_place() {
        // The recorder reports that.
        return Vec::new();
    }
    match file::read(path) {
        Ok(saved) => saved,
        Err(file::ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(file::ReadError::Io(error)) => {
            log::error!(
                "cannot read the last values from {}: {error}; starting without them",
                path.display()
            );
            Vec::new()
        }
        Err(error @ file::ReadError::Damaged(_)) => {
            let aside = path.with_extension("json.damaged");
            let rename = || match lock.is_ours() {
                true => std::fs::rename(path, &aside),
                false => Err(io::Error::other("another process writes it")),
            };
            let outcome = match rename() {
                Ok(()) => format!("set aside as {}", aside.display()),
                Err(error) => format!("and cannot be set aside: {error}"),
            };
            log::error!("the last values in {} are damaged ({error}): {outcome}", path.display());
            Vec::new()
        }
    }
}

/// Owner of the thread that saves the readings. Dropping it writes changed readings and joins the thread.
#[derive(Debug)]
pub struct Saver {
    _thread: OwnedThread,
}

impl Saver {
    /// Starts to save the board's readings to a file, while this process has the lock.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(path: PathBuf, lock: Arc<DataLock>, board: BoardReader) -> io::Result<Saver> {
        let saver = SaverThread::new(path, lock, board);
        let run = move |stop| saver.run(&stop);
        Ok(Saver { _thread: OwnedThread::spawn(threads::LAST_VALUES, run)? })
    }
}

/// State of the thread.
struct SaverThread {
    path: PathBuf,
    lock: Arc<DataLock>,
    board: BoardReader,
    /// Version of the latest snapshot whose readings the file has; 0 before the first.
    saved: u64,
    /// Size and hash of the file, once this process has written it.
    written: Option<(u64, u64)>,
    /// Version of the latest snapshot that was searched for stamps in the future; 0 before the first.
    searched: u64,
    /// True if a reading has a stamp in the future that the file has not.
    is_urgent: bool,
    /// Stamps in the file that were in the future.
    ahead: HashSet<StampAhead>,
    failure: OnChange<()>,
}

impl SaverThread {
    fn new(path: PathBuf, lock: Arc<DataLock>, board: BoardReader) -> SaverThread {
        SaverThread {
            path,
            lock,
            board,
            saved: 0,
            written: None,
            searched: 0,
            is_urgent: false,
            ahead: HashSet::new(),
            failure: OnChange::new(),
        }
    }

    fn run(mut self, stopped: &StopToken) {
        let published = self.board.follow();
        let mut written_at: Option<Instant> = None;
        loop {
            let snapshot = self.board.load();
            self.search(&snapshot);
            let is_new = self.saved != snapshot.version;
            let is_due = written_at.is_none_or(|written| written.elapsed() >= self.interval());
            if is_new && is_due && self.lock.is_ours() && self.save(&snapshot) {
                written_at = Some(Instant::now());
            }
            // Nothing is looked at before something was published, nor more often than the interval.
            let never = crossbeam_channel::never();
            let changes = if self.saved == snapshot.version { &published } else { &never };
            let pause = if self.saved == snapshot.version { MAX_PAUSE } else { CHECK_INTERVAL };
            let is_stopping = select! {
                recv(stopped) -> _ => true,
                recv(changes) -> _ => {
                    stopped.recv_timeout(CHECK_INTERVAL) == Err(RecvTimeoutError::Disconnected)
                }
                default(pause) => false,
            };
            if is_stopping {
                let snapshot = self.board.load();
                if self.saved != snapshot.version && self.lock.is_ours() {
                    self.save(&snapshot);
                }
                return;
            }
        }
    }

    /// Returns the shortest time between two writes.
    fn interval(&self) -> Duration {
        let (size, _) = self.written.unwrap_or_default();
        let (shortest, rate) = match self.is_urgent {
            true => (URGENT_INTERVAL, MAX_URGENT_RATE),
            false => (WRITE_INTERVAL, MAX_RATE),
        };
        shortest.max(Duration::from_secs(size / rate))
    }

    /// Searches the readings that are new for stamps in the future that the file has not.
    fn search(&mut self, snapshot: &Snapshot) {
        let searched = std::mem::replace(&mut self.searched, snapshot.version);
        let new = snapshot.sources.iter().filter(|source| source.version > searched);
        self.is_urgent |= new.flat_map(ahead_of).any(|stamp| !self.ahead.contains(&stamp));
    }

    /// Writes the readings if they differ from the file. Returns true if there are some, so that the next look at
    /// all of them comes after the interval between two writes; a write that failed is then attempted again.
    fn save(&mut self, snapshot: &Snapshot) -> bool {
        if snapshot.sources.iter().all(|source| source.reading.is_none()) {
            self.saved = snapshot.version;
            return false;
        }
        let bytes = file::encode(snapshot);
        let content = Some((bytes.len() as u64, hash(&bytes)));
        if self.written == content {
            // Polls that fail publish snapshots without a new reading, with thousands of sources all the time.
            self.saved = snapshot.version;
            return true;
        }
        match file::write(&self.path, &bytes) {
            Ok(()) => {
                if self.failure.clear() {
                    log::info!("the last values are saved again");
                }
                self.written = content;
                self.saved = snapshot.version;
                self.ahead = snapshot.sources.iter().flat_map(ahead_of).collect();
                self.is_urgent = false;
            }
            Err(error) if self.failure.set(()) => {
                let path = self.path.display();
                log::warn!(
                    "cannot save the last values to {path}: {error}; a restart would begin without them"
                );
            }
            Err(_) => {}
        }
        true
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// A stamp in the future: its source, its field, or none for that of the reading, and the stamp.
type StampAhead = (Arc<str>, Option<FieldName>, Timestamp);

/// Returns the stamps of a source that were in the future when they were seen first.
fn ahead_of(source: &SourceView) -> impl Iterator<Item = StampAhead> {
    let stamps = source.reading.iter().flat_map(|reading| reading.received.stamps_ahead());
    stamps.map(|(field, stamp)| (source.name.clone(), field.cloned(), stamp))
}

#[cfg(test)]
mod tests;
