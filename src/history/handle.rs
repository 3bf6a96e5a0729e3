//! Handle with which the rest of the program reads the history.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::entry::StoredEvent;
use super::error::{HistoryError, ReadError};
use super::events::EventScan;
use super::plan::Window;
use super::points::Points;
use super::pool::{Origin, ReaderPool, ReaderWait};
use super::renames::SourceFields;
use super::settings::{Place, Retention, ServerPlace, Settings};
use super::shared::{Health, Shared};
use crate::data_lock::{DataLock, Holder};
use crate::kernel::disk_space::DiskSpace;

/// Most time of a query of a command, for which no client waits.
const COMMAND_READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Handle to the history. Cheap to clone.
#[derive(Debug, Clone)]
pub struct History(Arc<Shared>);

impl History {
    pub(super) fn new(shared: Arc<Shared>) -> History {
        History(shared)
    }

    /// Returns the handle of a program without a history.
    pub fn off() -> History {
        History(Arc::new(Shared::new(&without_recorder(None, TimeZone::UTC))))
    }

    /// Returns a handle to a file that this process does not write. The file is opened by the first
    /// read.
    pub fn read_only(path: &Path, zone: TimeZone) -> History {
        let place = Place::File(path.to_owned());
        let shared = Shared::new(&without_recorder(Some(place), zone));
        let origin = Origin::File(path.to_owned());
        shared.readers.store(Some(Arc::new(ReaderPool::new(origin, 1))));
        History(Arc::new(shared))
    }

    /// Returns a handle to a database that this process does not write. It is connected to by the first read.
    pub(crate) fn read_server(place: ServerPlace, zone: TimeZone) -> History {
        let origin = Origin::Server(place.access.clone(), COMMAND_READ_TIMEOUT);
        let shared = Shared::new(&without_recorder(Some(Place::Server(place)), zone));
        shared.readers.store(Some(Arc::new(ReaderPool::new(origin, 1))));
        History(Arc::new(shared))
    }

    /// Opens a window; returns `None` if no such field was ever recorded. Blocks while all readers
    /// are in use.
    ///
    /// # Errors
    /// The history cannot be read now.
    pub fn points(&self, window: Window) -> Result<Option<Points>, HistoryError> {
        let readers = self.0.readers()?;
        let reader = readers.borrow().map_err(|error| self.report_read_error(error))?;
        let points = Points::open(&readers, &reader, window, self.0.calendar());
        points.map_err(|error| self.report_read_error(error))
    }

    /// Opens a window without blocking; returns `Pending` while all readers are in use.
    ///
    /// # Errors
    /// The history cannot be read now.
    pub fn poll_points(
        &self,
        window: &Window,
        wait: &mut ReaderWait,
    ) -> Result<Poll<Option<Points>>, HistoryError> {
        let readers = self.0.readers()?;
        let reader = wait.try_borrow(&readers).map_err(|error| self.report_read_error(error))?;
        let Some(reader) = reader else { return Ok(Poll::Pending) };
        let points = Points::open(&readers, &reader, window.clone(), self.0.calendar());
        points.map(Poll::Ready).map_err(|error| self.report_read_error(error))
    }

    /// Returns all fields that were ever recorded, as `source` and `field`.
    ///
    /// # Errors
    /// The history cannot be read now.
    pub fn fields(&self) -> Result<Vec<(String, String)>, HistoryError> {
        let readers = self.0.readers()?;
        let fields = readers.borrow().and_then(|reader| Ok(reader.fields()?));
        fields.map_err(|error| self.report_read_error(error))
    }

    /// Returns the latest events, newest first, from memory.
    pub fn recent_events(&self) -> Arc<Vec<StoredEvent>> {
        Arc::clone(&self.0.recent.load().events)
    }

    /// Returns a scan of the events with ids below `before`, newest first.
    pub fn events(&self, before: Option<i64>, source: Option<&str>, limit: usize) -> EventScan {
        EventScan::new(Arc::clone(&self.0), before, source, limit)
    }

    /// Copies the file, while it is written, to a new file that appears once it is complete.
    ///
    /// # Errors
    /// The file cannot be read, or the copy cannot be created. No partial copy remains.
    pub fn backup(&self, to: &Path) -> Result<(), ReadError> {
        let readers = self.0.readers.load_full().ok_or(ReadError::Busy)?;
        Ok(readers.borrow()?.backup(to)?)
    }

    /// Checks the whole file for damage; returns the number of rows of each table.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn check(&self) -> Result<Vec<(&'static str, i64)>, ReadError> {
        let readers = self.0.readers.load_full().ok_or(ReadError::Busy)?;
        let reader = readers.borrow()?;
        reader.verify()?;
        Ok(reader.sizes()?)
    }

    /// Sets the configured sources. The series of fields that earlier versions recorded under another name
    /// move before the next write. Must be called before a new source is polled.
    pub fn renew_sources(&self, sources: Vec<SourceFields>) {
        self.0.sources.store(Arc::new(sources));
    }

    /// Returns true if the configuration has a history.
    pub fn is_enabled(&self) -> bool {
        self.0.enabled
    }

    /// Returns the state of the recorder's writes.
    pub fn health(&self) -> Arc<Health> {
        self.0.health.load_full()
    }

    /// Returns the other process that records the history, if this one waits for it.
    pub fn holder(&self) -> Option<Arc<Holder>> {
        self.0.holder.load_full()
    }

    /// Returns true if this process has the lock, or if there is no history.
    pub fn has_lock(&self) -> bool {
        self.0.has_lock.load(Ordering::Relaxed)
    }

    /// Returns why this process records the history without the lock, if it does.
    pub fn unlocked(&self) -> Option<Arc<str>> {
        self.0.unlocked.load().as_deref().cloned()
    }

    /// Returns the space of the file system that holds the history, as of the latest flush; `None`: not known.
    pub fn disk_space(&self) -> Option<DiskSpace> {
        self.0.space.load().as_deref().copied()
    }

    /// Returns the time zone whose days are rolled up.
    pub fn zone(&self) -> &TimeZone {
        &self.0.zone
    }

    /// Returns the number of rows written since the start.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// Returns the number of failed reads and writes since the start.
    pub fn errors(&self) -> u64 {
        self.0.errors.load(Ordering::Relaxed)
    }

    /// Returns the number of values and events that were dropped because the disk was slow or full.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Returns the number of records that wait in the spool for the shared database.
    pub fn spooled(&self) -> u64 {
        self.0.spooled.load(Ordering::Relaxed)
    }

    /// Returns a number that changes whenever there may be new rows to read.
    pub fn version(&self) -> u64 {
        self.0.version()
    }

    /// Returns the time since the recorder's latest heartbeat.
    pub fn heartbeat_age(&self) -> Duration {
        self.0.heartbeat.age()
    }

    /// Counts and logs an error of [`Points`], and returns the corresponding error for clients.
    pub fn report_read_error(&self, error: ReadError) -> HistoryError {
        self.0.report_read_error(error)
    }
}

/// Settings of a handle without a recorder.
fn without_recorder(place: Option<Place>, zone: TimeZone) -> Settings {
    let (flush, keep) = (Duration::ZERO, Retention::default());
    let lock = Arc::new(DataLock::none());
    Settings { place, lock, flush, keep, zone, readers: 1, sources: Vec::new() }
}
