//! The latest observation of a station of the US National Weather Service
//! (<https://www.weather.gov/documentation/services-web-api>,
//! `GET /stations/{id}/observations/latest`, `application/geo+json`).
//!
//! Every quantity is an object with a `value`, which is null if the station did not measure it, a
//! `unitCode` such as `wmoUnit:degC`, and a `qualityControl` letter: a value that quality control rejected
//! becomes null. Both may carry the prefix of their vocabulary (`qc:X`). The latest observation may be days
//! old; `timestamp` is its time. Errors are problem+json with a `detail`. The service requires a User-Agent, and
//! supports conditional requests.
//!
//! `pressure` is `barometricPressure`. The reports of airports (METAR) contain no pressure at the station but
//! the altimeter setting (`A3007`), which is reduced to sea level, and the service sends that one here: it differs
//! from `seaLevelPressure` by a few hPa at most. `seaLevelPressure`, which many reports lack, does not replace
//! it: a series of both by turns would jump between the two reductions.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::decode::{self, DecodeError, Note, Quoted};
use crate::board::{FieldName, Observed, Reading, Value};
use crate::config;
use crate::units::{Unit, round_to};

/// Field, property of the API, and unit of a missing value.
const FIELDS: [(&str, &str, Unit); 7] = [
    ("temperature", "temperature", Unit::Celsius),
    ("humidity", "relativeHumidity", Unit::Percent),
    ("wind_speed", "windSpeed", Unit::KilometrePerHour),
    ("wind_gust", "windGust", Unit::KilometrePerHour),
    ("wind_direction", "windDirection", Unit::Degree),
    ("pressure", "barometricPressure", Unit::Hectopascal),
    (RAIN, "precipitationLastHour", Unit::Millimetre),
];

const RAIN: &str = "rain";

/// Time that `precipitationLastHour` covers.
const RAIN_PERIOD: Duration = Duration::from_secs(60 * 60);

const CONDITIONS: (&str, &str) = ("conditions", "textDescription");

/// Returns the URL of the station's latest observation.
pub(super) fn url(keys: &config::Nws) -> String {
    keys.url.endpoint(&format!("/stations/{}/observations/latest", keys.station), "")
}

/// Returns the detail of an error response (RFC 9457).
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let problem: Json = serde_json::from_slice(body).ok()?;
    decode::short_text(problem.get("detail")?.as_str()?).map(|detail| detail.to_string())
}

/// Decodes a response.
///
/// # Errors
/// The body is not JSON, has no properties with a time, or no value.
pub(super) fn decode(body: &[u8]) -> Result<Reading, DecodeError> {
    let response = decode::json(body)?;
    let properties = response
        .get("properties")
        .filter(|properties| properties.is_object())
        .ok_or_else(|| DecodeError::new("the response is not an observation: no properties"))?;
    let at: Timestamp = properties
        .get("timestamp")
        .and_then(Json::as_str)
        .and_then(|text| text.parse().ok())
        // The year 1 stands for no time.
        .filter(|at| *at > Timestamp::UNIX_EPOCH)
        .ok_or_else(|| DecodeError::new("the observation has no usable timestamp"))?;
    let mut values: Vec<(FieldName, Value)> = FIELDS
        .iter()
        .map(|(field, property, default_unit)| {
            let value = decode_quantity(properties.get(*property), *default_unit);
            let value = if *field == RAIN { value.over(RAIN_PERIOD) } else { value };
            ((*field).into(), value)
        })
        .collect();
    if values.iter().all(|(_, value)| value.datum.is_none()) {
        return Err(DecodeError::new("the observation has none of the expected values"));
    }
    values.push((CONDITIONS.0.into(), decode::text_value(properties.get(CONDITIONS.1))));
    Ok(Reading { observed: Observed::absolute(at), values })
}

/// Decodes one quantity with its unit and the result of quality control.
fn decode_quantity(quantity: Option<&Json>, default_unit: Unit) -> Value {
    let missing = |note: Note| Value::missing(Some(default_unit), note);
    let Some(quantity) = quantity else { return missing(Value::UNSENT.into()) };
    let Quoted { number, unit: sent } = match decode::quoted(quantity.get("value")) {
        Ok(quoted) => quoted,
        Err(note) => return missing(note),
    };
    let unit_code = quantity.get("unitCode").and_then(Json::as_str).map(local_name);
    let value = match (sent, unit_code) {
        (Some(unit), _) if unit.converts_to(default_unit) => Value::number(number, unit),
        (None, Some("degC")) => Value::number(number, Unit::Celsius),
        (None, Some("degF")) => Value::number(number, Unit::Fahrenheit),
        (None, Some("km_h-1")) => Value::number(number, Unit::KilometrePerHour),
        (None, Some("m_s-1")) => Value::number(number, Unit::MetrePerSecond),
        (None, Some("Pa")) => Value::number(round_to(number / 100.0, 2), Unit::Hectopascal),
        (None, Some("hPa")) => Value::number(number, Unit::Hectopascal),
        // The service computes it with more digits than any sensor has.
        (None, Some("percent")) => Value::number(round_to(number, 1), Unit::Percent),
        (None, Some("degree_(angle)")) => Value::number(number, Unit::Degree),
        (None, Some("mm")) => Value::number(number, Unit::Millimetre),
        (None, Some("m")) => Value::number(round_to(number * 1000.0, 1), Unit::Millimetre),
        _ => return missing("sent in an unknown unit".into()),
    };
    // Letters of MADIS quality control, as listed in the service's OpenAPI document.
    let letter = quantity.get("qualityControl").and_then(Json::as_str).map(local_name);
    match letter.map(str::to_ascii_uppercase).as_deref() {
        Some("X" | "B") => missing("rejected by the quality control".into()),
        Some("Q") => value.with_note("doubted by the quality control"),
        _ => value,
    }
}

