//! Any JSON endpoint, read by JSON pointers (RFC 6901).
//!
//! | part | function |
//! | --- | --- |
//! | `select` | the position of a value: pointers, alternatives, elements of lists |
//! | `value` | the value by its type: number, text, true or false, an entry of a map |
//! | `time` | times of observation, for the source and for single values |
//! | `ndjson` | the last line of a body of several documents |
//! | `hint` | hints on pointers that count elements, for `check --poll` |
//! | `settle` | what depends on earlier observations: `filter`, `max_step`; applied after `plausible` |
//!
//! A value that is null, missing, unusable or outside of `min..=max` becomes null with a note, never 0. If it
//! is `required`, the response is an error.
//!
//! Without `observed_at`, the time of the response is used as the time of observation
//! (`observed_at_inferred`). If it is configured, a response that lacks it is an error: a sensor of unknown
//! age must not look fresh. A value with an `observed_at` of its own has that time, or else is null. A
//! response in which no configured position exists is an error, too: it is another document, such as an error
//! message with status 200.

mod hint;
mod ndjson;
mod select;
mod settle;
mod time;
mod value;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::decode::{self, DecodeError};
use crate::board::{FieldName, Observed, Reading, Value};
use crate::config;

pub(super) use hint::hints;
pub(super) use settle::{Received, Settling};

/// Decodes a response.
///
/// # Errors
/// The body is not JSON, has none of the values, or or lacks the configured time.
pub(super) fn decode(
    keys: &config::Json,
    body: &[u8],
    fetched_at: Timestamp,
) -> Result<Reading, DecodeError> {
    let document = document(keys, body)?;
    if !keys.values.iter().any(|value| select::is_present(&value.place, &document)) {
        return Err(DecodeError::new("the response has none of the configured values"));
    }
    let observed = match &keys.observed_at {
        None => None,
        Some(time) => Some(time::read(time, &document, fetched_at).map_err(|note| {
            DecodeError::new(format!("the response has no usable time of observation: {note}"))
        })?),
    };
    let values = keys.values.iter().map(|value| field(value, &document, fetched_at));
    let values: Vec<_> = values.collect();
    let observed = match observed {
        Some(observed) => observed,
        None => time_of_values(keys, &values, fetched_at)?,
    };
    Ok(Reading { observed, values })
}

/// Parses the document of a response.
///
/// # Errors
/// The body is not in the configured format.
pub(super) fn document(keys: &config::Json, body: &[u8]) -> Result<Json, DecodeError> {
    match keys.format {
        config::BodyFormat::Json => decode::json(body),
        config::BodyFormat::Ndjson => ndjson::last_line(body),
    }
}

/// Reads a value with its own time, if it has one.
fn field(keys: &config::JsonValue, document: &Json, fetched_at: Timestamp) -> (FieldName, Value) {
    let mut value = value::read(keys, document);
    if let (Some(time), true) = (&keys.observed_at, value.datum.is_some()) {
        value = match time::read(time, document, fetched_at) {
            Ok(observed) => Value { observed: Some(observed), ..value },
            Err(note) => {
                Value::missing(value.unit, format!("no usable time of observation: {note}"))
            }
        };
    }
    (Arc::clone(&keys.name), value)
}

/// Checks that a reading has all required values, once those that cannot be true are null.
///
/// # Errors
/// A required value is null.
pub(super) fn check_required(keys: &config::Json, reading: &Reading) -> Result<(), DecodeError> {
    let is_required =
        |name: &FieldName| keys.values.iter().any(|value| value.required && value.name == *name);
    let missing =
        reading.values.iter().find(|(name, value)| value.datum.is_none() && is_required(name));
    missing.map_or(Ok(()), |(name, value)| {
        let note = value.note.as_deref().unwrap_or_default();
        Err(DecodeError::new(format!("the required value \"{name}\" is missing: {note}")))
    })
}

/// Returns the time of a reading whose source states none: the latest of its values' own times, or else that
/// of the response.
///
/// # Errors
/// Every value has a time of its own, and none can be read.
fn time_of_values(
    keys: &config::Json,
    values: &[(FieldName, Value)],
    fetched_at: Timestamp,
) -> Result<Observed, DecodeError> {
    let times = values.iter().filter_map(|(_, value)| value.observed);
    match times.max_by_key(|observed| observed.at) {
        Some(latest) => Ok(latest),
        None if keys.values.iter().all(|value| value.observed_at.is_some()) => {
            Err(DecodeError::new("no value has a usable time of observation"))
        }
        None => Ok(Observed::fetched(fetched_at)),
    }
}

#[cfg(test)]
mod tests;
