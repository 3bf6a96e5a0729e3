//! Changes that are written to the store, and its content at the start.

use std::sync::Arc;

use jiff::Timestamp;

use crate::alert::{Acknowledged, Incident, Notice, NoticeKey, Silence, SubjectKey};
use crate::data_lock::Holder;

/// State of a rule on a subject, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedState {
    /// Identity of the rule's settings: the state of a rule that was changed is not continued.
    pub fingerprint: u64,
    /// The state, in a form that the store does not interpret.
    pub state: String,
}

/// Changes that are written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// States; `None` deletes one.
    pub states: Vec<(SubjectKey, Option<SavedState>)>,
    /// Incidents that began, changed or ended.
    pub incidents: Vec<Arc<Incident>>,
    /// Ends of silences by alert; `None` deletes one.
    pub silences: Vec<(Arc<str>, Option<Timestamp>)>,
    /// Notices to send.
    pub notices: Vec<Arc<Notice>>,
    /// Notices that need not be sent any more. Applied after `notices`.
    pub done: Vec<NoticeKey>,
    /// The part that only replicas have.
    pub shared: SharedChanges,
}

/// Changes that only replicas have, which share a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedChanges {
    /// Epochs of the leases by which the states and incidents of these sources were changed.
    pub epochs: Vec<(Arc<str>, i64)>,
    /// Silences that were set or ended by a command at this replica.
    pub silences: Vec<Silence>,
    /// Acknowledgements at this replica.
    pub acknowledgements: Vec<Acknowledged>,
    /// Sources that are handed over: once these changes are written, their leases can be released.
    pub released: Vec<Arc<str>>,
}

impl SharedChanges {
    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        *self == SharedChanges::default()
    }
}

/// Content of the file at the start.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// States of rules.
    pub states: Vec<(SubjectKey, SavedState)>,
    /// Incidents that have not ended.
    pub open: Vec<Incident>,
    /// The latest incidents that have ended, at most [`MAX_RECENT`](crate::alert::MAX_RECENT), newest first.
    pub recent: Vec<Incident>,
    /// Ends of silences, by alert.
    pub silences: Vec<(Arc<str>, Timestamp)>,
    /// Notices that were not sent, or not marked as sent.
    pub notices: Vec<Notice>,
}

/// Outcome of an attempt to open the file.
#[derive(Debug)]
pub enum Opened {
    /// The file is open for the first time since this process has the lock, and had this content before the changes
    /// that wait are written, without the notices and silences that they delete or replace.
    Loaded(Loaded),
    /// Another process evaluates alerts. `Loaded` follows once it has ended. Changes that wait have been discarded:
    /// that process has its own.
    Standby(Holder),
    /// The file cannot be opened, for this reason. It is tried again each minute; `Loaded` follows then. Changes stay
    /// in memory until then.
    Failed(Arc<str>),
    /// The file was damaged, removed or away, and one at its path is open again. The caller, whose states are later
    /// than those of the file, saves all that it has once more, with the notices that its channels have.
    Replaced,
}

impl Changes {
    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        let Changes { states, incidents, silences, notices, done, shared } = self;
        states.is_empty()
            && incidents.is_empty()
            && silences.is_empty()
            && notices.is_empty()
            && done.is_empty()
            && shared.is_empty()
    }
}
