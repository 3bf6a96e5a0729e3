//! The thread that writes. It takes what the board tells from a bounded queue, keeps it in
//! memory, and flushes it now and then in one transaction.
//!
//! Whoever tells never waits: when the queue is full the oldest in it is dropped and counted.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::StoreError;
use super::handle::{History, Shared, StoredEvent};
use super::reader::Readers;
use super::schema;
use super::writer::{Entry, Retention, Writer};
use crate::board::{Change, Event, EventKind};
use crate::threads::{self, OwnedThread, StopToken};

/// Changes that wait for the recorder, and entries that wait to be written: each at most so
/// many. At a reading a minute that is more than two days of a disk that does not write.
const QUEUE: usize = 4_096;

/// Events that are known without a look at the disk.
const RECENT: usize = 200;

/// Between two tries to open a file that could not be opened.
const REOPEN: Duration = Duration::from_secs(60);

/// Between two deletions of old rows.
const FORGET: Duration = Duration::from_secs(60 * 60);

/// Observations from before that moment were made by a clock that nobody had set.
const CLOCK_SET: i64 = 1_577_836_800;

/// How the history is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file; `None`: nothing is written, but recent events are known.
    pub path: Option<PathBuf>,
    /// Between two flushes.
    pub flush: Duration,
    /// How long rows are kept.
    pub keep: Retention,
    /// Whose days are rolled up.
    pub zone: TimeZone,
    /// Handlers that may read at the same time.
    pub readers: usize,
}

/// What is done with the history once it is open, on the recorder's thread.
pub type OnOpen = Box<dyn FnOnce(&History) + Send>;

/// The owner of the recorder's thread. Dropped, it writes what is left, and is joined.
#[derive(Debug)]
pub struct Recorder {
    _thread: OwnedThread,
}

/// Takes changes in and never waits.
#[derive(Debug, Clone)]
pub struct ChangeSender {
    /// Boxed, as the channel reserves room for all that may wait.
    sender: Sender<Box<Change>>,
    /// The other end, to drop the oldest when it is full.
    oldest: Receiver<Box<Change>>,
    shared: Arc<Shared>,
}

impl ChangeSender {
    /// Takes a change in, at the cost of the oldest where there is no room.
    pub fn send(&self, change: Change) {
        let mut change = Box::new(change);
        loop {
            match self.sender.try_send(change) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(rejected)) => {
                    change = rejected;
                    if let Ok(dropped) = self.oldest.try_recv() {
                        self.shared.dropped(rows_of(&dropped));
                    }
                }
            }
        }
    }
}

/// A recorder whose thread has not been started.
#[derive(Debug)]
pub struct Prepared {
    settings: Settings,
    shared: Arc<Shared>,
    changes: Receiver<Box<Change>>,
}

/// Makes ready to record: the change_sender takes changes in from now on, to be written once the
/// recorder has been started.
pub fn prepare(settings: Settings) -> (Prepared, ChangeSender, History) {
    let shared = Arc::new(Shared::new(&settings));
    let (sender, changes) = bounded(QUEUE);
    let change_sender = ChangeSender { sender, oldest: changes.clone(), shared: shared.clone() };
    let history = History::new(shared.clone());
    (Prepared { settings, shared, changes }, change_sender, history)
}

impl Prepared {
    /// Starts the recorder. The file is opened on its thread, and that done, `on_open` is called
    /// there.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(self, on_open: OnOpen) -> io::Result<Recorder> {
        let (work, changes) = self.work(on_open);
        let run = move |stop| work.run(&changes, &stop);
        Ok(Recorder { _thread: OwnedThread::spawn(threads::HISTORY, run)? })
    }

    /// What the thread does, and what it does it with.
    fn work(self, on_open: OnOpen) -> (Work, Receiver<Box<Change>>) {
        let Prepared { settings, shared, changes } = self;
        let work = Work {
            on_open: Some(on_open),
            history: History::new(shared.clone()),
            shared,
            writer: None,
            batch: VecDeque::new(),
            next_event: 1,
            numbered: false,
            recent: VecDeque::new(),
            forgot: Instant::now(),
            warned_of_clock: false,
            settings,
        };
        (work, changes)
    }
}

