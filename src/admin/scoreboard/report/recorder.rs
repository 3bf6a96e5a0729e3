//! The members about the recorder of the history.

use serde::Serialize;

use super::Name;
use crate::json::deserialize_members;

/// The history's recorder.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Recorder {
    /// True if a history is kept on disk.
    pub enabled: bool,
    /// Time since its latest heartbeat.
    pub silent_seconds: f64,
    /// The other process that records the history; `None` if this one may.
    pub holder: Option<String>,
    /// Reason why this process records the history without the lock, so that another one could record it, too;
    /// `None` if it has the lock or waits for it.
    pub unlocked: Option<String>,
    /// Number of values and events written since the start.
    pub rows: u64,
    /// Number of failed writes and reads since the start.
    pub errors: u64,
    /// Number of values and events dropped since the start.
    pub dropped: u64,
    /// Reason why the history cannot be written; `None` if it can.
    pub trouble: Option<Trouble>,
}

deserialize_members!(Recorder {
    enabled,
    silent_seconds,
    holder,
    unlocked,
    rows,
    errors,
    dropped,
    trouble
});

/// Reason why the history cannot be written.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Trouble {
    /// Kind of the reason: a name of [`FaultKind`](crate::history::FaultKind), to which later versions may add;
    /// `None` from a server older than this member.
    pub cause: Option<Name>,
    /// Description in one sentence.
    pub reason: String,
    /// Time for which it has lasted.
    pub seconds: f64,
}

deserialize_members!(Trouble { cause, reason, seconds });
