//! Incidents: one for each time that a rule fires on a subject, from firing to its end.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::board::{Datum, Finite};
use crate::config::Severity;
use crate::units::Unit;

/// Identity of an incident, from firing to its end, through reminders, acknowledgement, restarts and reloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub u64);

/// Formats the id as 16 hexadecimal digits.
impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text is not the id of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an incident's id, which has 16 hexadecimal digits")]
pub struct IncidentIdError;

impl FromStr for IncidentId {
    type Err = IncidentIdError;

    fn from_str(text: &str) -> Result<IncidentId, IncidentIdError> {
        let is_id =
            text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let id = u64::from_str_radix(text, 16).ok().filter(|_| is_id);
        id.map(IncidentId).ok_or(IncidentIdError)
    }
}

/// Subject of a rule's state: a source, or the server itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectKey {
    /// Name of the alert.
    pub alert: Arc<str>,
    /// Name of the source; `None`: the server.
    pub source: Option<Arc<str>>,
    /// Name of the replica, if the subject is one of several servers that share a database.
    pub replica: Option<Arc<str>>,
}

/// A rule that has fired on a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Identity.
    pub id: IncidentId,
    /// Alert and source.
    pub subject: SubjectKey,
    /// Title of the source, or of the site, when it fired.
    pub title: Arc<str>,
    /// Field of the rule, if it is on one.
    pub field: Option<Arc<str>>,
    /// Severity when it fired.
    pub severity: Severity,
    /// Condition in words: "below 300 gal".
    pub condition: Arc<str>,
    /// Time since which the condition holds: that of the first observation that met it.
    pub since: Timestamp,
    /// Time by our clock at which it fired.
    pub fired_at: Timestamp,
    /// Latest evidence: that of the fire, then of each observation until the end.
    pub evidence: Evidence,
    /// Evidence when it fired.
    pub at_fire: Evidence,
    /// Acknowledgement, if there is one.
    pub acknowledged: Option<Acknowledgement>,
    /// End, if it has ended.
    pub ended: Option<Ended>,
}

/// Measurement on which a rule has decided.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Value of the field, or the number that the rule computes, such as the days until a certificate expires.
    pub value: Option<Datum>,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Threshold in the unit of the value.
    pub threshold: Option<Finite>,
    /// Rate of change of the field and its unit, if a trend has it.
    pub rate: Option<(Finite, Unit)>,
    /// Time of the observation; `None`: the rule is on no observation.
    pub observed_at: Option<Timestamp>,
    /// Detail for people, without secrets, such as the error of the latest poll.
    pub detail: Option<Arc<str>>,
}

/// Statement of a person that they know of an incident. Ends reminders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Name of the account, or the origin of the request: `admin`.
    pub by: Arc<str>,
    /// Time.
    pub at: Timestamp,
}

/// End of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Time by our clock.
    pub at: Timestamp,
    /// Reason.
    pub reason: EndReason,
}

/// Reason for the end of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum EndReason {
    /// The condition holds no more.
    Resolved,
    /// The hours of `between` have ended.
    OutsideHours,
    /// The rule or its source was changed or removed.
    Withdrawn,
    /// The same alert fired already, as an incident that continues: of before a restart, whose state was read late, or of
    /// the replica that has the source now.
    Duplicate,
}

impl EndReason {
    /// Returns the name in JSON and in the file.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_parsed_back_from_its_text() {
        let id = IncidentId(0x00ab_cdef_0123_4567);
        assert_eq!(id.to_string(), "00abcdef01234567");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in
            ["", "00ABCDEF01234567", "+0abcdef01234567", "0abcdef01234567", "00abcdef012345678"]
        {
            assert_eq!(text.parse::<IncidentId>(), Err(IncidentIdError), "{text}");
        }
    }
}
