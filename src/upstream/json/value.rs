//! Reads one value by its configured type.

use serde_json::Value as Json;

use super::super::decode::{self, Note, Quoted};
use super::super::plausible;
use super::select::select;
use crate::board::{Finite, Value};
use crate::config::{Calibration, JsonValue, Mapped, ValueMap, ValueType};
use crate::units::{Quantity, Unit, round_to};

/// Significant digits of a computed number: more than any sensor has, and few enough to hide binary rounding
/// (0.1 × 3 is 0.3, not 0.30000000000000004).
const COMPUTED_DIGITS: usize = 9;

/// Most decimals of a converted number.
const MAX_DECIMALS: i32 = 15;

/// Reads a value of a response. An absent or unusable one is missing with a note.
pub(super) fn read(keys: &JsonValue, document: &Json) -> Value {
    let value = select(&keys.place, document).and_then(|sent| match (&keys.map, keys.value_type) {
        (Some(map), _) => mapped(keys, map, sent),
        (None, ValueType::AsSent) => as_sent(sent),
        (None, ValueType::Number) => number(keys, sent),
        (None, ValueType::Text) => text(sent),
        (None, ValueType::Bool) => truth(sent),
    });
    value.unwrap_or_else(|note| Value::missing(keys.unit, note))
}

/// Reads a value without a type: whatever is a number without doubt is one.
fn as_sent(sent: &Json) -> Result<Value, Note> {
    let number = match sent {
        // A JSON number without a unit is a quantity without one, such as a pH, and not a text.
        Json::Number(_) => Some(decode::number(Some(sent))?),
        Json::String(text) => decode::plain_number(text),
        _ => None,
    };
    match number.and_then(Finite::new) {
        Some(number) => Ok(Value::unitless(number)),
        None => Ok(decode::text_value(Some(sent))),
    }
}

fn number(keys: &JsonValue, sent: &Json) -> Result<Value, Note> {
    let quoted = quoted(keys.unit, sent)?;
    let Quoted { number: sent, unit } = decode::in_unit_unrounded(quoted, keys.unit)?;
    let sent = match (quoted.unit, keys.unit) {
        (Some(from), Some(to)) if from != to && from.converts_to(to) => {
            if keys.calibration.scale != 1.0 {
                let note = format!("sent in {from}, which is converted to {to}: remove \"scale\"");
                return Err(note.into());
            }
            let is_computed = !keys.calibration.is_identity();
            if is_computed { sent } else { converted(quoted.number, sent, to) }
        }
        _ => sent,
    };
    let number = calibrated(&keys.calibration, sent)?;
    plausible::check_sent(keys, sent, number.get(), keys.unit)?;
    // What is computed from a number has not the unit that was sent with it.
    let unit = if keys.calibration.is_identity() { unit } else { keys.unit };
    Ok(Value { unit, ..Value::unitless(number) })
}

/// Rounds a converted number to the digits that were sent, or to more if the unit has more.
fn converted(sent: f64, number: f64, unit: Unit) -> f64 {
    let decimals = unit.decimals_of(number);
    if number == 0.0 || unit.quantity() == Quantity::Temperature {
        return round_to(number, decimals);
    }
    let mantissa = format!("{sent:e}");
    let digits = mantissa.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit);
    // At most 17 digits, and the logarithm of a finite number, are far within the range of an i32.
    let of_sent = digits.count() as i32 - 1 - number.abs().log10().floor() as i32;
    round_to(number, of_sent.min(MAX_DECIMALS).max(decimals))
}

/// Returns the number that was sent, perhaps with the label of a unit that the program does not know.
fn quoted(unit: Option<Unit>, sent: &Json) -> Result<Quoted, Note> {
    if let (Some(Unit::Label(label)), Json::String(text)) = (unit, sent)
        && let Some(number) = without_label(text, label.as_str())
        && let Ok(quoted @ Quoted { unit: None, .. }) = decode::parse(number)
    {
        return Ok(quoted);
    }
    decode::quoted(Some(sent))
}

