//! What happened to the sources and to the program, for people who ask later.

use std::sync::Arc;

use jiff::Timestamp;
use strum::{EnumString, IntoStaticStr, VariantArray};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
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
    /// Returns the name in JSON and in the history.
    pub fn as_str(self) -> &'static str {
        self.into()
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
