//! The members about the sources and their polls.

use serde::Serialize;

use super::Name;
use crate::json::deserialize_members;

/// The scheduler of polls.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Scheduler {
    /// Time since its latest heartbeat.
    pub silent_seconds: f64,
    /// Number of threads `pw-poll-N`: those in a poll, and a few idle ones.
    pub poller_threads: usize,
    /// Number of those that are idle.
    pub idle_poller_threads: usize,
}

deserialize_members!(Scheduler { silent_seconds, poller_threads, idle_poller_threads });

/// Polls of a source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Poller {
    /// Name of its source.
    pub source: String,
    /// `waiting`, `polling`, and `elsewhere` while another replica polls the source.
    pub phase: Name,
    /// Time spent in that phase.
    pub seconds: f64,
}

deserialize_members!(Poller { source, phase, seconds });

/// A source.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Source {
    /// Name.
    pub source: String,
    /// `waiting`, `fresh`, `stale`.
    pub state: Name,
    /// Age of the latest observation; `None` if there is none.
    pub age_seconds: Option<f64>,
    /// Error of the latest poll; `None` if it succeeded.
    pub error: Option<SourceError>,
}

deserialize_members!(Source { source, state, age_seconds, error });

/// Error of the latest poll.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceError {
    /// `timeout`, `dns`, … as in the metric `polls_total{outcome}`.
    pub kind: Name,
    /// Description of the error in one sentence.
    pub message: String,
    /// Number of failed polls in a row.
    pub failures: u64,
    /// Time since the first of them.
    pub seconds: f64,
}

deserialize_members!(SourceError { kind, message, failures, seconds });
