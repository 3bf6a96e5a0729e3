//! The thread `pw-alerts`, which applies the rules.
//!
//! ```text
//! board ──► snapshot ──► pw-alerts: Evaluator ──► ArcSwap<AlertsView> ──► AlertsHandle (pages, API)
//! commands, configurations ─┘   (sole owner)  ├──► notices ──► channels
//!                                             ├──► changes ──► pw-alert-store
//!                                             └──► events  ──► history
//! ```
//!
//! The thread follows the board's snapshots, at most four times a second, and reads the clocks at least every two
//! seconds. It does no I/O and waits for no other thread: what follows from a step is queued, and a disk, a channel
//! or an upstream that hangs delays no rule.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};
use jiff::Timestamp;

use super::command::{Command, CommandError};
use super::effects::Effects;
use super::evaluator::{Evaluator, Ids, ServerState};
use super::handle::{AlertsHandle, MAX_COMMANDS, PastIncidents, Request};
use super::notice::Notice;
use super::settings::Settings;
use super::shared::{FollowedChanges, Replica};
use super::store::Loaded;
use super::view::AlertsView;
use super::windows::WindowSamples;
use crate::board::{BoardReader, Event, EventKind};
use crate::config::ServerCondition;
use crate::engine::Heartbeat;
use crate::kernel::clock::{Clock, Start, TimePoint};
use crate::text;
use crate::threads::{self, OwnedThread, StopToken};
use crate::timestamp::Rfc3339;

/// Shortest time between two looks at the snapshot. Of a thousand sources, one changes every few milliseconds.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Longest wait. The wall clock may be set at any time, which ends no wait.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Time from one look at the state of the server to the next.
const SERVER_INTERVAL: Duration = Duration::from_secs(10);

/// Time for which the rules wait for the states of an earlier run. Then a disk that hangs must not silence them:
/// they start anew.
const LOAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Parts that the thread passes its results to. None of them may block.
pub struct Outputs {
    /// Queues notices in their channels.
    pub notices: Box<dyn Fn(Vec<Arc<Notice>>) + Send>,
    /// Saves changes.
    pub changes: Box<dyn Fn(&Effects) + Send>,
    /// Records an event.
    pub events: Box<dyn Fn(Event) + Send>,
    /// Returns the state of the server that a rule of its own is about.
    pub server: Box<dyn Fn(ServerCondition) -> ServerState + Send>,
}

/// Message to the thread.
enum Message {
    /// The file was opened.
    Loaded(Box<Loaded>),
    /// Another process has the lock on the file.
    StandBy,
    /// The file cannot be opened. The rules start without it.
    Unreadable,
    /// A new file has replaced a damaged one.
    Replaced,
    /// A new configuration.
    Renew(Box<Settings>),
    /// Recorded observations, from which windows start.
    Backfill(Vec<WindowSamples>),
    /// Rows of other replicas.
    Follow(Box<FollowedChanges>),
    /// Sources that are taken over, with the epochs of their leases.
    Hold(Vec<(Arc<str>, i64)>),
    /// Sources that are taken over while the database is away.
    Resume(Vec<(Arc<str>, i64)>),
    /// Sources that are handed over.
    Release(Vec<Arc<str>>),
    /// Sources whose leases have ended.
    Lose(Vec<Arc<str>>),
    /// Names of the replicas that run.
    Replicas(Vec<Arc<str>>),
}

/// Owner of the thread. Dropping it ends and joins the thread.
#[derive(Debug)]
pub struct AlertEngine {
    sender: AlertSender,
    _thread: OwnedThread,
}

/// Handle that sends the thread what other threads have read. Cheap to clone; never blocks.
#[derive(Debug, Clone)]
pub struct AlertSender(Sender<Message>);

impl AlertSender {
    /// Takes over the states of the file.
    pub fn loaded(&self, loaded: Loaded) {
        self.send(Message::Loaded(Box::new(loaded)));
    }

    /// Stops to announce and to save: another process does.
    pub fn stand_by(&self) {
        self.send(Message::StandBy);
    }

    /// Starts without the states of the file, which cannot be opened.
    pub fn unreadable(&self) {
        self.send(Message::Unreadable);
    }

    /// Saves all states once more: a file is open again, or a new one is.
    pub fn replaced(&self) {
        self.send(Message::Replaced);
    }

    /// Starts windows from recorded observations.
    pub fn backfill(&self, samples: Vec<WindowSamples>) {
        self.send(Message::Backfill(samples));
    }

    /// Applies rows that other replicas have written.
    pub fn follow(&self, changes: FollowedChanges) {
        self.send(Message::Follow(Box::new(changes)));
    }

    /// Evaluates sources from now on, by leases of these epochs. The rows that were read after the leases were taken are
    /// to be followed before.
    pub fn hold(&self, sources: Vec<(Arc<str>, i64)>) {
        self.send(Message::Hold(sources));
    }

