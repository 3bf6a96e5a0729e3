//! The thread `pw-cluster`, which exchanges this replica's state with the database twice a second.
//!
//! In each tick it publishes the changed states of the sources that it holds, renews the lease, and reads what other
//! replicas have published. Nothing waits for it: handlers read its view, and their requests for polls are sent with
//! the next tick. All of a tick has one deadline, so a database that hangs delays the next attempt and nothing else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, select, unbounded};
use jiff::SignedDuration;

use super::database::{self, NewState, PublishedState, StateRead, Ticked};
use super::effect::Effect;
use super::exchange::{Failure, TickReply};
use super::instance::{InstanceId, ReplicaName};
use super::plan::Plan;
use super::shared_access::SharedAccess;
use super::state::Cluster;
use super::tenure::{Permit, Terms};
use super::view::ClusterView;
use crate::access::Gate;
use crate::board::{BoardReader, Followed, SharedState, Snapshot, shared_state};
use crate::engine::Heartbeat;
use crate::kernel::clock::Clock;
use crate::logging::OnChange;
use crate::postgres::PostgresError;
use crate::store::{Access, Link, Readiness};
use crate::threads::{self, OwnedThread, StopToken};
use crate::wall_clock;

/// Time from one tick to the next.
const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// Time between two reads of the states of all sources. It covers what a promotion has lost.
const READ_ALL_INTERVAL: Duration = Duration::from_secs(30);

/// Time between two attempts to prepare the schema.
const PREPARE_INTERVAL: Duration = Duration::from_secs(2);

/// Most time of an attempt to prepare the schema.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(30);

/// Most states that one statement publishes.
const MAX_PUBLISHED: usize = 500;

/// Parts that follow the leases. None of the calls may block for long.
pub trait Outputs: Send {
    /// Polls a source from now on, next at this time since boot; without one, as a source without a reading.
    fn hold(&mut self, source: &Arc<str>, next_poll: Option<Duration>);

    /// Starts no further poll of a source. Its name is sent to [`Prepared::released`] once the poll in
    /// flight has ended.
    fn release(&mut self, source: &Arc<str>);

    /// Shows the states of other replicas for a source from now on.
    fn follow_source(&mut self, source: &Arc<str>);

    /// Polls a source that is held, as a client has requested at another replica.
    fn poll(&mut self, source: &Arc<str>);

    /// Shows states that other replicas have published.
    fn follow(&mut self, states: Vec<Followed>);
}

/// Message to the thread.
enum Message {
    Request(Arc<str>),
    Renew(Plan),
}

/// Sends messages to the thread. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct ClusterSender(Sender<Message>);

impl ClusterSender {
    /// Passes a request for a poll on to the holder of a source.
    pub fn request_poll(&self, source: Arc<str>) {
        self.send(Message::Request(source));
    }

    fn send(&self, message: Message) {
        // The send fails only if the thread has ended, and then the process is about to exit.
        let _ = self.0.send(message);
    }
}

/// Handle to the view of the thread. Cheap to clone; never blocks.
#[derive(Clone, Debug)]
pub struct ClusterReader(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    view: ArcSwap<ClusterView>,
    heartbeat: Heartbeat,
    /// Number of states of other replicas that were read.
    followed: AtomicI64,
}

impl ClusterReader {
    /// Returns the leases as of the latest tick.
    pub fn view(&self) -> Arc<ClusterView> {
        self.0.view.load_full()
    }

    /// Returns the time since the latest tick began.
    pub fn heartbeat_age(&self) -> Duration {
        self.0.heartbeat.age()
    }

    /// Returns the number of states of other replicas that were read since the start.
    pub fn followed(&self) -> i64 {
        self.0.followed.load(Ordering::Relaxed)
    }
}

/// The thread before its start, whose handles exist already.
pub struct Prepared {
    messages: Receiver<Message>,
    sender: ClusterSender,
    /// Names of released sources whose last poll has ended.
    released: (Sender<Arc<str>>, Receiver<Arc<str>>),
    reader: ClusterReader,
    permit: Permit,
}

