//! States of a monitor, and changes between them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::alert::{Evidence, Incident, SubjectKey};

/// State, with what belongs to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Status {
    #[default]
    Inactive,
    Pending(Box<Pending>),
    Firing(Box<Firing>),
}

/// A condition that holds, and not yet for as long as `for` says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    /// Time since which the condition holds.
    pub(super) since: Timestamp,
    /// Time from which `for` counts. Other than `since` for rules by the clock.
    pub(super) held_from: Timestamp,
    pub(super) evidence: Evidence,
    pub(super) hours_end: Option<Timestamp>,
}

/// A rule that fires.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Firing {
    pub(super) incident: Arc<Incident>,
    /// End of the hours of the rule in which it fired.
    pub(super) hours_end: Option<Timestamp>,
}

/// State of a rule on a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The condition does not hold.
    Inactive,
    /// The condition holds, and not yet for as long as `for` says.
    Pending {
        /// Time since which it holds.
        since: Timestamp,
    },
    /// The rule has an incident.
    Firing,
}

/// Change of the state.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// Inactive to pending.
    Pending,
    /// Pending to inactive.
    Cleared,
    /// Pending or inactive to firing.
    Fired(Arc<Incident>),
    /// Firing to inactive.
    Ended(Arc<Incident>),
}

/// Names of the subject for a new incident.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Alert and source.
    pub key: &'a SubjectKey,
    /// Title of the source, or of the site.
    pub title: &'a Arc<str>,
    /// Field of the rule, if it is on one.
    pub field: Option<&'a Arc<str>>,
}

impl Status {
    /// Returns the state without what belongs to it.
    pub(super) fn phase(&self) -> Phase {
        match self {
            Status::Inactive => Phase::Inactive,
            Status::Pending(pending) => Phase::Pending { since: pending.since },
            Status::Firing(_) => Phase::Firing,
        }
    }

    /// Returns the incident while the rule fires.
    pub(super) fn incident(&self) -> Option<&Arc<Incident>> {
        match self {
            Status::Firing(firing) => Some(&firing.incident),
            Status::Inactive | Status::Pending(_) => None,
        }
    }

    /// Returns the latest evidence.
    pub(super) fn evidence(&self) -> Option<&Evidence> {
        match self {
            Status::Inactive => None,
            Status::Pending(pending) => Some(&pending.evidence),
            Status::Firing(firing) => Some(&firing.incident.evidence),
        }
    }

    /// Returns the time since which the condition holds.
    pub(super) fn since(&self) -> Option<Timestamp> {
        match self {
            Status::Inactive => None,
            Status::Pending(pending) => Some(pending.since),
            Status::Firing(firing) => Some(firing.incident.since),
        }
    }

    /// Returns the end of the hours of the rule in which the state began.
    pub(super) fn hours_end(&self) -> Option<Timestamp> {
        match self {
            Status::Inactive => None,
            Status::Pending(pending) => pending.hours_end,
            Status::Firing(firing) => firing.hours_end,
        }
    }
}
