//! The owner of the store's threads, and handles to them.

use std::fmt;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use jiff::Timestamp;

use super::changes::{Changes, Loaded, Opened};
use super::health::{StoreFault, StoreHealth};
use super::pending::Pending;
use super::read::{Find, IncidentsError, Reader, Reads, find_in_file};
use super::shared::{SharedSettings, SharedThread, TenureChange};
use super::thread::StoreThread;
use crate::alert::{Incident, IncidentId, Notice, NoticeKey};
use crate::data_lock::{DataLock, Holder};
use crate::threads::{self, OwnedThread, StillRunning};
use crate::wall_clock;

/// Pause between two looks whether the changes are on the disk. A synced write takes some milliseconds.
const SETTLE_POLL: Duration = Duration::from_millis(2);

/// Called on the store's thread with each outcome of opening the file that differs from the one before. Must not
/// block.
pub type OnOpen = Box<dyn FnMut(Opened) + Send>;

/// Called on the store's thread with the notices that are on the disk now. Must not block.
pub type OnSaved = Box<dyn Fn(&[NoticeKey]) + Send>;

/// Owner of the store's threads. Dropping it writes the changes that wait and joins the threads.
#[derive(Debug)]
pub struct AlertStore {
    thread: OwnedThread,
    reader: OwnedThread,
}

/// Handle to the store. Cheap to clone.
#[derive(Clone)]
pub struct StoreHandle {
    pub(super) shared: Arc<Shared>,
    wake: Sender<()>,
    reads: Reads,
    /// True with a database that replicas share.
    is_shared: bool,
}

/// State that the handles share with the thread.
pub(super) struct Shared {
    pub(super) path: PathBuf,
    waiting: Mutex<Waiting>,
    status: Mutex<Status>,
    /// True if a read has met damage.
    is_suspect: AtomicBool,
    /// Changes of the sources that are held, with a database.
    tenure: Mutex<Vec<TenureChange>>,
}

/// Changes that are not on the disk. The mutex is never held during a system call.
#[derive(Default)]
struct Waiting {
    pending: Pending,
    /// Time since which the oldest of `pending` waits.
    since: Option<Timestamp>,
    /// Number of changes that are being written, and the time since which the oldest of them waits.
    in_flight: Option<(usize, Timestamp)>,
    discarded: u64,
    /// True while another process has the file, so that changes are discarded.
    is_standby: bool,
}

#[derive(Default)]
struct Status {
    is_open: bool,
    error: Option<StoreFault>,
    holder: Option<Holder>,
}

impl AlertStore {
    /// Starts the threads, of which one opens the file at `path` as soon as it has the lock.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub fn start(
        path: PathBuf,
        lock: Arc<DataLock>,
        on_open: OnOpen,
        on_saved: OnSaved,
    ) -> io::Result<(AlertStore, StoreHandle)> {
        let find = find_in_file(path.clone());
        let (handle, woken, reader) = StoreHandle::new(path, find);
        let thread = StoreThread::new(Arc::clone(&handle.shared), woken, lock, on_open, on_saved);
        let thread = OwnedThread::spawn(threads::ALERT_STORE, move |stop| thread.run(&stop))?;
        let reader = OwnedThread::spawn(threads::ALERT_READS, move |stop| reader.run(&stop))?;
        Ok((AlertStore { thread, reader }, handle))
    }

    /// Starts the threads with a database that replicas share. `find` reads past incidents, on the thread
    /// `pw-alert-reads`; it waits for a bounded time.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub fn start_shared(
        settings: SharedSettings,
        find: Find,
    ) -> io::Result<(AlertStore, StoreHandle)> {
        let (handle, woken, reader) = StoreHandle::new(PathBuf::new(), find);
        let handle = StoreHandle { is_shared: true, ..handle };
        let thread = SharedThread::new(Arc::clone(&handle.shared), woken, settings);
        let thread = OwnedThread::spawn(threads::ALERT_STORE, move |stop| thread.run(&stop))?;
        let reader = OwnedThread::spawn(threads::ALERT_READS, move |stop| reader.run(&stop))?;
        Ok((AlertStore { thread, reader }, handle))
    }

    /// Signals the threads to end, one of them once it has written the changes that wait, without waiting for them.
    pub fn begin_stop(&mut self) {
        self.thread.stop();
        self.reader.stop();
    }

    /// Stops the threads, and waits until `deadline` for the changes that wait to be written.
    ///
    /// # Errors
    /// The disk has not taken them in time. The thread ends when it does.
    pub fn stop(mut self, deadline: Instant) -> Result<(), StillRunning> {
        self.begin_stop();
        // A read that hangs ends with the process: no visitor waits for it.
        let _ = self.reader.join_deadline(deadline);
        self.thread.join_deadline(deadline)
    }
}

