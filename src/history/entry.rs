//! Records that the history stores.

use crate::board::{Change, Event, Sample};

/// An event with its id in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Ids increase in the order in which events are recorded.
    pub id: i64,
    /// The event.
    pub event: Event,
}

/// A record that waits to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    /// Samples of one observation of a source.
    Samples(Vec<Sample>),
    /// An event.
    Event(StoredEvent),
}

impl Entry {
    /// Returns the number of rows that the record adds, without those of rollups.
    pub(super) fn rows(&self) -> u64 {
        match self {
            Entry::Samples(samples) => samples.len() as u64,
            Entry::Event(_) => 1,
        }
    }
}

/// Returns the number of rows that a change adds, without those of rollups.
pub(super) fn rows_of(change: &Change) -> u64 {
    match change {
        Change::Observed(samples) => samples.len() as u64,
        Change::Happened(_) => 1,
        Change::ClockStepped(_) => 0,
    }
}
