//! Converts the values of a reading to the configured units.

use crate::board::{Datum, FieldName, Finite, Reading, Value};
use crate::config::DesiredUnits;
use crate::units::Unit;

/// Converts each value to the desired unit of its field. A value whose unit measures another quantity stays
/// as it was sent, with a note.
pub(super) fn convert(desired: &DesiredUnits, reading: Reading) -> Reading {
    let converted = |(field, value): (FieldName, Value)| {
        let value = match value.unit {
            Some(sent) => convert_value(value, sent, desired.unit_for(&field, sent)),
            None => value,
        };
        (field, value)
    };
    Reading { values: reading.values.into_iter().map(converted).collect(), ..reading }
}

fn convert_value(value: Value, sent: Unit, wanted: Unit) -> Value {
    if sent == wanted {
        return value;
    }
    if !sent.converts_to(wanted) {
        let note = value.note.unwrap_or_else(|| format!("cannot be converted to {wanted}").into());
        return Value { note: Some(note), ..value };
    }
    let number = match &value.datum {
        Some(Datum::Number(number)) => sent.convert(number.get(), wanted).and_then(Finite::new),
        Some(Datum::Text(_)) => return value,
        None => return Value { unit: Some(wanted), ..value },
    };
    match number {
        Some(number) => Value { datum: Some(Datum::Number(number)), unit: Some(wanted), ..value },
        None => Value::missing(Some(wanted), "out of range after conversion"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Observed;
    use crate::units::System;

    fn converted(desired: &DesiredUnits, field: &str, value: Value) -> Value {
        let observed = Observed::absolute(jiff::Timestamp::UNIX_EPOCH);
        let reading = Reading { observed, values: vec![(field.into(), value)] };
        convert(desired, reading).values.remove(0).1
    }

    #[test]
    fn values_are_converted_to_the_desired_units() {
        let metric = DesiredUnits {
            system: Some(System::Metric),
            fields: vec![("wind_speed".into(), Unit::MetrePerSecond)],
        };
        let note = |value: Value, note: &str| Value { note: Some(note.into()), ..value };
        for (field, sent, expected) in [
            ("volume", Value::number(1185.0, Unit::UsGallon), Value::number(4486.0, Unit::Litre)),
            ("level", Value::number(84.6, Unit::Percent), Value::number(84.6, Unit::Percent)),
            (
                "wind_speed",
                Value::number(36.0, Unit::KilometrePerHour),
                Value::number(10.0, Unit::MetrePerSecond),
            ),
            (
                "temperature",
                Value::missing(Some(Unit::Fahrenheit), "sent as null"),
                Value::missing(Some(Unit::Celsius), "sent as null"),
            ),
            (
                "depth",
                note(Value::number(10.0, Unit::Inch), "doubtful"),
                note(Value::number(25.4, Unit::Centimetre), "doubtful"),
            ),
            (
                "wind_speed",
                Value::number(36.0, Unit::Inch),
                note(Value::number(36.0, Unit::Inch), "cannot be converted to m/s"),
            ),
            (
                "volume",
                Value::number(f64::MAX, Unit::UsGallon),
                Value::missing(Some(Unit::Litre), "out of range after conversion"),
            ),
            ("conditions", Value::text("Clear"), Value::text("Clear")),
        ] {
            assert_eq!(converted(&metric, field, sent), expected, "{field}");
        }
        let as_sent = DesiredUnits::default();
        let depth = Value::number(10.0, Unit::Centimetre);
        assert_eq!(converted(&as_sent, "depth", depth.clone()), depth);
    }
}
