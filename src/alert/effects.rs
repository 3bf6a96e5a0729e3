//! Consequences of a step of the evaluator: changes to save, notices to send, events to record.

use std::sync::Arc;

use jiff::Timestamp;

use super::incident::{Incident, SubjectKey};
use super::notice::Notice;
use super::store::{Changes, SavedState, SharedChanges};
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
    /// The part that only replicas have.
    pub shared: SharedChanges,
}

impl Effects {
    /// Returns the part that is saved.
    pub fn changes(&self) -> Changes {
        Changes {
            states: self.states.clone(),
            incidents: self.incidents.clone(),
            silences: self.silences.clone(),
            notices: self.notices.clone(),
            done: Vec::new(),
            shared: self.shared.clone(),
        }
    }

    /// Returns true if nothing follows.
    pub fn is_empty(&self) -> bool {
        *self == Effects::default()
    }
}
