//! What follows from a step of the evaluator: changes to save, notices to send, events to record.

use std::sync::Arc;

use jiff::Timestamp;

use super::incident::{Incident, SubjectKey};
use super::notice::Notice;
use crate::board::Event;

/// Consequences of one step, in the order in which they came about.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    /// States to save; `None`: the subject is inactive, and has nothing to save.
    pub states: Vec<(SubjectKey, Option<SavedState>)>,
    /// Incidents that began, changed or ended.
    pub incidents: Vec<Arc<Incident>>,
    /// Silences that began, or ended (`None`), by the name of the alert.
    pub silences: Vec<(Arc<str>, Option<Timestamp>)>,
    /// Notices to queue.
    pub notices: Vec<Arc<Notice>>,
    /// Events to record.
    pub events: Vec<Event>,
}

impl Effects {
    /// Returns true if nothing follows.
    pub fn is_empty(&self) -> bool {
        *self == Effects::default()
    }
}

/// State of a rule on a subject, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedState {
    /// Fingerprint of the rule. The state of a rule that was changed since is of no use.
    pub fingerprint: u64,
    /// The state, as JSON.
    pub state: String,
}

/// Content of the file at its opening.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// States of the subjects that are not inactive.
    pub states: Vec<(SubjectKey, SavedState)>,
    /// Incidents that have not ended, and the latest that have, newest first.
    pub incidents: Vec<Arc<Incident>>,
    /// Silences.
    pub silences: Vec<(Arc<str>, Timestamp)>,
    /// Notices that were not sent.
    pub notices: Vec<Arc<Notice>>,
}
