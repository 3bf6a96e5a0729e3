//! What happened to the sources and to the program, for people who ask later.

use std::sync::Arc;

use jiff::Timestamp;

use super::reading::{FieldName, Finite};
use crate::units::Unit;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it happened, which may be before anybody noticed.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The source that it happened to; `None`: the program.
    pub source: Option<Arc<str>>,
    /// A sentence for people; holds no secret. May be empty.
    pub detail: Arc<str>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The program started.
    Started,
    /// The program was asked to stop, and did.
    Stopped,
    /// The configuration was read anew.
    Reloaded,
    /// A source's observation is older than its `stale_after`.
    Stale,
    /// A source that was stale told of a new observation.
    Fresh,
    /// Polls of a source began to fail.
    ErrorBegan,
    /// Polls of a source succeed again.
    ErrorEnded,
    /// The file of the history was damaged and set aside.
    HistorySetAside,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 8] = [
        EventKind::Started,
        EventKind::Stopped,
        EventKind::Reloaded,
        EventKind::Stale,
        EventKind::Fresh,
        EventKind::ErrorBegan,
        EventKind::ErrorEnded,
        EventKind::HistorySetAside,
    ];

    /// The name in JSON and in the history.
    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Started => "started",
            EventKind::Stopped => "stopped",
            EventKind::Reloaded => "reloaded",
            EventKind::Stale => "stale",
            EventKind::Fresh => "fresh",
            EventKind::ErrorBegan => "error_began",
            EventKind::ErrorEnded => "error_ended",
            EventKind::HistorySetAside => "history_set_aside",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One number that a sensor told.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The source's name.
    pub source: Arc<str>,
    /// The field's name.
    pub field: FieldName,
    /// The sensor's clock, whole seconds.
    pub at: Timestamp,
    /// The number.
    pub value: Finite,
    /// Its unit, if it has one.
    pub unit: Option<Unit>,
}

/// What the board has learnt, told once to whoever keeps records.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A source told of an observation.
    Observed(Vec<Sample>),
    /// Something happened.
    Happened(Event),
}

/// Where changes go; must not wait.
pub type ChangeSink = Box<dyn Fn(Change) + Send>;
