//! The exchange with the database, without I/O: [`Cluster::begin_tick`] returns what to send, and
//! [`Cluster::end_tick`] what follows from the reply.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::entry::{Change, Entry, Lease};
use super::exchange::{
    Acquired, Failure, LeaseRead, LeaseRow, LiveReplica, Registration, Renewal, TickReply,
    TickRequest,
};
use super::instance::{InstanceId, ReplicaName};
use super::plan::Plan;
use super::replicas::Replicas;
use super::tenure::{PollsUntil, Tenure, TenureState, Terms};
use crate::kernel::clock::TimePoint;

/// Time without a reply from which on leases of others may have ended for the lack of a database.
const OUTAGE: Duration = Duration::from_secs(2);

/// Time for which a request for a poll is sent again after a failure.
const MAX_REQUEST_AGE: Duration = Duration::from_secs(10);

/// A consequence of a tick. They are executed in order; [`Effect::Permit`] is the last one, so that no poll of a
/// source that was dropped starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Poll the source from now on, next at this time since boot; without one, as a source without a reading.
    Hold {
        /// Name of the source.
        source: Arc<str>,
        /// Epoch for writes.
        epoch: i64,
        /// Time of the next poll.
        continue_at: Option<Duration>,
    },
    /// Writes for the source, which is polled on, have this epoch from now on.
    Epoch {
        /// Name of the source.
        source: Arc<str>,
        /// Epoch for writes.
        epoch: i64,
    },
    /// Start no further poll of the source. Once the poll in flight has ended and its reading is published, call
    /// [`Cluster::published`].
    Release {
        /// Name of the source.
        source: Arc<str>,
    },
    /// Start no further poll of the source and publish nothing: the lease is lost.
    Drop {
        /// Name of the source.
        source: Arc<str>,
    },
    /// Request a poll of the source, which is held, as a client of this replica would.
    PollRequested {
        /// Name of the source.
        source: Arc<str>,
    },
    /// The lease has ended and the database is away: polls are unconfirmed.
    Unconfirmed,
    /// The database answers again: polls are confirmed.
    Confirmed,
    /// The database has lost this replica. Writes have this instance from now on.
    Instance(InstanceId),
    /// Another process has the name of this replica: warn.
    NameShared(InstanceId),
    /// Polls may start until then. Passed to [`super::Permit::set`].
    Permit(PollsUntil),
}

/// The leases of this replica.
#[derive(Debug)]
pub struct Cluster {
    pub(super) replica: ReplicaName,
    pub(super) instance: InstanceId,
    terms: Terms,
    pub(super) plan: Plan,
    /// Digest with which the database has registered this instance.
    registered: Option<u64>,
    pub(super) tenure: Tenure,
    pub(super) entries: HashMap<Arc<str>, Entry>,
    pub(super) replicas: Replicas,
    poll_requests: HashMap<Arc<str>, Duration>,
    /// The request that has no reply yet.
    in_flight: Option<Sent>,
    era: Option<u64>,
    /// Time of the latest reply.
    answered: Option<Duration>,
    /// Time of the latest read of all leases.
    read_all: Option<Duration>,
    /// True since the latest tick has failed.
    is_failing: bool,
    /// True from [`Effect::Unconfirmed`] to [`Effect::Confirmed`].
    is_unconfirmed: bool,
    /// Until then, leases that ended are left to their holders.
    grace_until: Duration,
    /// Effects of calls between ticks.
    pending: Vec<Effect>,
}

#[derive(Debug)]
struct Sent {
    at: Duration,
    read: LeaseRead,
    digest: u64,
    poll_requests: Vec<Arc<str>>,
}

impl Cluster {
    /// Returns the state of a replica that holds nothing.
    pub fn new(replica: ReplicaName, instance: InstanceId, plan: Plan, terms: Terms) -> Cluster {
        Cluster {
            replica,
            instance,
            terms,
            plan,
            registered: None,
            tenure: Tenure::default(),
            entries: HashMap::new(),
            replicas: Replicas::default(),
            poll_requests: HashMap::new(),
            in_flight: None,
            era: None,
            answered: None,
            read_all: None,
            is_failing: false,
            is_unconfirmed: false,
            grace_until: Duration::ZERO,
            pending: Vec::new(),
        }
    }

