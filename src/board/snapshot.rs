//! The immutable picture that every handler reads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use strum::{IntoStaticStr, VariantArray};

use super::error::ErrorKind;
use super::reading::{FieldName, Observed, Value};

/// Everything that can be shown at one moment. Never changed after publication.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts publications since the start.
    pub version: u64,
    /// The sources in the order of the configuration.
    pub sources: Vec<SourceView>,
    /// The body of `GET /api/v1/status`, rendered once.
    pub status: Rendered,
}

/// One source as it stands in a snapshot.
#[derive(Debug, Clone)]
pub struct SourceView {
    /// The configured name, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// The title for people.
    pub title: Arc<str>,
    /// The kind's name as in the configuration, `ptlevel`.
    pub kind: &'static str,
    /// The fields that the page shows, in that order; empty: all that come.
    pub show: Arc<[FieldName]>,
    /// Whether it can be trusted at the moment of publication.
    pub state: State,
    /// The last good reading, kept through failures.
    pub reading: Option<LastReading>,
    /// Time from one poll to the next, unless the upstream requests a longer one.
    pub interval: Duration,
    /// When the next poll is due.
    pub next_poll_at: Option<Timestamp>,
    /// The failure that lasts, if the latest poll failed.
    pub error: Option<Failure>,
}

impl SourceView {
    /// The last good values and what was worked out of them, in display order; none while the
    /// source waits.
    pub fn values(&self) -> impl Iterator<Item = &(FieldName, Value)> + Clone {
        self.reading.iter().flat_map(|reading| reading.values.iter().chain(&reading.derived))
    }

    /// The values for the page: those that the configuration names, in its order; else those
    /// that the upstream told.
    pub fn shown(&self) -> Vec<&(FieldName, Value)> {
        if self.show.is_empty() {
            return self.reading.iter().flat_map(|reading| &reading.values).collect();
        }
        let named = self.show.iter().map(|wanted| self.values().find(|(name, _)| name == wanted));
        named.flatten().collect()
    }

    /// Whether the page is to show that field.
    pub fn shows(&self, field: &str) -> bool {
        self.show.is_empty() || self.show.iter().any(|name| **name == *field)
    }

    /// One of the values.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.values().find(|(name, _)| **name == *field).map(|(_, value)| value)
    }
}

/// The last good reading with both of its clocks.
#[derive(Debug, Clone)]
pub struct LastReading {
    /// The sensor's clock.
    pub observed: Observed,
    /// Our clock, when the answer was complete.
    pub fetched_at: Timestamp,
    /// `observed.at` plus the source's `stale_after`.
    pub stale_at: Timestamp,
    /// What the upstream told, in display order.
    pub values: Vec<(FieldName, Value)>,
    /// What was worked out of its observations.
    pub derived: Vec<(FieldName, Value)>,
}

/// How far a source can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Never answered since the start.
    Waiting,
    /// Observed recently enough.
    Fresh,
    /// Now is past `stale_at`.
    Stale,
}

impl State {
    /// Returns the name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A failure that has lasted since a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of the latest failure.
    pub kind: ErrorKind,
    /// The message of the latest failure; holds no secret.
    pub message: Arc<str>,
    /// When the first failure of this row happened.
    pub since: Timestamp,
    /// How many polls in a row have failed.
    pub failures: u32,
}

/// A body in its forms, each with the strong entity tag over its own bytes (RFC 9110 8.8.3).
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The media type, such as `application/json`.
    pub content_type: &'static str,
    /// As it is.
    pub identity: Representation,
    /// Compressed by gzip, where that is worth it (above 1 KiB).
    pub gzip: Option<Representation>,
}

/// One encoding of a body.
#[derive(Debug, Clone)]
pub struct Representation {
    /// The bytes to send.
    pub body: Bytes,
    /// The quoted entity tag, ready to be sent.
    pub etag: http::HeaderValue,
}
