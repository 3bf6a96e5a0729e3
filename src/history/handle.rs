//! What the rest of the program sees of the history: questions, and how it fares.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::bucket::Calendar;
use super::error::StoreError;
use super::events::EventScan;
use super::reader::{ReadError, ReaderWait, Readers};
use super::recorder::Settings;
use super::window::{Points, Window};
use super::writer::Retention;
use crate::board::Event;
use crate::heartbeat::Heartbeat;
use crate::logging::OnChange;

/// Interval at which an error that keeps the history from being read is logged again.
const REPEAT: Duration = Duration::from_secs(60);

/// An event with its id in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Ids grow from each event to the next.
    pub id: i64,
    /// The event.
    pub event: Event,
}

/// Reads the history. Cheap to clone.
#[derive(Debug, Clone)]
pub struct History(Arc<Shared>);

/// Why the history has no answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is none by configuration.
    #[error("no history is kept here")]
    Off,
    /// The file is not open, or not yet.
    #[error("the history is not open")]
    Closed,
    /// Too many read at the same time.
    #[error("the history is busy")]
    Busy,
    /// The disk or the file says no.
    #[error("the history cannot be read")]
    Unreadable,
}

/// State of the recorder's writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The error that lasts; `None` after a successful write.
    pub error: Option<CurrentError>,
}

/// An error that has lasted since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentError {
    /// Time of the first failure.
    pub since: Timestamp,
    /// Text of the latest failure.
    pub message: Arc<str>,
}

/// What the recorder and its readers share.
#[derive(Debug)]
pub(super) struct Shared {
    enabled: bool,
    zone: TimeZone,
    readers: ArcSwapOption<Readers>,
    fare: ArcSwap<Health>,
    /// The latest events, the latest first.
    recent: ArcSwap<Vec<StoredEvent>>,
    rows: AtomicU64,
    errors: AtomicU64,
    dropped: AtomicU64,
    /// Grows with every flush that wrote something.
    version: AtomicU64,
    /// The latest error of a read, which each request meets.
    read_failure: Mutex<OnChange<String>>,
    /// A reader has met what looks like damage.
    suspect: AtomicBool,
    pub(super) heartbeat: Heartbeat,
}

impl Shared {
    pub(super) fn new(settings: &Settings) -> Shared {
        Shared {
            enabled: settings.path.is_some(),
            zone: settings.zone.clone(),
            readers: ArcSwapOption::empty(),
            fare: ArcSwap::default(),
            recent: ArcSwap::default(),
            rows: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            version: AtomicU64::new(0),
            read_failure: Mutex::new(OnChange::repeating(REPEAT)),
            suspect: AtomicBool::new(false),
            heartbeat: Heartbeat::new(),
        }
    }

    pub(super) fn opened(&self, readers: Arc<Readers>) {
        self.readers.store(Some(readers));
        self.version.fetch_add(1, Ordering::Relaxed);
        self.clear_error();
    }

    pub(super) fn closed(&self) {
        self.readers.store(None);
    }

    pub(super) fn flushed(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Relaxed);
        self.clear_error();
    }

    /// Counts what will never be written, and tells of it when it begins: a disk that is slow, or
    /// hangs, fails at nothing that could be told.
    pub(super) fn dropped(&self, rows: u64) {
        const SLOW: &str = "the history is written too slowly: what has waited longest is dropped";
        self.dropped.fetch_add(rows, Ordering::Relaxed);
        self.report_error(SLOW, |known| known.is_none());
    }

    /// Notes a failure. The log tells of it when it begins, and when it is over.
    pub(super) fn trouble(&self, what: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.report_error(what, |known| known != Some(what));
    }

    /// Lets everybody know of it, if that is news to them.
    fn report_error(&self, what: &str, is_news: impl Fn(Option<&str>) -> bool) {
        let is_news = |fare: &Health| is_news(fare.error.as_ref().map(|known| &*known.message));
        if !is_news(&self.fare.load()) {
            return;
        }
        let before = self.fare.rcu(|fare| match &fare.error {
            _ if !is_news(fare) => fare.clone(),
            known => {
                let since = known.as_ref().map_or_else(Timestamp::now, |known| known.since);
                Arc::new(Health { error: Some(CurrentError { since, message: Arc::from(what) }) })
            }
        });
        // Two may report_error at the same time: only one of them brought news.
        if is_news(&before) {
            log::error!("{what}");
        }
    }

    fn clear_error(&self) {
        if self.fare.load().error.is_some() {
            let dropped = self.dropped.load(Ordering::Relaxed);
            log::info!(
                "the history is written again; {dropped} values were dropped since the start"
            );
            self.fare.store(Arc::default());
        }
    }

    /// Hands out the latest events.
    pub(super) fn tell(&self, recent: &VecDeque<StoredEvent>) {
        self.recent.store(Arc::new(recent.iter().cloned().collect()));
    }

    pub(super) fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Ordering::Relaxed)
    }
}

impl History {
    pub(super) fn new(shared: Arc<Shared>) -> History {
        History(shared)
    }

    /// No history.
    pub fn off() -> History {
        let (flush, keep) = (Duration::ZERO, Retention::default());
        let settings = Settings { path: None, flush, keep, zone: TimeZone::UTC, readers: 1 };
        History(Arc::new(Shared::new(&settings)))
    }

