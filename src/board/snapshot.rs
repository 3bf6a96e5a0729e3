//! The immutable snapshot that every handler reads.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use strum::{IntoStaticStr, VariantArray};

use super::error::ErrorKind;
use super::held::{Held, Received};
use super::reading::{FieldName, Observed, Reading, Value};
use super::source_views::SourceViews;

/// State of all sources at one time. Immutable once published.
#[derive(Debug)]
pub struct Snapshot {
    /// Number of the publication since the start, from 1.
    pub version: u64,
    /// `service` in the status, as of the publication.
    pub service: ServiceInfo,
    /// State of all sources.
    pub sources: SourceViews,
    /// Time of the publication.
    pub published_at: Timestamp,
    /// Time of the next publication, unless something else changes before: a reading turns stale.
    pub next_due: Option<Timestamp>,
}

/// This program, in the status.
#[derive(Debug, Clone)]
pub struct ServiceInfo {
    /// `pumphouse-web`
    pub name: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Start of this process, by the setting of the wall clock.
    pub started_at: Timestamp,
}

/// State of one source.
#[derive(Debug, Clone)]
pub struct SourceView {
    /// Configured name, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// Title on the page.
    pub title: Arc<str>,
    /// Path by which pages and the API select sources, such as `north/ridge`.
    pub group: Option<Arc<str>>,
    /// Name of the kind as in the configuration: `ptlevel`.
    pub kind: &'static str,
    /// Fields that the page shows, in this order; empty: all.
    pub show: Arc<[FieldName]>,
    /// State at the time of publication.
    pub state: State,
    /// Last reading. Failed polls do not remove it.
    pub reading: Option<LastReading>,
    /// Time from one poll to the next, unless the upstream requests a longer one.
    pub interval: Duration,
    /// Time of the next poll.
    pub next_poll_at: Option<Timestamp>,
    /// Current failure, if the latest poll failed.
    pub error: Option<Failure>,
    /// Checksum of the settings by which answers are requested and decoded.
    pub configuration: u32,
    /// True if this replica polls the source; on a single machine always.
    pub is_held: bool,
    /// True if the event that the source turned stale was emitted, here or by the replica that held it.
    pub is_stale_announced: bool,
    /// Version of the first snapshot with this state.
    pub version: u64,
    /// Time of that snapshot, or of the holder's if the source is followed.
    pub changed_at: Timestamp,
}

impl SourceView {
    /// Returns the values of the last reading and those derived from them, in display order; none while
    /// the source is waiting.
    pub fn values(&self) -> impl Iterator<Item = &(FieldName, Value)> + Clone {
        self.reading.iter().flat_map(|reading| reading.values.iter().chain(&reading.derived))
    }

    /// Returns the values for the page: the fields of `show` in that order, or all fields of the upstream if
    /// `show` is empty.
    pub fn shown(&self) -> Vec<&(FieldName, Value)> {
        if self.show.is_empty() {
            return self.reading.iter().flat_map(|reading| &reading.values).collect();
        }
        let shown = self.show.iter().map(|field| self.values().find(|(name, _)| name == field));
        shown.flatten().collect()
    }

    /// Returns true if the page shows this field.
    pub fn shows(&self, field: &str) -> bool {
        self.show.is_empty() || self.show.iter().any(|name| **name == *field)
    }

    /// Returns the value of a field.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.values().find(|(name, _)| **name == *field).map(|(_, value)| value)
    }
}

/// Last reading of a source, with the times of both clocks.
#[derive(Debug, Clone)]
pub struct LastReading {
    /// Time of the observation, never in the future.
    pub observed: Observed,
    /// Time by our clock at which the response was complete.
    pub fetched_at: Timestamp,
    /// `observed.at` plus the source's `stale_after`.
    pub stale_at: Timestamp,
    /// Values of the upstream, in display order.
    pub values: Vec<(FieldName, Value)>,
    /// Values of the trends, derived from its observations.
    pub derived: Vec<(FieldName, Value)>,
    /// The reading before its times were corrected and noted.
    pub received: Arc<Received>,
}

impl LastReading {
    /// Returns a reading that is seen first in a response at `fetched_at`.
    pub fn new(reading: Reading, fetched_at: Timestamp, stale_after: Duration) -> LastReading {
        Held::new(reading, fetched_at).last_reading(fetched_at, stale_after, Vec::new())
    }
}

/// State of a source by the age of its observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// No reading since the start.
    Waiting,
    /// The observation is younger than `stale_after`.
    Fresh,
    /// `stale_at` has passed.
    Stale,
}

impl State {
    /// Returns the name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Failure of the latest polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind of the latest failure.
    pub kind: ErrorKind,
    /// Message of the latest failure, without secrets.
    pub message: Arc<str>,
    /// Time of the first failure since the last success.
    pub since: Timestamp,
    /// Number of failed polls since the last success.
    pub failures: u32,
}