    /// Evaluates sources from now on whose rows cannot be read. Those are followed later.
    pub fn resume(&self, sources: Vec<(Arc<str>, i64)>) {
        self.send(Message::Resume(sources));
    }

    /// Hands sources over: they are not evaluated any more. The changes that are saved next state that.
    pub fn release(&self, sources: Vec<Arc<str>>) {
        self.send(Message::Release(sources));
    }

    /// Stops to evaluate sources whose leases have ended.
    pub fn lose(&self, sources: Vec<Arc<str>>) {
        self.send(Message::Lose(sources));
    }

    /// Learns which replicas run.
    pub fn set_replicas(&self, live: Vec<Arc<str>>) {
        self.send(Message::Replicas(live));
    }

    fn send(&self, message: Message) {
        // The send fails only if the thread has ended, and then the process is about to exit.
        let _ = self.0.send(message);
    }
}

impl AlertEngine {
    /// Starts the thread. In its first view all alerts are inactive. With a `replica`, it evaluates the sources of
    /// which that holds the leases.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(
        settings: Settings,
        replica: Option<Replica>,
        board: BoardReader,
        start: &Start,
        clock: Clock,
        outputs: Outputs,
        past: PastIncidents,
    ) -> io::Result<(AlertEngine, AlertsHandle, AlertHeartbeat)> {
        let (messages, received) = unbounded();
        let (commands, requests) = bounded(MAX_COMMANDS);
        let now = clock.now();
        let mut evaluator = Evaluator::new(settings, start.at(), now, random_ids());
        replica.into_iter().for_each(|replica| evaluator.share(replica));
        let view = Arc::new(ArcSwap::from_pointee(evaluator.publish().unwrap_or_default()));
        let handle = AlertsHandle::new(view.clone(), commands, past);
        let heartbeat = Arc::new(Heartbeat::new());
        let beating = heartbeat.clone();
        let thread = OwnedThread::spawn(threads::ALERTS, move |stopped| {
            let published = board.follow();
            let (server_at, load_by) = (Instant::now(), Some(Instant::now() + LOAD_TIMEOUT));
            let inputs = Inputs { published, messages: received, requests, stopped };
            EngineThread { evaluator, board, clock, outputs, view, beating, server_at, load_by }
                .run(&inputs);
        })?;
        let sender = AlertSender(messages);
        Ok((AlertEngine { sender, _thread: thread }, handle, AlertHeartbeat(heartbeat)))
    }

    /// Returns a handle for the threads that read files.
    pub fn sender(&self) -> AlertSender {
        self.sender.clone()
    }

    /// Applies a new configuration.
    pub fn renew(&self, settings: Settings) {
        self.sender.send(Message::Renew(Box::new(settings)));
    }
}

/// Time of the latest pass of the thread.
#[derive(Debug, Clone)]
pub struct AlertHeartbeat(Arc<Heartbeat>);

impl AlertHeartbeat {
    /// Returns the time since the rules were applied last: about 2 s at most while the thread runs.
    pub fn age(&self) -> Duration {
        self.0.age()
    }
}

/// Returns a source of ids that are random, so that those of two processes differ.
fn random_ids() -> Ids {
    Box::new(|| {
        let id = getrandom::u64().unwrap_or_else(|_| fastrand::u64(..));
        super::incident::IncidentId(id)
    })
}

/// Channels on which the thread waits.
struct Inputs {
    published: Receiver<()>,
    messages: Receiver<Message>,
    requests: Receiver<Request>,
    stopped: StopToken,
}

struct EngineThread {
    evaluator: Evaluator,
    board: BoardReader,
    clock: Clock,
    outputs: Outputs,
    view: Arc<ArcSwap<AlertsView>>,
    beating: Arc<Heartbeat>,
    /// Next look at the state of the server.
    server_at: Instant,
    /// Time until which the states of an earlier run are waited for; `None`: another process has them.
    load_by: Option<Instant>,
}

impl EngineThread {
    fn run(mut self, inputs: &Inputs) {
        let mut looked_at: Option<Instant> = None;
        loop {
            self.beating.beat();
            let pause =
                looked_at.map_or(Duration::ZERO, |at| LOOK_INTERVAL.saturating_sub(at.elapsed()));
            let no_news = never();
            // After a look, news wait for the rest of the interval.
            let published = if pause.is_zero() { &inputs.published } else { &no_news };
            let wait = if pause.is_zero() { self.wait() } else { pause };
            select! {
                recv(inputs.stopped) -> _ => return,
                recv(inputs.messages) -> message => if let Ok(message) = message {
                    // A start with thousands of windows sends as many messages, each of which changes no state.
                    let is_backfill = matches!(message, Message::Backfill(_));
                    self.handle(message);
                    if is_backfill {
                        continue;
                    }
                },
                recv(inputs.requests) -> request => if let Ok(request) = request {
                    self.carry_out(&request);
                    continue;
                },
                recv(published) -> _ => {}
                default(wait) => if !pause.is_zero() { continue },
            }
            self.look();
            looked_at = Some(Instant::now());
        }
    }

