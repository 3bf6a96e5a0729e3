//! The immutable view of all alerts that pages, the API and the metrics read.

use std::sync::Arc;

use jiff::Timestamp;
use strum::{IntoStaticStr, VariantArray};

use super::incident::{Evidence, Incident, IncidentId, SubjectKey};
use crate::config::{Alert, Severity};
use crate::order;

/// State of all alerts at one time. Immutable once published.
#[derive(Debug, Clone, Default)]
pub struct AlertsView {
    /// Number of the publication since the start, from 1; 0 before the first.
    pub version: u64,
    /// All alerts, in the order of the configuration, the server's own last.
    pub alerts: Vec<Arc<AlertView>>,
    /// Latest incidents that have ended, newest first, at most [`MAX_RECENT`].
    pub recent: Arc<[Arc<Incident>]>,
    /// True once the states of an earlier run are known; false while another process has them.
    pub is_active: bool,
}

/// Most incidents of the view that have ended.
pub const MAX_RECENT: usize = 200;

/// One alert.
#[derive(Debug, Clone)]
pub struct AlertView {
    /// Name.
    pub name: Arc<str>,
    /// The rule.
    pub rule: Arc<Alert>,
    /// Severity.
    pub severity: Severity,
    /// Source of a rule on one; `None`: a rule on several, or on the server.
    pub source: Option<Arc<str>>,
    /// Field of the rule, if it is on one.
    pub field: Option<Arc<str>>,
    /// Condition in words: "below 300 gal".
    pub condition: Arc<str>,
    /// End of the silence, if there is one.
    pub silenced_until: Option<Timestamp>,
    /// Reason why the rule cannot be applied: the field has another quantity than the threshold.
    pub fault: Option<Arc<str>>,
    /// Number of subjects in the state `inactive`.
    pub inactive: usize,
    /// Subjects in other states, the worst first.
    pub subjects: Vec<SubjectView>,
}

/// A subject of an alert that is not inactive.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectView {
    /// Alert and source.
    pub key: SubjectKey,
    /// State.
    pub state: AlertState,
    /// Time since which the condition holds.
    pub since: Timestamp,
    /// Latest evidence.
    pub evidence: Evidence,
    /// The incident, while it fires.
    pub incident: Option<Arc<Incident>>,
    /// Channels that a notice of the incident was queued for.
    pub announced: Vec<Arc<str>>,
}

/// State of a rule on a subject, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum AlertState {
    /// The condition does not hold.
    Inactive,
    /// The condition holds, and not yet for as long as `for` says.
    Pending,
    /// It fires, and the alert is silenced.
    Silenced,
    /// It fires, and a person knows.
    Acknowledged,
    /// It fires.
    Firing,
}

impl AlertState {
    /// Returns the name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns true if the rule has an incident.
    pub fn is_firing(self) -> bool {
        matches!(self, AlertState::Silenced | AlertState::Acknowledged | AlertState::Firing)
    }
}

impl AlertsView {
    /// Returns an alert.
    pub fn alert(&self, name: &str) -> Option<&Arc<AlertView>> {
        self.alerts.iter().find(|alert| *alert.name == *name)
    }

    /// Returns the subjects that fire, with their alerts: the most severe first, then the latest.
    pub fn firing(&self) -> Vec<(&AlertView, &SubjectView)> {
        let mut firing = Vec::new();
        for alert in &self.alerts {
            let subjects = alert.subjects.iter().filter(|subject| subject.state.is_firing());
            firing.extend(subjects.map(|subject| (&**alert, subject)));
        }
        order::sort_by_key(&mut firing, |(alert, subject)| {
            (std::cmp::Reverse((subject.state, alert.severity)), std::cmp::Reverse(subject.since))
        });
        firing
    }

    /// Returns the incident of that id, if it fires or has ended lately.
    pub fn incident(&self, id: IncidentId) -> Option<&Arc<Incident>> {
        let firing = self.alerts.iter().flat_map(|alert| &alert.subjects);
        firing
            .filter_map(|subject| subject.incident.as_ref())
            .chain(self.recent.iter())
            .find(|incident| incident.id == id)
    }
}
