//! Readings: the values of a poll with the time of their observation.

use std::sync::Arc;
use std::time::Duration;

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

/// Time of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Time of the observation. A decoder returns the time that the upstream states, which may lie in
    /// the future; the board replaces that by the time at which it first saw the observation.
    pub at: Timestamp,
    /// Upstream's own statement of the time. It identifies the observation.
    pub stamp: Stamp,
    /// True if the upstream does not state the time exactly (`observed_at_inferred` in JSON).
    pub inferred: bool,
}

/// Statement of an upstream on the time of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// A point in time, unchanged. The same stamp means the same observation.
    Absolute(Timestamp),
    /// An age, such as "3 minutes ago", which is exact to `resolution`. The time of the observation is
    /// that of the response minus the age.
    Age {
        /// Length of the smallest unit of the age: a minute for "3 minutes ago".
        resolution: Duration,
    },
    /// Nothing. The observation has the time of the response, and each response is a new observation.
    Fetched,
}

impl Stamp {
    /// Returns true if this process computed the time by the clock of its machine.
    pub const fn is_by_machine(self) -> bool {
        matches!(self, Stamp::Age { .. } | Stamp::Fetched)
    }
}

impl Observed {
    /// Returns a time that the upstream states.
    pub const fn absolute(at: Timestamp) -> Observed {
        Observed { at, stamp: Stamp::Absolute(at), inferred: false }
    }

    /// Returns the time of an observation that had this age at `fetched_at`.
    pub fn aged(fetched_at: Timestamp, age: Duration, resolution: Duration) -> Observed {
        let at = fetched_at.saturating_sub(age).unwrap_or(Timestamp::MIN);
        Observed { at, stamp: Stamp::Age { resolution }, inferred: false }
    }

    /// Returns the time of a response that states none.
    pub const fn fetched(at: Timestamp) -> Observed {
        Observed { at, stamp: Stamp::Fetched, inferred: true }
    }
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
    /// Time of this value, if the upstream states one for it alone.
    pub observed: Option<Observed>,
    /// Time before the observation that an amount covers, such as the hour of an hourly amount of rain.
    pub period: Option<Duration>,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    /// Returns the number if it is finite. -0, which prints with its sign, becomes 0.
    pub fn new(number: f64) -> Option<Finite> {
        number.is_finite().then_some(Finite(if number == 0.0 { 0.0 } else { number }))
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
                Value { datum: Some(Datum::Number(finite)), ..Value::empty(Some(unit)) }
            }
            None => Value::missing(Some(unit), "not a finite number"),
        }
    }

    /// Returns a text.
    pub fn text(text: impl Into<Arc<str>>) -> Value {
        Value { datum: Some(Datum::text(text)), ..Value::empty(None) }
    }

    /// Note on a value that the response does not have.
    pub const UNSENT: &str = "missing from the response";

    /// Returns true if the response does not have the value.
    pub fn is_unsent(&self) -> bool {
        self.datum.is_none() && self.note.as_deref() == Some(Value::UNSENT)
    }

    /// Returns a missing value with a note.
    pub fn missing(unit: Option<Unit>, note: impl Into<Arc<str>>) -> Value {
        Value { note: Some(clean_shared(note.into())), ..Value::empty(unit) }
    }

    const fn empty(unit: Option<Unit>) -> Value {
        Value { datum: None, unit, note: None, observed: None, period: None }
    }

    /// Returns a number without a unit, such as a count.
    pub fn unitless(number: Finite) -> Value {
        Value { datum: Some(Datum::Number(number)), ..Value::empty(None) }
    }

    /// States the time before the observation that an amount covers. Overlapping amounts are then not
    /// counted twice in the history.
    #[must_use]
    pub const fn over(mut self, period: Duration) -> Value {
        self.period = Some(period);
        self
    }

    /// Adds a note. An earlier note is kept before it, and the same note is added once.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Arc<str>>) -> Value {
        let note = clean_shared(note.into());
        self.note = Some(match self.note.take() {
            None => note,
            Some(earlier) if earlier.split("; ").any(|part| *part == *note) => earlier,
            Some(earlier) => format!("{earlier}; {note}").into(),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_is_added_to_an_earlier_one_once() {
        let value = Value::number(1.0, Unit::Inch).with_note("a").with_note("b").with_note("a");
        assert_eq!(value.note.as_deref(), Some("a; b"));
    }

    #[test]
    fn age_is_subtracted_from_the_time_of_the_response() {
        let fetched: Timestamp = "2026-01-31T17:20:00Z".parse().unwrap();
        let minute = Duration::from_secs(60);
        let observed = Observed::aged(fetched, 3 * minute, minute);
        assert_eq!(observed.at, "2026-01-31T17:17:00Z".parse().unwrap());
        assert!(observed.stamp.is_by_machine());
        let ancient = Observed::aged(fetched, Duration::MAX, minute);
        assert_eq!(ancient.at, Timestamp::MIN);
    }
}
