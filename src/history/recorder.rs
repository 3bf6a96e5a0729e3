//! The recorder: the thread `pw-history`, which owns the connection that writes.
//!
//! It receives changes into a [`Batch`] and flushes the batch in one transaction per interval, and earlier when it is
//! half full. A flush that fails keeps the batch, so the next one writes it. A file that cannot be opened is tried
//! again each minute. A file that another process records is not opened: the recorder keeps the batch, and
//! tries to get the lock ([`DataLock`]) several times a second at first, since that process may be the former one
//! that finishes its requests, and then each minute. Old rows are pruned once an hour, right after a flush.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::select;

use super::batch::Batch;
use super::clock_guard::ClockGuard;
use super::destination::{Destination, Written};
use super::error::StoreError;
use super::handle::History;
use super::renames::SourceFields;
use super::sender::{ChangeSender, Changes};
use super::settings::Settings;
use super::shared::Shared;
use crate::board::Change;
use crate::data_lock::DataLock;
use crate::kernel::clock::Clock;
use crate::kernel::disk_space::DiskSpace;
use crate::outbound::Cutoff;
use crate::threads::{self, OwnedThread, StopToken};
use crate::wall_clock;

mod file;
mod hold;
mod setting;

use setting::ReportedSetting;

/// Interval between two deletions of old rows.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Interval between two flushes while the report of a step of the clock is awaited.
const AWAIT_INTERVAL: Duration = Duration::from_secs(1);

/// Most time of a call to the shared database that is in flight when the program begins to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Most time of one that is in flight when the recorder is dropped.
const DROP_GRACE: Duration = Duration::from_millis(500);

/// Work that the recorder's thread does piece by piece, between its own, once the history is open. Returns false
/// when it is done.
pub type OnOpen = Box<dyn FnMut(&History) -> bool + Send>;

/// Owner of the recorder's thread. Dropping it writes the unwritten changes and joins the thread.
#[derive(Debug)]
pub struct Recorder {
    cutoff: Cutoff,
    _thread: OwnedThread,
}

impl Recorder {
    /// Prepares for the end: a call that waits for the shared database ends soon, and what it has not written goes to the
    /// spool. Later changes are in the spool before they are written.
    pub fn begin_stop(&self) {
        self.cutoff.set(Instant::now() + STOP_GRACE);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.cutoff.set(Instant::now() + DROP_GRACE);
    }
}

/// A recorder whose thread has not been started.
#[derive(Debug)]
pub struct Prepared {
    settings: Settings,
    shared: Arc<Shared>,
    changes: Changes,
    clock: Clock,
    /// The board begins after this, and reports each step since.
    setting: ReportedSetting,
}

/// Creates a recorder with its sender and its handle. The sender queues changes at once; they are
/// written after [`Prepared::start`].
pub fn prepare(settings: Settings) -> (Prepared, ChangeSender, History) {
    let shared = Arc::new(Shared::new(&settings));
    let (sender, changes) = ChangeSender::new(shared.clone());
    let history = History::new(shared.clone());
    let clock = Clock::system();
    let setting = ReportedSetting::new(clock.now());
    (Prepared { settings, shared, changes, clock, setting }, sender, history)
}

impl Prepared {
    /// Starts the recorder's thread, which opens the file and then does the work `on_open`.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(self, on_open: OnOpen) -> io::Result<Recorder> {
        let (recorder, changes) = self.into_thread(on_open);
        let cutoff = recorder.cutoff.clone();
        let run = move |stop| recorder.run(&changes, &stop);
        Ok(Recorder { cutoff, _thread: OwnedThread::spawn(threads::HISTORY, run)? })
    }

    /// Replaces the clock.
    #[cfg(test)]
    pub(super) fn with_clock(self, clock: Clock) -> Prepared {
        Prepared { setting: ReportedSetting::new(clock.now()), clock, ..self }
    }

    fn into_thread(self, on_open: OnOpen) -> (RecorderThread, Changes) {
        let Prepared { settings, shared, changes, clock, setting } = self;
        let recorder = RecorderThread {
            on_open: Some(on_open),
            history: History::new(shared.clone()),
            batch: Batch::new(settings.place.is_some(), shared.clone()),
            moved: shared.sources.load_full(),
            shared,
            clock,
            setting,
            cutoff: Cutoff::default(),
            guard: ClockGuard::default(),
            is_holding: false,
            stored_held: Duration::ZERO,
            lock: settings.lock.clone(),
            held_since: None,
            writer: None,
            pruned_at: Instant::now(),
            waits_for_flush: false,
            settings,
        };
        (recorder, changes)
    }
}