/// Removes a label from the end of a text, in any case; `None` if the text does not end with it.
fn without_label<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let text = text.trim();
    let (number, end) = text.split_at_checked(text.len().checked_sub(label.len())?)?;
    // `42` does not end with the label `2`.
    let is_apart = label.starts_with(char::is_alphabetic) || number.ends_with(char::is_whitespace);
    (is_apart && end.to_lowercase() == label.to_lowercase()).then_some(number)
}

fn text(sent: &Json) -> Result<Value, Note> {
    match sent {
        Json::Number(number) => Ok(Value::text(number.to_string())),
        _ => Ok(decode::text_value(Some(sent))),
    }
}

/// Reads true or false, as 1 or 0 in the unit `bool`.
fn truth(sent: &Json) -> Result<Value, Note> {
    const TRUE: [&str; 4] = ["true", "on", "yes", "1"];
    const FALSE: [&str; 4] = ["false", "off", "no", "0"];
    let truth = match sent {
        Json::Bool(truth) => Some(*truth),
        Json::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Json::String(text) => {
            let is_one_of =
                |words: [&str; 4]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
            match (is_one_of(TRUE), is_one_of(FALSE)) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            }
        }
        _ => None,
    };
    match (truth, scalar_text(sent)) {
        (Some(truth), _) => Ok(Value::number(f64::from(u8::from(truth)), Unit::Bool)),
        (None, Some(text)) => Err(decode::sent_as(&text, ", which is neither true nor false")),
        (None, None) => Err("not sent as true or false".into()),
    }
}

fn mapped(keys: &JsonValue, map: &ValueMap, sent: &Json) -> Result<Value, Note> {
    let text = scalar_text(sent).ok_or("sent as a list or an object")?;
    let by_number = |sent: f64| {
        let has_number = |name: &str| match (name.trim().parse::<i128>(), text.parse::<i128>()) {
            // Integers of 64 bits are not exact as an `f64`.
            (Ok(name), Ok(sent)) => name == sent,
            _ => name.trim().parse::<f64>().is_ok_and(|number| number == sent),
        };
        map.entries().iter().find(|(name, _)| has_number(name)).map(|(_, mapped)| mapped)
    };
    // `1.0` is the number of an entry `1`.
    let entry = map.get(&text).or_else(|| by_number(sent.as_f64()?));
    match entry.ok_or_else(|| decode::sent_as(&text, ", which is not in \"map\""))? {
        Mapped::Number(number) => {
            let number = calibrated(&keys.calibration, *number)?;
            Ok(Value { unit: keys.unit, ..Value::unitless(number) })
        }
        Mapped::Text(text) => Ok(Value::text(text.clone())),
    }
}

/// Returns a JSON string, number or boolean as text.
fn scalar_text(sent: &Json) -> Option<String> {
    match sent {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Returns the calibrated number, or the note for one outside the configured bounds.
fn calibrated(keys: &Calibration, sent: f64) -> Result<Finite, Note> {
    let number = if keys.is_identity() {
        sent
    } else {
        let scaled = sent * keys.scale + keys.offset;
        significant(keys.invert_from.map_or(scaled, |from| from - scaled))
    };
    let finite = Finite::new(number).ok_or("out of range after scaling")?;
    if keys.min.is_some_and(|min| number < min) {
        return Err("below the configured min".into());
    }
    if keys.max.is_some_and(|max| number > max) {
        return Err("above the configured max".into());
    }
    Ok(finite)
}

/// Rounds to [`COMPUTED_DIGITS`] significant digits. Decimal formatting is exact, unlike multiplication by a
/// power of ten.
pub(super) fn significant(number: f64) -> f64 {
    let precision = COMPUTED_DIGITS - 1;
    format!("{number:.precision$e}").parse().unwrap_or(number)
}
