//! The members about the HTTP engines: workers, listeners, accept queues and the admin engine.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Name;
use crate::json::deserialize_members;

/// A worker.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Worker {
    /// `waiting`, `reading`, `handling`, `writing`.
    pub state: Name,
    /// Route of the current request, once its head was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Name>,
    /// Time spent on the current connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

deserialize_members!(Worker { state, route, seconds });

/// The admin engine.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Admin {
    /// Time since its acceptor's latest heartbeat.
    pub acceptor_silent_seconds: f64,
    /// Its workers, in the order of their numbers.
    pub workers: Vec<Worker>,
    /// Number of its open connections by state.
    pub connections: BTreeMap<Name, u64>,
    /// Number of its connections shed since the start, by reason.
    pub connections_shed: BTreeMap<Name, u64>,
    /// Number of its connections that newer ones evicted at the cap since the start.
    pub connections_evicted: u64,
    /// Number of its ready connections that wait for a worker.
    pub queue_depth: u64,
    /// Its stuck threads: `admin worker 1 for 12 s`.
    pub stuck: Vec<String>,
}

deserialize_members!(Admin {
    acceptor_silent_seconds,
    workers,
    connections,
    connections_shed,
    connections_evicted,
    queue_depth,
    stuck
});

/// A configured address.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Listener {
    /// Address: `0.0.0.0:6443`, `unix:/path`.
    pub address: String,
    /// `listening`; `waiting` if the machine did not have the address at the start, until the server listens.
    pub state: Name,
    /// Reason of the wait; `None` if the server listens.
    pub error: Option<String>,
    /// Kind of that reason: `absent`, the machine does not have the address; `failing`, its port is in use or a
    /// resource is short; `misconfigured`, this user must not listen there.
    pub cause: Option<Name>,
    /// Begin of the state (RFC 3339, whole seconds).
    pub since: String,
}

deserialize_members!(Listener { address, state, error, cause, since });

/// Accept queue of a listener: `Recv-Q` and `Send-Q` of `ss -ltn`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AcceptQueue {
    /// Address of the listener.
    pub listener: String,
    /// Number of connections that wait to be accepted.
    pub depth: u32,
    /// Maximum number of connections that wait.
    pub limit: u32,
}

deserialize_members!(AcceptQueue { listener, depth, limit });