    /// Returns the time until the next look.
    fn wait(&self) -> Duration {
        let now = self.clock.now().wall;
        let due = self
            .evaluator
            .next_due()
            .map(|due| Duration::try_from(due.duration_since(now)).unwrap_or(Duration::ZERO));
        due.map_or(MAX_WAIT, |due| due.min(MAX_WAIT))
    }

    fn look(&mut self) {
        let (snapshot, now) = (self.board.load(), self.clock.now());
        let is_late = self.load_by.is_some_and(|load_by| Instant::now() >= load_by);
        if !self.evaluator.is_active() && is_late {
            log::error!(
                "the states of alerts could not be read within {} s; the rules start anew, and send \
                 from memory",
                LOAD_TIMEOUT.as_secs()
            );
            self.evaluator.activate(Loaded::default(), now);
        }
        self.evaluator.look(&snapshot, now);
        if Instant::now() >= self.server_at {
            self.server_at = Instant::now() + SERVER_INTERVAL;
            self.evaluator.look_at_server(&self.outputs.server, now);
        }
        self.pass_on();
    }

    fn handle(&mut self, message: Message) {
        let now = self.clock.now();
        match message {
            Message::Loaded(loaded) => self.evaluator.activate(*loaded, now),
            Message::StandBy => {
                self.evaluator.stand_by();
                self.load_by = None;
            }
            Message::Unreadable if self.evaluator.is_active() => {}
            Message::Unreadable => self.evaluator.activate(Loaded::default(), now),
            Message::Replaced => self.evaluator.save_all(),
            Message::Renew(settings) => {
                self.evaluator.renew(*settings, now);
                self.server_at = Instant::now();
            }
            Message::Backfill(samples) => self.evaluator.backfill(samples),
            Message::Follow(changes) => self.evaluator.follow(*changes, now),
            Message::Hold(sources) => {
                for (source, epoch) in &sources {
                    self.evaluator.hold(source, *epoch, now);
                }
            }
            Message::Resume(sources) => {
                for (source, epoch) in &sources {
                    self.evaluator.resume(source, *epoch, now);
                }
            }
            Message::Release(sources) => {
                sources.iter().for_each(|source| self.evaluator.release(source));
            }
            Message::Lose(sources) => {
                sources.iter().for_each(|source| self.evaluator.lose(source));
            }
            Message::Replicas(live) => self.evaluator.set_replicas(&live, now),
        }
    }

    fn carry_out(&mut self, request: &Request) {
        if !request.claim() {
            return;
        }
        let result = self.result_of(&request.command);
        self.pass_on();
        // A client that has waited too long needs no reply.
        let _ = request.reply.try_send(result);
    }

    fn result_of(&mut self, command: &Command) -> Result<(), CommandError> {
        if !self.evaluator.is_active() {
            // Just after the start the states of the earlier run are still being read.
            return Err(match self.load_by {
                Some(_) => CommandError::Unavailable,
                None => CommandError::Standby,
            });
        }
        let TimePoint { wall: now, .. } = self.clock.now();
        let done = match command {
            Command::Acknowledge { alert, source, by } => {
                self.evaluator.acknowledge(alert, source.as_deref(), by, now)?;
                let source = source.as_ref().map(|source| format!(" on {source}"));
                format!("alert {alert}{} acknowledged by {by}", source.unwrap_or_default())
            }
            Command::Silence { alert, length, by } => {
                let until = now.saturating_add(*length).unwrap_or(Timestamp::MAX);
                self.evaluator.silence(alert, until, by, now)?;
                format!("alert {alert} silenced until {} by {by}", Rfc3339(until))
            }
            Command::Unsilence { alert, by } => {
                self.evaluator.unsilence(alert, by, now)?;
                format!("alert {alert} no longer silenced, by {by}")
            }
        };
        log::info!("{}", text::clean(&done));
        Ok(())
    }

    /// Passes on what follows from the latest steps.
    fn pass_on(&mut self) {
        let effects = self.evaluator.take_effects();
        if let Some(view) = self.evaluator.publish() {
            self.view.store(Arc::new(view));
        }
        if effects.is_empty() {
            return;
        }
        // A channel learns of a notice before it learns that the notice is on the disk.
        (self.outputs.notices)(effects.notices.clone());
        (self.outputs.changes)(&effects);
        effects.events.into_iter().for_each(|event| {
            // Commands are logged with their authors.
            if !matches!(event.kind, EventKind::AlertSilenced | EventKind::AlertUnsilenced) {
                log::info!("{}: {}", event.kind.as_str(), event.detail);
            }
            (self.outputs.events)(event);
        });
    }
}
