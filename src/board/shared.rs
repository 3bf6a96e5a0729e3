//! State of a source as the replica that polls it publishes it, and as the boards of the other replicas follow it.
//!
//! One replica polls a source, and every replica shows it. The view of the source on the one that holds it becomes
//! JSON ([`shared_state`]), and the others read that ([`SharedState::from_json`]) and pass it to their boards
//! ([`Reporter::follow`](super::Reporter::follow)). All times are those of the holder, whose clock is the cluster's,
//! so that equal content has equal bodies and entity tags everywhere. What the configuration states, such as the title
//! and the time at which a reading turns stale, is each replica's own.
//!
//! The derived values are shared too: the trends of a replica that started later may have other samples.
//!
//! ```json
//! {"kind": "json", "configuration": 3735928559, "changed_at": 1770000060123, "next_poll_at": 1770000360456,
//!  "error": {"kind": "timeout", "message": "no answer within 10 s", "since": 1770000060, "failures": 2},
//!  "reading": {"source": "tank", "kind": "json", "observed_at": 1770000000, "fetched_at": 1770000001, "values": []},
//!  "derived": [{"name": "rate", "datum": {"number": -1.5}, "unit": "gal/h", "note": null}]}
//! ```
//! `changed_at` and `next_poll_at` are in milliseconds, other times in seconds. `error` and `reading` may be absent.
//! `reading` has the form of `reading_json`.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::error::ErrorKind;
use super::identity::Sighting;
use super::reading::{FieldName, Value};
use super::reading_json::{SavedSighting, SavedSource, SavedValue, saved_sighting};
use super::report::SavedReading;
use super::snapshot::{Failure, SourceView};
use crate::json::{deserialize_members, from_text};
use crate::text::clean_shared;

/// State of a source as its holder published it.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedState {
    /// Name of the source.
    pub source: Arc<str>,
    /// Name of the source's kind at the holder.
    pub kind: String,
    /// Checksum of the source's configuration at the holder.
    pub configuration: u32,
    /// Time at which the holder published this state first.
    pub changed_at: Timestamp,
    /// Time of the next poll.
    pub next_poll_at: Option<Timestamp>,
    /// Current failure, if the latest poll failed.
    pub error: Option<Failure>,
    /// Last reading, with the announced staleness.
    pub reading: Option<SavedReading>,
    /// Values of the trends; `None` if the holder publishes none.
    pub derived: Option<Vec<(FieldName, Value)>>,
}

/// A state that another replica has published.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// Token of the process that published it.
    pub instance: u128,
    /// Counter of that process. Of two states of a source, the one with the higher number is the later one.
    pub version: u64,
    /// The state.
    pub state: SharedState,
}

/// Error of a state that another replica has published.
#[derive(Debug, thiserror::Error)]
pub enum SharedStateError {
    /// It is not JSON of this form.
    #[error("not the JSON of a source's state: {0}")]
    Json(#[from] serde_json::Error),
    /// A time is out of range.
    #[error("the time of {0} is out of range")]
    Time(&'static str),
    /// A later version knows more kinds of errors.
    #[error("unknown kind of error: {0}")]
    ErrorKind(String),
}

#[derive(Debug, Default, Serialize)]
struct Shared {
    kind: String,
    configuration: u32,
    changed_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_poll_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<SharedFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<SavedSource>,
    derived: Option<Vec<SavedValue>>,
}

deserialize_members!(Shared { kind, configuration, changed_at, next_poll_at, error, reading, derived } required { kind, configuration, changed_at });

#[derive(Debug, Default, Serialize)]
struct SharedFailure {
    kind: String,
    message: String,
    since: i64,
    failures: u32,
}

deserialize_members!(SharedFailure { kind, message, since, failures } required { kind, message, since, failures });

/// Returns the state of a source as JSON, for the other replicas.
pub fn shared_state(source: &SourceView) -> String {
    let derived = source.reading.iter().flat_map(|reading| &reading.derived);
    let shared = Shared {
        kind: source.kind.to_owned(),
        configuration: source.configuration,
        changed_at: source.changed_at.as_millisecond(),
        next_poll_at: source.next_poll_at.map(Timestamp::as_millisecond),
        error: source.error.as_ref().map(|error| SharedFailure {
            kind: error.kind.as_str().to_owned(),
            message: error.message.to_string(),
            since: error.since.as_second(),
            failures: error.failures,
        }),
        reading: SavedSource::of(source),
        derived: Some(derived.map(derived_value).collect()),
    };
    serde_json::to_string(&shared).expect("texts and finite numbers are always JSON")
}

/// Returns the form of a derived value. It has the time of the field from which it is derived.
fn derived_value((name, value): &(FieldName, Value)) -> SavedValue {
    let of_field = |observed| -> SavedSighting {
        saved_sighting(&Sighting { observed, first_seen: observed.at, is_own: true })
    };
    SavedValue::new(name, value, value.observed.map(of_field))
}

impl SharedState {
    /// Reads the state of a source.
    ///
    /// # Errors
    /// The text is not JSON of this form, or has a time or a kind of error that this version does not know.
    pub fn from_json(source: &str, json: &str) -> Result<SharedState, SharedStateError> {
        let shared: Shared = from_text(json)?;
        let millis = |at: i64, name: &'static str| {
            Timestamp::from_millisecond(at).map_err(|_| SharedStateError::Time(name))
        };
        let changed_at = millis(shared.changed_at, "changed_at")?;
        let reading = match shared.reading {
            None => None,
            Some(saved) => Some(saved.reading().ok_or(SharedStateError::Time("the reading"))?),
        };
        let source: Arc<str> = source.into();
        let reading = reading.map(|reading| SavedReading { source: source.clone(), ..reading });
        let value = |saved: SavedValue| {
            let (name, value, _) = saved.value(changed_at);
            (name, value)
        };
        Ok(SharedState {
            source,
            kind: shared.kind,
            configuration: shared.configuration,
            changed_at,
            next_poll_at: shared.next_poll_at.map(|at| millis(at, "next_poll_at")).transpose()?,
            error: shared.error.map(SharedFailure::failure).transpose()?,
            reading,
            derived: shared.derived.map(|values| values.into_iter().map(value).collect()),
        })
    }
}

impl SharedFailure {
    fn failure(self) -> Result<Failure, SharedStateError> {
        let Ok(kind) = self.kind.parse::<ErrorKind>() else {
            return Err(SharedStateError::ErrorKind(clean_shared(self.kind.into()).to_string()));
        };
        Ok(Failure {
            kind,
            message: clean_shared(self.message.into()),
            since: Timestamp::from_second(self.since)
                .map_err(|_| SharedStateError::Time("the error"))?,
            failures: self.failures,
        })
    }
}

#[cfg(test)]
mod tests;
