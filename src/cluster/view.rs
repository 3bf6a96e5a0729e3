//! The leases as the scoreboard, the metrics and the doctor show them.

use std::sync::Arc;

use super::entry::Lease;
use super::exchange::LiveReplica;
use super::instance::{InstanceId, ReplicaName};
use super::state::Cluster;
use super::tenure::TenureState;
use crate::kernel::clock::TimePoint;
use crate::order;

/// The lease of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseView {
    /// Name of the source.
    pub source: Arc<str>,
    /// Name of the replica whose lease it is; `None` if it was released or never acquired.
    pub holder: Option<ReplicaName>,
    /// Name of the replica that should poll it.
    pub designated: Option<ReplicaName>,
    /// Number of acquisitions.
    pub epoch: i64,
    /// True if this replica polls it.
    pub is_held: bool,
}

/// State of the cluster, as this replica knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// Name of this replica.
    pub replica: ReplicaName,
    /// Instance of this replica; `None` before the first reply of the database.
    pub instance: Option<InstanceId>,
    /// State of its lease.
    pub state: TenureState,
    /// Names of the replicas whose lease had not ended at the latest reply, this one included.
    pub live: Vec<ReplicaName>,
    /// Another instance that has had the name of this replica for longer than a restart takes.
    pub namesake: Option<InstanceId>,
    /// Leases of the configured sources, sorted by name.
    pub leases: Vec<LeaseView>,
}

impl ClusterView {
    /// Returns the state before the first tick.
    pub(crate) fn starting(replica: ReplicaName) -> ClusterView {
        let (live, leases) = (Vec::new(), Vec::new());
        let (instance, state, namesake) = (None, TenureState::Ended, None);
        ClusterView { replica, instance, state, live, namesake, leases }
    }

    /// Returns the number of sources that this replica polls.
    pub fn held(&self) -> usize {
        self.leases.iter().filter(|lease| lease.is_held).count()
    }
}

impl Cluster {
    /// Returns the state as others read it.
    pub(super) fn view(&self, now: TimePoint) -> ClusterView {
        let mut leases: Vec<LeaseView> = self.leases().collect();
        order::sort_by_key(&mut leases, |lease| Arc::clone(&lease.source));
        let mut live: Vec<ReplicaName> =
            self.live_replicas().iter().map(|replica| Arc::clone(&replica.name)).collect();
        order::sort_by_key(&mut live, Arc::clone);
        ClusterView {
            replica: Arc::clone(&self.replica),
            instance: self.has_answered().then_some(self.instance),
            state: self.state(now),
            live,
            namesake: self.replicas.lasting_namesake(now.boot),
            leases,
        }
    }

    /// Returns the name of this replica.
    pub fn replica(&self) -> &ReplicaName {
        &self.replica
    }

    /// Returns the instance of this replica.
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Returns the state of this replica's lease.
    pub fn state(&self, now: TimePoint) -> TenureState {
        self.tenure.state(now.boot)
    }

    /// Returns the replicas whose lease had not ended at the latest reply.
    pub fn live_replicas(&self) -> &[LiveReplica] {
        self.replicas.live()
    }

    /// Returns the epoch of a source that this replica holds, or is about to release: that of its writes.
    pub fn epoch(&self, source: &str) -> Option<i64> {
        match self.entries.get(source)?.lease {
            Lease::Held { epoch } | Lease::Releasing { epoch, .. } => Some(epoch),
            Lease::None | Lease::Acquired { .. } => None,
        }
    }

    /// Returns the lease of a source.
    pub(super) fn lease_of(&self, source: &str) -> Lease {
        self.entries.get(source).map_or(Lease::None, |entry| entry.lease)
    }

    /// Returns the sources that this replica polls with their epochs, sorted by name.
    pub(super) fn held(&self) -> Vec<(Arc<str>, i64)> {
        let held = self.entries.iter().filter_map(|(source, entry)| match entry.lease {
            Lease::Held { epoch } => Some((Arc::clone(source), epoch)),
            _ => None,
        });
        let mut held: Vec<(Arc<str>, i64)> = held.collect();
        order::sort_by_key(&mut held, |(source, _)| Arc::clone(source));
        held
    }

    /// Returns true if the database has answered a tick since the start.
    pub(super) fn has_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Returns the leases of the configured sources, in no order.
    pub fn leases(&self) -> impl Iterator<Item = LeaseView> {
        let configured = self.entries.iter().filter(|(source, _)| self.plan.contains(source));
        configured.map(|(source, entry)| LeaseView {
            source: Arc::clone(source),
            holder: entry.row.as_ref().and_then(|row| Some(row.holder.as_ref()?.0.clone())),
            designated: entry.designated.clone(),
            epoch: entry.row_epoch(),
            is_held: matches!(entry.lease, Lease::Held { .. }),
        })
    }
}
