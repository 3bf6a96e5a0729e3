//! The thread `pw-board`, which owns the state of all sources and publishes it.
//!
//! A reading passes through it in three steps: [`Reporter::send`] queues a report; `Publisher::step` applies
//! it (`Sources::apply`), emits the changes and publishes a new snapshot; [`BoardReader::load`] returns the
//! snapshot to each handler.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use jiff::Timestamp;

use super::event::{ChangeSink, Sample};
use super::identity::moved;
use super::report::{Report, SavedReading, SourceInfo};
use super::shared::Followed;
use super::snapshot::{ServiceInfo, Snapshot};
use super::sources::Sources;
use crate::engine::Heartbeat;
use crate::kernel::clock::{Clock, TimePoint};
use crate::threads::{self, OwnedThread, StopToken};

/// Most messages in the channel. The publisher handles each in some microseconds, so a poller practically never
/// blocks on a full channel.
const MAX_MESSAGES: usize = 64;

/// Longest wait. The wall clock may be set at any time, which ends no wait. The publisher therefore compares the
/// clocks at least this often, so that no age is wrong for longer. A look takes about a microsecond.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Shortest wait, so that a rounding error cannot cause a busy loop.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// Owner of the board's thread. Dropping it ends and joins the thread.
#[derive(Debug)]
pub struct Board {
    messages: Sender<Message>,
    _thread: OwnedThread,
}

/// Handle to the latest snapshot. Cheap to clone; never blocks.
#[derive(Debug, Clone)]
pub struct BoardReader(Arc<Published>);

/// Handle that sends reports to the board. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter {
    messages: Sender<Message>,
    clock: Clock,
}

#[derive(Debug)]
enum Message {
    Report(Report),
    /// Recorded samples, earliest first.
    Backfill(Vec<Sample>),
    /// The sources of a new configuration.
    Sources(Vec<SourceInfo>),
    /// States that other replicas have published.
    Followed(Vec<Followed>),
    /// Sources that this replica holds from now on, or that it leaves to another one.
    Held(Vec<Arc<str>>, bool),
}

#[derive(Debug)]
struct Published {
    snapshot: ArcSwap<Snapshot>,
    heartbeat: Heartbeat,
    /// Senders of the threads that follow the publications.
    followers: Mutex<Vec<Sender<()>>>,
}

impl Published {
    fn publish(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        // A follower that has a message already will load this snapshot.
        let is_following = |follower: &Sender<()>| {
            !matches!(follower.try_send(()), Err(TrySendError::Disconnected(())))
        };
        self.followers().retain(is_following);
    }

    /// The lock is held for a few steps in memory.
    fn followers(&self) -> MutexGuard<'_, Vec<Sender<()>>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    /// Starts the thread `pw-board`. The first snapshot is published before this returns: in it each
    /// source is waiting, or has its saved reading. `changes` receives each change from then on.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(
        sources: Vec<SourceInfo>,
        saved: Vec<SavedReading>,
        service: ServiceInfo,
        changes: ChangeSink,
    ) -> io::Result<(Board, BoardReader, Reporter)> {
        Board::start_by(Clock::system(), true, sources, saved, service, changes)
    }

    /// Starts the thread as [`Board::start`] does, on a replica: it holds no source before [`Reporter::hold`].
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start_replica(
        sources: Vec<SourceInfo>,
        saved: Vec<SavedReading>,
        service: ServiceInfo,
        changes: ChangeSink,
    ) -> io::Result<(Board, BoardReader, Reporter)> {
        Board::start_by(Clock::system(), false, sources, saved, service, changes)
    }

    /// Starts the thread by the given clocks. If the machine is alone, it holds all sources.
    pub(crate) fn start_by(
        clock: Clock,
        is_alone: bool,
        sources: Vec<SourceInfo>,
        saved: Vec<SavedReading>,
        service: ServiceInfo,
        changes: ChangeSink,
    ) -> io::Result<(Board, BoardReader, Reporter)> {
        let now = clock.now();
        let mut sources = Sources::new(sources, is_alone, now);
        sources.restore(saved, now);
        let published = Arc::new(Published {
            snapshot: ArcSwap::from_pointee(snapshot(1, &service, &mut sources, now)),
            heartbeat: Heartbeat::new(),
            followers: Mutex::default(),
        });
        let (sender, messages) = bounded(MAX_MESSAGES);
        let (shared, board_clock) = (published.clone(), clock.clone());
        let thread = OwnedThread::spawn(threads::BOARD, move |stopped| {
            let (version, published, clock) = (1, shared, board_clock);
            Publisher { sources, service, version, published, clock, messages, stopped, changes }
                .run();
        })?;
        let board = Board { messages: sender.clone(), _thread: thread };
        Ok((board, BoardReader(published), Reporter { messages: sender, clock }))
    }

    /// Applies a new configuration. Sources with the same name and kind keep their values.
    pub fn renew(&self, sources: Vec<SourceInfo>) {
        // The send fails only if the thread has ended, and then the process is about to exit.
        let _ = self.messages.send(Message::Sources(sources));
    }
}

impl BoardReader {
    /// Returns the latest snapshot.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// Returns a channel that has a message once a snapshot was published since the last one was received. The
    /// board never waits for its receiver.
    pub fn follow(&self) -> Receiver<()> {
        let (sender, receiver) = bounded(1);
        self.0.followers().push(sender);
        receiver
    }

