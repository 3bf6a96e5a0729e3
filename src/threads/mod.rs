//! Named threads, and the check that the system allows as many as the server needs.
//!
//! Every thread has a name. An [`OwnedThread`] has an owner that joins it; [`spawn_detached`] is for
//! threads that may hang in a file or a system call. Threads that the server needs are created at its
//! start, because a server that is stuck or out of memory may be unable to create any later.
//! [`ensure`] checks before the start that they can all exist at the same time.

mod limits;
mod owned;
mod preflight;
mod shared_work;

pub use self::limits::Limits;
pub use self::owned::{OwnedThread, StillRunning, StopToken, spawn_detached, with_limits};
pub use self::preflight::{STACK, Shortage, ensure, lacks_allocator_thread};
pub use self::shared_work::{divide, map_shared};

/// Owns the state of the sources and publishes it.
pub const BOARD: &str = "pw-board";
/// Restores the readings of some sources at the start.
pub const RESTORE: &str = "pw-restore";
/// Writes the history.
pub const HISTORY: &str = "pw-history";
/// Exchanges leases and readings with the database that replicas share.
pub const CLUSTER: &str = "pw-cluster";
/// Writes which sources this replica polls, for a start while that database is away.
pub const HELD: &str = "pw-held";
/// Applies the rules of alerts.
pub const ALERTS: &str = "pw-alerts";
/// Pings the dead man's switch of `[heartbeat]`.
pub const HEARTBEAT: &str = "pw-heartbeat";
/// Writes the log to standard error. It exists before the configuration is read.
pub const LOG: &str = "pw-log";
/// Writes the sessions of browsers to their file.
pub const SESSIONS: &str = "pw-sessions";
/// Writes the last good values to their file.
pub const LAST_VALUES: &str = "pw-last-values";
/// Polls the certificate files for renewals.
pub const CERTIFICATES: &str = "pw-certs";
/// Writes the states of alerts and their messages to their file.
pub const ALERT_STORE: &str = "pw-alert-store";
/// Reads past incidents of alerts from their file.
pub const ALERT_READS: &str = "pw-alert-reads";
/// Prefix of the threads that send the messages of one channel each: `pw-notify-1`.
pub const NOTIFY_PREFIX: &str = "pw-notify-";
/// Starts the polls of all sources.
pub const SCHEDULER: &str = "pw-scheduler";
/// Parses and reads parts of a large configuration.
pub const CONFIG: &str = "pw-config";
/// Looks up a host that the configuration names.
pub const LOOKUP: &str = "pw-lookup";
/// Polls a source for `check --poll`.
pub const CHECK_POLL: &str = "pw-check-poll";
/// Runs the command of `watch --alarm-exec`.
pub const ALARM: &str = "pw-alarm";
/// Reads the files by which `watch` probes.
pub const PLAN: &str = "pw-plan";
/// Reads the output of a command of `watch`.
pub const COMMAND_OUTPUT: &str = "pw-exec";
/// Reads the events of supervisord.
pub const LISTENER: &str = "pw-listener";
/// Requests a page, or reads `/proc`, for `doctor`.
pub const DOCTOR: &str = "pw-doctor";
/// Probes the health of one server.
pub const PROBE: &str = "pw-probe";
/// Renders the scoreboard for the watchdog.
pub const SCOREBOARD: &str = "pw-scoreboard";
/// Checks the heartbeats of the other threads.
pub const WATCHDOG: &str = "pw-watchdog";
/// Grows the table of descriptors at the start.
pub const DESCRIPTORS: &str = "pw-descriptors";
/// Receives signals.
pub const SIGNALS: &str = "pw-signals";
/// Reads the files of a reload.
pub const RELOAD: &str = "pw-reload";
/// Joins the other threads when the server stops.
pub const TEARDOWN: &str = "pw-teardown";
