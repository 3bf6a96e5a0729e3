//! The scoreboard's JSON, for the server that writes it and for `doctor` that reads it.
//!
//! ```json
//! {"service": {"version": "0.1.0", "started_at": "2026-01-31T16:00:00Z", "uptime_seconds": 4800.2},
//!  "process": {"pid": 4242, "open_files": 40, "open_files_limit": 1024, "threads": 19,
//!              "resident_bytes": 10092544, "virtual_bytes": 91226112, "cpu_seconds": 1.73,
//!              "start_time_seconds": 1769875200.0},
//!  "limits": {"workers": 8, "queue": 970, "backlog": 1024, "somaxconn": 4096,
//!             "max_connections": 970, "max_connections_configured": 4096},
//!  "reloads": {"ok": 2, "refused": 0, "latest_refused": false},
//!  "stuck": [],
//!  "acceptor_silent_seconds": 0.1,
//!  "workers": [{"state": "waiting"}, {"state": "handling", "route": "/ping", "seconds": 0.004}],
//!  "connections": {"handshaking": 0, "reading": 0, "queued": 0, "active": 1, "writing": 0, "idle": 3},
//!  "connections_shed": {"queue_timeout": 0, "heavy_timeout": 0, "connection_cap": 0, "address_cap": 0, "descriptors": 0},
//!  "queue_depth": 0,
//!  "accept_queues": [{"listener": "0.0.0.0:6443", "depth": 0, "limit": 1024}],
//!  "listen_overflows_total": 0, "listen_drops_total": 0,
//!  "pollers": [{"source": "tank", "phase": "waiting", "seconds": 42.0}],
//!  "sources": [{"source": "tank", "state": "fresh", "age_seconds": 242.0, "error": null}],
//!  "certificates": [{"names": ["pumphouse.example"], "not_after": "2026-04-01T00:00:00Z", "days_left": 59}],
//!  "admin": {"acceptor_silent_seconds": 0.2, "workers": [{"state": "waiting"}],
//!            "connections": {"idle": 1}, "connections_shed": {"queue_timeout": 0},
//!            "connections_evicted": 0, "queue_depth": 0, "stuck": []},
//!  "board": {"silent_seconds": 3.1},
//!  "recorder": {"enabled": true, "silent_seconds": 12.0, "rows": 8123, "errors": 0, "dropped": 0,
//!               "trouble": null},
//!  "log": {"queued": 0, "dropped": 0, "suppressed": 0, "blocked_seconds": 0.0}}
//! ```
//!
//! Members are added, never renamed; whoever reads it leaves unknown ones aside.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::admin::configuration::Limits;
use crate::kernel::process::ProcessFacts;

/// A name that the server knows by heart, and the reader from the wire.
type Name = Cow<'static, str>;

/// The whole of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Who answers.
    pub service: Service,
    /// What the kernel tells of the process; `None` where it does not.
    pub process: Option<ProcessFacts>,
    /// How much of everything there may be.
    pub limits: Limits,
    /// How reloads have gone.
    pub reloads: Reloads,
    /// Threads that do not pass through their loops: `acceptor for 12 s`.
    pub stuck: Vec<String>,
    /// Since the acceptor last passed through its loop.
    pub acceptor_silent_seconds: f64,
    /// Each worker, in the order of their numbers.
    pub workers: Vec<Worker>,
    /// Open connections by what they do.
    pub connections: BTreeMap<Name, u64>,
    /// Connections turned away since the start, by reason.
    pub connections_shed: BTreeMap<Name, u64>,
    /// Ready connections that wait for a worker.
    pub queue_depth: u64,
    /// Of each public TCP listener.
    pub accept_queues: Vec<AcceptQueue>,
    /// Connections that found an accept queue full: of the host, since it started.
    pub listen_overflows_total: u64,
    /// Connections dropped while listening, for whatever reason: of the host.
    pub listen_drops_total: u64,
    /// What each poller is doing.
    pub pollers: Vec<Poller>,
    /// What is known of each source.
    pub sources: Vec<Source>,
    /// In use, the default one first; empty where the listeners speak plain HTTP.
    pub certificates: Vec<Certificate>,
    /// The admin listener's own engine; `None` from a server older than this member.
    pub admin: Option<Admin>,
    /// The thread that keeps the board.
    pub board: Board,
    /// The thread that writes the history.
    pub recorder: Recorder,
    /// The thread that writes the log.
    pub log: Log,
}