struct Work {
    settings: Settings,
    shared: Arc<Shared>,
    history: History,
    on_open: Option<OnOpen>,
    writer: Option<Writer>,
    /// What is to be written next, the oldest first.
    batch: VecDeque<Entry>,
    next_event: i64,
    /// Whether the numbers go on from those in the file; until that has been open they begin at 1.
    numbered: bool,
    /// The latest events, the latest first.
    recent: VecDeque<StoredEvent>,
    /// When old rows were last deleted.
    forgot: Instant,
    warned_of_clock: bool,
}

impl Work {
    fn run(mut self, changes: &Receiver<Box<Change>>, stopped: &StopToken) {
        self.open();
        let mut flush_at = Instant::now() + self.settings.flush;
        let mut open_at = Instant::now() + REOPEN;
        loop {
            self.shared.heartbeat.beat();
            let stopping = select! {
                recv(stopped) -> _ => true,
                recv(changes) -> change => {
                    // All senders gone: the stop is about to be told.
                    change.is_err() || { self.note(change.ok().map(|it| *it)); false }
                },
                default(flush_at.saturating_duration_since(Instant::now()).min(REOPEN)) => false,
            };
            if stopping {
                while let Ok(change) = changes.try_recv() {
                    self.note(Some(*change));
                }
                self.flush();
                // The writer is to be the last to close the file, for it tidies up then.
                self.shared.closed();
                return;
            }
            let now = Instant::now();
            if self.writer.is_none() && self.settings.path.is_some() && now >= open_at {
                self.open();
                open_at = Instant::now() + REOPEN;
            }
            if now >= flush_at {
                self.flush();
                self.prune();
                flush_at = Instant::now() + self.settings.flush;
            }
        }
    }

    /// Takes a change into the batch.
    fn note(&mut self, change: Option<Change>) {
        let entry = match change {
            None => return,
            Some(Change::Observed(mut samples)) => {
                let before = samples.len();
                samples.retain(|sample| sample.at.as_second() >= CLOCK_SET);
                if samples.len() < before && !std::mem::replace(&mut self.warned_of_clock, true) {
                    log::warn!("observations from before 2020 are not recorded: is the clock set?");
                }
                Entry::Samples(samples)
            }
            Some(Change::Happened(event)) => {
                let number = self.next_event;
                self.next_event += 1;
                self.remember(number, event.clone());
                Entry::Event(number, event)
            }
        };
        if self.settings.path.is_none() {
            return;
        }
        if self.batch.len() >= QUEUE
            && let Some(oldest) = self.batch.pop_front()
        {
            self.shared.dropped(oldest.rows());
        }
        self.batch.push_back(entry);
    }

    /// Adds what happened before the start to the latest events.
    fn recall(&mut self, readers: &Readers) {
        let before = self.recent.back().map_or(i64::MAX, |stored| stored.id);
        let room = RECENT.saturating_sub(self.recent.len());
        let earlier = readers.borrow().and_then(|reader| Ok(reader.events(before, room)?));
        match earlier {
            Ok(earlier) => self.recent.extend(earlier.events),
            Err(error) => log::warn!("earlier events cannot be read: {error}"),
        }
        self.shared.tell(&self.recent);
    }

    /// Lets everybody know of an event without a look at the disk.
    fn remember(&mut self, number: i64, event: Event) {
        self.recent.truncate(RECENT - 1);
        self.recent.push_front(StoredEvent { id: number, event });
        self.shared.tell(&self.recent);
    }

    fn open(&mut self) {
        let Some(path) = self.settings.path.clone() else { return };
        match self.opened(&path) {
            Ok(writer) => {
                let readers = Arc::new(Readers::new(&path, self.settings.readers));
                self.recall(&readers);
                self.shared.opened(readers);
                self.writer = Some(writer);
                if let Some(on_open) = self.on_open.take() {
                    on_open(&self.history);
                }
            }
            Err(error) => self
                .shared
                .trouble(&format!("the history {} cannot be opened: {error}", path.display())),
        }
    }

    /// A writer of a file that is sound, if need be of a new one.
    fn opened(&mut self, path: &std::path::Path) -> Result<Writer, StoreError> {
        let sound = || {
            let mut writer = Writer::open(path, &self.settings.zone)?;
            writer.verify(sign_of(&self.shared))?;
            Ok(writer)
        };
        let writer = match sound() {
            Err(error) if StoreError::is_damage(&error) => {
                self.set_aside(path, &error)?;
                Writer::open(path, &self.settings.zone)?
            }
            other => other?,
        };
        if !self.numbered {
            self.renumber(writer.latest_event()?);
            self.numbered = true;
        }
        Ok(writer)
    }

