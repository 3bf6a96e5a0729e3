//! Readings: the values of a poll with the time of their observation.

use std::sync::Arc;

use jiff::Timestamp;

use crate::text::clean_shared;
use crate::units::Unit;

/// Decoded response of an upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Time of the observation, as the upstream reports it.
    pub observed: Observed,
    /// Values in display order.
    pub values: Vec<(FieldName, Value)>,
}

/// Time of an observation by the sensor's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Time of the observation.
    pub at: Timestamp,
    /// True if the upstream does not state the time (`observed_at_inferred` in JSON).
    pub inferred: bool,
}

/// Name of a field, `[a-z][a-z0-9_]*`: `level`, `wind_speed`.
pub type FieldName = Arc<str>;

/// Value with its unit, or a note on why it is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Number or text; `None` if the upstream sent null or an invalid value, as `note` explains.
    pub datum: Option<Datum>,
    /// Unit; `None` for a text.
    pub unit: Option<Unit>,
    /// Note for people: why the value is missing, or what was corrected.
    pub note: Option<Arc<str>>,
}

/// Number or text. A number is finite by construction.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// Finite number.
    Number(Finite),
    /// Short text, such as the weather conditions.
    Text(Arc<str>),
}

impl Datum {
    /// Returns a text with its hidden characters replaced.
    pub fn text(text: impl Into<Arc<str>>) -> Datum {
        Datum::Text(clean_shared(text.into()))
    }
}

/// An `f64` that is neither NaN nor infinite, so JSON can express it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    /// Returns the number if it is finite.
    pub fn new(number: f64) -> Option<Finite> {
        number.is_finite().then_some(Finite(number))
    }

    /// Returns the number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Value {
    /// Returns a number with its unit; NaN and infinity become a missing value with a note.
    pub fn number(number: f64, unit: Unit) -> Value {
        match Finite::new(number) {
            Some(finite) => {
                Value { datum: Some(Datum::Number(finite)), unit: Some(unit), note: None }
            }
            None => Value::missing(Some(unit), "not a finite number"),
        }
    }

    /// Returns a text.
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value { datum: Some(Datum::text(text)), unit: None, note: None }
    }

    /// Returns a missing value with a note.
    pub fn missing(unit: Option<Unit>, note: impl Into<Arc<str>>) -> Value {
        Value { datum: None, unit, note: Some(clean_shared(note.into())) }
    }
}
