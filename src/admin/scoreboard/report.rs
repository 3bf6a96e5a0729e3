//! The scoreboard's JSON document: the server serializes it, and `doctor` deserializes it.
//!
//! ```json
//! {"service": {"version": "0.1.0", "started_at": "2026-01-31T16:00:00Z", "uptime_seconds": 4800.2,
//!              "clock_correction_seconds": 0.0},
//!  "process": {"pid": 4242, "open_files": 40, "open_files_limit": 1024, "threads": 19,
//!              "resident_bytes": 10092544, "virtual_bytes": 91226112, "cpu_seconds": 1.73,
//!              "start_time_seconds": 1769875200.0},
//!  "limits": {"workers": 8, "queue": 970, "backlog": 1024, "somaxconn": 4096,
//!             "max_connections": 970, "max_connections_configured": 4096},
//!  "reloads": {"ok": 2, "refused": 0, "latest_refused": false, "hanging_seconds": null},
//!  "stuck": [],
//!  "acceptor_silent_seconds": 0.1,
//!  "workers": [{"state": "waiting"}, {"state": "handling", "route": "/ping", "seconds": 0.004}],
//!  "connections": {"handshaking": 0, "reading": 0, "queued": 0, "active": 1, "writing": 0, "idle": 3},
//!  "connections_shed": {"queue_timeout": 0, "heavy_timeout": 0, "connection_cap": 0, "address_cap": 0, "descriptors": 0},
//!  "connections_evicted": 0, "queue_depth": 0,
//!  "listeners": [{"address": "0.0.0.0:6443", "state": "listening", "error": null, "cause": null,
//!                 "since": "2026-01-31T16:00:00Z"}],
//!  "accept_queues": [{"listener": "0.0.0.0:6443", "depth": 0, "limit": 1024}],
//!  "listen_overflows_total": 0, "listen_drops_total": 0,
//!  "scheduler": {"silent_seconds": 0.4, "poller_threads": 4, "idle_poller_threads": 3},
//!  "pollers": [{"source": "tank", "phase": "waiting", "seconds": 42.0}], "pollers_unlisted": 0,
//!  "sources": [{"source": "tank", "state": "fresh", "age_seconds": 242.0, "error": null}],
//!  "sources_unlisted": 0,
//!  "source_counts": {"waiting": 0, "fresh": 1, "stale": 0, "failing": 0},
//!  "certificates": [{"names": ["pumphouse.example"], "not_before": "2026-01-01T00:00:00Z",
//!                   "not_after": "2026-04-01T00:00:00Z", "expiring_issuer": null,
//!                   "days_left": 59, "valid": true, "problems": [], "error": null, "since": null}],
//!  "admin": {"acceptor_silent_seconds": 0.2, "workers": [{"state": "waiting"}],
//!            "connections": {"idle": 1}, "connections_shed": {"queue_timeout": 0},
//!            "connections_evicted": 0, "queue_depth": 0, "stuck": []},
//!  "board": {"silent_seconds": 3.1},
//!  "recorder": {"enabled": true, "silent_seconds": 12.0, "holder": null, "unlocked": null,
//!               "rows": 8123, "errors": 0, "dropped": 0, "trouble": null},
//!  "alerts": {"rules": 7, "states": {"inactive": 8, "pending": 0, "silenced": 0, "acknowledged": 0, "firing": 1},
//!             "silent_seconds": 0.2, "holder": null,
//!             "firing": [{"alert": "tank_low", "state": "firing", "severity": "critical", "source": "tank",
//!                         "condition": "below 300 gal", "since": "2026-01-31T16:40:00Z", "seconds": 2400.0,
//!                         "incident": "00abcdef01234567"}], "firing_unlisted": 0,
//!             "faults": [], "faults_unlisted": 0,
//!             "heartbeat": {"pings": {"ok": 16, "fail": 0, "error": 0}, "error": null, "error_since": null}},
//!  "channels": [{"channel": "phone", "kind": "ntfy", "waiting": 0, "oldest": null, "stall": null, "failure": null,
//!                "loss": null, "sent": 3, "failed": 0, "dropped": 0}], "channels_unlisted": 0,
//!  "log": {"queued": 0, "dropped": 0, "suppressed": 0, "blocked_seconds": 0.0}}
//! ```
//!
//! `/scoreboard?brief` lists at most 20 sources, 20 pollers, 20 leases and 20 channels: of more, only sources that are not
//! fresh or fail, pollers that poll, leases that their replica does not hold, and channels that fail or whose messages wait. `watch` and the watchdog log it.
//!
//! While the history cannot be written, `recorder.trouble` names the kind of the fault, a text and its duration:
//!
//! ```json
//! {"cause": "no-rights", "seconds": 61.0,
//!  "reason": "cannot open the history /srv/data/p.db: the user pumphouse must not write /srv/data; …"}
//! ```
//!
//! | cause | the history cannot be written because |
//! | --- | --- |
//! | `no-place` | no file can be at its path |
//! | `no-rights` | the server's user must not write the file or its folder |
//! | `read-only` | the file system or the file is read-only |
//! | `disk-full`, `disk-error`, `too-slow` | the disk is full, returned an error, or is too slow |
//! | `held` | another process records it: `recorder.holder` |
//! | `locked` | another program has locked it |
//! | `damaged`, `foreign`, `newer-version` | the file is damaged, of another program, or of a later version |
//! | `store` | the database that replicas share cannot be used: the records wait in the spool |
//! | `clock` | the clock of the machine is earlier than the latest record: readings are held |
//! | `other` | of an error of another kind |
//!
//! A replica that shares a database also has the members `store` and `leases`, which are `null` otherwise:
//!
//! ```json
//! {"store": {"up": true, "since": null, "message": null, "host": "db1:5432", "version": 150004,
//!            "spool_rows": 0},
//!  "leases": {"replica": "a", "instance": "1d0c8f5e9a3b47f2a6c1e07d5b9482f3", "state": "confirmed",
//!             "silent_seconds": 0.3, "live": ["a", "b", "c"], "namesake": null,
//!             "held": 1, "designated": 1, "unheld": 0, "total": 3,
//!             "sources": [{"source": "tank", "holder": "a", "designated": "a", "epoch": 4, "held": true}],
//!             "sources_unlisted": 2}}
//! ```
//!
//! Later versions add members and rename none. A reader ignores members that it does not know, and
//! fills in defaults for those that an older server lacks.

