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
    /// Returns the bytes that the record takes in memory, without texts that it shares with others.
    pub(super) fn bytes(&self) -> usize {
        let content = match self {
            Entry::Samples(samples) => size_of_val(samples.as_slice()),
            Entry::Event(stored) => stored.event.detail.len(),
        };
        size_of::<Entry>() + content
    }

    /// Returns the number of rows that the record adds, without those of rollups.
    pub(super) fn rows(&self) -> u64 {
        match self {
            Entry::Samples(samples) => samples.len() as u64,
            Entry::Event(_) => 1,
        }
    }
}

/// Returns the bytes that a change takes in memory, without texts that it shares with others.
pub(super) fn bytes_of(change: &Change) -> usize {
    let content = match change {
        Change::Observed(samples) => size_of_val(samples.as_slice()),
        Change::Happened(event) => event.detail.len(),
        Change::ClockStepped(_) => 0,
    };
    size_of::<Change>() + content
}

/// Returns the number of rows that a change adds, without those of rollups.
pub(super) fn rows_of(change: &Change) -> u64 {
    match change {
        Change::Observed(samples) => samples.len() as u64,
        Change::Happened(_) => 1,
        Change::ClockStepped(_) => 0,
    }
}