impl StoreHandle {
    /// Returns a handle, the channel by which it wakes the thread that writes, and the thread that reads.
    pub(super) fn new(path: PathBuf, find: Find) -> (StoreHandle, Receiver<()>, Reader) {
        let (wake, woken) = bounded(1);
        let (reads, reader) = Reads::new(find);
        let shared = Shared {
            path,
            waiting: Mutex::default(),
            status: Mutex::default(),
            is_suspect: AtomicBool::new(false),
            tenure: Mutex::default(),
        };
        let shared = Arc::new(shared);
        (StoreHandle { shared, wake, reads, is_shared: false }, woken, reader)
    }

    /// Adds changes to those that wait, and returns at once. Of changes with the same key the latest one wins.
    /// They are written as soon as the disk takes them; all of one call are in one transaction.
    pub fn save(&self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        let now = wall_clock::now();
        let mut waiting = self.shared.waiting();
        if waiting.is_standby {
            return;
        }
        let discarded = waiting.pending.add(changes);
        waiting.discarded += discarded;
        waiting.since.get_or_insert(now);
        drop(waiting);
        self.wake();
    }

    /// Returns the health of the store.
    pub fn health(&self) -> Arc<StoreHealth> {
        let status = lock(&self.shared.status);
        let waiting = self.shared.waiting();
        let (in_flight, in_flight_since) = waiting.in_flight.unzip();
        Arc::new(StoreHealth {
            is_open: status.is_open,
            error: status.error.clone(),
            holder: status.holder.clone(),
            waiting: waiting.pending.len() + in_flight.unwrap_or(0),
            waiting_since: in_flight_since.or(waiting.since),
            discarded: waiting.discarded,
        })
    }

    /// Evaluates sources by leases of these epochs, once the rows of their former holders were read.
    pub fn hold(&self, sources: Vec<(Arc<str>, i64)>) {
        let changes = sources.into_iter().map(|(source, epoch)| TenureChange::Hold(source, epoch));
        self.change_tenure(changes.collect());
    }

    /// Hands sources over. [`News::Flushed`](super::News::Flushed) follows.
    pub fn release(&self, sources: Vec<Arc<str>>) {
        self.change_tenure(sources.into_iter().map(TenureChange::Release).collect());
    }

    /// Stops to evaluate sources whose leases have ended, and forgets what waits of them.
    pub fn lose(&self, sources: Vec<Arc<str>>) {
        self.change_tenure(sources.into_iter().map(TenureChange::Lose).collect());
    }

    fn change_tenure(&self, changes: Vec<TenureChange>) {
        lock(&self.shared.tenure).extend(changes);
        self.wake();
    }

    /// Waits until all changes that were added before are on the disk, for `longest` at most. Returns at once if the
    /// disk has not taken earlier ones for that long, or with a database, for which no request waits.
    pub fn settle(&self, longest: Duration) {
        if self.is_shared {
            return;
        }
        let deadline = Instant::now() + longest;
        let hangs =
            |since: Timestamp| wall_clock::now().duration_since(since).unsigned_abs() >= longest;
        let is_over = || {
            let waiting = self.shared.waiting();
            let since = waiting.in_flight.map(|(_, since)| since).or(waiting.since);
            since.is_none_or(hangs)
        };
        while !is_over() && Instant::now() < deadline {
            thread::sleep(SETTLE_POLL);
        }
    }

