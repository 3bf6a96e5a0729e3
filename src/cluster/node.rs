//! Loop of the thread `pw-cluster`: ticks, and what follows from them.

mod states;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use jiff::{SignedDuration, Timestamp};

use super::database::{self, StateRead, Ticked};
use super::effect::Effect;
use super::entry::Lease;
use super::exchange::Failure;
use super::held_file::HeldFile;
use super::instance::ReplicaName;
use super::shared_access::SharedAccess;
use super::state::Cluster;
use super::tenure::Permit;
use super::thread::{Message, Outputs, Shared, Surroundings};
use crate::board::BoardReader;
use crate::kernel::clock::Clock;
use crate::logging::OnChange;
use crate::store::{Access, Link, Readiness, SCHEMA_VERSION};
use crate::threads::StopToken;
use crate::wall_clock;

/// Time from one tick to the next.
const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// Time between two reads of the states of all sources. It covers what a promotion has lost.
const READ_ALL_INTERVAL: Duration = Duration::from_secs(30);

/// Time between two attempts to prepare the schema.
const PREPARE_INTERVAL: Duration = Duration::from_secs(2);

/// Most time of an attempt to prepare the schema.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two deletions of the rows of replicas that ended long ago.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// Time after the start from which on a database that does not answer is away.
const RESUME_AFTER: Duration = Duration::from_secs(4);

/// State of the thread.
pub(super) struct Node {
    cluster: Cluster,
    link: Link,
    access: Access,
    board: BoardReader,
    clock: Clock,
    outputs: Box<dyn Outputs>,
    permit: Permit,
    shared: Arc<Shared>,
    held: HeldFile,
    shared_access: SharedAccess,
    started: Instant,
    /// True once the file of held sources was read, because the database was away at the start.
    is_resumed: bool,
    /// True once the schema can be used.
    is_prepared: bool,
    reads_timeline: bool,
    /// True since the latest tick has failed.
    is_away: bool,
    era: Option<u64>,
    /// Time of the latest deletion of old rows.
    pruned: Option<Instant>,
    /// Latest version that was read of each instance.
    positions: BTreeMap<String, i64>,
    read_all_at: Option<Instant>,
    /// Number of the latest publication of this process.
    version: i64,
    /// Version of the view of each source that was published last.
    published: HashMap<Arc<str>, u64>,
    /// Sources that are released and whose last poll has ended. Once the board does not hold them any more, it has
    /// applied the report of that poll.
    ending: HashSet<Arc<str>>,
    /// Sources that are released and of which all else is written.
    flushed: HashSet<Arc<str>>,
    /// Replicas that the other parts know of.
    live: Vec<ReplicaName>,
    /// Time of the next poll of each source that is followed.
    polls: HashMap<Arc<str>, Option<Timestamp>>,
    unreadable: OnChange<String>,
}

impl Node {
    /// Returns the state of a replica that has not exchanged anything yet.
    pub(super) fn new(
        cluster: Cluster,
        around: Surroundings,
        permit: Permit,
        shared: Arc<Shared>,
    ) -> Node {
        let Surroundings { access, board, clock, outputs, held, gate } = around;
        Node {
            shared_access: SharedAccess::new(gate, cluster.instance()),
            cluster,
            link: Link::new(access.clone()),
            access,
            board,
            clock,
            outputs,
            permit,
            shared,
            held,
            started: Instant::now(),
            is_resumed: false,
            is_prepared: false,
            reads_timeline: false,
            is_away: false,
            era: None,
            pruned: None,
            positions: BTreeMap::new(),
            read_all_at: None,
            version: 0,
            published: HashMap::new(),
            ending: HashSet::new(),
            flushed: HashSet::new(),
            live: Vec::new(),
            polls: HashMap::new(),
            unreadable: OnChange::new(),
        }
    }