    /// A history of a file that nobody writes to now.
    pub fn read_only(path: &Path, zone: TimeZone) -> History {
        let flush = Duration::ZERO;
        let keep = Retention::default();
        let settings = Settings { path: Some(path.to_owned()), flush, keep, zone, readers: 1 };
        let shared = Shared::new(&settings);
        shared.readers.store(Some(Arc::new(Readers::new(path, 1))));
        History(Arc::new(shared))
    }

    /// The points of a window; `None` when no such field was ever recorded. Blocks while all
    /// readers are in use.
    ///
    /// # Errors
    /// When the history cannot be read now.
    pub fn points(&self, window: Window) -> Result<Option<Points>, HistoryError> {
        let readers = self.readers()?;
        let reader = readers.borrow().map_err(|error| self.report_read_error(error))?;
        let points = Points::open(&readers, &reader, window, self.calendar());
        points.map_err(|error| self.report_read_error(error))
    }

    /// The same for a worker, which waits for no reader: `Pending` while all are in use.
    ///
    /// # Errors
    /// The history cannot be read now.
    pub fn poll_points(
        &self,
        window: &Window,
        wait: &mut ReaderWait,
    ) -> Result<Poll<Option<Points>>, HistoryError> {
        let readers = self.readers()?;
        let reader = wait.try_borrow(&readers).map_err(|error| self.report_read_error(error))?;
        let Some(reader) = reader else { return Ok(Poll::Pending) };
        let points = Points::open(&readers, &reader, window.clone(), self.calendar());
        points.map(Poll::Ready).map_err(|error| self.report_read_error(error))
    }

    fn calendar(&self) -> Calendar {
        Calendar::new(self.0.zone.clone())
    }

    /// All fields that were ever recorded, as `source` and `field`.
    ///
    /// # Errors
    /// When the history cannot be read now.
    pub fn fields(&self) -> Result<Vec<(String, String)>, HistoryError> {
        let readers = self.readers()?;
        let fields = readers.borrow().and_then(|reader| Ok(reader.fields()?));
        fields.map_err(|error| self.report_read_error(error))
    }

    /// The latest events, the latest first. Known without a look at the disk.
    pub fn recent_events(&self) -> Arc<Vec<StoredEvent>> {
        self.0.recent.load_full()
    }

    /// Events with numbers below that one, the latest first, to be read piece by piece.
    pub fn events(&self, before: Option<i64>, source: Option<&str>, limit: usize) -> EventScan {
        EventScan::new(self.clone(), before, source, limit)
    }

    /// Copies the file, while it is written to, into a new one, which is there once it is whole.
    ///
    /// # Errors
    /// When the one cannot be read, or the other not made; nothing is left of it then.
    pub fn backup(&self, to: &Path) -> Result<(), ReadError> {
        let readers = self.0.readers.load_full().ok_or(ReadError::Busy)?;
        Ok(readers.borrow()?.backup(to)?)
    }

    /// Looks through the whole file for damage, and counts its rows, table by table.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn check(&self) -> Result<Vec<(&'static str, i64)>, ReadError> {
        let readers = self.0.readers.load_full().ok_or(ReadError::Busy)?;
        let reader = readers.borrow()?;
        reader.verify()?;
        Ok(reader.sizes()?)
    }

    /// Whether a history is kept at all.
    pub fn is_enabled(&self) -> bool {
        self.0.enabled
    }

    /// How it fares.
    pub fn health(&self) -> Arc<Health> {
        self.0.fare.load_full()
    }

    /// The zone by whose days it is rolled up.
    pub fn zone(&self) -> &TimeZone {
        &self.0.zone
    }

    /// Rows written since the start.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// Failures since the start.
    pub fn errors(&self) -> u64 {
        self.0.errors.load(Ordering::Relaxed)
    }

    /// Values and events that were never written, because the disk was too slow or full.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Another number means that there may be more to read than there was.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }

    /// How long ago the recorder last gave a sign of life.
    pub fn heartbeat_age(&self) -> Duration {
        self.0.heartbeat.age()
    }

    pub(super) fn readers(&self) -> Result<Arc<Readers>, HistoryError> {
        match self.0.readers.load_full() {
            Some(readers) => Ok(readers),
            None if self.0.enabled => Err(HistoryError::Closed),
            None => Err(HistoryError::Off),
        }
    }

    /// What a visitor is told of a failure; the log has the rest.
    pub fn report_read_error(&self, error: ReadError) -> HistoryError {
        let error = match error {
            ReadError::Busy => return HistoryError::Busy,
            ReadError::Store(error) => error,
        };
        self.0.errors.fetch_add(1, Ordering::Relaxed);
        if error.is_damage() {
            self.0.suspect.store(true, Ordering::Relaxed);
        }
        let what = error.to_string();
        let mut failure = self.0.read_failure.lock().unwrap_or_else(PoisonError::into_inner);
        let is_logged = failure.set(what.clone());
        drop(failure);
        if is_logged {
            log::warn!("the history cannot be read: {what}");
        }
        HistoryError::Unreadable
    }
}

impl From<StoreError> for HistoryError {
    fn from(_: StoreError) -> HistoryError {
        HistoryError::Unreadable
    }
}
