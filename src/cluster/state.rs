//! State of the leases of this replica, and what its other parts tell it between ticks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::effect::Effect;
use super::entry::{Entry, Lease};
use super::exchange::LeaseRead;
use super::instance::{InstanceId, ReplicaName};
use super::plan::Plan;
use super::replicas::Replicas;
use super::tenure::{Tenure, Terms};
use crate::kernel::clock::TimePoint;

/// Time without a reply from which on leases of others may have ended for the lack of a database.
pub(super) const OUTAGE: Duration = Duration::from_secs(2);

/// Time without a reply after which what is known of leases is outdated although no tick has failed: the process was
/// stopped. Between two ticks of a slow database, publication and sessions take up to three seconds.
pub(super) const PAUSE: Duration = Duration::from_secs(4);

/// The leases of this replica. [`Cluster::begin_tick`] returns what to send, and [`Cluster::end_tick`] what follows from
/// the reply.
#[derive(Debug)]
pub struct Cluster {
    pub(super) replica: ReplicaName,
    pub(super) instance: InstanceId,
    pub(super) terms: Terms,
    pub(super) plan: Plan,
    /// Digest with which the database has registered this instance.
    pub(super) registered: Option<u64>,
    pub(super) tenure: Tenure,
    pub(super) entries: HashMap<Arc<str>, Entry>,
    pub(super) replicas: Replicas,
    pub(super) poll_requests: HashMap<Arc<str>, Duration>,
    /// The request that has no reply yet.
    pub(super) in_flight: Option<Sent>,
    pub(super) era: Option<u64>,
    /// Time of the latest reply.
    pub(super) answered: Option<Duration>,
    /// Time of the latest read of all leases.
    pub(super) read_all: Option<Duration>,
    /// True since the latest tick has failed.
    pub(super) is_failing: bool,
    /// True from [`Effect::Unconfirmed`] to [`Effect::Confirmed`].
    pub(super) is_unconfirmed: bool,
    /// Until then, leases that ended are left to their holders.
    pub(super) grace_until: Duration,
    /// Effects of calls between ticks.
    pub(super) pending: Vec<Effect>,
}

/// A request that has no reply yet.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) read: LeaseRead,
    pub(super) digest: u64,
    pub(super) poll_requests: Vec<Arc<str>>,
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

    /// Records that the database is away before the first tick. Once it answers, leases that ended meanwhile are left to
    /// their holders for a while.
    pub(super) fn database_is_away(&mut self) {
        self.is_failing = true;
    }

    /// Polls what an earlier process of this replica held, unconfirmed, since the database has not answered from the
    /// start on. Its first reply decides who polls from then on.
    pub(super) fn resume(&mut self, held: Vec<(Arc<str>, i64)>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (source, epoch) in held.into_iter().filter(|(source, _)| self.plan.contains(source)) {
            let entry = self.entries.entry(Arc::clone(&source)).or_default();
            entry.lease = Lease::Held { epoch };
            effects.push(Effect::Hold { source, epoch, continue_at: None });
        }
        if !effects.is_empty() {
            self.tenure.resume();
            self.is_unconfirmed = true;
            effects.extend([Effect::Unconfirmed, Effect::Permit(self.tenure.polls_until())]);
        }
        effects
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

    /// Gives up all sources, as before a stop. From then on this is a replica without sources, which stays registered
    /// until [`Cluster::leave`]. Returns what follows.
    pub(super) fn hand_over(&mut self, now: TimePoint) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (source, entry) in &mut self.entries {
            (entry.is_ours, entry.designated) = (false, None);
            if entry.begin_release(now.boot) {
                effects.push(Effect::Release { source: Arc::clone(source) });
            }
        }
        self.poll_requests.clear();
        self.plan = Plan::of(&[]);
        self.replicas.forget_assignment();
        effects
    }

    /// Returns true while a source is held, or its release has no reply yet.
    pub(super) fn has_leases(&self) -> bool {
        self.entries.values().any(|entry| entry.lease != Lease::None)
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
}