/// State of the recorder's thread.
struct RecorderThread {
    settings: Settings,
    shared: Arc<Shared>,
    history: History,
    on_open: Option<OnOpen>,
    lock: Arc<DataLock>,
    /// Time since which another process has the lock; `None` if this one may write.
    held_since: Option<Instant>,
    /// `None` while the file is not open.
    writer: Option<Box<dyn Destination>>,
    batch: Batch,
    clock: Clock,
    /// Set once the program ends.
    cutoff: Cutoff,
    setting: ReportedSetting,
    guard: ClockGuard,
    /// True while the clock is wrong and readings are held.
    is_holding: bool,
    /// Length of the hold in the file.
    stored_held: Duration,
    /// Sources whose renamed fields have been moved.
    moved: Arc<Vec<SourceFields>>,
    pruned_at: Instant,
    /// True if the batch was half full and could not be written, until the next flush is due.
    waits_for_flush: bool,
}

impl RecorderThread {
    fn run(mut self, changes: &Changes, stop: &StopToken) {
        self.open();
        self.measure_space();
        let mut flush_at = Instant::now() + self.settings.flush;
        let mut open_at = Instant::now() + self.open_interval();
        loop {
            self.shared.heartbeat.beat();
            let until_flush = flush_at.saturating_duration_since(Instant::now());
            let until_open = open_at.saturating_duration_since(Instant::now());
            let wait = match self.has_work() {
                true => Duration::ZERO,
                false => until_flush.min(until_open),
            };
            let stopping = select! {
                recv(stop) -> _ => true,
                recv(changes.channel()) -> change => match change {
                    Ok(change) => {
                        self.add(changes.received(change));
                        false
                    }
                    // All senders have been dropped, so the program is stopping.
                    Err(_) => true,
                },
                default(wait) => {
                    self.do_piece_of_work(stop);
                    false
                }
            };
            if stopping {
                while let Some(change) = changes.try_next() {
                    self.add(change);
                }
                if self.writer.is_none() {
                    // The other process may have just ended, or the fault of the path.
                    self.open();
                }
                self.flush_last();
                self.report_loss();
                // The writer closes last: the last connection checkpoints and deletes the WAL.
                self.shared.closed();
                return;
            }
            let now = Instant::now();
            if now >= open_at {
                match self.writer {
                    Some(_) => self.check_lock(),
                    None => self.open(),
                }
                open_at = Instant::now() + self.open_interval();
            }
            if now >= flush_at {
                let interval = match self.setting.is_awaited(self.clock.now()) {
                    true => AWAIT_INTERVAL.min(self.settings.flush),
                    false => self.settings.flush,
                };
                self.flush();
                self.prune();
                self.measure_space();
                self.waits_for_flush = false;
                flush_at = Instant::now() + interval;
            } else {
                self.flush_early();
            }
        }
    }

    /// Measures the space of the file system, on this thread, which waits for that disk in any case.
    fn measure_space(&self) {
        let Some(folder) = self.settings.place.as_ref().and_then(|place| place.path().parent())
        else {
            return;
        };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        self.shared.space.store(DiskSpace::of(folder).ok().map(Arc::new));
    }

    /// Flushes the batch if it is half full. What cannot be written now is tried again at the next flush.
    fn flush_early(&mut self) {
        if self.batch.is_half_full() && !self.waits_for_flush {
            self.flush();
            self.waits_for_flush = !self.batch.is_empty();
        }
    }