/// Owner of the thread. Dropping it leaves the cluster, and joins the thread.
#[derive(Debug)]
pub struct ClusterThread {
    sender: ClusterSender,
    thread: OwnedThread,
}

/// Returns the handles of a thread that is started later.
pub fn prepare(replica: &ReplicaName) -> Prepared {
    let (sender, messages) = unbounded();
    let shared = Shared {
        view: ArcSwap::from_pointee(ClusterView::starting(replica.clone())),
        heartbeat: Heartbeat::new(),
        followed: AtomicI64::new(0),
    };
    Prepared {
        messages,
        sender: ClusterSender(sender),
        released: unbounded(),
        reader: ClusterReader(Arc::new(shared)),
        permit: Permit::default(),
    }
}

impl Prepared {
    /// Returns a sender of messages, which wait for the start.
    pub fn sender(&self) -> ClusterSender {
        self.sender.clone()
    }

    /// Returns the channel for the names of sources that were released and of which no poll is in flight any more.
    pub fn released(&self) -> Sender<Arc<str>> {
        self.released.0.clone()
    }

    /// Returns a handle to the view.
    pub fn reader(&self) -> ClusterReader {
        self.reader.clone()
    }

    /// Returns the permit to start polls.
    pub fn permit(&self) -> Permit {
        self.permit.clone()
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub(crate) fn start(
        self,
        cluster: Cluster,
        access: Access,
        board: BoardReader,
        clock: Clock,
        gate: Arc<Gate>,
        outputs: Box<dyn Outputs>,
    ) -> io::Result<ClusterThread> {
        let Prepared { messages, sender, released, reader, permit } = self;
        let node = Node {
            shared_access: SharedAccess::new(gate, cluster.instance()),
            cluster,
            link: Link::new(access.clone()),
            access,
            board,
            clock,
            outputs,
            permit,
            shared: reader.0,
            is_prepared: false,
            reads_timeline: false,
            positions: BTreeMap::new(),
            read_all_at: None,
            version: 0,
            published: HashMap::new(),
            ending: HashSet::new(),
            ended: HashSet::new(),
            unreadable: OnChange::new(),
        };
        let thread = OwnedThread::spawn(threads::CLUSTER, move |stop| {
            node.run(&messages, &released.1, &stop);
        })?;
        Ok(ClusterThread { sender, thread })
    }
}

impl ClusterThread {
    /// Applies a new configuration, after the pollers.
    pub fn renew(&self, plan: Plan) {
        self.sender.send(Message::Renew(plan));
    }

    /// Signals the thread to leave the cluster and to end, without waiting for it.
    pub fn begin_stop(&mut self) {
        self.thread.stop();
    }
}

/// State of the thread.
struct Node {
    cluster: Cluster,
    link: Link,
    access: Access,
    board: BoardReader,
    clock: Clock,
    shared_access: SharedAccess,
    outputs: Box<dyn Outputs>,
    permit: Permit,
    shared: Arc<Shared>,
    /// True once the schema can be used.
    is_prepared: bool,
    reads_timeline: bool,
    /// Latest version that was read of each instance.
    positions: BTreeMap<String, i64>,
    read_all_at: Option<Instant>,
    /// Number of the latest publication of this process.
    version: i64,
    /// Version of the view of each source that was published last.
    published: HashMap<Arc<str>, u64>,
    /// Sources that are released, whose last poll has ended since the latest tick.
    ending: HashSet<Arc<str>>,
    /// Those whose last reading the snapshot of this tick has.
    ended: HashSet<Arc<str>>,
    unreadable: OnChange<String>,
}

impl Node {
    fn run(
        mut self,
        messages: &Receiver<Message>,
        released: &Receiver<Arc<str>>,
        stop: &StopToken,
    ) {
        let mut next = Instant::now();
        loop {
            self.shared.heartbeat.beat();
            let wait = next.saturating_duration_since(Instant::now());
            select! {
                recv(stop) -> _ => break,
                recv(messages) -> message => match message {
                    Ok(message) => {
                        self.handle(message);
                        continue;
                    }
                    Err(_) => break,
                },
                recv(released) -> source => {
                    self.ending.extend(source);
                    continue;
                }
                default(wait) => {}
            }
            next = Instant::now() + self.step();
        }
        self.leave();
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Request(source) => self.cluster.request_poll(&source, self.clock.now()),
            Message::Renew(plan) => self.cluster.reconfigure(plan),
        }
    }