/// Returns a name without the prefix of its vocabulary: `degC` of `wmoUnit:degC`, `X` of `qc:X`.
fn local_name(name: &str) -> &str {
    name.rsplit([':', '/']).next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAR: &str = r#"{"type":"Feature","properties":{"timestamp":"2026-04-07T20:25:00+00:00",
        "textDescription":"Clear",
        "temperature":{"unitCode":"wmoUnit:degC","value":11,"qualityControl":"V"},
        "windSpeed":{"unitCode":"wmoUnit:km_h-1","value":28},
        "windGust":{"unitCode":"wmoUnit:km_h-1","value":null,"qualityControl":"Z"},
        "windDirection":{"unitCode":"wmoUnit:degree_(angle)","value":310},
        "barometricPressure":{"unitCode":"wmoUnit:Pa","value":102370},
        "relativeHumidity":{"unitCode":"wmoUnit:percent","value":35.0123}}}"#;

    fn read(body: &str) -> Vec<(FieldName, Value)> {
        decode(body.as_bytes()).unwrap().values
    }

    #[test]
    fn observation_is_decoded() {
        let reading = decode(CLEAR.as_bytes()).unwrap();
        let at = "2026-04-07T20:25:00Z".parse().unwrap();
        assert_eq!(reading.observed, Observed::absolute(at));
        let expected: Vec<(FieldName, Value)> = [
            ("temperature", Value::number(11.0, Unit::Celsius)),
            ("humidity", Value::number(35.0, Unit::Percent)),
            ("wind_speed", Value::number(28.0, Unit::KilometrePerHour)),
            ("wind_gust", Value::missing(Some(Unit::KilometrePerHour), "sent as null")),
            ("wind_direction", Value::number(310.0, Unit::Degree)),
            ("pressure", Value::number(1023.7, Unit::Hectopascal)),
            (
                "rain",
                Value::missing(Some(Unit::Millimetre), "missing from the response")
                    .over(RAIN_PERIOD),
            ),
            ("conditions", Value::text("Clear")),
        ]
        .map(|(name, value)| (name.into(), value))
        .into();
        assert_eq!(reading.values, expected);
    }

    #[test]
    fn units_and_quality_control_are_applied() {
        let missing = |note: &str| Value::missing(Some(Unit::Celsius), note);
        for (quantity, value) in [
            (r#"{"unitCode":"unit:degC","value":-3.5}"#, Value::number(-3.5, Unit::Celsius)),
            (r#"{"unitCode":"wmoUnit:degF","value":"52"}"#, Value::number(52.0, Unit::Fahrenheit)),
            (r#"{"unitCode":"wmoUnit:K","value":280}"#, missing("sent in an unknown unit")),
            (r#"{"value":280}"#, missing("sent in an unknown unit")),
            (r#"{"unitCode":"wmoUnit:degC"}"#, missing("missing from the response")),
            (r#"{"unitCode":"wmoUnit:degC","value":1e999}"#, missing("sent out of range")),
            (
                r#"{"unitCode":"wmoUnit:degC","value":60,"qualityControl":"X"}"#,
                missing("rejected by the quality control"),
            ),
            (
                r#"{"unitCode":"wmoUnit:degC","value":40,"qualityControl":"Q"}"#,
                Value {
                    note: Some("doubted by the quality control".into()),
                    ..Value::number(40.0, Unit::Celsius)
                },
            ),
            (
                r#"{"unitCode":"wmoUnit:degC","value":60,"qualityControl":"qc:X"}"#,
                missing("rejected by the quality control"),
            ),
            (
                r#"{"unitCode":"http://codes.wmo.int/common/unit/degC","value":60,
                    "qualityControl":" b "}"#,
                missing("rejected by the quality control"),
            ),
            (
                r#"{"unitCode":"wmoUnit:degC","value":40,"qualityControl":"qc:q "}"#,
                Value {
                    note: Some("doubted by the quality control".into()),
                    ..Value::number(40.0, Unit::Celsius)
                },
            ),
            (
                r#"{"unitCode":"wmoUnit:degC","value":40,"qualityControl":"qc:V"}"#,
                Value::number(40.0, Unit::Celsius),
            ),
            (
                r#"{"unitCode":"wmoUnit:degC","value":40,"qualityControl":null}"#,
                Value::number(40.0, Unit::Celsius),
            ),
            ("12", missing("missing from the response")),
        ] {
            let body = CLEAR.replace(
                r#"{"unitCode":"wmoUnit:degC","value":11,"qualityControl":"V"}"#,
                quantity,
            );
            assert_eq!(read(&body)[0].1, value, "{quantity}");
        }
    }

    #[test]
    fn response_without_an_observation_is_an_error() {
        for (body, reason) in [
            ("", "empty"),
            ("<html></html>", "not JSON"),
            ("{}", "no properties"),
            (r#"{"properties":[]}"#, "no properties"),
            (r#"{"properties":{}}"#, "timestamp"),
            (r#"{"properties":{"timestamp":"yesterday"}}"#, "timestamp"),
            (
                r#"{"properties":{"timestamp":"2026-04-07T20:25:00+00:00"}}"#,
                "none of the expected values",
            ),
        ] {
            let error = decode(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn detail_of_an_error_response_is_read() {
        let problem =
            br#"{"type":"x","title":"Not Found","status":404,"detail":"Unknown station"}"#;
        assert_eq!(reason(problem).as_deref(), Some("Unknown station"));
        assert_eq!(reason(b"<html>"), None);
    }
}
