//! A tank sensor of the PTDevices API (<https://www.ptdevices.com>,
//! `GET /token/v1/device/{id}?api_token=…`).
//!
//! Quirks:
//! - `tx_reported`, the transmitter's last report, and `reported`, the receiver's, are texts
//!   such as `Jul 15th, 8:17 AM`, without a year or a zone. The year is the one that makes the
//!   time the latest that is not in the future; the zone is configured. The time of observation is
//!   therefore always inferred, and a time that cannot be parsed is an error: a sensor of unknown age
//!   must not look fresh.
//! - Numbers may arrive as texts with a unit, `"-46.00dBm"`.
//! - The volume follows `units`; the depth is always in inches.
//! - The response to a wrong token is a redirect, which must not be followed.
//! - The API keeps sending the last values of a sensor that has stopped reporting; `status_number` shows it.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::decode::{self, DecodeError};
use crate::board::{FieldName, Observed, Reading, Value};
use crate::config;
use crate::units::Unit;

/// Error message for a redirect.
pub(super) const REDIRECT: &str =
    "the response was a redirect, by which this API refuses a token; check \"token\"";

/// Litres in an imperial gallon, by definition (NIST SP 811, appendix B.8).
const LITRES_PER_IMPERIAL_GALLON: f64 = 4.546_09;

/// Time by which the device's clock may be ahead of ours. A time further ahead is taken for last year's.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// Returns the URL of the device. Never logged: it contains the token.
pub(super) fn url(keys: &config::PtDevices) -> String {
    let base = keys.url.as_str().trim_end_matches('/');
    format!("{base}/token/v1/device/{}?api_token={}", keys.device, keys.token.expose())
}

/// Decodes a response.
///
/// # Errors
/// The body is not JSON, has no device data, or no time that can be parsed.
pub(super) fn decode(
    keys: &config::PtDevices,
    body: &[u8],
    fetched_at: Timestamp,
) -> Result<Reading, DecodeError> {
    let response = decode::json(body)?;
    let device = response.get("data").filter(|data| data.is_object());
    let device = device.ok_or_else(|| DecodeError::new("the response has no device"))?;
    let data = device.get("device_data").filter(|data| data.is_object());
    let data = data.ok_or_else(|| DecodeError::new("the device has not sent any data yet"))?;
    let at = ["tx_reported", "reported"]
        .iter()
        .find_map(|key| device.get(*key).and_then(Json::as_str))
        .ok_or_else(|| DecodeError::new("the response has no time of the last report"))?;
    let at = time_of(at, &keys.timezone, fetched_at)
        .ok_or_else(|| DecodeError::new("the time of the last report cannot be parsed"))?;
    let quantity = |key: &str, unit| match measured(data.get(key)) {
        Ok(number) => Value::number(number, unit),
        Err(note) => Value::missing(Some(unit), note),
    };
    let temperature_unit = match device.get("temperature_units").and_then(Json::as_str) {
        Some("C") => Unit::Celsius,
        _ => Unit::Fahrenheit,
    };
    let values = [
        ("level", quantity("percent_level", Unit::Percent)),
        ("depth", quantity("inch_level", Unit::Inch)),
        ("volume", volume(device, data)),
        ("temperature", quantity("probe_temperature", temperature_unit)),
        ("enclosure_temperature", quantity("enclosure_temperature", temperature_unit)),
        ("battery", quantity("battery_voltage", Unit::Volt)),
        ("battery_status", decode::text_value(data.get("battery_status"))),
        ("status", status(device)),
    ];
    if values[..3].iter().all(|(_, value)| value.datum.is_none()) {
        return Err(DecodeError::new("the response has neither level nor depth nor volume"));
    }
    let values: Vec<(FieldName, Value)> =
        values.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Ok(Reading { observed: Observed { inferred: true, ..Observed::absolute(at) }, values })
}

/// Returns a number, which may be a text with a unit after it, or the note for its absence.
fn measured(json: Option<&Json>) -> Result<f64, &'static str> {
    let Some(Json::String(text)) = json else { return decode::number(json) };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = &text[digits.len()..];
    // The rest must be a unit, and not a part of another number.
    let is_unit = unit.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '%' | '°' | '"'));
    is_unit.then(|| decode::decimal(digits)).flatten().ok_or("sent as text that is not a number")
}

