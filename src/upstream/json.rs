//! Any JSON endpoint, read by JSON pointers (RFC 6901).
//!
//! A number may be written as a string (`"12.5"`); it becomes `raw × scale + offset`. A value that is null,
//! missing, not a number or outside of `min..=max` becomes null with a note, never 0. A value without a unit
//! is a text, unless the response has a JSON number there.
//!
//! Without `observed_at`, the time of the response is used as the time of observation
//! (`observed_at_inferred`). If it is configured, a response that lacks it is an error: a sensor of unknown
//! age must not look fresh. A response in which no configured pointer resolves is an error, too: it is
//! another document, such as an error message with status 200.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::decode::{self, DecodeError};
use crate::board::{FieldName, Finite, Observed, Reading, Value};
use crate::config;

/// Significant digits of a scaled number: more than any sensor has, and few enough to hide binary rounding
/// (0.1 × 3 is 0.3, not 0.30000000000000004).
const SCALED_DIGITS: usize = 9;

/// Decodes a response.
///
/// # Errors
/// The body is not JSON, has none of the values, or lacks the configured time.
pub(super) fn decode(
    keys: &config::Json,
    body: &[u8],
    fetched_at: Timestamp,
) -> Result<Reading, DecodeError> {
    let document = decode::json(body)?;
    let is_present = |value: &config::JsonValue| document.pointer(&value.pointer).is_some();
    if !keys.values.iter().any(is_present) {
        return Err(DecodeError::new("the response has none of the configured values"));
    }
    let observed = match &keys.observed_at {
        None => Observed::fetched(fetched_at),
        Some(time) => Observed::absolute(observed_at(time, &document)?),
    };
    let values = keys.values.iter().map(|value| field(value, &document)).collect();
    Ok(Reading { observed, values })
}

fn field(keys: &config::JsonValue, document: &Json) -> (FieldName, Value) {
    let raw = document.pointer(&keys.pointer);
    // A JSON number without a configured unit is a quantity without one, such as a pH, and not a text.
    let value = if keys.unit.is_some() || raw.is_some_and(Json::is_number) {
        match decode::number(raw).and_then(|raw| calibrated(keys, raw)) {
            Ok(number) => Value { unit: keys.unit, ..Value::unitless(number) },
            Err(note) => Value::missing(keys.unit, note),
        }
    } else {
        decode::text_value(raw)
    };
    (Arc::clone(&keys.name), value)
}

/// Returns `raw × scale + offset`, or the note for a result outside the configured bounds.
fn calibrated(keys: &config::JsonValue, raw: f64) -> Result<Finite, &'static str> {
    let scaled = if keys.scale == 1.0 && keys.offset == 0.0 {
        raw
    } else {
        significant(raw * keys.scale + keys.offset)
    };
    let number = Finite::new(scaled).ok_or("out of range after scaling")?;
    if keys.min.is_some_and(|min| scaled < min) {
        return Err("below the configured min");
    }
    if keys.max.is_some_and(|max| scaled > max) {
        return Err("above the configured max");
    }
    Ok(number)
}

/// Rounds to [`SCALED_DIGITS`] significant digits. Decimal formatting is exact, unlike multiplication by a
/// power of ten.
fn significant(number: f64) -> f64 {
    let precision = SCALED_DIGITS - 1;
    format!("{number:.precision$e}").parse().unwrap_or(number)
}

fn observed_at(time: &config::JsonTime, document: &Json) -> Result<Timestamp, DecodeError> {
    let error = || {
        DecodeError::new("the response has no usable time of observation at the configured pointer")
    };
    let raw = document.pointer(&time.pointer);
    match time.format {
        config::TimeFormat::Unix => from_unix(decode::number(raw).ok(), 1.0),
        config::TimeFormat::UnixMs => from_unix(decode::number(raw).ok(), 1000.0),
        config::TimeFormat::Rfc3339 => {
            raw.and_then(Json::as_str).and_then(|text| text.trim().parse().ok())
        }
    }
    .ok_or_else(error)
}

