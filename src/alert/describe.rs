//! Texts on incidents for events and logs.

use jiff::Timestamp;

use super::incident::{EndReason, Evidence, Incident};
use crate::board::EventKind;
use crate::format::{datum, suffix};
use crate::text;
use crate::timestamp::Rfc3339;

/// Words before the author of a command. No name of an alert and no time contains them.
const BY: &str = " by ";

/// Returns what a rule has measured: "280 gal"; `None` for a rule without a value.
pub fn measured(evidence: &Evidence) -> Option<String> {
    let value = evidence.value.as_ref()?;
    Some(format!("{}{}", datum(value, evidence.unit), suffix(evidence.unit)))
}

/// Returns the line of an event that begins or ends an incident: "tank_low: 280 gal, below 300 gal". Guests see events,
/// so it has no detail on the server itself, such as the error of a channel.
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
                format!(
                    "an incident of before the restart or of another replica continues ({condition})"
                )
            }
        }),
        evidence.detail.as_deref().filter(|_| subject.source.is_some()).map(str::to_owned),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{}: {}", subject.alert, parts.join(", "))
}

/// Returns the line of an event that begins a silence: "tank_low: until 2026-01-31T16:40:00Z by anna".
pub(super) fn describe_silence(alert: &str, until: Timestamp, by: &str) -> String {
    format!("{alert}: until {}{BY}{}", Rfc3339(until), text::clean(by))
}

/// Returns the line of an event that ends a silence: "tank_low: ended by anna".
pub(super) fn describe_silence_end(alert: &str, by: &str) -> String {
    format!("{alert}: ended{BY}{}", text::clean(by))
}

/// Returns the detail of an event without the name of the account that caused it, which guests do not see.
pub fn without_author(kind: EventKind, detail: &str) -> &str {
    match kind {
        EventKind::AlertSilenced | EventKind::AlertUnsilenced => {
            detail.split_once(BY).map_or(detail, |(rest, _)| rest)
        }
        _ => detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::test_notices::incident;

    #[test]
    fn events_have_no_detail_on_the_server_itself() {
        let mut incident = incident(1, 0, None);
        incident.evidence.detail = Some("mail: 535 bad password".into());
        for (source, is_shown) in [(Some("tank".into()), true), (None, false)] {
            incident.subject.source = source;
            assert_eq!(describe(&incident).contains("535"), is_shown, "{}", describe(&incident));
        }
    }

    #[test]
    fn author_of_a_silence_is_removed_whatever_the_name() {
        let until = Timestamp::UNIX_EPOCH;
        for name in ["anna", "a by b", "uid 0 (root)"] {
            let silenced = describe_silence("tank_low", until, name);
            assert_eq!(silenced, format!("tank_low: until 1970-01-01T00:00:00Z by {name}"));
            let ended = describe_silence_end("tank_low", name);
            for (kind, detail, rest) in [
                (EventKind::AlertSilenced, &silenced, "tank_low: until 1970-01-01T00:00:00Z"),
                (EventKind::AlertUnsilenced, &ended, "tank_low: ended"),
                (EventKind::AlertFired, &ended, ended.as_str()),
            ] {
                assert_eq!(without_author(kind, detail), rest);
            }
        }
    }
}
