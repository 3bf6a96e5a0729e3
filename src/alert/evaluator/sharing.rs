//! Knowledge of an evaluator about other replicas: see `tenure`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::incident::{Acknowledgement, Incident, IncidentId, SubjectKey};
use super::super::shared::{Instance, Silence};
use super::super::store::SavedState;

/// Time after which the incidents of a replica that does not run are withdrawn. A restart or an upgrade is shorter.
pub const GONE_AFTER: Duration = Duration::from_secs(600);

/// Time after which the holder of a source withdraws a rule that it does not know, or the first replica the rules of a
/// source that no configuration has. An upgrade of all replicas is shorter.
pub const UNKNOWN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Knowledge of an evaluator about other replicas.
pub(super) struct Sharing {
    pub(super) replica: Arc<str>,
    pub(super) instance: Instance,
    /// Epochs of the leases of the sources that this process holds.
    pub(super) epochs: HashMap<Arc<str>, i64>,
    /// Replicas that run, by name.
    pub(super) live: Vec<Arc<str>>,
    /// Other replicas that run or have a state, with the time since boot from which they do not run.
    pub(super) others: BTreeMap<Arc<str>, Option<Duration>>,
    /// Sources among those whose rows could not be read before they were held, since the database was away.
    pub(super) unread: HashSet<Arc<str>>,
    /// Sources with a state that no replica which runs has in its configuration.
    pub(super) unlisted: HashSet<Arc<str>>,
    /// Rows of rules and sources that this process does not know, with the time since boot from which it holds their
    /// source, or no replica has it.
    pub(super) aside: BTreeMap<SubjectKey, (SavedState, Option<Duration>)>,
    /// Incidents that have not ended, by the rows.
    pub(super) open: HashMap<IncidentId, Arc<Incident>>,
    /// Latest commands, also on alerts that this process does not know.
    pub(super) silences: HashMap<Arc<str>, Silence>,
    /// Acknowledgements of incidents that have not ended.
    pub(super) acknowledgements: HashMap<IncidentId, Acknowledgement>,
    /// True once all rows were read.
    pub(super) has_followed: bool,
}

impl Sharing {
    /// Returns the replicas that rules on servers have as subjects, this one first.
    pub(super) fn replicas(&self) -> Vec<Arc<str>> {
        [&self.replica].into_iter().chain(self.others.keys()).cloned().collect()
    }

    /// Returns true if a replica runs.
    pub(super) fn is_live(&self, replica: &str) -> bool {
        *self.replica == *replica || self.live.iter().any(|live| **live == *replica)
    }
}