    /// Events that happened before the file could be opened get numbers behind those in it.
    fn renumber(&mut self, latest: i64) {
        let ahead = latest;
        for entry in &mut self.batch {
            if let Entry::Event(number, _) = entry {
                *number += ahead;
            }
        }
        for stored in &mut self.recent {
            stored.id += ahead;
        }
        self.shared.tell(&self.recent);
        self.next_event += ahead;
    }

    fn set_aside(&mut self, path: &std::path::Path, why: &StoreError) -> Result<(), StoreError> {
        self.shared.closed();
        let now = Timestamp::now();
        let aside = schema::set_aside(path, now)
            .map_err(|error| StoreError::File(path.to_owned(), error))?;
        let told = format!(
            "the history was damaged ({why}); it was set aside as {} and a new one begun",
            aside.display()
        );
        log::error!("{told}");
        let kind = EventKind::HistorySetAside;
        let event = Event { at: now, kind, source: None, detail: "a new one was begun".into() };
        self.note(Some(Change::Happened(event)));
        Ok(())
    }

    fn flush(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        let suspect = self.shared.take_suspicion();
        let checked = if suspect { writer.verify(sign_of(&self.shared)) } else { Ok(()) };
        if self.batch.is_empty() && checked.is_ok() {
            return;
        }
        match checked.and_then(|()| writer.write(self.batch.iter())) {
            Ok(rows) => {
                self.batch.clear();
                self.shared.flushed(rows);
            }
            Err(error) => {
                self.shared.trouble(&format!("the history cannot be written: {error}"));
                if error.is_damage() {
                    self.begin_anew(&error);
                }
            }
        }
    }

    fn begin_anew(&mut self, why: &StoreError) {
        let Some(path) = self.settings.path.clone() else { return };
        self.writer = None;
        match self.set_aside(&path, why) {
            Ok(()) => self.open(),
            Err(error) => self.shared.trouble(&error.to_string()),
        }
    }

    fn prune(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        if self.forgot.elapsed() < FORGET {
            return;
        }
        match writer.prune(&self.settings.keep, Timestamp::now()) {
            Ok(true) => self.forgot = Instant::now(),
            // There is more: go on at the next flush.
            Ok(false) => {}
            Err(error) => {
                self.forgot = Instant::now();
                self.shared.trouble(&format!("old rows cannot be deleted: {error}"));
            }
        }
    }
}

/// Shows that the recorder is at work, though it does not come through its loop.
fn sign_of(shared: &Arc<Shared>) -> impl Fn() + Send + 'static {
    let shared = shared.clone();
    move || shared.heartbeat.beat()
}

fn rows_of(change: &Change) -> u64 {
    match change {
        Change::Observed(samples) => samples.len() as u64,
        Change::Happened(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_from_before_the_file_could_be_opened_are_not_taken_for_those_in_it() {
        let happened = |kind| {
            Change::Happened(Event { at: Timestamp::now(), kind, source: None, detail: "".into() })
        };
        // More, as many and fewer than are in the file.
        for in_it in [1, 3, 5] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pumphouse.db");
            let before = (0..in_it).map(|_| happened(EventKind::Stale));
            super::super::import(&path, &TimeZone::UTC, before).unwrap();
            let (flush, keep) = (Duration::ZERO, Retention::default());
            let (zone, path) = (TimeZone::UTC, Some(path));
            let settings = Settings { path, flush, keep, zone, readers: 1 };
            let (prepared, _, history) = prepare(settings);
            let (mut work, _) = prepared.work(Box::new(|_| {}));
            for _ in 0..3 {
                work.note(Some(happened(EventKind::Fresh)));
            }
            work.open();
            work.flush();
            work.note(Some(happened(EventKind::Stopped)));
            work.flush();
            let (numbers, kinds): (Vec<i64>, Vec<EventKind>) =
                history.recent_events().iter().map(|stored| (stored.id, stored.event.kind)).unzip();
            assert_eq!(numbers, (1..=in_it + 4).rev().collect::<Vec<_>>(), "{in_it}");
            assert_eq!(
                kinds[..4],
                [[EventKind::Stopped].as_slice(), &[EventKind::Fresh; 3]].concat()
            );
            assert_eq!(history.rows(), 4, "{in_it}: all of them are written");
        }
    }
}