    /// Returns the time since the board last read the clocks: about 2 s at most while its thread runs. If the
    /// thread is stuck, old readings stay fresh.
    pub fn heartbeat_age(&self) -> Duration {
        self.0.heartbeat.age()
    }
}

impl Reporter {
    /// Sends a report; returns false if the board has ended.
    pub fn send(&self, report: Report) -> bool {
        self.messages.send(Message::Report(report)).is_ok()
    }

    /// Sends a report without blocking. Returns it if the channel is full; a board that has ended needs none.
    #[must_use = "a report that is returned was not sent"]
    pub fn try_send(&self, report: Report) -> Option<Report> {
        match self.messages.try_send(Message::Report(report)) {
            Err(TrySendError::Full(Message::Report(report))) => Some(report),
            _ => None,
        }
    }

    /// Returns the present by the board's clocks.
    pub fn now(&self) -> TimePoint {
        self.clock.now()
    }

    /// Sends recorded samples, earliest first, from which the trends start; returns false if the board
    /// has ended.
    pub fn backfill(&self, past: Vec<Sample>) -> bool {
        self.messages.send(Message::Backfill(past)).is_ok()
    }

    /// Sends states of sources that other replicas have published; returns false if the board has ended.
    ///
    /// The board shows them with their times, and emits no change: the holder does. It ignores those of sources that
    /// this replica holds, those of a process whose later state it has, and those from before the reading that it shows. States of this process must not be sent.
    /// After a step of the clock it accepts a state again that it has shown.
    pub fn follow(&self, states: Vec<Followed>) -> bool {
        self.messages.send(Message::Followed(states)).is_ok()
    }

    /// Sends names of sources that this replica holds from now on; returns false if the board has ended.
    ///
    /// The state of each continues from the latest one that was followed: an event is emitted unless that state has
    /// it as announced.
    pub fn hold(&self, sources: Vec<Arc<str>>) -> bool {
        self.messages.send(Message::Held(sources, true)).is_ok()
    }

    /// Sends names of sources that this replica leaves to another one; returns false if the board has ended.
    ///
    /// A reading that is reported later is recorded, and shown until another replica publishes. Its other contents are
    /// dropped, and no event is emitted.
    pub fn release(&self, sources: Vec<Arc<str>>) -> bool {
        self.messages.send(Message::Held(sources, false)).is_ok()
    }
}

/// State of the board's thread.
struct Publisher {
    sources: Sources,
    service: ServiceInfo,
    version: u64,
    published: Arc<Published>,
    clock: Clock,
    messages: Receiver<Message>,
    stopped: StopToken,
    changes: ChangeSink,
}

impl Publisher {
    fn run(mut self) {
        self.emit_changes();
        loop {
            self.published.heartbeat.beat();
            let wait = wait(self.sources.next_due(), self.clock.now().wall);
            let message = select! {
                recv(self.stopped) -> _ => return,
                recv(self.messages) -> message => match message {
                    Ok(message) => Some(message),
                    // The board is being dropped.
                    Err(_) => return,
                },
                default(wait) => None,
            };
            self.step(message, self.clock.now());
        }
    }

    /// Handles one wake-up: applies the clocks and the message, and publishes if anything changed.
    fn step(&mut self, message: Option<Message>, now: TimePoint) {
        let mut changed = self.sources.expire(now);
        match message {
            None => {}
            Some(Message::Backfill(past)) => {
                self.sources.backfill(&past, now);
                changed = true;
            }
            Some(Message::Sources(sources)) => {
                self.sources.renew(sources, now);
                changed = true;
            }
            Some(Message::Followed(states)) => changed |= self.sources.follow(states, now),
            Some(Message::Held(sources, is_held)) => {
                changed |= self.sources.set_held(&sources, is_held, now);
            }
            Some(Message::Report(report)) => {
                let source = report.source.clone();
                if self.sources.apply(report, now) {
                    changed = true;
                } else {
                    log::error!(
                        "dropped a report for {source}: the configuration has no such source"
                    );
                }
            }
        }
        self.emit_changes();
        if changed {
            self.version += 1;
            let snapshot = snapshot(self.version, &self.service, &mut self.sources, now);
            self.published.publish(snapshot);
        }
    }

    fn emit_changes(&mut self) {
        for change in self.sources.take_changes() {
            (self.changes)(change);
        }
    }
}

/// Returns a snapshot. The time of the start is that by the present setting of the wall clock.
fn snapshot(
    version: u64,
    service: &ServiceInfo,
    sources: &mut Sources,
    now: TimePoint,
) -> Snapshot {
    let started_at = moved(service.started_at, sources.stepped());
    Snapshot {
        version,
        service: ServiceInfo { started_at, ..service.clone() },
        sources: sources.publish(version, now.wall),
        published_at: now.wall,
        next_due: sources.next_due(),
    }
}

/// Returns the time until the next source changes by the clock, within the bounds of a wait.
fn wait(due: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(due) = due else { return MAX_WAIT };
    Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO).clamp(MIN_WAIT, MAX_WAIT)
}

#[cfg(test)]
mod tests;