    /// Does what is due; returns the time to the next step.
    fn step(&mut self) -> Duration {
        if !self.is_prepared {
            match self.prepare() {
                Ok(Readiness::Ready) => self.is_prepared = true,
                Ok(Readiness::Busy | Readiness::TooNew { .. }) => return PREPARE_INTERVAL,
                Err(error) => {
                    self.link.note::<()>(&Err(error));
                    return PREPARE_INTERVAL;
                }
            }
        }
        let began = Instant::now();
        self.publish();
        match self.tick() {
            true => self.shared_access.step(&mut self.link),
            false => self.shared_access.missed(),
        }
        self.publish_view();
        TICK_INTERVAL.saturating_sub(began.elapsed())
    }

    fn prepare(&mut self) -> Result<Readiness, PostgresError> {
        let readiness = self.access.prepare(Instant::now() + PREPARE_TIMEOUT)?;
        if readiness == Readiness::Ready {
            self.reads_timeline = database::may_read_timeline(&mut self.link)?;
        }
        Ok(readiness)
    }

    /// Publishes the states of the sources that this replica holds, as far as they have changed.
    fn publish(&mut self) {
        let snapshot = self.board.load();
        self.ended.extend(self.ending.drain());
        let changed = self.changed(&snapshot);
        for batch in changed.chunks(MAX_PUBLISHED) {
            self.version += 1;
            let states: Vec<NewState> = batch.iter().map(|(state, _)| state.clone()).collect();
            let instance = self.cluster.instance();
            match database::publish(&mut self.link, instance, self.version, &states) {
                // What the database has refused is of a lease that the next tick finds lost.
                Ok(_) => {
                    let versions = batch.iter().map(|(state, version)| (&state.source, *version));
                    for (source, version) in versions {
                        self.published.insert(source.clone(), version);
                    }
                }
                Err(error) => {
                    log::debug!("states were not published: {error}");
                    return;
                }
            }
        }
        for source in std::mem::take(&mut self.ended) {
            self.cluster.published(&source);
            self.outputs.follow_source(&source);
        }
    }

    /// Returns the states to be published, each with the version of its view.
    fn changed(&self, snapshot: &Snapshot) -> Vec<(NewState, u64)> {
        let changed = snapshot.sources.iter().filter_map(|view| {
            let epoch = self.cluster.epoch(&view.name)?;
            let is_known = self.published.get(&view.name) == Some(&view.version);
            // A source that has not been polled has nothing to publish; others may have a reading.
            let is_empty = view.reading.is_none() && view.error.is_none();
            if is_known || is_empty {
                return None;
            }
            let content = shared_state(view);
            Some((NewState { source: view.name.clone(), epoch, content }, view.version))
        });
        changed.collect()
    }

    /// Returns true if the database has answered.
    fn tick(&mut self) -> bool {
        let before = self.clock.now();
        let request = self.cluster.begin_tick(before);
        let is_due = self.read_all_at.is_none_or(|at| at.elapsed() >= READ_ALL_INTERVAL);
        let states = match is_due {
            true => StateRead::All,
            false => StateRead::Since(self.positions.clone()),
        };
        let machine = wall_clock::of_machine();
        let result = database::tick(&mut self.link, &request, &states, self.reads_timeline);
        let after = self.clock.now();
        let result = match result {
            Ok(Ticked { reply, states: rows, now }) => {
                if reply.is_registered {
                    // The database read its clock between the request and the reply.
                    let half = SignedDuration::try_from(after.since(before) / 2);
                    let machine = machine.saturating_add(half.unwrap_or_default());
                    wall_clock::follow(now.duration_since(machine.unwrap_or(now)));
                    if states == StateRead::All {
                        self.read_all_at = Some(Instant::now());
                    }
                    self.follow(rows, &reply);
                }
                Ok(reply)
            }
            Err(error) => {
                log::debug!("a tick failed: {error}");
                // What was published meanwhile may be lost.
                self.read_all_at = None;
                Err(Failure)
            }
        };
        let has_answered = result.is_ok();
        let effects = self.cluster.end_tick(after, result);
        self.apply(effects);
        has_answered
    }