mod alerts;
mod engine;
mod recorder;
mod replica;
mod sources;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::admin::configuration::EffectiveLimits;
use crate::certificates::CertificateProblem;
use crate::json::deserialize_members;
use crate::kernel::process::ProcessInfo;

pub use self::alerts::{AlertFault, Alerts, Channel, ChannelFailure, FiringAlert, Heartbeat};
pub use self::engine::{AcceptQueue, Admin, Listener, Worker};
pub use self::recorder::{Recorder, Trouble};
pub use self::replica::{Lease, Leases, Store};
pub use self::sources::{Poller, Scheduler, Source, SourceError};

/// A name: static in the server that writes it, owned by a reader that parsed it.
type Name = Cow<'static, str>;

/// The whole document.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The program that answers.
    pub service: Service,
    /// Resources of the process; `None` without `/proc`.
    pub process: Option<ProcessInfo>,
    /// Limits in force.
    pub limits: EffectiveLimits,
    /// Outcomes of reloads.
    pub reloads: Reloads,
    /// Stuck threads: `acceptor for 12 s`.
    pub stuck: Vec<String>,
    /// Time since the acceptor's latest heartbeat.
    pub acceptor_silent_seconds: f64,
    /// The workers, in the order of their numbers.
    pub workers: Vec<Worker>,
    /// Number of open connections by state.
    pub connections: BTreeMap<Name, u64>,
    /// Number of connections shed since the start, by reason.
    pub connections_shed: BTreeMap<Name, u64>,
    /// Number of connections that newer ones evicted at a cap since the start.
    pub connections_evicted: u64,
    /// Number of ready connections that wait for a worker.
    pub queue_depth: u64,
    /// The configured addresses of the public engine and of the redirect, in the order of the
    /// configuration.
    pub listeners: Vec<Listener>,
    /// Accept queues of the public TCP listeners.
    pub accept_queues: Vec<AcceptQueue>,
    /// Connections that found an accept queue full, of the whole host since it started.
    pub listen_overflows_total: u64,
    /// Connections dropped by listening sockets for any reason, of the whole host since it started.
    pub listen_drops_total: u64,
    /// The scheduler of polls, and the threads that do them.
    pub scheduler: Scheduler,
    /// The polls of each source, in the order of the configuration.
    pub pollers: Vec<Poller>,
    /// Number of pollers that the brief scoreboard does not list.
    pub pollers_unlisted: u64,
    /// The sources, in the order of the configuration.
    pub sources: Vec<Source>,
    /// Number of sources that the brief scoreboard does not list.
    pub sources_unlisted: u64,
    /// Number of all sources by state, and of those whose latest poll failed (`failing`).
    pub source_counts: BTreeMap<Name, u64>,
    /// Certificates in use, the default one first; empty for plain HTTP.
    pub certificates: Vec<Certificate>,
    /// The admin engine; `None` from a server older than this member.
    pub admin: Option<Admin>,
    /// The board's thread.
    pub board: Board,
    /// The history's recorder.
    pub recorder: Recorder,
    /// The database that replicas share; `None` if this machine is alone.
    pub store: Option<Store>,
    /// Leases of the sources; `None` if this machine is alone.
    pub leases: Option<Leases>,
    /// The alerts; `None` from a server older than this member.
    pub alerts: Option<Alerts>,
    /// The channels that carry messages of alerts, in the order of the configuration.
    pub channels: Vec<Channel>,
    /// Number of channels that the brief scoreboard does not list.
    pub channels_unlisted: u64,
    /// The log.
    pub log: Log,
}

