//! Transitions: the state that follows from a look at the input.

use std::sync::Arc;

use jiff::Timestamp;

use super::Monitor;
use super::status::{Firing, Names, Pending, Status, Transition};
use crate::alert::assessment::Level;
use crate::alert::rule::{Hours, Rule};
use crate::alert::{EndReason, Ended, Evidence, Incident, IncidentId};

/// Input of a monitor beside the observation: rule, time, hours, names and a source of ids.
pub(super) struct Look<'a> {
    pub(super) rule: &'a Rule,
    pub(super) now: Timestamp,
    pub(super) hours: Hours,
    pub(super) new_id: &'a mut dyn FnMut() -> IncidentId,
    pub(super) names: &'a Names<'a>,
}

/// Result of a look at the input.
pub(super) struct Finding {
    pub(super) level: Level,
    /// Time since which the condition holds, if it is met.
    pub(super) since: Timestamp,
    /// Time from which `for` counts.
    pub(super) held_from: Timestamp,
    /// Time up to which it counts.
    pub(super) at: Timestamp,
    pub(super) evidence: Evidence,
}

impl Monitor {
    /// Ends the state if the hours in which it began are over.
    pub(super) fn end_with_hours(&mut self, look: &Look<'_>) -> Option<Transition> {
        if matches!(self.status, Status::Inactive) {
            return None;
        }
        let hours_end = self.status.hours_end();
        match look.hours {
            Hours::Always => None,
            Hours::Within(_, end) if hours_end == Some(end) => None,
            Hours::Within(..) | Hours::Outside => self.end(EndReason::OutsideHours, look.now),
        }
    }

    /// Enters the state that follows from a finding.
    pub(super) fn settle(&mut self, finding: Finding, look: &mut Look<'_>) -> Option<Transition> {
        let Finding { level, since, held_from, at, evidence } = finding;
        if let Status::Firing(firing) = &mut self.status {
            if firing.incident.evidence != evidence {
                Arc::make_mut(&mut firing.incident).evidence = evidence;
            }
            return match level {
                Level::Clear => self.end(EndReason::Resolved, look.now),
                Level::Met | Level::Between | Level::Unknown => None,
            };
        }
        match level {
            Level::Unknown => None,
            Level::Between | Level::Clear => self.end(EndReason::Resolved, look.now),
            Level::Met if at.duration_since(held_from) >= look.rule.hold() => {
                let incident = Arc::new(Incident {
                    id: (look.new_id)(),
                    subject: look.names.key.clone(),
                    title: look.names.title.clone(),
                    field: look.names.field.cloned(),
                    severity: look.rule.alert().severity,
                    condition: look.rule.condition_text(),
                    since,
                    fired_at: look.now,
                    at_fire: evidence.clone(),
                    evidence,
                    acknowledged: None,
                    ended: None,
                });
                let hours_end = look.hours.end();
                self.status =
                    Status::Firing(Box::new(Firing { incident: incident.clone(), hours_end }));
                Some(Transition::Fired(incident))
            }
            Level::Met => {
                let is_new = matches!(self.status, Status::Inactive);
                let hours_end = look.hours.end();
                let pending = Pending { since, held_from, evidence, hours_end };
                self.status = Status::Pending(Box::new(pending));
                is_new.then_some(Transition::Pending)
            }
        }
    }

    /// Returns to inactive.
    pub(super) fn end(&mut self, reason: EndReason, now: Timestamp) -> Option<Transition> {
        match std::mem::take(&mut self.status) {
            Status::Inactive => None,
            Status::Pending(_) => Some(Transition::Cleared),
            Status::Firing(firing) => {
                let mut incident = firing.incident;
                Arc::make_mut(&mut incident).ended = Some(Ended { at: now, reason });
                Some(Transition::Ended(incident))
            }
        }
    }
}