    /// Applies a new configuration, after the pollers. Sources that it removes are released.
    pub fn reconfigure(&mut self, plan: Plan) {
        for (source, entry) in &mut self.entries {
            if plan.contains(source) {
                continue;
            }
            (entry.is_ours, entry.designated) = (false, None);
            if let Lease::Held { epoch } | Lease::Acquired { epoch, .. } = entry.lease {
                let began = Duration::ZERO;
                entry.lease = Lease::Releasing { epoch, began, is_published: true };
                self.pending.push(Effect::Drop { source: Arc::clone(source) });
            }
        }
        self.poll_requests.retain(|source, _| plan.contains(source));
        self.plan = plan;
        self.replicas.forget_assignment();
    }

    /// Records that the poll in flight of a source that is released has ended, and its reading is published.
    pub fn published(&mut self, source: &str) {
        if let Some(Entry { lease: Lease::Releasing { is_published, .. }, .. }) =
            self.entries.get_mut(source)
        {
            *is_published = true;
        }
    }

    /// Passes a request for a poll on to the holder, with the next tick. Requests for one source are one.
    pub fn request_poll(&mut self, source: &str, now: TimePoint) {
        if let Some((source, _)) = self.entries.get_key_value(source) {
            self.poll_requests.entry(Arc::clone(source)).or_insert(now.boot);
        }
    }

    /// Begins a tick: returns what to send. The previous one must have ended.
    pub fn begin_tick(&mut self, now: TimePoint) -> TickRequest {
        let now = now.boot;
        let digest = self.plan.digest();
        let registration = || Registration { digest, hashes: self.plan.hashes() };
        let renewal = match self.registered {
            None => Renewal::Register(registration()),
            Some(registered) if registered != digest => Renewal::Reconfigure(registration()),
            Some(_) => Renewal::Renew,
        };
        let is_due = |since: Option<Duration>, after: Duration| {
            since.is_none_or(|since| now >= since.saturating_add(after))
        };
        // After a failure or a pause, what is known of leases is outdated.
        let is_outdated =
            self.is_failing || self.tenure.has_lapsed(now) || is_due(self.answered, OUTAGE);
        let reads_all = is_outdated || is_due(self.read_all, self.terms.read_all);
        let read = if reads_all { LeaseRead::All } else { LeaseRead::Recent };
        let (releases, acquisitions) = match is_outdated {
            false => (self.releases(now), self.acquisitions(now)),
            true => (Vec::new(), Vec::new()),
        };
        self.replicas.learn(&self.plan);
        let poll_requests: Vec<Arc<str>> = self.poll_requests.keys().cloned().collect();
        let sent = Sent { at: now, read, digest, poll_requests: poll_requests.clone() };
        self.in_flight = Some(sent);
        TickRequest {
            sent: now,
            replica: Arc::clone(&self.replica),
            instance: self.instance,
            ttl: self.terms.ttl,
            renewal,
            releases,
            acquisitions,
            poll_requests,
            known_digests: self.replicas.known_digests(),
            read,
        }
    }

    /// Returns the request by which this replica leaves at a stop, once its polls have ended and their readings are
    /// published. Others take its sources at once. No tick follows.
    pub fn leave(&mut self, now: TimePoint) -> TickRequest {
        let mut request = self.begin_tick(now);
        request.renewal = Renewal::Leave;
        (request.releases, request.acquisitions) = (Vec::new(), Vec::new());
        self.tenure.lose();
        request
    }

    /// Returns the leases to release: those that are published, of each unit together.
    fn releases(&mut self, now: Duration) -> Vec<(Arc<str>, i64)> {
        let wait = self.terms.release_wait;
        for entry in self.entries.values_mut() {
            if let Lease::Releasing { began, is_published, .. } = &mut entry.lease {
                *is_published |= now >= began.saturating_add(wait);
            }
        }
        let is_unpublished = |source: &Arc<str>| {
            let lease = self.entries.get(source).map(|entry| entry.lease);
            matches!(lease, Some(Lease::Releasing { is_published: false, .. }))
        };
        let releases = self.entries.iter().filter_map(|(source, entry)| {
            let epoch = match entry.lease {
                Lease::Releasing { epoch, is_published: true, .. } => epoch,
                // Acquired by a request whose reply was lost.
                Lease::None if !entry.is_ours && entry.holder() == Some(self.instance) => {
                    entry.row_epoch()
                }
                _ => return None,
            };
            let unit = self.plan.unit_of(source);
            let waits = unit.is_some_and(|unit| unit.sources.iter().any(is_unpublished));
            (!waits).then(|| (Arc::clone(source), epoch))
        });
        releases.collect()
    }

