//! The last good values survive a restart, a power cut and `kill -9`.
//!
//! One thread, `pw-last-values`, looks at the board's snapshots and writes the readings to a
//! small file: at once when there is news, then at most once a minute, to be gentle to SD
//! cards. No poller and no handler ever waits for it.

mod file;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use crate::board::{BoardReader, SavedReading, Snapshot};
use crate::logging::OnChange;
use crate::threads::{self, OwnedThread, StopToken};

/// Between two writes. What a power cut can cost is the readings of this long.
const PAUSE: Duration = Duration::from_secs(60);

/// How often it looks for news.
const LOOK: Duration = Duration::from_millis(250);

/// Reads the values that were kept. A file that is damaged is set aside, with a line in the
/// log, and never overwritten.
pub fn load(path: &std::path::Path) -> Vec<SavedReading> {
    match file::read(path) {
        Ok(kept) => kept,
        Err(file::ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(file::ReadError::Io(error)) => {
            log::error!("the last values cannot be read from {}: {error}", path.display());
            Vec::new()
        }
        Err(error @ file::ReadError::Damaged(_)) => {
            let aside = path.with_extension("json.damaged");
            let outcome = match std::fs::rename(path, &aside) {
                Ok(()) => format!("set aside as {}", aside.display()),
                Err(error) => format!("and cannot be set aside: {error}"),
            };
            log::error!("the last values in {} are damaged ({error}): {outcome}", path.display());
            Vec::new()
        }
    }
}

/// The thread that keeps the values. Dropping it writes what is new, and joins it.
#[derive(Debug)]
pub struct Saver {
    _thread: OwnedThread,
}

impl Saver {
    /// Starts to keep the board's readings in that file.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(path: PathBuf, board: BoardReader) -> io::Result<Saver> {
        let keeper = Keeper { path, board, written: None, failure: OnChange::new() };
        let run = move |stop| keeper.run(&stop);
        Ok(Saver { _thread: OwnedThread::spawn(threads::LAST_VALUES, run)? })
    }
}

struct Keeper {
    path: PathBuf,
    board: BoardReader,
    /// What the file holds.
    written: Option<Vec<u8>>,
    failure: OnChange<()>,
}

impl Keeper {
    fn run(mut self, stopped: &StopToken) {
        let mut seen: Option<Arc<Snapshot>> = None;
        let mut next = Instant::now();
        loop {
            let stopping = stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected);
            let snapshot = self.board.load();
            let is_news = seen.as_ref().is_none_or(|seen| seen.version != snapshot.version);
            if is_news && (stopping || Instant::now() >= next) {
                if self.keep(&snapshot) {
                    next = Instant::now() + PAUSE;
                }
                seen = Some(snapshot);
            }
            if stopping {
                return;
            }
        }
    }

    /// Writes the readings, if they are others than the file holds; true when it tried.
    fn keep(&mut self, snapshot: &Snapshot) -> bool {
        let bytes = file::encode(snapshot);
        if snapshot.sources.iter().all(|source| source.reading.is_none())
            || self.written.as_ref() == Some(&bytes)
        {
            return false;
        }
        match file::write(&self.path, &bytes) {
            Ok(()) => {
                if self.failure.clear() {
                    log::info!("the last values are kept again");
                }
                self.written = Some(bytes);
            }
            Err(error) if self.failure.set(()) => {
                let path = self.path.display();
                log::warn!("the last values cannot be kept in {path}: {error}");
            }
            Err(_) => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{
        Board, Observed, Polled, Reading, Report, ServiceInfo, SourceInfo, State, Value,
    };
    use crate::units::Unit;
    use jiff::Timestamp;

    fn info() -> SourceInfo {
        SourceInfo {
            name: "tank".into(),
            title: "Cistern".into(),
            kind: "json",
            interval: Duration::from_secs(300),
            stale_after: Duration::from_secs(900),
            show: [].into(),
            trends: Vec::new(),
        }
    }

    fn start(kept: Vec<SavedReading>) -> (Board, BoardReader, crate::board::Reporter) {
        let service = ServiceInfo { name: "x", version: "0", started_at: Timestamp::UNIX_EPOCH };
        Board::start(vec![info()], kept, service, Box::new(|_| {})).unwrap()
    }

    fn report(level: f64, at: Timestamp) -> Report {
        Report {
            source: "tank".into(),
            at,
            outcome: Ok(Polled::Reading(Reading {
                observed: Observed { at, inferred: true },
                values: vec![
                    ("level".into(), Value::number(level, Unit::Percent)),
                    ("state".into(), Value::text("on")),
                    ("depth".into(), Value::missing(Some(Unit::Inch), "sent as null")),
                ],
            })),
            next_poll_at: at,
        }
    }

    #[test]
    fn values_come_back_with_their_true_ages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.last.json");
        assert!(load(&path).is_empty(), "nothing was kept yet");
        let hours_ago = Timestamp::from_second(Timestamp::now().as_second() - 7200).unwrap();
        let values = {
            let (_board, reader, reporter) = start(load(&path));
            let saver = Saver::start(path.clone(), reader.clone()).unwrap();
            assert!(reporter.send(report(84.6, hours_ago)));
            while reader.load().version < 2 {
                std::thread::yield_now();
            }
            drop(saver);
            reader.load().sources[0].values().cloned().collect::<Vec<_>>()
        };
        let kept = load(&path);
        assert!(kept[0].stale, "that this was told is kept, too");
        let (_board, reader, _reporter) = start(kept);
        let snapshot = reader.load();
        let source = &snapshot.sources[0];
        assert_eq!(source.state, State::Stale, "before the first poll");
        assert_eq!(source.values().cloned().collect::<Vec<_>>(), values);
        let reading = source.reading.as_ref().unwrap();
        assert_eq!(reading.observed, Observed { at: hours_ago, inferred: true });
        assert_eq!(reading.fetched_at, hours_ago);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.last.json");
        std::fs::write(&path, "garbage").unwrap();
        assert!(load(&path).is_empty());
        assert!(!path.exists());
        let aside = folder.path().join("x.last.json.damaged");
        assert_eq!(std::fs::read_to_string(aside).unwrap(), "garbage");
    }

    #[test]
    fn a_file_that_cannot_be_written_costs_nothing_else() {
        let (_board, reader, reporter) = start(Vec::new());
        let saver = Saver::start("/proc/nowhere/x.json".into(), reader.clone()).unwrap();
        assert!(reporter.send(report(1.0, Timestamp::now())));
        while reader.load().version < 2 {
            std::thread::yield_now();
        }
        drop(saver);
    }
}
