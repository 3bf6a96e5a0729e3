//! One round trip to the database: the request, and the reply. The head of the module states what the
//! database side does for each item.

use std::sync::Arc;
use std::time::Duration;

use super::instance::{InstanceId, ReplicaName};

/// A request, which is one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickRequest {
    /// Time since boot at which it was made. The lease is counted from it.
    pub sent: Duration,
    /// Name of this replica.
    pub replica: ReplicaName,
    /// Instance of this replica.
    pub instance: InstanceId,
    /// Time from this renewal to the end of the lease.
    pub ttl: Duration,
    /// Renewal of the replica's row.
    pub renewal: Renewal,
    /// Leases that this replica gives up: the source, and the epoch of the lease.
    pub releases: Vec<(Arc<str>, i64)>,
    /// Sources of which this replica wants the lease.
    pub acquisitions: Vec<Arc<str>>,
    /// Sources of other replicas for which a client requested a poll.
    pub poll_requests: Vec<Arc<str>>,
    /// Digests of configurations whose hashes this replica knows.
    pub known_digests: Vec<u64>,
    /// Leases that the reply lists.
    pub read: LeaseRead,
}

/// Renewal of the row of the replica by a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// Inserts the row of a new instance, which has acquired nothing.
    Register(Registration),
    /// Renews the row with another configuration.
    Reconfigure(Registration),
    /// Renews the row.
    Renew,
    /// Releases all leases of the instance and deletes its row. The reply is not needed.
    Leave,
}

/// The configuration of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Hash of `hashes`.
    pub digest: u64,
    /// Hash of each source's unit.
    pub hashes: Vec<(Arc<str>, u64)>,
}

/// Leases that a reply lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseRead {
    /// All.
    All,
    /// Those that changed in the last [`RECENT`] by the database's clock, and perhaps others.
    Recent,
}

/// Time in which a change of a lease counts as recent. It covers several ticks, so that no transaction which commits
/// late is missed.
pub const RECENT: Duration = Duration::from_secs(10);

/// A reply: the state at the end of the transaction.
#[derive(Debug, Clone, Default)]
pub struct TickReply {
    /// False if the database does not know the instance. Then nothing else was done.
    pub is_registered: bool,
    /// Number of the database's timeline, which changes at a promotion.
    pub era: u64,
    /// Time since that change.
    pub era_age: Duration,
    /// Replicas whose lease has not ended, this one included.
    pub replicas: Vec<LiveReplica>,
    /// Leases, as requested.
    pub leases: Vec<LeaseRow>,
    /// Number of leases of this instance.
    pub own_leases: usize,
    /// Sources whose lease this transaction has acquired.
    pub acquired: Vec<Acquired>,
}

/// A replica whose lease has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveReplica {
    /// Its name.
    pub name: ReplicaName,
    /// Its instance.
    pub instance: InstanceId,
    /// Digest of its configuration.
    pub digest: u64,
    /// Hash of each source's unit; `None` if the request knows the digest.
    pub hashes: Option<Vec<(Arc<str>, u64)>>,
    /// Time of its configuration by the database's clock, in microseconds since 1970.
    pub configured_at: i64,
}

/// One row of the table of leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// Name of the source.
    pub source: Arc<str>,
    /// Holder; `None` once it was released.
    pub holder: Option<(ReplicaName, InstanceId)>,
    /// Number of acquisitions.
    pub epoch: i64,
    /// Number of requests for a poll by replicas that do not hold it.
    pub poll_requests: i64,
}

/// A lease that was acquired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// Name of the source.
    pub source: Arc<str>,
    /// Time until the next poll as the current reading states it, 0 if that has passed; `None` without a current reading.
    pub next_poll_in: Option<Duration>,
}

/// A round trip failed or timed out: whether the database has executed the request is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure;