/// Who answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// The running version.
    pub version: Name,
    /// RFC 3339, whole seconds.
    pub started_at: String,
    /// Since then.
    pub uptime_seconds: f64,
}

/// How reloads have gone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloads {
    /// Taken up.
    pub ok: u64,
    /// Refused for errors in the file.
    pub refused: u64,
    /// The file says what does not hold.
    pub latest_refused: bool,
}

/// A worker.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Worker {
    /// `waiting`, `reading`, `handling`, `writing`.
    pub state: Name,
    /// Of the request at hand, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Name>,
    /// For how long it has been at the connection at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// The admin listener's own engine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Admin {
    /// Time since its acceptor last passed through its loop.
    pub acceptor_silent_seconds: f64,
    /// Each of its workers, in the order of their numbers.
    pub workers: Vec<Worker>,
    /// Its open connections by what they do.
    pub connections: BTreeMap<Name, u64>,
    /// Its connections turned away since the start, by reason.
    pub connections_shed: BTreeMap<Name, u64>,
    /// Its connections replaced by newer ones at the cap since the start.
    pub connections_evicted: u64,
    /// Its ready connections that wait for a worker.
    pub queue_depth: u64,
    /// Its threads that do not pass through their loops: `admin worker 1 for 12 s`.
    pub stuck: Vec<String>,
}

/// `Recv-Q` and `Send-Q` of `ss -ltn`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AcceptQueue {
    /// Where it listens.
    pub listener: String,
    /// Connections that wait to be accepted.
    pub depth: u32,
    /// Connections that may wait.
    pub limit: u32,
}

/// A poller.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Poller {
    /// Its source's name.
    pub source: String,
    /// `waiting`, `polling`.
    pub phase: Name,
    /// For how long already.
    pub seconds: f64,
}

/// A source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Its name.
    pub source: String,
    /// `waiting`, `fresh`, `stale`.
    pub state: Name,
    /// Of the latest observation.
    pub age_seconds: Option<f64>,
    /// Why polls fail, if they do.
    pub error: Option<SourceError>,
}

/// Why polls fail.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceError {
    /// `timeout`, `dns`, … as in `poll_total{outcome}`.
    pub kind: Name,
    /// One sentence.
    pub message: String,
    /// In a row.
    pub failures: u64,
    /// Since the first of them.
    pub seconds: f64,
}

/// A certificate in use.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Certificate {
    /// What it is good for.
    pub names: Vec<String>,
    /// RFC 3339.
    pub not_after: String,
    /// Whole days; negative once it has expired.
    pub days_left: i64,
}

/// The thread that keeps the board.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Board {
    /// Since its last sign of life.
    pub silent_seconds: f64,
}

/// The thread that writes the history.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Recorder {
    /// Whether a history is kept.
    pub enabled: bool,
    /// Since its last sign of life.
    pub silent_seconds: f64,
    /// Values and events written since the start.
    pub rows: u64,
    /// Failures to write or read since the start.
    pub errors: u64,
    /// Values and events given up since the start.
    pub dropped: u64,
    /// What keeps it from being written.
    pub trouble: Option<Trouble>,
}

/// What keeps the history from being written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Trouble {
    /// One sentence.
    pub reason: String,
    /// Since then.
    pub seconds: f64,
}

/// The thread that writes the log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// Lines that wait to be written.
    pub queued: u64,
    /// Lines lost since the start because standard error was too slow or failed.
    pub dropped: u64,
    /// Lines left out since the start because their place in the code logged too often.
    pub suppressed: u64,
    /// Time for which the current write has been waiting for standard error; 0 between writes.
    pub blocked_seconds: f64,
}