    pub(super) fn run(
        mut self,
        messages: &Receiver<Message>,
        released: &Receiver<Arc<str>>,
        flushed: &Receiver<Arc<str>>,
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
                    if let Ok(source) = source {
                        self.released(source);
                    }
                    continue;
                }
                recv(flushed) -> source => {
                    self.flushed.extend(source);
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

    /// Notes that the last poll of a source that was released has ended, and its report is in the board's channel.
    fn released(&mut self, source: Arc<str>) {
        match self.cluster.lease_of(&source) {
            // It is polled again: the poll in flight was that of the new lease, too.
            Lease::Held { .. } => return,
            Lease::Releasing { .. } => _ = self.ending.insert(Arc::clone(&source)),
            // Another replica may have published it meanwhile, which the board has ignored.
            Lease::None | Lease::Acquired { .. } => self.read_all_at = None,
        }
        self.outputs.follow_source(&source);
    }

    /// Does what is due; returns the time to the next step.
    fn step(&mut self) -> Duration {
        if !self.is_prepared && !self.prepare() {
            self.publish_view();
            return PREPARE_INTERVAL;
        }
        let began = Instant::now();
        // After a failure, the lease is renewed first.
        if !self.is_away {
            self.publish(began + database::TIMEOUT);
        }
        self.tick();
        if self.is_away {
            self.shared_access.missed();
            self.resume();
        } else {
            self.shared_access.step(&mut self.link);
            self.prune();
            self.held.save(self.cluster.held());
        }
        self.publish_view();
        TICK_INTERVAL.saturating_sub(began.elapsed())
    }

    /// Prepares the schema. Returns true if it can be used.
    fn prepare(&mut self) -> bool {
        // Fails early if the database is away: a migration may take longer, and a stop waits for it.
        let prepared = database::may_read_timeline(&mut self.link).and_then(|reads_timeline| {
            self.reads_timeline = reads_timeline;
            self.access.prepare(Instant::now() + PREPARE_TIMEOUT)
        });
        match prepared {
            Ok(readiness) => self.is_prepared = readiness == Readiness::Ready,
            Err(error) => {
                self.link.note::<()>(&Err(error));
                self.cluster.database_is_away();
                self.resume();
            }
        }
        self.is_prepared
    }

    /// Polls what this replica held before its start, if the database has not answered since.
    fn resume(&mut self) {
        let is_early = self.started.elapsed() < RESUME_AFTER;
        // An error of another kind concerns this replica alone, and others have its sources.
        let is_away = self.access.health().fault().is_some();
        if self.is_resumed || is_early || !is_away || self.cluster.has_answered() {
            return;
        }
        self.is_resumed = true;
        let effects = self.cluster.resume(self.held.load());
        self.apply(effects);
    }

    /// Deletes rows of replicas that ended long ago.
    fn prune(&mut self) {
        if self.pruned.is_none_or(|at| at.elapsed() >= PRUNE_INTERVAL) {
            self.pruned = Some(Instant::now());
            if let Err(error) = database::prune(&mut self.link) {
                log::debug!("rows of ended replicas were not deleted: {error}");
            }
        }
    }

    fn tick(&mut self) {
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
            Ok(Ticked { reply, states: rows, now, oldest }) => {
                self.is_away = false;
                if oldest > SCHEMA_VERSION {
                    // A later version has contracted the schema. The next step says so, and the lease ends.
                    self.is_prepared = false;
                }
                if reply.is_registered {
                    if self.era.replace(reply.era).is_some_and(|era| era != reply.era) {
                        self.lose_publications();
                        self.access.health().server_changed();
                    }
                    // The database read its clock between the request and the reply.
                    let half = SignedDuration::try_from(after.since(before) / 2);
                    let machine = machine.saturating_add(half.unwrap_or_default());
                    let has_stepped =
                        wall_clock::follow(now.duration_since(machine.unwrap_or(now)));
                    if states == StateRead::All && !has_stepped {
                        self.read_all_at = Some(Instant::now());
                    } else if has_stepped {
                        // The board has dated the states that it shows by the clock that was wrong.
                        self.read_all_at = None;
                    }
                    self.follow(rows, &reply);
                }
                Ok(reply)
            }
            Err(error) => {
                log::debug!("a tick failed: {error}");
                self.is_away = true;
                self.lose_publications();
                Err(Failure)
            }
        };
        let effects = self.cluster.end_tick(after, result);
        self.apply(effects);
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Hold { source, epoch, continue_at } => {
                    self.published.remove(&source);
                    self.ending.remove(&source);
                    self.flushed.remove(&source);
                    self.polls.remove(&source);
                    let next_poll = self.next_poll(&source, continue_at);
                    self.outputs.hold(&source, epoch, next_poll);
                }
                Effect::Epoch { source, epoch } => {
                    self.published.remove(&source);
                    self.outputs.epoch(&source, epoch);
                }
                Effect::Release { source } => {
                    self.flushed.remove(&source);
                    self.outputs.release(&source);
                }
                Effect::Drop { source } => {
                    self.outputs.lose(&source);
                    self.outputs.follow_source(&source);
                    // The board has ignored what another replica has published.
                    self.read_all_at = None;
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

    fn publish_view(&mut self) {
        let live = self.cluster.live_replicas().iter().map(|replica| Arc::clone(&replica.name));
        let live: Vec<ReplicaName> = live.collect();
        if live != self.live {
            self.outputs.replicas(&live);
            self.live = live;
        }
        self.shared.view.store(Arc::new(self.cluster.view(self.clock.now())));
    }

    /// Releases all leases, so that other replicas take them at once.
    fn leave(&mut self) {
        if !self.is_prepared || self.is_away {
            return;
        }
        self.publish(Instant::now() + database::LEAVE_TIMEOUT);
        // The latest sign-outs.
        self.shared_access.step(&mut self.link);
        let request = self.cluster.leave(self.clock.now());
        let known = StateRead::Since(BTreeMap::new());
        match database::tick(&mut self.link, &request, &known, false) {
            Ok(_) => self.held.forget(),
            Err(error) => {
                log::warn!("the leases were not released, and end in some seconds: {error}");
            }
        }
    }
}
