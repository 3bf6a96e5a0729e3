//! The leases of a replica and the database that it shares, as the admin pages read them.

use std::time::Duration;

use crate::cluster::ClusterReader;
use crate::store::{Access, StoreFault};

/// Handles to the leases of a replica and to the health of its database. Reading them never blocks.
#[derive(Debug, Clone)]
pub struct ReplicaReader {
    pub(super) leases: ClusterReader,
    pub(super) store: Access,
}

impl ReplicaReader {
    /// Returns the handles of a replica.
    pub(crate) fn new(leases: ClusterReader, store: Access) -> ReplicaReader {
        ReplicaReader { leases, store }
    }

    /// Returns why the database cannot be used; `None` if it can, or if no call has ended yet.
    pub fn store_fault(&self) -> Option<StoreFault> {
        self.store.health().fault()
    }

    /// Returns the time since the latest heartbeat of the thread `pw-cluster`.
    pub(super) fn heartbeat_age(&self) -> Duration {
        self.leases.heartbeat_age()
    }
}

#[cfg(test)]
impl ReplicaReader {
    /// Returns the replica `a`, beside `b`, with these leases, and a database that was not called yet.
    pub(super) fn fixed(leases: Vec<crate::cluster::LeaseView>) -> ReplicaReader {
        use crate::cluster::{ClusterView, TenureState};

        let mut view = ClusterView::starting("a".into());
        view.state = TenureState::Confirmed;
        view.live = vec!["a".into(), "b".into()];
        view.leases = leases;
        let target = crate::postgres::Target::parse("postgresql://p:secret@127.0.0.1:1/p").unwrap();
        let access = Access::new(target, "test".into()).unwrap();
        ReplicaReader::new(ClusterReader::fixed(view), access)
    }
}
