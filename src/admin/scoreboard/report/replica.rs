//! The members about a replica: the database that it shares, and the leases of the sources.

use serde::Serialize;

use super::Name;
use crate::json::deserialize_members;

/// The database that replicas share.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Store {
    /// True if the latest call was answered and the schema can be used.
    pub up: bool,
    /// Time since which it cannot be used (RFC 3339); `None` if it can, or if no call has ended yet.
    pub since: Option<String>,
    /// Seconds since then.
    pub away_seconds: Option<f64>,
    /// Reason for that, without secrets.
    pub message: Option<String>,
    /// Host and port of the latest connection.
    pub host: Option<String>,
    /// Version of the server there, such as 150004.
    pub version: Option<i64>,
    /// Number of records that wait in the spool.
    pub spool_rows: u64,
}

deserialize_members!(Store { up, since, away_seconds, message, host, version, spool_rows });

/// The leases, as of the latest exchange with the database.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Leases {
    /// Name of this replica.
    pub replica: String,
    /// Random name of this process; `None` before the first answer of the database.
    pub instance: Option<String>,
    /// State of its lease: `confirmed`; `unconfirmed` while it polls without the database; `ended` while it does not
    /// poll.
    pub state: Name,
    /// Time since the latest heartbeat of the thread.
    pub silent_seconds: f64,
    /// Names of the replicas whose lease has not ended, this one included.
    pub live: Vec<String>,
    /// Another process that has the name of this replica.
    pub namesake: Option<String>,
    /// Number of sources that this replica polls.
    pub held: u64,
    /// Number of sources that this replica should poll.
    pub designated: u64,
    /// Number of sources that no live replica polls.
    pub unheld: u64,
    /// Number of all sources.
    pub total: u64,
    /// Leases of the sources, sorted by name.
    pub sources: Vec<Lease>,
    /// Number of leases that the brief scoreboard does not list.
    pub sources_unlisted: u64,
}

deserialize_members!(Leases {
    replica,
    instance,
    state,
    silent_seconds,
    live,
    namesake,
    held,
    designated,
    unheld,
    total,
    sources,
    sources_unlisted
});

/// The lease of a source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Lease {
    /// Name of the source.
    pub source: String,
    /// Name of the replica whose lease it is; `None` if it was released or never acquired.
    pub holder: Option<String>,
    /// Name of the replica that should poll it.
    pub designated: Option<String>,
    /// Number of acquisitions.
    pub epoch: i64,
    /// True if this replica polls it.
    pub held: bool,
}

deserialize_members!(Lease { source, holder, designated, epoch, held });

impl Lease {
    /// Returns true if the replica that should poll the source has the lease.
    pub fn is_settled(&self) -> bool {
        self.holder.is_some() && self.holder == self.designated
    }
}