    /// Shows states of other replicas.
    fn follow(&mut self, rows: Vec<PublishedState>, reply: &TickReply) {
        let own = self.cluster.instance().to_string();
        for row in &rows {
            let known = self.positions.entry(row.instance.clone()).or_insert(row.version);
            *known = (*known).max(row.version);
        }
        let live: HashSet<String> =
            reply.replicas.iter().map(|replica| replica.instance.to_string()).collect();
        self.positions.retain(|instance, _| live.contains(instance));
        for instance in live.into_iter().filter(|instance| *instance != own) {
            self.positions.entry(instance).or_insert(-1);
        }
        let states: Vec<Followed> = rows.iter().filter_map(|row| self.followed(row)).collect();
        if !states.is_empty() {
            let count = i64::try_from(states.len()).unwrap_or(i64::MAX);
            self.shared.followed.fetch_add(count, Ordering::Relaxed);
            self.outputs.follow(states);
        }
    }

    fn followed(&mut self, row: &PublishedState) -> Option<Followed> {
        let instance: InstanceId = row.instance.parse().ok()?;
        match SharedState::from_json(&row.source, &row.content) {
            Ok(state) => Some(Followed {
                instance: u128::from_be_bytes(*instance.as_bytes()),
                version: row.version.unsigned_abs(),
                state,
            }),
            Err(error) => {
                let message = format!("the state of {} cannot be read: {error}", row.source);
                if self.unreadable.set(message.clone()) {
                    log::warn!("{message}; its replica may be of another version");
                }
                None
            }
        }
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Hold { source, continue_at, .. } => {
                    self.published.remove(&source);
                    self.outputs.hold(&source, continue_at);
                }
                Effect::Epoch { source, .. } => _ = self.published.remove(&source),
                Effect::Release { source } => self.outputs.release(&source),
                Effect::Drop { source } => {
                    self.outputs.release(&source);
                    self.outputs.follow_source(&source);
                }
                Effect::PollRequested { source } => self.outputs.poll(&source),
                Effect::Unconfirmed => log::warn!(
                    "the lease has ended and the database is away: sources are polled unconfirmed until \
                     it answers"
                ),
                Effect::Confirmed => log::info!("the database answers: polls are confirmed again"),
                Effect::Instance(instance) => {
                    self.published.clear();
                    log::warn!("the database has lost this replica, which registers as {instance}");
                }
                Effect::NameShared(other) => log::error!(
                    "another process has the name {:?} of this replica (instance {other}): give each \
                     machine a \"replica\" of its own in [server]",
                    &**self.cluster.replica()
                ),
                Effect::Permit(until) => self.permit.set(until),
            }
        }
    }

    fn publish_view(&self) {
        self.shared.view.store(Arc::new(self.cluster.view(self.clock.now())));
    }

    /// Releases all leases, so that other replicas take them at once.
    fn leave(&mut self) {
        if !self.is_prepared {
            return;
        }
        self.publish();
        // The latest sign-outs.
        self.shared_access.step(&mut self.link);
        let request = self.cluster.leave(self.clock.now());
        let known = StateRead::Since(BTreeMap::new());
        if let Err(error) = database::tick(&mut self.link, &request, &known, false) {
            log::warn!("the leases were not released, and end in some seconds: {error}");
        }
    }
}

/// Returns the leases of a process that has none.
pub fn cluster(replica: ReplicaName, instance: InstanceId, plan: Plan) -> Cluster {
    Cluster::new(replica, instance, plan, Terms::default())
}
