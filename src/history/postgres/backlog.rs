//! The spool with its faults: it may be full, or not be usable at all, as on a disk that is full.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::spool::Spool;
use crate::data_lock::write_fault;
use crate::history::entry::Entry;
use crate::history::error::StoreError;
use crate::history::fault::FaultKind;

/// Records that wait for the database.
#[derive(Debug)]
pub(super) struct Backlog {
    path: PathBuf,
    max_bytes: u64,
    /// `None` while it cannot be opened.
    spool: Option<Spool>,
    /// Error of the spool in the present write.
    error: Option<StoreError>,
    /// Records that the spool has lost since it was empty.
    lost: u64,
    /// Number of records in the spool, for other threads.
    spooled: Arc<AtomicU64>,
}

impl Backlog {
    /// Opens the spool, if that is possible.
    pub(super) fn open(path: PathBuf, max_bytes: u64, spooled: Arc<AtomicU64>) -> Backlog {
        let mut this = Backlog { path, max_bytes, spool: None, error: None, lost: 0, spooled };
        this.begin();
        this
    }

    /// Begins a write: forgets errors of the one before, and opens the spool if that was not possible.
    pub(super) fn begin(&mut self) {
        self.error = None;
        if self.spool.is_none() {
            match Spool::open(&self.path, self.max_bytes) {
                Ok(spool) => self.spool = Some(spool),
                Err(error) => self.error = Some(error),
            }
            self.note_waiting();
        }
    }

    /// Does something with the spool. Returns `None` if it failed, or if the spool is not open.
    pub(super) fn with<T>(
        &mut self,
        work: impl FnOnce(&mut Spool) -> Result<T, StoreError>,
    ) -> Option<T> {
        let result = work(self.spool.as_mut()?);
        self.note_waiting();
        let error = match result {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        if error.is_damage() {
            // The next write opens it again, and sets it aside.
            self.spool = None;
        }
        self.error = Some(error);
        None
    }

    /// Returns the number of records that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::len)
    }

    fn note_waiting(&mut self) {
        if self.waiting() == 0 {
            self.lost = 0;
        }
        self.spooled.store(self.waiting(), Ordering::Relaxed);
    }

    /// Returns true if records wait or are to be removed, or if the spool is to be opened.
    pub(super) fn has_work(&self, now: Duration) -> bool {
        self.spool.as_ref().is_none_or(|spool| !spool.is_empty() || spool.has_expired(now))
    }

    /// Appends entries, and stores the time of the latest record. Returns the number of records that the spool has lost,
    /// as it is full; `None` if it has none of the entries.
    pub(super) fn append(
        &mut self,
        instance: &str,
        entries: &[Entry],
        latest: Option<i64>,
    ) -> Option<u64> {
        let lost = self.with(|spool| spool.append(instance, entries, latest))?;
        self.lost += lost;
        Some(lost)
    }

    /// Notes that the first `count` records that wait, of which the last is `last`, are in the database.
    pub(super) fn note_written(&mut self, last: i64, count: u64, at: Duration) {
        if let Some(spool) = &mut self.spool {
            spool.note_written(last, count, at);
        }
        self.note_waiting();
    }

    /// Lets the records wait again that the database may have lost.
    pub(super) fn write_again(&mut self) {
        if let Some(spool) = &mut self.spool {
            spool.write_again();
        }
        self.note_waiting();
    }

    /// Returns the number of records that the spool has lost since it was empty, as it was full.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns a number of the spool.
    pub(super) fn number(&self, key: &str) -> Option<i64> {
        self.spool.as_ref().and_then(|spool| spool.number(key).ok().flatten())
    }

    /// Returns why the spool could not be used in the present write.
    pub(super) fn fault(&self) -> Option<(FaultKind, String)> {
        let error = self.error.as_ref()?;
        let (kind, reason) = match write_fault(&self.path) {
            Some(fault) => (FaultKind::from(&fault), fault.to_string()),
            None => (FaultKind::from(error), error.to_string()),
        };
        Some((kind, format!("the spool {} cannot be used: {reason}", self.path.display())))
    }
}