fn volume(device: &Json, data: &Json) -> Value {
    let number = measured(data.get("volume_level"));
    let units = device.get("units").and_then(Json::as_str);
    match (number, units) {
        (Err(note), Some("US Imperial") | None) => Value::missing(Some(Unit::UsGallon), note),
        (Err(note), Some(_)) => Value::missing(Some(Unit::Litre), note),
        (Ok(gallons), Some("US Imperial")) => Value::number(gallons, Unit::UsGallon),
        (Ok(litres), Some("Metric")) => Value::number(litres, Unit::Litre),
        (Ok(gallons), Some("British Imperial")) => {
            Value::number(Unit::Litre.rounded(gallons * LITRES_PER_IMPERIAL_GALLON), Unit::Litre)
        }
        (Ok(_), _) => Value::missing(Some(Unit::UsGallon), "sent in an unknown unit"),
    }
}

/// Returns the status as a text, with a note unless the device is working.
fn status(device: &Json) -> Value {
    let sent = decode::text_value(device.get("status"));
    let number = measured(device.get("status_number")).ok();
    let (description, is_working) = match number {
        Some(0.0 | 1.0) => ("not yet connected", false),
        Some(2.0) => ("working", true),
        Some(3.0) => ("not connected", false),
        Some(4.0) => ("the transmitter is silent", false),
        Some(5.0) => ("power or internet is out", false),
        Some(6.0) => ("press the connect button", false),
        _ => return sent,
    };
    let value = if sent.datum.is_some() { sent } else { Value::text(description) };
    Value { note: (!is_working).then(|| description.into()), ..value }
}

/// Parses a time such as `Jul 15th, 8:17 AM`, in the latest year in which it is not in the future.
fn time_of(text: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let (day, time) = text.split_once(',')?;
    let (month, day) = day.trim().split_once(' ')?;
    let month = month_of(month)?;
    let day: i8 = day.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
    let time = Time::strptime("%I:%M %p", time.trim()).ok()?;
    let latest = now.checked_add(CLOCK_TOLERANCE).ok()?;
    let this_year = now.to_zoned_datetime(zone.clone()).year();
    // Nine years include a 29th of February, even across the end of a century.
    (this_year - 8..=this_year + 1).rev().find_map(|year| {
        let date = Date::new(year, month, day).ok()?;
        let at = zone.to_timestamp(date.to_datetime(time)).ok()?;
        (at <= latest).then_some(at)
    })
}