    /// Returns true if work is left that needs the history.
    fn has_work(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| {
            writer.has_recomputation() || self.on_open.is_some() && writer.is_readable()
        })
    }

    /// Does a piece of the work that needs the history: first that of the program, then that of the store.
    fn do_piece_of_work(&mut self, stop: &StopToken) {
        let Some(writer) = &mut self.writer else { return };
        if let Some(work) = &mut self.on_open
            && writer.is_readable()
        {
            if !work(&self.history) {
                self.on_open = None;
            }
        } else if writer.has_recomputation() {
            writer.recompute(stop);
        }
    }

    /// Adds a change to the batch.
    fn add(&mut self, change: Change) {
        if let Change::ClockStepped(step) = change {
            self.setting.report(step, self.clock.now());
            self.guard.step(step);
        }
        self.batch.add(change);
    }

    /// Writes the batch in one transaction, unless the clock of the machine is wrong, or was set and the batch is
    /// dated by its earlier setting.
    fn flush(&mut self) {
        if !self.setting.is_awaited(self.clock.now()) && self.is_clock_plausible() {
            self.write_batch();
        }
    }

    /// Writes the batch at the end of the program.
    fn flush_last(&mut self) {
        if let Some(step) = self.setting.unreported(self.clock.now()) {
            // The board has ended before it noticed the step.
            self.add(Change::ClockStepped(step));
        }
        if !self.is_clock_plausible() {
            let dropped = self.batch.drop_dated_by_machine();
            log::warn!(
                "the program ends while its clock is wrong: {dropped} held values and events that it \
                 dated are dropped"
            );
        }
        self.write_batch();
    }

    /// Logs the number of entries that end with the program. Another process that records the history has the
    /// same ones.
    fn report_loss(&self) {
        if self.batch.is_empty() || self.held_since.is_some() {
            return;
        }
        let health = self.shared.health.load();
        let reason = health.error.as_ref().map_or("it is not open", |error| &*error.message);
        log::error!(
            "the program ends, and {} observations and events are lost for the history: {reason}",
            self.batch.len()
        );
    }

    fn write_batch(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        let is_suspect = self.shared.take_damage_suspicion();
        let checked = if is_suspect { writer.verify() } else { Ok(()) };
        if let Some(events) = writer.tick() {
            self.batch.adopt_shared_events(events);
        }
        if self.batch.is_empty() && checked.is_ok() && !writer.has_backlog() {
            return;
        }
        self.batch.drop_implausible();
        if let Some(latest) = self.batch.latest()
            && !self.is_holding
        {
            self.guard.note(latest, self.clock.now().wall);
        }
        writer.set_latest(self.guard.latest());
        let sources = self.shared.sources.load_full();
        let is_reloaded = !Arc::ptr_eq(&sources, &self.moved);
        let moved = match is_reloaded {
            true => checked.and_then(|()| writer.move_renamed(&sources)),
            false => checked,
        };
        match moved.and_then(|()| writer.write(self.batch.entries())) {
            Ok(Written { fault: Some(fault), rows, stored, dropped }) => {
                self.batch.remove_first(stored);
                self.shared.refused(dropped);
                self.shared.spooled(rows, &fault);
            }
            Ok(Written { fault: None, rows, stored, dropped }) => {
                self.shared.refused(dropped);
                self.moved = sources;
                self.batch.remove_first(stored);
                self.shared.flushed(rows);
                if !self.is_holding && !self.stored_held.is_zero() {
                    self.store_held(Duration::ZERO);
                }
            }
            Err(error) => {
                self.write_failed(&error);
                if error.is_damage() {
                    self.replace_file(&error);
                }
            }
        }
    }

    /// Reports that the file could not be written.
    fn write_failed(&self, error: &StoreError) {
        let message = format!("the history cannot be written: {error}");
        self.shared.write_failed(error.into(), &message);
    }

    /// Deletes some of the rows that are older than their retention, if an hour has passed.
    fn prune(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        if self.pruned_at.elapsed() < PRUNE_INTERVAL {
            return;
        }
        match writer.prune(&self.settings.keep, wall_clock::now()) {
            Ok(true) => self.pruned_at = Instant::now(),
            // More rows are left: continue after the next flush.
            Ok(false) => {}
            Err(error) => {
                self.pruned_at = Instant::now();
                let message = format!("old rows cannot be deleted: {error}");
                self.shared.write_failed((&error).into(), &message);
            }
        }
    }
}

#[cfg(test)]
mod tests;