    /// Returns at most `limit` incidents of an alert, the latest fire first: those before `before`, an incident of the
    /// alert, or the latest ones. Waits at most 250 ms for the thread that reads the file, and not at all while an
    /// earlier read hangs.
    ///
    /// # Errors
    /// The file is not open, the disk does not answer in time, or the file cannot be read.
    pub fn incidents(
        &self,
        alert: &str,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, IncidentsError> {
        if !lock(&self.shared.status).is_open {
            return Err(IncidentsError::Closed);
        }
        self.reads.incidents(alert, before, limit).inspect_err(|error| {
            if matches!(error, IncidentsError::Store(error) if error.is_damage()) {
                self.shared.is_suspect.store(true, Ordering::Relaxed);
                self.wake();
            }
        })
    }

    fn wake(&self) {
        // If it is full, the thread has not received the previous wake-up yet.
        let _ = self.wake.try_send(());
    }
}

impl fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHandle").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Takes the changes that wait; `None` if there are none.
    pub(super) fn take(&self) -> Option<Pending> {
        let mut waiting = self.waiting();
        let since = waiting.since.take()?;
        let pending = mem::take(&mut waiting.pending);
        waiting.in_flight = Some((pending.len(), since));
        Some(pending)
    }

    /// Records that the changes that were taken are on the disk.
    pub(super) fn written(&self) {
        self.waiting().in_flight = None;
    }

    /// Returns changes that could not be written to those that wait.
    pub(super) fn put_back(&self, pending: Pending) {
        let mut waiting = self.waiting();
        let discarded = waiting.pending.put_back(pending);
        waiting.discarded += discarded;
        waiting.since = waiting.in_flight.take().map(|(_, since)| since).or(waiting.since);
    }

    /// Removes the notices whose deletion waits, as they were sent while the file was not open, and the silences that
    /// were changed.
    pub(super) fn remove_replaced(&self, loaded: &mut Loaded) {
        let waiting = self.waiting();
        let Pending { notices, silences, .. } = &waiting.pending;
        loaded.notices.retain(|notice| !matches!(notices.get(&notice.key), Some(None)));
        loaded.silences.retain(|(alert, _)| !silences.contains_key(alert));
    }

    /// Takes the changes of the sources that are held.
    pub(super) fn take_tenure(&self) -> Vec<TenureChange> {
        mem::take(&mut *lock(&self.tenure))
    }

    /// Writes notices again that the database has lost.
    pub(super) fn reclaim(&self, notices: Vec<Arc<Notice>>) {
        let mut waiting = self.waiting();
        waiting.pending.reclaim(notices);
        waiting.since.get_or_insert(wall_clock::now());
    }

    /// Forgets what waits of sources whose leases have ended.
    pub(super) fn forget(&self, sources: &[Arc<str>]) {
        self.waiting().pending.forget(sources);
    }

    /// Returns the number of changes that wait.
    pub(super) fn count(&self) -> usize {
        self.waiting().pending.len()
    }

    /// Discards the changes that wait, and later ones until the file is opened.
    pub(super) fn stand_by(&self, holder: Holder) {
        *self.waiting() = Waiting { is_standby: true, ..Waiting::default() };
        *lock(&self.status) = Status { holder: Some(holder), ..Status::default() };
    }

    /// Accepts changes again.
    pub(super) fn end_standby(&self) {
        self.waiting().is_standby = false;
        lock(&self.status).holder = None;
    }

    pub(super) fn set_open(&self, is_open: bool) {
        lock(&self.status).is_open = is_open;
    }

    /// Closes the store at the end of the program, and logs the number of changes that are not in it, in words of `place`.
    pub(super) fn end(&self, place: &str) {
        let lost = self.count();
        if lost > 0 {
            log::error!(
                "the program ends, and {lost} changes of alerts and messages are not {place}; messages \
                 may be sent twice or not at all"
            );
        }
        self.set_open(false);
    }

    /// Sets the current error. Keeps the time since which there has been one.
    pub(super) fn set_error(&self, error: StoreFault) {
        let mut status = lock(&self.status);
        let since = status.error.as_ref().map_or(error.since, |earlier| earlier.since);
        status.error = Some(StoreFault { since, ..error });
    }

    pub(super) fn clear_error(&self) {
        lock(&self.status).error = None;
    }

    pub(super) fn take_suspicion(&self) -> bool {
        self.is_suspect.swap(false, Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
