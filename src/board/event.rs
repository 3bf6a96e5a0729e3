//! Events and samples that the board passes to the recorder of the history.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::reading::{FieldName, Finite};
use crate::units::{OverTime, Unit};

/// Event of a source or of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Time of the event, which may be earlier than its detection.
    pub at: Timestamp,
    /// Kind of the event.
    pub kind: EventKind,
    /// Name of the source; `None`: the event is about the program.
    pub source: Option<Arc<str>>,
    /// Text for people, without secrets. May be empty.
    pub detail: Arc<str>,
}

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum EventKind {
    /// The program started.
    Started,
    /// The program stopped as requested.
    Stopped,
    /// The configuration was reloaded.
    Reloaded,
    /// A source's observation is older than its `stale_after`.
    Stale,
    /// A stale source has a new observation.
    Fresh,
    /// Polls of a source fail.
    ErrorBegan,
    /// Polls of a source succeed again.
    ErrorEnded,
    /// The history file was damaged, and was renamed.
    HistorySetAside,
    /// The clock of this machine was set.
    ClockStepped,
    /// An alert fired.
    AlertFired,
    /// A person acknowledged an alert.
    AlertAcknowledged,
    /// A person silenced an alert.
    AlertSilenced,
    /// A person ended the silence of an alert.
    AlertUnsilenced,
    /// An alert ended.
    AlertEnded,
}

impl EventKind {
    /// Returns the name in JSON and in the history.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Number that a sensor measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name of the source.
    pub source: Arc<str>,
    /// Name of the field.
    pub field: FieldName,
    /// Time of the observation, in whole seconds.
    pub at: Timestamp,
    /// Clock by which the observation is dated.
    pub dated_by: DatedBy,
    /// Time that the upstream stated, in whole seconds, if the machine dated the observation because that time
    /// was later than its clock. It is the time of the observation once the clock shows it.
    pub stated: Option<Timestamp>,
    /// Number of the same time in the history that this one replaces.
    pub corrects: Corrects,
    /// Measured number.
    pub value: Finite,
    /// Unit, if there is one.
    pub unit: Option<Unit>,
    /// Aggregation of the field over time.
    pub over_time: OverTime,
    /// Time before `at` that the number covers, such as the hour of an hourly amount of rain.
    pub period: Option<Duration>,
}

impl Sample {
    /// Returns a number that the sensor dated, with the default aggregation of its field.
    pub fn new(
        source: Arc<str>,
        field: FieldName,
        at: Timestamp,
        value: Finite,
        unit: Option<Unit>,
    ) -> Sample {
        let over_time = OverTime::of(&field, unit);
        Sample {
            source,
            field,
            at,
            dated_by: DatedBy::Sensor,
            stated: None,
            corrects: Corrects::Any,
            value,
            unit,
            over_time,
            period: None,
        }
    }
}

/// Number of the history that a sample replaces, if there is another one of the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Corrects {
    /// Any number: the sample is of the latest answer.
    Any,
    /// Only this number, which this process observed before. The sample is written later than it was observed, and
    /// another process may have recorded a later correction meanwhile.
    Only(Finite),
    /// None: the sample is of a restored reading or of an older answer, and may lack a correction.
    Nothing,
}

impl Corrects {
    /// Returns true if the sample replaces this number.
    pub fn replaces(self, recorded: f64) -> bool {
        match self {
            Corrects::Any => true,
            Corrects::Only(before) => before.get() == recorded,
            Corrects::Nothing => false,
        }
    }
}

/// Clock by which an observation is dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatedBy {
    /// The upstream stated the time.
    Sensor,
    /// This process computed the time. If its clock was wrong, so is the time.
    Machine,
}

/// Change of a source's state. The board emits each change once.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A source has a new observation.
    Observed(Vec<Sample>),
    /// An event occurred.
    Happened(Event),
    /// The clock of this machine was set: forward if positive. Every time before this change that was read
    /// from the clock ([`DatedBy::Machine`]) is wrong by that, and later ones are not.
    ClockStepped(SignedDuration),
}

/// Receiver of changes. Must not block: it runs on the board's thread.
pub type ChangeSink = Box<dyn Fn(Change) + Send>;
