//! Destination of the recorder's writes: a file, or the database that replicas share.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::entry::{Entry, StoredEvent};
use super::error::StoreError;
use super::fault::FaultKind;
use super::renames::SourceFields;
use super::settings::Retention;
use crate::threads::StopToken;

/// Result of a write.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Number of new and corrected rows.
    pub(super) rows: u64,
    /// Number of the first entries that are stored, in the database or in the spool. The others are kept by the caller.
    pub(super) stored: usize,
    /// Why the spool is used, or cannot be used; `None` if all is in the database, or on the way to it.
    pub(super) fault: Option<SpoolFault>,
    /// Number of records that the spool has lost, as it has reached its limit.
    pub(super) dropped: u64,
}

/// Reason why the spool is used, or cannot be used.
#[derive(Debug)]
pub(super) struct SpoolFault {
    pub(super) kind: FaultKind,
    pub(super) message: String,
    pub(super) state: SpoolState,
    /// True if the reason is that of an attempt of this write.
    pub(super) has_failed: bool,
}

/// State of a spool that is used, or cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpoolState {
    /// Records wait in it.
    Waits,
    /// It has lost records, as it has reached its limit.
    Full,
    /// It cannot be opened, written or read.
    Unusable,
}

/// Latest events of the database, with those of all replicas.
#[derive(Debug)]
pub(super) struct SharedEvents {
    /// Newest first.
    pub(super) events: Vec<StoredEvent>,
    /// Number of the latest event of this process that the database has.
    pub(super) saved: i64,
}

/// Store that the recorder writes to.
pub(super) trait Destination: Send {
    /// Writes the entries, of which those that are already stored are skipped.
    ///
    /// # Errors
    /// Nothing was written.
    fn write(&mut self, entries: &VecDeque<Entry>) -> Result<Written, StoreError>;

    /// Deletes some of the rows that are older than their retention; returns true once none are left.
    ///
    /// # Errors
    /// They cannot be deleted now.
    fn prune(&mut self, keep: &Retention, now: Timestamp) -> Result<bool, StoreError>;

    /// Returns true if reads are possible now.
    fn is_readable(&self) -> bool;

    /// Checks a file for damage, which may take minutes.
    ///
    /// # Errors
    /// It is damaged.
    fn verify(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Moves the renamed fields of sources that are configured since the store was opened. A database has none: only files
    /// have series of the version that recorded the earlier names, and a file is migrated before it can be copied.
    ///
    /// # Errors
    /// They cannot be written.
    fn move_renamed(&mut self, _sources: &[SourceFields]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns true if rollups are to be recomputed as a whole.
    fn has_recomputation(&self) -> bool {
        false
    }

    /// Recomputes the rollups of one series, unless `stop` is disconnected meanwhile.
    fn recompute(&mut self, _stop: &StopToken) {}

    /// Sets the time of the latest record, which the next write stores.
    fn set_latest(&mut self, _latest: Option<i64>) {}

    /// Stores for how long the latest record has held readings.
    ///
    /// # Errors
    /// It cannot be written.
    fn store_held(&mut self, _held: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns true if records of earlier writes wait for the next one.
    fn has_backlog(&self) -> bool {
        false
    }

    /// Does what is due although nothing is to be written. Returns the latest events, if they may have changed.
    fn tick(&mut self) -> Option<SharedEvents> {
        None
    }
}
