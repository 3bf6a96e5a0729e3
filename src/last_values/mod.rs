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
mod tests {
    use super::*;
    use crate::board::{
        Board, ErrorKind, Observed, PollError, Polled, Reading, Report, ServiceInfo, SourceInfo,
        State, Value,
    };
    use crate::kernel::clock::Clock;
    use crate::units::Unit;
    use jiff::SignedDuration;

    fn unlocked() -> Arc<DataLock> {
        Arc::new(DataLock::none())
    }

    fn info() -> SourceInfo {
        SourceInfo {
            name: "tank".into(),
            title: "Cistern".into(),
            group: None,
            kind: "json",
            interval: Duration::from_secs(300),
            stale_after: Duration::from_secs(900),
            show: [].into(),
            trends: Vec::new(),
            over_time: Vec::new(),
            configuration: 1,
        }
    }

    fn start(saved: Vec<SavedReading>) -> (Board, BoardReader, crate::board::Reporter) {
        let service = ServiceInfo { name: "x", version: "0", started_at: Timestamp::UNIX_EPOCH };
        Board::start(vec![info()], saved, service, Box::new(|_| {})).unwrap()
    }

    fn report(level: f64, observed: Timestamp) -> Report {
        let at = Clock::system().now();
        Report {
            source: "tank".into(),
            at,
            outcome: Ok(Polled::Reading(Reading {
                observed: Observed::absolute(observed),
                values: vec![
                    ("level".into(), Value::number(level, Unit::Percent)),
                    ("state".into(), Value::text("on")),
                    ("depth".into(), Value::missing(Some(Unit::Inch), "sent as null")),
                ],
            })),
            next_poll_at: at.wall,
        }
    }

    /// Returns the state of a thread that has written nothing yet.
    fn saver(path: &std::path::Path, board: &BoardReader) -> SaverThread {
        SaverThread::new(path.to_owned(), unlocked(), board.clone())
    }

    #[test]
    fn readings_are_restored_with_their_true_ages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.last.json");
        assert!(load(&path, &DataLock::none()).is_empty(), "nothing was saved yet");
        let hours_ago = Timestamp::from_second(Timestamp::now().as_second() - 7200).unwrap();
        let values = {
            let (_board, reader, reporter) = start(load(&path, &DataLock::none()));
            let saver = Saver::start(path.clone(), unlocked(), reader.clone()).unwrap();
            assert!(reporter.send(report(84.6, hours_ago)));
            while reader.load().version < 2 {
                std::thread::yield_now();
            }
            drop(saver);
            reader.load().sources[0].values().cloned().collect::<Vec<_>>()
        };
        let saved = load(&path, &DataLock::none());
        assert!(saved[0].stale, "saved as stale, so that the event is not repeated");
        let (_board, reader, _reporter) = start(saved);
        let snapshot = reader.load();
        let source = &snapshot.sources[0];
        assert_eq!(source.state, State::Stale, "before the first poll");
        assert_eq!(source.values().cloned().collect::<Vec<_>>(), values);
        let reading = source.reading.as_ref().unwrap();
        assert_eq!(reading.observed, Observed::absolute(hours_ago));
        assert!(reading.fetched_at > hours_ago);
    }

    #[test]
    fn new_stamp_in_the_future_is_urgent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.last.json");
        let (_board, reader, reporter) = start(Vec::new());
        let mut saver = saver(&path, &reader);
        let now = Timestamp::now();
        let mut version = 1;
        for (ahead, is_urgent) in
            [(0, false), (3600, true), (3660, true), (3660, false), (7200, true)]
        {
            assert!(reporter.send(report(50.0, now + SignedDuration::from_secs(ahead))));
            version += 1;
            while reader.load().version < version {
                std::thread::yield_now();
            }
            let snapshot = reader.load();
            saver.search(&snapshot);
            assert_eq!(saver.is_urgent, is_urgent, "{ahead}");
            saver.save(&snapshot);
            assert_eq!(saver.saved, snapshot.version);
            let first_seen = load(&path, &DataLock::none()).remove(0).received.sighting.first_seen;
            assert!(first_seen >= now - SignedDuration::from_secs(1), "{ahead}");
        }
    }

    #[test]
    fn damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.last.json");
        std::fs::write(&path, "garbage").unwrap();
        assert!(load(&path, &DataLock::none()).is_empty());
        assert!(!path.exists());
        let aside = folder.path().join("x.last.json.damaged");
        assert_eq!(std::fs::read_to_string(aside).unwrap(), "garbage");
    }

    #[test]
    fn write_that_failed_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("x.last.json");
        let (_board, reader, reporter) = start(Vec::new());
        assert!(reporter.send(report(50.0, Timestamp::now())));
        while reader.load().version < 2 {
            std::thread::yield_now();
        }
        let mut saver = saver(&path, &reader);
        let snapshot = reader.load();
        assert!(saver.save(&snapshot));
        assert_eq!(saver.saved, 0);
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        assert!(saver.save(&snapshot));
        assert_eq!((saver.saved, load(&path, &DataLock::none()).len()), (2, 1));
    }

    #[test]
    fn snapshots_without_a_new_reading_are_compared_with_the_file_once_an_interval() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.last.json");
        let (_board, reader, reporter) = start(Vec::new());
        let mut saver = saver(&path, &reader);
        assert!(!saver.save(&reader.load()), "the first reading is saved at once");
        let now = Timestamp::now();
        let failed = || Report {
            outcome: Err(PollError::new(ErrorKind::Timeout, "it failed")),
            ..report(50.0, now)
        };
        for (report, version) in [(report(50.0, now), 2), (failed(), 3), (failed(), 4)] {
            assert!(reporter.send(report));
            while reader.load().version < version {
                std::thread::yield_now();
            }
            assert!(saver.save(&reader.load()));
            assert_eq!(saver.saved, version);
            // Only the first one is written.
            assert_eq!(path.exists(), version == 2);
            let _ = std::fs::remove_file(&path);
        }
    }

    #[test]
    fn large_file_is_written_less_often() {
        let folder = tempfile::tempdir().unwrap();
        let (_board, reader, _) = start(Vec::new());
        let mut saver = saver(&folder.path().join("x.last.json"), &reader);
        const MIB: u64 = 1 << 20;
        for (size, is_urgent, seconds) in [
            (0, false, 60),
            (MIB, false, 60),
            (6 * MIB, false, 192),
            (0, true, 5),
            (MIB, true, 5),
            (6 * MIB, true, 24),
        ] {
            (saver.written, saver.is_urgent) = (Some((size, 0)), is_urgent);
            assert_eq!(saver.interval().as_secs(), seconds, "{size} {is_urgent}");
        }
    }

    #[test]
    fn file_that_cannot_be_written_does_not_stop_the_board() {
        let (_board, reader, reporter) = start(Vec::new());
        let saver =
            Saver::start("/proc/nowhere/x.json".into(), unlocked(), reader.clone()).unwrap();
        assert!(reporter.send(report(1.0, Timestamp::now())));
        while reader.load().version < 2 {
            std::thread::yield_now();
        }
        drop(saver);
    }
}
