//! State that the recorder and all [`History`](super::History) handles share.
//!
//! The fields are atomics or are swapped as a whole, so a request that reads them never blocks on the
//! recorder. The one mutex is locked only to decide whether a read error is logged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::Level;

use super::calendar::Calendar;
use super::destination::{SpoolFault, SpoolState};
use super::entry::StoredEvent;
use super::error::{HistoryError, ReadError, StoreError};
use super::fault::FaultKind;
use super::pool::ReaderPool;
use super::renames::SourceFields;
use super::sender::max_changes;
use super::settings::{Place, Settings};
use crate::data_lock::Holder;
use crate::engine::Heartbeat;
use crate::kernel::disk_space::DiskSpace;
use crate::logging::OnChange;
use crate::wall_clock;

/// Interval at which a persistent read error is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Interval at which the state of the spool is logged again.
const SPOOL_LOG_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Time after which others may have written to the shared database, or this process.
const SHARED_VERSION_INTERVAL: Duration = Duration::from_secs(30);

/// State of the recorder's writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The current error; `None` after a successful write.
    pub error: Option<CurrentError>,
}

/// An error that has not been followed by a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentError {
    /// Time of the first failure.
    pub since: Timestamp,
    /// Kind of the latest failure.
    pub kind: FaultKind,
    /// Text of the latest failure.
    pub message: Arc<str>,
}

/// The events in memory.
#[derive(Debug, Default)]
pub(super) struct RecentEvents {
    /// The latest events, newest first.
    pub(super) events: Arc<Vec<StoredEvent>>,
    /// True if the shared database is known to have no earlier ones.
    pub(super) are_all: bool,
}

