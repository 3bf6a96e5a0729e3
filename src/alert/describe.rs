//! Texts on incidents for events and logs.

use super::incident::{EndReason, Evidence, Incident};
use crate::format::{datum, suffix};

/// Returns what a rule has measured: "280 gal"; `None` for a rule without a value.
pub fn measured(evidence: &Evidence) -> Option<String> {
    let value = evidence.value.as_ref()?;
    Some(format!("{}{}", datum(value, evidence.unit), suffix(evidence.unit)))
}

/// Returns the line of an event that begins or ends an incident: "tank_low: 280 gal, below 300 gal".
pub(super) fn describe(incident: &Incident) -> String {
    let Incident { subject, condition, evidence, ended, .. } = incident;
    let parts = [
        measured(evidence),
        Some(match ended.map(|ended| ended.reason) {
            None => condition.to_string(),
            Some(EndReason::Resolved) => format!("no longer {condition}"),
            Some(EndReason::OutsideHours) => {
                format!("the hours of the rule have ended ({condition})")
            }
            Some(EndReason::Withdrawn) => {
                format!("the rule or its source was changed or removed ({condition})")
            }
            Some(EndReason::Duplicate) => {
                format!("an incident of before the restart continues ({condition})")
            }
        }),
        evidence.detail.as_ref().map(|detail| detail.to_string()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{}: {}", subject.alert, parts.join(", "))
}
