//! What the admin pages read of a replica: its leases and the database that it shares.

use std::time::Duration;

use crate::cluster::ClusterReader;
use crate::store::Access;

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

    /// Returns the time since the latest heartbeat of the thread `pw-cluster`.
    pub(super) fn heartbeat_age(&self) -> Duration {
        self.leases.heartbeat_age()
    }
}
