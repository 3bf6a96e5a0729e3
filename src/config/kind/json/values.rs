//! The values of a response: where they are, and what is made of what is sent.

use std::sync::Arc;

use toml_span::Span;

use super::super::super::name::is_name;
use super::super::super::section::{Section, Spanned};
use super::place::{JsonPlace, place};
use super::time::{JsonTime, time_of};
use super::value_type::{self, Evidence, ValueMap, ValueType};
use crate::units::{OverTime, Quantity, Unit};

/// `[source.values.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct JsonValue {
    /// The field's name.
    pub name: Arc<str>,
    /// Position of the value.
    pub place: JsonPlace,
    /// Type of the value.
    pub value_type: ValueType,
    /// Values that stand for what is sent; `None`: what is sent is the value.
    pub map: Option<ValueMap>,
    /// The unit; `None` for texts and plain numbers.
    pub unit: Option<Unit>,
    /// Computation of the number from the one that was sent.
    pub calibration: Calibration,
    /// Number of observations of `filter = "median N"`.
    pub filter: Option<usize>,
    /// Largest difference to the last number that needs no confirmation by the next observation.
    pub max_step: Option<f64>,
    /// True if a poll fails when the value is missing.
    pub required: bool,
    /// Time of the value, if it has one of its own.
    pub observed_at: Option<JsonTime>,
    /// Aggregation of the recorded numbers over time; `None`: by name and unit.
    pub over_time: Option<OverTime>,
}

/// Computation of a number from the one that was sent, in this order: `sent × scale + offset`, then
/// `invert_from − that`, then the comparison with the bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Factor of the number.
    pub scale: f64,
    /// Number that is added after scaling.
    pub offset: f64,
    /// Number from which the result is subtracted, such as the height of a sensor above the bottom.
    pub invert_from: Option<f64>,
    /// Least plausible value.
    pub min: Option<f64>,
    /// Greatest plausible value.
    pub max: Option<f64>,
}

impl Default for Calibration {
    fn default() -> Calibration {
        Calibration { scale: 1.0, offset: 0.0, invert_from: None, min: None, max: None }
    }
}

impl Calibration {
    /// Returns true if the number that was sent is the value.
    pub fn is_identity(&self) -> bool {
        self.scale == 1.0 && self.offset == 0.0 && self.invert_from.is_none()
    }
}

impl JsonValue {
    /// Returns the value at a pointer, in a unit, as it is sent.
    pub fn new(name: &str, pointer: &str, unit: Option<Unit>) -> JsonValue {
        JsonValue {
            name: name.into(),
            place: JsonPlace::at(pointer),
            value_type: if unit.is_some() { ValueType::Number } else { ValueType::AsSent },
            map: None,
            unit,
            calibration: Calibration::default(),
            filter: None,
            max_step: None,
            required: false,
            observed_at: None,
            over_time: None,
        }
    }
}

/// Reads `[source.values]`.
pub(super) fn values_of(mut section: Section<'_, '_>) -> Vec<JsonValue> {
    let mut values = Vec::new();
    for Spanned { value: name, span } in section.dynamic_keys() {
        if !is_name(&name) {
            section.report(
                span,
                format_args!("\"{name}\" must be lower-case letters, digits and underscores"),
            );
        }
        let title = format!("[source.values.{name}]");
        values.extend(section.section(&name, title).and_then(|value| value_of(&name, value)));
    }
    section.finish();
    values
}

/// Keys that make a value a number. `over_time` is one if it is more than `last`.
const NUMERIC_KEYS: [&str; 9] =
    ["unit", "unit_label", "scale", "offset", "min", "max", "invert_from", "filter", "max_step"];

fn value_of(name: &str, mut section: Section<'_, '_>) -> Option<JsonValue> {
    let place = place(&mut section);
    let mut numeric: Vec<(&'static str, Span)> =
        NUMERIC_KEYS.iter().filter_map(|key| Some((*key, section.span_of(key)?))).collect();
    let has_unit = numeric.iter().any(|(key, _)| key.starts_with("unit"));
    let unit = section.unit_or_label();
    let calibration = calibration(&mut section);
    let filter = filter(&mut section);
    let max_step = section.positive("max_step");
    let required = section.boolean("required").is_some_and(|at| at.value);
    let observed_at = section.section("observed_at", "\"observed_at\"".to_owned()).map(time_of);
    let over_time_at = section.span_of("over_time");
    let over_time = section.choice::<OverTime>("over_time").map(|at| at.value);
    if let (Some(over_time), Some(span), Some(unit)) = (over_time, over_time_at, unit)
        && let Some(reason) = contradiction(over_time, unit)
    {
        section.report(span, format_args!("\"over_time\": {over_time} {reason}, not for {unit}"));
    }
    if let (Some(over_time), Some(span)) = (over_time, over_time_at)
        && over_time != OverTime::Last
    {
        numeric.push(("over_time", span));
    }
    let evidence = Evidence { numeric, unit_is_bool: unit == Some(Unit::Bool) };
    let typed = value_type::read(&mut section, &evidence);
    section.finish();
    // A faulty unit must not turn the value into a text, and a faulty time not into one of the poll.
    if (has_unit && unit.is_none()) || matches!(observed_at, Some(None)) {
        return None;
    }
    let (value_type, map) = typed?;
    let unit = match value_type {
        ValueType::Bool => Some(Unit::Bool),
        _ => unit,
    };
    Some(JsonValue {
        name: name.into(),
        place: place?,
        value_type,
        map,
        unit,
        calibration,
        filter,
        max_step,
        required,
        observed_at: observed_at.flatten(),
        over_time,
    })
}

/// Returns the reason why numbers in a unit cannot be aggregated so.
fn contradiction(over_time: OverTime, unit: Unit) -> Option<&'static str> {
    let quantity = unit.quantity();
    match over_time {
        OverTime::Circular if quantity != Quantity::Angle => Some("is for directions in deg"),
        OverTime::Sum
            if matches!(quantity, Quantity::Temperature | Quantity::Ratio | Quantity::Angle) =>
        {
            Some("is for amounts that add up")
        }
        _ => None,
    }
}

fn calibration(section: &mut Section<'_, '_>) -> Calibration {
    let mut number = |key: &str| section.number(key);
    let scale = number("scale").map_or(1.0, |at| at.value);
    let offset = number("offset").map_or(0.0, |at| at.value);
    let invert_from = number("invert_from").map(|at| at.value);
    let (min, max) = (number("min"), number("max"));
    let (min, max) = (min.map(|at| at.value), max.map(|at| at.value));
    Calibration { scale, offset, invert_from, min, max }
}

/// Reads `filter = "median 5"`.
fn filter(section: &mut Section<'_, '_>) -> Option<usize> {
    let Spanned { value, span } = section.string("filter")?;
    let mut words = value.split_whitespace();
    let count = match (words.next(), words.next(), words.next()) {
        (Some("median"), Some(count), None) => count.parse().ok(),
        _ => None,
    };
    let count = count.filter(|count| (3..=99).contains(count) && count % 2 == 1);
    if count.is_none() {
        let message = "must be \"median 3\" to \"median 99\", with an odd number of observations";
        section.report(span, format_args!("\"filter\": \"{value}\" {message}"));
    }
    count
}
