//! Results of a replay.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::fault::Fault;
use super::super::incident::{EndReason, Ended, Evidence};
use super::super::rule::Rule;
use crate::config::Alert;

/// An incident that ends so soon after its begin that it is taken for noise.
pub const FLAP: SignedDuration = SignedDuration::from_mins(10);

/// Incidents that rules would have had.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Start of the replayed time.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// The rules, in the order of the configuration.
    pub alerts: Vec<ReplayedAlert>,
}

/// Incidents that one rule would have had.
#[derive(Debug, Clone)]
pub struct ReplayedAlert {
    /// The rule.
    pub alert: Arc<Alert>,
    /// Its condition in words.
    pub condition: Arc<str>,
    /// Reason why it cannot be replayed at all.
    pub unreplayable: Option<Unreplayable>,
    /// Recorded input of each of its sources.
    pub extents: Vec<Extent>,
    /// Incidents that have not ended before the replayed time, in the order in which they fired.
    pub incidents: Vec<ReplayedIncident>,
}

/// Reason why a rule cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreplayable {
    /// It is on texts.
    #[error("texts are not recorded")]
    Text,
    /// It is on a trend of an amount.
    #[error("the trend of an amount is not computed again")]
    AmountTrend,
    /// It is on the server itself.
    #[error("it is a rule on the server itself, whose states are not recorded")]
    Server,
}

/// Incident that a rule would have had.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayedIncident {
    /// Name of the source.
    pub source: Arc<str>,
    /// Time since which the condition held.
    pub since: Timestamp,
    /// Time at which it would have fired.
    pub fired_at: Timestamp,
    /// Evidence when it fired.
    pub at_fire: Evidence,
    /// End; `None`: it would still fire.
    pub ended: Option<Ended>,
    /// True if it fired on a quarter of an hour in place of its observations.
    pub is_from_quarters: bool,
}

/// Recorded input of a rule on one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Extent {
    /// Name of the source.
    pub source: Arc<str>,
    /// Number of observations and quarters of an hour; `None`: the rule follows events.
    pub rows: Option<u64>,
    /// Time before which quarters of an hour replace the observations.
    pub quarters_before: Option<Timestamp>,
    /// Time before which only days are recorded, which are not replayed.
    pub days_before: Option<Timestamp>,
    /// Reason why the condition could not be applied to the latest value.
    pub fault: Option<Fault>,
}

impl Extent {
    /// Returns the extent of a rule that follows the events of a source.
    pub(super) fn of_events(source: Arc<str>) -> Extent {
        Extent { source, rows: None, quarters_before: None, days_before: None, fault: None }
    }

    /// Returns true if nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.rows == Some(0)
    }
}

/// Numbers about the incidents of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Number of incidents.
    pub count: usize,
    /// Total time of firing within the replayed time, over all sources.
    pub firing: SignedDuration,
    /// Length of the longest incident, within the replayed time.
    pub longest: SignedDuration,
    /// Number of incidents that were resolved within [`FLAP`] of their begin. The end of the hours of a rule is no noise.
    pub flaps: usize,
}

impl ReplayedIncident {
    /// Returns the length of the part within a span of time.
    pub fn length(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        let end = self.ended.map_or(to, |ended| ended.at).min(to);
        end.duration_since(self.fired_at.max(from)).max(SignedDuration::ZERO)
    }
}

impl ReplayedAlert {
    pub(super) fn new(rule: &Rule, unreplayable: Option<Unreplayable>) -> ReplayedAlert {
        ReplayedAlert {
            alert: rule.alert().clone(),
            condition: rule.condition_text(),
            unreplayable,
            extents: Vec::new(),
            incidents: Vec::new(),
        }
    }

    /// Adds the incidents of a source that have not ended before `from`.
    pub(super) fn add(&mut self, incidents: Vec<ReplayedIncident>, from: Timestamp) {
        let is_within =
            |incident: &ReplayedIncident| incident.ended.is_none_or(|ended| ended.at >= from);
        self.incidents.extend(incidents.into_iter().filter(is_within));
    }

    /// Sorts the incidents of all sources by time.
    pub(super) fn sort(&mut self) {
        self.incidents.sort_by_key(|incident| incident.fired_at);
    }

    /// Returns numbers about the incidents in a span of time.
    pub fn summary(&self, from: Timestamp, to: Timestamp) -> Summary {
        let lengths = || self.incidents.iter().map(|incident| incident.length(from, to));
        let is_flap = |incident: &&ReplayedIncident| {
            incident.ended.is_some_and(|ended| {
                let lasted = ended.at.duration_since(incident.fired_at);
                ended.reason == EndReason::Resolved && lasted <= FLAP
            })
        };
        Summary {
            count: self.incidents.len(),
            firing: lengths().fold(SignedDuration::ZERO, SignedDuration::saturating_add),
            longest: lengths().max().unwrap_or_default(),
            flaps: self.incidents.iter().filter(is_flap).count(),
        }
    }
}
