//! What a poll brings home: values with the time at which the sensor saw them.

use std::sync::Arc;

use jiff::Timestamp;

use crate::text::clean_shared;
use crate::units::Unit;

/// One successful answer of an upstream, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// When the sensor made the observation, by the upstream's word.
    pub observed: Observed,
    /// The values, in the order in which the page shows them.
    pub values: Vec<(FieldName, Value)>,
}

/// The sensor's clock, as far as it is known. Never mixed with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// The time of observation, UTC.
    pub at: Timestamp,
    /// True when the upstream did not tell it plainly (`observed_at_inferred` in JSON).
    pub inferred: bool,
}

/// A field's name, `[a-z][a-z0-9_]*`: `level`, `wind_speed`.
pub type FieldName = Arc<str>;

/// A value with its unit, or the reason why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The datum; `None` where the upstream sent null or garbage, and then `note` says why.
    pub datum: Option<Datum>,
    /// The unit; `None` for text.
    pub unit: Option<Unit>,
    /// A remark for people: why the value is missing, or what was corrected.
    pub note: Option<Arc<str>>,
}

/// A number or a text. A number is finite by construction.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// A finite number.
    Number(Finite),
    /// A short text, such as the weather's conditions.
    Text(Arc<str>),
}

impl Datum {
    /// A text, without hidden characters.
    pub fn text(text: impl Into<Arc<str>>) -> Datum {
        Datum::Text(clean_shared(text.into()))
    }
}

/// An `f64` that is neither NaN nor infinite, so that it can always be told as JSON.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    /// The number, if it is finite.
    pub fn new(number: f64) -> Option<Finite> {
        number.is_finite().then_some(Finite(number))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Value {
    /// A number with its unit; a NaN or an infinity becomes a missing value with a note.
    pub fn number(number: f64, unit: Unit) -> Value {
        match Finite::new(number) {
            Some(finite) => {
                Value { datum: Some(Datum::Number(finite)), unit: Some(unit), note: None }
            }
            None => Value::missing(Some(unit), "not a finite number"),
        }
    }

    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value { datum: Some(Datum::text(text)), unit: None, note: None }
    }

    /// A value that is not there, and why.
    pub fn missing(unit: Option<Unit>, note: impl Into<Arc<str>>) -> Value {
        Value { datum: None, unit, note: Some(clean_shared(note.into())) }
    }
}