/// Converts a count of seconds, or of fractions of which a second has `per_second`, to a time. Zero is
/// rejected: devices whose clock is not set send it.
fn from_unix(count: Option<f64>, per_second: f64) -> Option<Timestamp> {
    let seconds = (count? / per_second).floor();
    // The cast saturates, and a saturated count is outside the range of a timestamp.
    (seconds > 0.0).then(|| Timestamp::from_second(seconds as i64).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{JsonTime, JsonValue, TimeFormat};
    use crate::units::Unit;

    fn fetched() -> Timestamp {
        "2026-01-31T17:20:01Z".parse().unwrap()
    }

    fn value(pointer: &str, unit: Option<Unit>) -> JsonValue {
        JsonValue {
            name: "x".into(),
            pointer: pointer.into(),
            unit,
            scale: 1.0,
            offset: 0.0,
            min: None,
            max: None,
        }
    }

    fn keys(values: Vec<JsonValue>, observed_at: Option<JsonTime>) -> config::Json {
        config::Json {
            url: "http://127.0.0.1/".parse().unwrap(),
            request: config::JsonRequest::default(),
            format: config::BodyFormat::default(),
            values,
            observed_at,
        }
    }

    fn one(value: JsonValue, body: &str) -> Value {
        let mut reading = decode(&keys(vec![value], None), body.as_bytes(), fetched()).unwrap();
        reading.values.remove(0).1
    }

    #[test]
    fn pointer_resolves_to_its_value() {
        let body = r#"{"a":{"b":[1,2.5]},"x/y":3,"m~n":4,"":5,"s":"on"}"#;
        for (pointer, number) in
            [("/a/b/0", 1.0), ("/a/b/1", 2.5), ("/x~1y", 3.0), ("/m~0n", 4.0), ("/", 5.0)]
        {
            let value = one(value(pointer, Some(Unit::Inch)), body);
            assert_eq!(value, Value::number(number, Unit::Inch), "{pointer}");
        }
        assert_eq!(one(value("/s", None), body), Value::text("on"));
        assert_eq!(
            one(value("/a/b/1", None), body),
            Value { unit: None, ..Value::number(2.5, Unit::Inch) }
        );
        assert_eq!(one(value("", Some(Unit::Inch)), "42"), Value::number(42.0, Unit::Inch));
    }

    #[test]
    fn number_is_scaled_and_checked_against_its_bounds() {
        let calibrated = |scale, offset, min, max| JsonValue {
            scale,
            offset,
            min,
            max,
            ..value("/v", Some(Unit::Percent))
        };
        for (keys, raw, number) in [
            (calibrated(1.0, 0.0, None, None), "0.30000000000000004", Some(0.30000000000000004)),
            (calibrated(0.1, 0.0, None, None), "3", Some(0.3)),
            (calibrated(1e-6, 0.0, None, None), "123456", Some(0.123456)),
            (calibrated(1.8, 32.0, None, None), "\"100\"", Some(212.0)),
            (calibrated(1.0, 0.0, Some(0.0), Some(100.0)), "0", Some(0.0)),
            (calibrated(1.0, 0.0, Some(0.0), Some(100.0)), "100", Some(100.0)),
            (calibrated(1.0, 0.0, Some(0.0), Some(100.0)), "100.1", None),
            (calibrated(1.0, 0.0, Some(0.0), Some(100.0)), "-1", None),
            (calibrated(1e300, 0.0, None, None), "1e300", None),
            (calibrated(1.0, 0.0, None, None), "1e999", None),
            (calibrated(1.0, 0.0, None, None), "null", None),
        ] {
            let read = one(keys, &format!("{{\"v\":{raw}}}"));
            match number {
                Some(number) => assert_eq!(read, Value::number(number, Unit::Percent), "{raw}"),
                None => {
                    assert_eq!((read.datum, read.unit), (None, Some(Unit::Percent)), "{raw}");
                    assert!(read.note.is_some(), "{raw}");
                }
            }
        }
    }

    #[test]
    fn missing_value_leaves_the_others_intact() {
        let keys =
            keys(vec![value("/here", Some(Unit::Inch)), value("/gone", Some(Unit::Inch))], None);
        let reading = decode(&keys, br#"{"here":1}"#, fetched()).unwrap();
        assert_eq!(reading.observed, Observed::fetched(fetched()));
        assert_eq!(reading.values[0].1, Value::number(1.0, Unit::Inch));
        assert_eq!(
            reading.values[1].1,
            Value::missing(Some(Unit::Inch), "missing from the response")
        );
    }

    #[test]
    fn response_without_any_configured_value_is_an_error() {
        let keys = keys(vec![value("/level", Some(Unit::Inch))], None);
        for body in ["", "{}", "[]", "null", r#"{"error":"token"}"#, "<html>", r#"{"level":1"#] {
            assert!(decode(&keys, body.as_bytes(), fetched()).is_err(), "{body}");
        }
    }

    #[test]
    fn time_of_observation_is_parsed_by_its_format() {
        use TimeFormat::{Rfc3339, Unix, UnixMs};
        for (format, time, expected) in [
            (Unix, "1769879760", Some("2026-01-31T17:16:00Z")),
            (Unix, "1769879760.9", Some("2026-01-31T17:16:00Z")),
            (Unix, "\"1769879760\"", Some("2026-01-31T17:16:00Z")),
            (UnixMs, "1769879760500", Some("2026-01-31T17:16:00Z")),
            (Rfc3339, "\"2026-01-31T18:16:00+01:00\"", Some("2026-01-31T17:16:00Z")),
            (Rfc3339, "\"2026-01-31 17:16:00Z\"", Some("2026-01-31T17:16:00Z")),
            (Rfc3339, "\"2026-01-31T17:16:00\"", None),
            (Rfc3339, "1769879760", None),
            (Rfc3339, "\"yesterday\"", None),
            (Unix, "0", None),
            (Unix, "-5", None),
            (Unix, "null", None),
            (Unix, "1e30", None),
            (Unix, "1e999", None),
            (Unix, "\"now\"", None),
        ] {
            let time_keys = JsonTime { pointer: "/t".into(), format };
            let keys = keys(vec![value("/v", Some(Unit::Inch))], Some(time_keys));
            let body = format!("{{\"v\":1,\"t\":{time}}}");
            let observed =
                decode(&keys, body.as_bytes(), fetched()).map(|reading| reading.observed);
            match expected {
                Some(at) => {
                    let at = at.parse().unwrap();
                    assert_eq!(observed, Ok(Observed::absolute(at)), "{time}");
                }
                None => assert!(observed.is_err(), "{time}"),
            }
        }
        let keys = keys(
            vec![value("/v", Some(Unit::Inch))],
            Some(JsonTime { pointer: "/t".into(), format: Unix }),
        );
        assert!(decode(&keys, br#"{"v":1}"#, fetched()).is_err(), "missing");
    }
}