    /// Returns the sources to acquire: of each unit together, once no other replica has one of them.
    fn acquisitions(&self, now: Duration) -> Vec<Arc<str>> {
        let mut acquisitions = Vec::new();
        for unit in self.plan.units() {
            let ours = unit.sources.iter().filter_map(|source| {
                let entry = self.entries.get(source).filter(|entry| entry.is_ours)?;
                Some((source, entry))
            });
            let is_free = |entry: &Entry| match (entry.lease, entry.holder()) {
                (Lease::Held { .. } | Lease::Acquired { .. }, _) => true,
                (Lease::Releasing { .. }, _) => false,
                (Lease::None, None) => true,
                (Lease::None, Some(holder)) => {
                    holder == self.instance
                        || now >= self.grace_until && !self.replicas.is_live(holder)
                }
            };
            if ours.clone().all(|(_, entry)| is_free(entry)) {
                let wanted = ours.filter(|(_, entry)| entry.lease == Lease::None);
                acquisitions.extend(wanted.map(|(source, _)| Arc::clone(source)));
            }
        }
        acquisitions
    }

    /// Ends a tick. Returns what follows, in order. A reply for which no tick is in flight has no effect.
    pub fn end_tick(&mut self, now: TimePoint, result: Result<TickReply, Failure>) -> Vec<Effect> {
        let Some(sent) = self.in_flight.take() else { return Vec::new() };
        let now = now.boot;
        let mut effects = std::mem::take(&mut self.pending);
        match result {
            Err(Failure) => {
                self.is_failing = true;
                self.poll_requests.retain(|_, asked| now < asked.saturating_add(MAX_REQUEST_AGE));
                if self.tenure.failed(sent.at) && !self.is_unconfirmed {
                    self.is_unconfirmed = true;
                    effects.push(Effect::Unconfirmed);
                }
            }
            Ok(reply) => {
                self.answered(now, &sent, reply, &mut effects);
                let is_confirmed = self.tenure.state(now) == TenureState::Confirmed;
                if is_confirmed && std::mem::take(&mut self.is_unconfirmed) {
                    effects.push(Effect::Confirmed);
                }
            }
        }
        effects.push(Effect::Permit(self.tenure.polls_until()));
        effects
    }

    fn answered(
        &mut self,
        now: Duration,
        sent: &Sent,
        reply: TickReply,
        effects: &mut Vec<Effect>,
    ) {
        if !reply.is_registered {
            return self.lose_identity(effects);
        }
        let outage = self.answered.is_some_and(|answered| now >= answered + OUTAGE);
        if std::mem::take(&mut self.is_failing) && (outage || self.answered.is_none()) {
            self.grace_until = now.saturating_add(self.terms.grace);
        }
        self.answered = Some(now);
        self.registered = Some(sent.digest);
        for source in &sent.poll_requests {
            self.poll_requests.remove(source);
        }
        let is_new_era = self.era.replace(reply.era).is_some_and(|era| era != reply.era);
        if is_new_era && sent.read == LeaseRead::Recent {
            // The database may have lost changes that are not recent, so leases are confirmed by the next tick.
            self.is_failing = true;
            return;
        }
        self.read(sent.read, reply.leases);
        if sent.read == LeaseRead::All {
            self.read_all = Some(sent.at);
        }
        self.take_acquired(now, reply.acquired);
        self.reconcile(effects);
        let is_settled = reply.era_age >= self.terms.ttl;
        // A lease that ended in the last era may have been taken by a transaction that the database has lost, and
        // its holder may still poll.
        if is_settled || !self.tenure.has_lapsed(sent.at) {
            self.tenure.renewed(sent.at, &self.terms);
        }
        let is_ours = |entry: &&Entry| entry.holder() == Some(self.instance);
        if self.entries.values().filter(is_ours).count() != reply.own_leases {
            self.read_all = None;
        }
        self.assign(now, reply.replicas, effects);
        // Nobody acquires leases before that.
        if is_settled {
            self.release_others(now, effects);
        }
        self.hold_complete_units(effects);
        self.act_on_requests(effects);
    }

    /// Goes on as another instance: what the database does not know, no other replica respects.
    fn lose_identity(&mut self, effects: &mut Vec<Effect>) {
        for (source, entry) in &mut self.entries {
            if entry.end() {
                effects.push(Effect::Drop { source: Arc::clone(source) });
            }
        }
        self.tenure.lose();
        self.registered = None;
        self.read_all = None;
        self.instance = self.instance.successor();
        effects.push(Effect::Instance(self.instance));
    }