deserialize_members!(Report {
    service,
    process,
    limits,
    reloads,
    stuck,
    acceptor_silent_seconds,
    workers,
    connections,
    connections_shed,
    connections_evicted,
    queue_depth,
    listeners,
    accept_queues,
    listen_overflows_total,
    listen_drops_total,
    scheduler,
    pollers,
    pollers_unlisted,
    sources,
    sources_unlisted,
    source_counts,
    certificates,
    admin,
    board,
    recorder,
    store,
    leases,
    alerts,
    channels,
    channels_unlisted,
    log
});

/// The program that answers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Service {
    /// The running version.
    pub version: Name,
    /// Time of the start (RFC 3339, whole seconds).
    pub started_at: String,
    /// Time since the start.
    pub uptime_seconds: f64,
    /// Time by which the clock of the cluster, which is used, is ahead of that of the machine; 0 if they agree.
    pub clock_correction_seconds: f64,
}

deserialize_members!(Service { version, started_at, uptime_seconds, clock_correction_seconds });

/// Outcomes of reloads.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Reloads {
    /// Number of reloads that were applied.
    pub ok: u64,
    /// Number of reloads that were refused for errors in the file.
    pub refused: u64,
    /// True if the latest reload was refused: the server runs by an older configuration.
    pub latest_refused: bool,
    /// Time that the read of a reload has taken, if it hangs.
    pub hanging_seconds: Option<f64>,
}

deserialize_members!(Reloads { ok, refused, latest_refused, hanging_seconds });

/// A certificate in use.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Certificate {
    /// Host names and IP addresses that it is valid for.
    pub names: Vec<String>,
    /// End of its validity, and that of the issuers in its file (RFC 3339).
    pub not_after: String,
    /// Issuer that is valid no longer than until then; `null` if the certificate itself is not.
    pub expiring_issuer: Option<String>,
    /// Whole days until then; negative once it has expired.
    pub days_left: i64,
    /// Start of this period (RFC 3339); empty from a server older than this member.
    pub not_before: String,
    /// False before the start of its validity, and after its end.
    pub valid: bool,
    /// Other properties for which clients refuse it, or which are probably unintended.
    pub problems: Vec<CertificateProblem>,
    /// Reason why the files of all certificates could not be loaded the last time.
    pub error: Option<String>,
    /// Time of the first attempt that failed (RFC 3339).
    pub since: Option<String>,
}

deserialize_members!(Certificate {
    names,
    not_after,
    expiring_issuer,
    days_left,
    not_before,
    valid,
    problems,
    error,
    since
});

/// The board's thread.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Board {
    /// Time since its latest heartbeat.
    pub silent_seconds: f64,
}

deserialize_members!(Board { silent_seconds });

/// The log.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Log {
    /// Number of lines that wait to be written.
    pub queued: u64,
    /// Number of lines dropped since the start because standard error was too slow or failed.
    pub dropped: u64,
    /// Number of lines suppressed since the start because one place in the code logged too often.
    pub suppressed: u64,
    /// Duration of the current write to standard error; 0 between writes.
    pub blocked_seconds: f64,
}

deserialize_members!(Log { queued, dropped, suppressed, blocked_seconds });