fn month_of(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let name = name.to_ascii_lowercase();
    let position = MONTHS.iter().position(|month| name.starts_with(month))?;
    i8::try_from(position + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const CISTERN: &str = r#"{"data":{"id":200,"device_id":"123456789ABC","title":"Cistern",
        "status":"Working","status_number":2,"units":"US Imperial",
        "reported":"Jul 15th, 1:25 PM","tx_reported":"Jul 15th, 8:17 AM","last_updated_on":null,
        "device_data":{"percent_level":50,"volume_level":100,"inch_level":10,
        "battery_voltage":6.6,"battery_status":"Good","enclosure_temperature":22.2,
        "probe_temperature":70},"temperature_units":"F"}}"#;

    fn keys() -> config::PtDevices {
        config::PtDevices {
            url: "https://api.ptdevices.com".parse().unwrap(),
            device: "200".to_owned(),
            token: Secret::new("t0ken".to_owned()),
            timezone: TimeZone::get("America/Denver").unwrap(),
        }
    }

    fn read(body: &str) -> Result<Reading, DecodeError> {
        decode(&keys(), body.as_bytes(), "2026-07-15T20:00:00Z".parse().unwrap())
    }

    fn value(body: &str, field: &str) -> Value {
        let values = read(body).unwrap().values;
        values.into_iter().find(|(name, _)| **name == *field).unwrap().1
    }

    #[test]
    fn response_of_a_device_is_decoded() {
        let reading = read(CISTERN).unwrap();
        // 8:17 in Denver in summer, UTC-6.
        let at = "2026-07-15T14:17:00Z".parse().unwrap();
        assert_eq!(reading.observed, Observed { inferred: true, ..Observed::absolute(at) });
        let expected: Vec<(FieldName, Value)> = [
            ("level", Value::number(50.0, Unit::Percent)),
            ("depth", Value::number(10.0, Unit::Inch)),
            ("volume", Value::number(100.0, Unit::UsGallon)),
            ("temperature", Value::number(70.0, Unit::Fahrenheit)),
            ("enclosure_temperature", Value::number(22.2, Unit::Fahrenheit)),
            ("battery", Value::number(6.6, Unit::Volt)),
            ("battery_status", Value::text("Good")),
            ("status", Value::text("Working")),
        ]
        .map(|(name, value)| (name.into(), value))
        .into();
        assert_eq!(reading.values, expected);
    }

    #[test]
    fn time_without_a_year_is_the_latest_in_the_past() {
        let denver = TimeZone::get("America/Denver").unwrap();
        for (text, now, at) in [
            ("Jul 15th, 8:17 AM", "2026-07-15T20:00:00Z", Some("2026-07-15T14:17:00Z")),
            // Last year's, seen in January.
            ("Dec 31st, 11:59 PM", "2026-01-01T08:00:00Z", Some("2026-01-01T06:59:00Z")),
            ("Jul 16th, 8:17 AM", "2026-07-15T20:00:00Z", Some("2026-07-16T14:17:00Z")),
            ("Jul 17th, 8:17 AM", "2026-07-15T20:00:00Z", Some("2025-07-17T14:17:00Z")),
            ("Feb 29th, 12:00 PM", "2026-07-15T20:00:00Z", Some("2024-02-29T19:00:00Z")),
            ("March 1st, 12:05 AM", "2026-07-15T20:00:00Z", Some("2026-03-01T07:05:00Z")),
            ("Feb 30th, 1:00 PM", "2026-07-15T20:00:00Z", None),
            ("Jul 15th", "2026-07-15T20:00:00Z", None),
            ("Jul 15th, 25:00 PM", "2026-07-15T20:00:00Z", None),
            ("2026-07-15, 1:00 PM", "2026-07-15T20:00:00Z", None),
            ("", "2026-07-15T20:00:00Z", None),
        ] {
            let expected: Option<Timestamp> = at.map(|at| at.parse().unwrap());
            assert_eq!(time_of(text, &denver, now.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn numbers_follow_the_units_of_the_device() {
        for (from, to, field, expected) in [
            ("\"US Imperial\"", "\"Metric\"", "volume", Value::number(100.0, Unit::Litre)),
            (
                "\"US Imperial\"",
                "\"British Imperial\"",
                "volume",
                Value::number(455.0, Unit::Litre),
            ),
            (
                "\"US Imperial\"",
                "\"Firkins\"",
                "volume",
                Value::missing(Some(Unit::UsGallon), "sent in an unknown unit"),
            ),
            (
                "\"temperature_units\":\"F\"",
                "\"temperature_units\":\"C\"",
                "temperature",
                Value::number(70.0, Unit::Celsius),
            ),
            (":6.6", ":\"6.60V\"", "battery", Value::number(6.6, Unit::Volt)),
            (":6.6", ":\"-46.00 dBm\"", "battery", Value::number(-46.0, Unit::Volt)),
            (
                ":6.6",
                ":\"6.6/7\"",
                "battery",
                Value::missing(Some(Unit::Volt), "sent as text that is not a number"),
            ),
            (
                "percent_level\":50",
                "percent_level\":null",
                "level",
                Value::missing(Some(Unit::Percent), "sent as null"),
            ),
            (
                "\"Working\",\"status_number\":2",
                "\"Silent\",\"status_number\":4",
                "status",
                Value { note: Some("the transmitter is silent".into()), ..Value::text("Silent") },
            ),
        ] {
            // The fixture is on several lines; the replaced texts are on one.
            let body = CISTERN.replace("\n        ", "");
            assert!(body.contains(from), "{from}");
            assert_eq!(value(&body.replace(from, to), field), expected, "{to}");
        }
    }

    #[test]
    fn response_without_device_data_or_time_is_an_error() {
        let whole = CISTERN.replace("\n        ", "");
        for (body, reason) in [
            (String::new(), "empty"),
            ("{}".to_owned(), "no device"),
            (r#"{"data":[]}"#.to_owned(), "no device"),
            (r#"{"data":{"id":1,"device_data":null}}"#.to_owned(), "not sent any data"),
            (whole.replace("reported", "x"), "no time"),
            (whole.replace("Jul 15th, 8:17 AM", "a while ago"), "cannot be parsed"),
            (whole.replace("_level\":", "_x\":"), "neither level"),
        ] {
            let error = read(&body).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn url_contains_the_token() {
        let expected = "https://api.ptdevices.com/token/v1/device/200?api_token=t0ken";
        assert_eq!(url(&keys()), expected);
    }
}