    /// Takes over the rows of the reply.
    fn read(&mut self, read: LeaseRead, rows: Vec<LeaseRow>) {
        if read == LeaseRead::All {
            self.entries.values_mut().for_each(|entry| entry.row = None);
        }
        for row in rows {
            let is_own = row.holder.as_ref().is_some_and(|(_, holder)| *holder == self.instance);
            if is_own || self.plan.contains(&row.source) || self.entries.contains_key(&row.source) {
                let entry = self.entries.entry(Arc::clone(&row.source)).or_default();
                entry.row = Some(row);
            }
        }
        let plan = &self.plan;
        self.entries.retain(|source, entry| {
            let is_needed = entry.lease != Lease::None || entry.holder() == Some(self.instance);
            is_needed || plan.contains(source)
        });
    }

    fn take_acquired(&mut self, now: Duration, acquired: Vec<Acquired>) {
        for Acquired { source, next_poll_in } in acquired {
            let Some(entry) = self.entries.get_mut(&source) else { continue };
            if entry.lease == Lease::None && entry.holder() == Some(self.instance) {
                let next_poll = next_poll_in.map(|wait| now.saturating_add(wait));
                entry.lease = Lease::Acquired { epoch: entry.row_epoch(), next_poll };
            }
        }
    }

    /// Follows the rows: drops what others have.
    fn reconcile(&mut self, effects: &mut Vec<Effect>) {
        for (source, entry) in &mut self.entries {
            let source = || Arc::clone(source);
            match entry.reconcile(self.instance) {
                Change::None => {}
                Change::Dropped => effects.push(Effect::Drop { source: source() }),
                Change::Epoch(epoch) => effects.push(Effect::Epoch { source: source(), epoch }),
            }
        }
    }

    /// Computes which replica polls what, if that may have changed.
    fn assign(&mut self, now: Duration, replicas: Vec<LiveReplica>, effects: &mut Vec<Effect>) {
        if self.replicas.renew(replicas) {
            for unit in self.plan.units() {
                for source in &unit.sources {
                    let designated = self.replicas.designated(unit.key, source);
                    let entry = self.entries.entry(Arc::clone(source)).or_default();
                    entry.is_ours = designated.as_ref().is_some_and(|(_, it)| *it == self.instance);
                    entry.designated = designated.map(|(name, _)| name);
                }
            }
        }
        let shared = self.replicas.sharing_name(&self.replica, self.instance, now);
        effects.extend(shared.map(Effect::NameShared));
    }

    /// Begins to release what another replica should poll.
    fn release_others(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for (source, entry) in &mut self.entries {
            if entry.is_ours || entry.designated.is_none() {
                continue;
            }
            let (epoch, is_published) = match entry.lease {
                Lease::Held { epoch } => (epoch, false),
                Lease::Acquired { epoch, .. } => (epoch, true),
                Lease::None | Lease::Releasing { .. } => continue,
            };
            entry.lease = Lease::Releasing { epoch, began: now, is_published };
            if !is_published {
                effects.push(Effect::Release { source: Arc::clone(source) });
            }
        }
    }

    /// Begins to poll units of which all sources are acquired.
    fn hold_complete_units(&mut self, effects: &mut Vec<Effect>) {
        for unit in self.plan.units() {
            let is_complete = unit.sources.iter().all(|source| {
                let entry = self.entries.get(source).filter(|entry| entry.is_ours);
                let lease = entry.map(|entry| entry.lease);
                matches!(lease, None | Some(Lease::Acquired { .. } | Lease::Held { .. }))
            });
            if !is_complete {
                continue;
            }
            for source in &unit.sources {
                let Some(entry) = self.entries.get_mut(source) else { continue };
                if let Lease::Acquired { epoch, next_poll: continue_at } = entry.lease {
                    entry.lease = Lease::Held { epoch };
                    entry.take_request();
                    let source = Arc::clone(source);
                    effects.push(Effect::Hold { source, epoch, continue_at });
                }
            }
        }
    }

    fn act_on_requests(&mut self, effects: &mut Vec<Effect>) {
        for (source, entry) in &mut self.entries {
            let is_held = matches!(entry.lease, Lease::Held { .. });
            if is_held && (entry.take_request() | self.poll_requests.remove(source).is_some()) {
                effects.push(Effect::PollRequested { source: Arc::clone(source) });
            }
        }
    }
}
