//! Loop of the thread `pw-cluster`: ticks, and what follows from them.

mod preparation;
mod refusals;
mod scan;
mod states;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};
use jiff::Timestamp;

use self::refusals::{Refusals, Step};
use self::scan::Scan;
use super::database::{self, StateRead, Ticked};
use super::effect::Effect;
use super::entry::Lease;
use super::exchange::{Failure, LiveReplica, TickReply};
use super::held_file::HeldFile;
use super::instance::ReplicaName;
use super::shared_access::SharedAccess;
use super::state::Cluster;
use super::tenure::Permit;
use super::thread::{Message, Outputs, Shared, Surroundings};
use crate::board::BoardReader;
use crate::kernel::clock::Clock;
use crate::logging::OnChange;
use crate::postgres::PostgresError;
use crate::store::{Access, Link, SCHEMA_VERSION};
use crate::threads::StopToken;
use crate::wall_clock;

/// Time from one tick to the next.
const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// The same while a request for a poll waits, or the database has more states to read.
const SHORT_TICK_INTERVAL: Duration = Duration::from_millis(100);

/// Time between two attempts to prepare the schema.
const PREPARE_INTERVAL: Duration = Duration::from_secs(2);

/// Time between two deletions of the rows of replicas that ended long ago.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

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
    /// True if the database has more states to read.
    is_behind: bool,
    refusals: Refusals,
    era: Option<u64>,
    /// Time of the latest deletion of old rows, or of the start.
    pruned: Instant,
    /// Latest version that was read of each instance.
    positions: BTreeMap<String, i64>,
    scan: Scan,
    /// Number of the latest state that this process has published.
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
    /// Kept while all sources are being given up.
    handing_over: Option<Sender<Infallible>>,
    unreadable_row: OnChange<String>,
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
            is_behind: false,
            refusals: Refusals::new(),
            era: None,
            // The states of sources that this replica is about to hold may be old.
            pruned: Instant::now(),
            positions: BTreeMap::new(),
            scan: Scan::new(),
            version: 0,
            published: HashMap::new(),
            ending: HashSet::new(),
            flushed: HashSet::new(),
            live: Vec::new(),
            polls: HashMap::new(),
            unreadable: OnChange::new(),
            handing_over: None,
            unreadable_row: OnChange::new(),
        }
    }

    pub(super) fn run(
        mut self,
        messages: &Receiver<Message>,
        released: &Receiver<Arc<str>>,
        flushed: &Receiver<Arc<str>>,
        stop: &StopToken,
    ) {
        let mut began = Instant::now();
        let mut next = began;
        loop {
            self.shared.heartbeat.beat();
            let wait = next.saturating_duration_since(Instant::now());
            select! {
                recv(stop) -> _ => break,
                recv(messages) -> message => match message {
                    Ok(message) => {
                        if self.handle(message) {
                            next = next.min(began + SHORT_TICK_INTERVAL);
                        }
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
            began = Instant::now();
            next = self.step(began);
        }
        self.leave();
    }

    fn hand_over(&mut self, holding: Sender<Infallible>) {
        let effects = self.cluster.hand_over(self.clock.now());
        self.apply(effects);
        // Without the schema, the database has no lease of this replica.
        self.handing_over = Some(holding).filter(|_| self.is_prepared);
    }

    /// Handles a message. Returns true if the next tick is urgent: the visitor who has requested a poll, or the end of
    /// the process, waits for it.
    fn handle(&mut self, message: Message) -> bool {
        match message {
            Message::HandOver(holding) => {
                self.hand_over(holding);
                true
            }
            Message::Request(source) => {
                self.cluster.request_poll(&source, self.clock.now());
                self.is_prepared && !self.is_away
            }
            Message::Renew(plan) => {
                self.cluster.reconfigure(plan);
                false
            }
        }
    }

    /// Notes that the last poll of a source that was released has ended, and its report is in the board's channel.
    fn released(&mut self, source: Arc<str>) {
        match self.cluster.lease_of(&source) {
            // It is polled again: the poll in flight was that of the new lease, too.
            Lease::Held { .. } => return,
            Lease::Releasing { .. } => _ = self.ending.insert(Arc::clone(&source)),
            // Another replica may have published it meanwhile, which the board has ignored.
            Lease::None | Lease::Acquired { .. } => self.scan.demand(),
        }
        self.outputs.follow_source(&source);
    }

    /// Does what is due; returns the time of the next step.
    fn step(&mut self, began: Instant) -> Instant {
        if !self.is_prepared && !self.prepare() {
            self.publish_view();
            return Instant::now() + PREPARE_INTERVAL;
        }
        // After a failure, the lease is renewed first.
        if !self.is_away {
            self.publish(Instant::now() + database::TIMEOUT);
        }
        match self.tick() {
            Ok(()) => {
                self.shared_access.step(&mut self.link);
                self.prune();
                self.held.save(self.cluster.held());
            }
            Err(error) => {
                self.shared_access.missed();
                self.resume(&error);
            }
        }
        if self.is_away || !self.cluster.has_leases() {
            drop(self.handing_over.take());
        }
        self.publish_view();
        began + if self.is_behind { SHORT_TICK_INTERVAL } else { TICK_INTERVAL }
    }

    /// Deletes rows of replicas and sources that ended long ago.
    fn prune(&mut self) {
        if self.pruned.elapsed() >= PRUNE_INTERVAL {
            self.pruned = Instant::now();
            if let Err(error) = database::prune(&mut self.link) {
                log::warn!("rows of ended replicas and removed sources were not deleted: {error}");
            }
        }
    }

    fn tick(&mut self) -> Result<(), PostgresError> {
        let before = self.clock.now();
        let request = self.cluster.begin_tick(before);
        let read = self.next_read();
        let machine = wall_clock::of_machine();
        let result = database::tick(&mut self.link, &request, &read, self.reads_timeline);
        let after = self.clock.now();
        self.refusals.note(Step::Renewal, &result, self.access.health());
        self.scan.ticked(result.is_ok().then(|| after.since(before)));
        self.is_away = result.is_err();
        self.is_behind = false;
        let (reply, result) = match result {
            Ok(ticked) => (Ok(self.learn(&read, ticked, machine, after.since(before))), Ok(())),
            Err(error) => {
                self.lose_publications();
                (Err(Failure), Err(error))
            }
        };
        let snapshot = self.board.load();
        let is_poll_near = |source: &str| states::is_poll_near(&snapshot, source, after.wall);
        let effects = self.cluster.end_tick(after, reply, is_poll_near);
        self.apply(effects);
        result
    }

    /// Takes over what a tick has read. `machine` is the machine's time at its begin, and `took` its duration.
    fn learn(
        &mut self,
        read: &StateRead,
        ticked: Ticked,
        machine: Timestamp,
        took: Duration,
    ) -> TickReply {
        let Ticked { reply, later, page, now, oldest, zone, unreadable } = ticked;
        if let Some(unreadable) = unreadable
            && self.unreadable_row.set(unreadable.clone())
        {
            log::warn!("{unreadable}; it is ignored");
        }
        let is_other = |replica: &LiveReplica| replica.name != *self.cluster.replica();
        // Two that started at one moment have not seen each other.
        let has_other_zone = zone.is_some_and(|zone| self.access.has_other_zone(&zone))
            && reply.replicas.iter().any(is_other);
        // A later version may have contracted the schema.
        if oldest > SCHEMA_VERSION || has_other_zone {
            // The next step says so, and the lease ends.
            self.is_prepared = false;
        }
        if reply.is_registered {
            if self.era.replace(reply.era).is_some_and(|era| era != reply.era) {
                self.lose_publications();
                self.access.health().server_changed();
            }
            // The database read its clock between the request and the reply.
            let ahead = wall_clock::ahead(now, machine, took);
            if ahead.is_none_or(wall_clock::follow) {
                // The board may date the states that it shows by a clock that is wrong.
                self.scan.demand();
            }
            self.is_behind = self.follow(read, later, page, &reply);
        }
        reply
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
                    self.scan.demand();
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

    /// Releases the leases that are left and removes the row of this replica, so that others take over at once what it
    /// has not done.
    fn leave(&mut self) {
        if !self.is_prepared || self.is_away {
            return;
        }
        self.publish(Instant::now() + database::LEAVE_TIMEOUT);
        // The latest sign-outs.
        self.shared_access.step(&mut self.link);
        let request = self.cluster.leave(self.clock.now());
        match database::tick(&mut self.link, &request, &StateRead::default(), false) {
            Ok(_) => self.held.forget(),
            Err(error) => {
                log::warn!("the leases were not released, and end in some seconds: {error}");
            }
        }
    }
}