/// State shared by the recorder and its readers.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) enabled: bool,
    pub(super) zone: TimeZone,
    /// Configured sources, with the fields that have another name now.
    pub(super) sources: ArcSwap<Vec<SourceFields>>,
    /// Connections that read; `None` while the file is not open.
    pub(super) readers: ArcSwapOption<ReaderPool>,
    /// The other process that records the history; `None` if this one may.
    pub(super) holder: ArcSwapOption<Holder>,
    /// False while this process has not the lock, as of the latest claim.
    pub(super) has_lock: AtomicBool,
    /// Reason why this process records the history without the lock; `None` if it has the lock or waits for it.
    pub(super) unlocked: ArcSwapOption<Arc<str>>,
    pub(super) health: ArcSwap<Health>,
    pub(super) recent: ArcSwap<RecentEvents>,
    pub(super) rows: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) dropped: AtomicU64,
    /// Incremented when the file is opened, and by each flush to a file of this process.
    version: AtomicU64,
    /// Time since which versions of a shared database are counted, into which other processes write, too; `None` for
    /// a file.
    shared_since: Option<Instant>,
    /// State of the spool that was logged.
    spool_log: Mutex<OnChange<SpoolState>>,
    /// The latest read error, so that repetitions by other requests are not logged.
    read_failure: Mutex<OnChange<String>>,
    /// True if a read has returned an error that means damage, until the recorder checks the file.
    damage_suspected: AtomicBool,
    /// Space of the file system, as of the latest flush; `None`: not known.
    pub(super) space: ArcSwapOption<DiskSpace>,
    /// Number of records that wait in the spool for the database.
    pub(super) spooled: Arc<AtomicU64>,
    pub(super) heartbeat: Heartbeat,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Shared {
        Shared {
            enabled: settings.place.is_some(),
            zone: settings.zone.clone(),
            sources: ArcSwap::from_pointee(settings.sources.clone()),
            readers: ArcSwapOption::empty(),
            holder: ArcSwapOption::empty(),
            has_lock: AtomicBool::new(true),
            unlocked: ArcSwapOption::empty(),
            health: ArcSwap::default(),
            recent: ArcSwap::default(),
            rows: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            version: AtomicU64::new(0),
            shared_since: matches!(settings.place, Some(Place::Server(_))).then(Instant::now),
            read_failure: Mutex::new(OnChange::repeating(LOG_INTERVAL)),
            spool_log: Mutex::new(OnChange::repeating(SPOOL_LOG_INTERVAL)),
            damage_suspected: AtomicBool::new(false),
            space: ArcSwapOption::empty(),
            spooled: Arc::default(),
            heartbeat: Heartbeat::new(),
        }
    }

    /// Returns the number of changes for which there is place, by the sources of the present configuration.
    pub(super) fn max_changes(&self) -> usize {
        max_changes(self.sources.load().len())
    }

    /// Reports that another process records the history.
    pub(super) fn held_by(&self, holder: Holder) {
        let max_changes = self.max_changes();
        let message = format!(
            "another process records the history: {holder}; this one serves without it, keeps up to \
             {max_changes} observations and events in memory, and records them when that process ends"
        );
        self.holder.store(Some(Arc::new(holder)));
        self.report(Level::Warn, FaultKind::Held, &message, |current| current != Some(&message));
    }

    /// Reports that no other process records the history any more.
    pub(super) fn unheld(&self) {
        if self.holder.swap(None).is_some() {
            log::info!("the process that recorded the history has ended: this one takes over");
        }
    }

    /// Publishes the readers of a file that has been opened.
    pub(super) fn opened(&self, readers: Arc<ReaderPool>) {
        self.readers.store(Some(readers));
        self.version.fetch_add(1, Ordering::Relaxed);
        self.clear_error();
    }

    /// Withdraws the readers.
    pub(super) fn closed(&self) {
        self.readers.store(None);
    }

    /// Counts the rows of a successful flush.
    pub(super) fn flushed(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        if self.shared_since.is_none() {
            self.version.fetch_add(1, Ordering::Relaxed);
        }
        self.clear_error();
    }

    /// Returns a number that changes whenever there may be new rows to read. That of a shared database changes at an
    /// interval: it is written each second, and other processes write to it, too.
    pub(super) fn version(&self) -> u64 {
        let intervals = self
            .shared_since
            .map_or(0, |since| since.elapsed().as_secs() / SHARED_VERSION_INTERVAL.as_secs());
        self.version.load(Ordering::Relaxed) + intervals
    }

    /// Counts the rows of a flush, and reports why the spool is used, or cannot be used.
    ///
    /// The log gets this when it begins or its state changes, and at an interval, as the reasons of one outage alternate.
    pub(super) fn spooled(&self, rows: u64, fault: &SpoolFault) {
        let SpoolFault { kind, message, state, has_failed } = fault;
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.errors.fetch_add(u64::from(*has_failed), Ordering::Relaxed);
        self.set_error(*kind, message, |current| current != Some(message));
        if self.spool_log.lock().unwrap_or_else(PoisonError::into_inner).set(*state) {
            log::error!("{message}");
        }
    }

    /// Counts dropped rows.
    ///
    /// A slow or hanging disk returns no error, so the loss is reported as one unless another error is current.
    pub(super) fn dropped(&self, rows: u64) {
        const TOO_SLOW: &str =
            "the history is written too slowly: the oldest unwritten values are dropped";
        self.dropped.fetch_add(rows, Ordering::Relaxed);
        self.report(Level::Error, FaultKind::TooSlow, TOO_SLOW, |current| current.is_none());
    }

    /// Counts samples with impossible numbers, or records that a full spool has lost, as dropped. That is not reported as
    /// a fault of its own.
    pub(super) fn refused(&self, records: u64) {
        self.dropped.fetch_add(records, Ordering::Relaxed);
    }

    /// Reports that readings are held because of the clock, and not recorded.
    pub(super) fn held(&self, message: &str) {
        self.report(Level::Error, FaultKind::Clock, message, |current| current != Some(message));
    }

    /// Counts a failure of the recorder and makes it the current error.
    pub(super) fn write_failed(&self, kind: FaultKind, message: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.report(Level::Error, kind, message, |current| current != Some(message));
    }

    /// Sets and logs the current error, if `replaces` returns true for the message of the previous one.
    fn report(
        &self,
        level: Level,
        kind: FaultKind,
        message: &str,
        replaces: impl Fn(Option<&str>) -> bool,
    ) {
        if self.set_error(kind, message, replaces) {
            log::log!(level, "{message}");
        }
    }

    /// Sets the current error, if `replaces` returns true for the message of the previous one. Returns true if it was
    /// set.
    fn set_error(
        &self,
        kind: FaultKind,
        message: &str,
        replaces: impl Fn(Option<&str>) -> bool,
    ) -> bool {
        let replaces = |health: &Health| {
            let current = health.error.as_ref().map(|error| &*error.message);
            replaces(current)
        };
        if !replaces(&self.health.load()) {
            return false;
        }
        let before = self.health.rcu(|health| {
            if !replaces(health) {
                return health.clone();
            }
            let since = health.error.as_ref().map_or_else(wall_clock::now, |error| error.since);
            Arc::new(Health { error: Some(CurrentError { since, kind, message: message.into() }) })
        });
        // Of two threads that report the same error at once, only the first replaces the state.
        replaces(&before)
    }

    pub(super) fn clear_error(&self) {
        if self.health.load().error.is_some() {
            let dropped = self.dropped.load(Ordering::Relaxed);
            log::info!(
                "the history is written again; {dropped} values and events dropped since the start"
            );
            self.health.store(Arc::default());
        }
        self.spool_log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Publishes the latest events; `are_all` is true if the shared database is known to have no earlier ones.
    pub(super) fn publish_events(&self, recent: Vec<StoredEvent>, are_all: bool) {
        self.recent.store(Arc::new(RecentEvents { events: Arc::new(recent), are_all }));
    }

    /// Returns true if a reader has met an error that means damage since the last call.
    pub(super) fn take_damage_suspicion(&self) -> bool {
        self.damage_suspected.swap(false, Ordering::Relaxed)
    }

    /// Returns the readers of the file.
    ///
    /// # Errors
    /// The file is not open, or there is no history.
    pub(super) fn readers(&self) -> Result<Arc<ReaderPool>, HistoryError> {
        match self.readers.load_full() {
            Some(readers) => Ok(readers),
            None if self.enabled => match self.holder.load_full() {
                Some(holder) => Err(HistoryError::Held(holder)),
                None => Err(HistoryError::Closed),
            },
            None => Err(HistoryError::Off),
        }
    }

    /// Counts and logs a read error, and returns the corresponding error for clients.
    pub(super) fn report_read_error(&self, error: ReadError) -> HistoryError {
        let error = match error {
            ReadError::Busy => return HistoryError::Busy,
            ReadError::Away => return HistoryError::Away,
            ReadError::Store(error) => error,
        };
        self.errors.fetch_add(1, Ordering::Relaxed);
        if error.is_damage() {
            self.damage_suspected.store(true, Ordering::Relaxed);
        }
        let message = error.to_string();
        let mut failure = self.read_failure.lock().unwrap_or_else(PoisonError::into_inner);
        let is_logged = failure.set(message.clone());
        drop(failure);
        if is_logged {
            log::warn!("cannot read the history: {message}");
        }
        match error {
            // query_canceled by its limit of time, lock_not_available
            StoreError::Server(error) if matches!(error.sqlstate(), Some("57014" | "55P03")) => {
                HistoryError::Busy
            }
            StoreError::Server(_) => HistoryError::Away,
            _ => HistoryError::Unreadable,
        }
    }

    /// Returns a calendar of the zone by which rows are rolled up.
    pub(super) fn calendar(&self) -> Calendar {
        Calendar::new(self.zone.clone())
    }
}
