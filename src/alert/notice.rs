//! Notices: what a channel has to send about an incident.

use std::sync::Arc;

use jiff::Timestamp;
use strum::{EnumString, IntoStaticStr};

use super::incident::{Incident, IncidentId};

/// Kind of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum NoticeKind {
    /// The alert has fired.
    Fired,
    /// It still fires.
    Reminder,
    /// It has ended, for the reason that the incident has.
    Ended,
}

impl NoticeKind {
    /// Returns the name in the file.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Identity of a notice. The same notice has the same key after a restart, so a receiver can recognise it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeKey {
    /// Channel that sends it.
    pub channel: Arc<str>,
    /// Incident that it is about.
    pub incident: IncidentId,
    /// Kind.
    pub kind: NoticeKind,
    /// Number of the reminder, from 1; 0 for other kinds.
    pub number: u32,
}

/// Something to send about an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Identity.
    pub key: NoticeKey,
    /// The incident as of the notice.
    pub incident: Arc<Incident>,
    /// Template of the first line, `message` of the rule; `None`: the default.
    pub message: Option<Arc<str>>,
    /// Time of the notice by our clock.
    pub at: Timestamp,
    /// Time from which it may be sent: later than `at` during quiet hours.
    pub due: Timestamp,
}
