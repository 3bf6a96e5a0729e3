//! Facts about alerts that replicas share: states, incidents, and commands of people as facts.
//!
//! A state belongs to the replica that holds the lease on its source, and the others follow it. A command is a fact
//! that any replica may state; facts about the same thing are merged by a rule that gives the same result in any
//! order, and a fact that is repeated changes nothing.

use std::fmt;
use std::sync::Arc;

use jiff::{Timestamp, TimestampRound, Unit as TimeUnit};

use super::incident::{Acknowledgement, Incident, IncidentId, SubjectKey};
use super::store::SavedState;

/// Random identity of a process that shares a database with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instance(pub u128);

/// Formats the identity as 32 hexadecimal digits.
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// This process, as one of several that share a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Name of the replica, which stays over restarts.
    pub name: Arc<str>,
    /// Identity of the process.
    pub instance: Instance,
}

/// A person knows of an incident. Of several, the earliest one holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The incident.
    pub incident: IncidentId,
    /// Person and time.
    pub by: Acknowledgement,
}

/// Silence of an alert, or its end. Of several, the one that was set last holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Name of the alert.
    pub alert: Arc<str>,
    /// Its end; for the command that ends one, `set_at`.
    pub until: Timestamp,
    /// Person.
    pub by: Arc<str>,
    /// Time of the command, in whole milliseconds.
    pub set_at: Timestamp,
    /// The process that took the command. Decides between two of the same time.
    pub instance: Instance,
}

impl Silence {
    /// Returns true if this one replaces another one.
    pub fn replaces(&self, other: &Silence) -> bool {
        (self.set_at, self.instance) > (other.set_at, other.instance)
    }
}

/// Rows that other replicas have written since the last time that they were read, or all rows.
#[derive(Debug, Clone, Default)]
pub struct FollowedChanges {
    /// True if these are all rows: a state without one is inactive.
    pub is_all: bool,
    /// States; `None`: the subject is inactive.
    pub states: Vec<(SubjectKey, Option<SavedState>)>,
    /// Incidents that fire, and the latest ones that have ended.
    pub incidents: Vec<Incident>,
    /// Silences and their ends.
    pub silences: Vec<Silence>,
    /// Acknowledgements.
    pub acknowledgements: Vec<Acknowledged>,
    /// Sources with a state that no running replica has in its configuration; empty unless all rows were read.
    pub unlisted: Vec<Arc<str>>,
}

impl FollowedChanges {
    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        let FollowedChanges { is_all, states, incidents, silences, acknowledgements, unlisted: _ } =
            self;
        !is_all
            && states.is_empty()
            && incidents.is_empty()
            && silences.is_empty()
            && acknowledgements.is_empty()
    }
}

/// Returns a time in whole milliseconds, which all stores keep exactly.
pub(super) fn whole_milliseconds(at: Timestamp) -> Timestamp {
    at.round(TimestampRound::new().smallest(TimeUnit::Millisecond)).unwrap_or(at)
}

/// Returns the id of an incident, which is the same at each replica that sees the same observation: so a receiver
/// recognises a message of two replicas that evaluate a source at the same time. `attempt` distinguishes several incidents
/// of the same begin, such as after a correction.
///
/// It is the FNV-1a hash of a text, as that of a rule.
pub(super) fn incident_id(
    subject: &SubjectKey,
    fingerprint: u64,
    since: Timestamp,
    attempt: u32,
) -> IncidentId {
    let SubjectKey { alert, source, replica } = subject;
    let part = |part: &Option<Arc<str>>| part.as_deref().unwrap_or_default().to_owned();
    let since = since.as_nanosecond();
    let text = format!(
        "{alert}\n{}\n{}\n{fingerprint:016x}\n{since}\n{attempt}",
        part(source),
        part(replica)
    );
    IncidentId(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}
