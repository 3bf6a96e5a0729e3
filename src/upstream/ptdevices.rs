//! A tank sensor of the PTDevices API (<https://www.ptdevices.com>,
//! `GET /token/v1/device/{id}?api_token=…`).
//!
//! Quirks:
//! - Times are texts without a year or a zone, so the time of observation is inferred (`report_time`).
//! - Numbers may arrive as texts with a unit, `"-46.00dBm"`.
//! - The volume follows `units`; the depth is always in inches.
//! - The response to a wrong token is a redirect, which must not be followed.
//! - The API keeps sending the last values of a sensor that has stopped reporting; `status_number` shows it.

mod report_time;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::age;
use super::decode::{self, DecodeError, Quoted};
use crate::board::{FieldName, Reading, Value};
use crate::config;
use crate::units::Unit;
use report_time::{ReportTime, Times, report_time};

/// Error message for a redirect.
pub(super) const REDIRECT: &str =
    "the response was a redirect, by which this API refuses a token; check \"token\"";

/// Litres in an imperial gallon, by definition (NIST SP 811, appendix B.8).
const LITRES_PER_IMPERIAL_GALLON: f64 = 4.546_09;

/// Returns the URL of the device. Never logged: it contains the token.
pub(super) fn url(keys: &config::PtDevices) -> String {
    let path = format!("/token/v1/device/{}", keys.device);
    keys.url.endpoint(&path, &format!("api_token={}", keys.token.expose()))
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
    let device = device_of(&response, &keys.device)
        .ok_or_else(|| DecodeError::new("the response has no device"))?;
    let data = device.get("device_data").filter(|data| data.is_object());
    let data = data.ok_or_else(|| DecodeError::new("the device has not sent any data yet"))?;
    let text = |key| {
        let text = device.get(key).and_then(Json::as_str);
        text.filter(|text| !text.trim().is_empty())
    };
    let times = Times {
        transmitter: text("tx_reported"),
        receiver: text("reported"),
        age: text("last_updated_on").and_then(age::parse),
        is_silent: matches!(status_number(device), Some(3.0 | 4.0 | 5.0 | 6.0)),
    };
    let ReportTime { observed, note } = report_time(times, &keys.timezone, fetched_at)?;
    let quantity = |key: &str, unit| decode::quantity(data.get(key), unit);
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
        (
            "status",
            match note {
                Some(note) => status(device).with_note(note),
                None => status(device),
            },
        ),
    ];
    if values[..3].iter().all(|(_, value)| value.datum.is_none()) {
        return Err(DecodeError::new("the response has neither level nor depth nor volume"));
    }
    let values: Vec<(FieldName, Value)> =
        values.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Ok(Reading { observed, values })
}

/// Returns the device of a response, which may be that of all devices of the account.
fn device_of<'a>(response: &'a Json, id: &str) -> Option<&'a Json> {
    let data = response.get("data")?;
    let Some(devices) = data.as_array() else { return Some(data).filter(|data| data.is_object()) };
    let is_named = |device: &&Json| {
        let names = ["id", "device_id"].map(|key| device.get(key));
        names.into_iter().flatten().any(|name| match name {
            Json::String(name) => name.eq_ignore_ascii_case(id),
            name => name.as_u64().is_some_and(|number| id.parse() == Ok(number)),
        })
    };
    devices.iter().find(is_named)
}

/// Returns the volume in the unit that the device is set to. British gallons become litres.
fn volume(device: &Json, data: &Json) -> Value {
    let sent = data.get("volume_level");
    match device.get("units").and_then(Json::as_str) {
        Some("Metric") => decode::quantity(sent, Unit::Litre),
        Some("British Imperial") => match decode::quoted(sent) {
            Ok(Quoted { number, unit: None | Some(Unit::UsGallon) }) => {
                let litres = number * LITRES_PER_IMPERIAL_GALLON;
                Value::number(Unit::Litre.rounded(litres), Unit::Litre)
            }
            _ => decode::quantity(sent, Unit::Litre),
        },
        Some("US Imperial") => decode::quantity(sent, Unit::UsGallon),
        _ => match decode::quoted(sent) {
            Ok(Quoted { unit: None, .. }) => {
                Value::missing(Some(Unit::UsGallon), "sent in an unknown unit")
            }
            _ => decode::quantity(sent, Unit::UsGallon),
        },
    }
}

/// Returns `status_number`.
fn status_number(device: &Json) -> Option<f64> {
    decode::quoted(device.get("status_number")).ok().map(|quoted| quoted.number)
}

/// Returns the status as a text, with a note unless the device is working.
fn status(device: &Json) -> Value {
    let sent = decode::text_value(device.get("status"));
    let (description, is_working) = match status_number(device) {
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

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::board::Observed;
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
            (
                ":6.6",
                ":\"-46.00 dBm\"",
                "battery",
                Value::missing(Some(Unit::Volt), "sent in dBm, but V is configured"),
            ),
            (
                ":6.6",
                ":\"6.6/7\"",
                "battery",
                Value::missing(Some(Unit::Volt), "sent as \"6.6/7\", which is not a number"),
            ),
            (":100,", ":\"1,185 gal\",", "volume", Value::number(1185.0, Unit::UsGallon)),
            (":100,", ":\"1000 L\",", "volume", Value::number(264.0, Unit::UsGallon)),
            (
                "inch_level\":10",
                "inch_level\":\"5' 3\\\"\"",
                "depth",
                Value::number(63.0, Unit::Inch),
            ),
            ("level\":50", "level\":\"50,5 %\"", "level", Value::number(50.5, Unit::Percent)),
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
    fn error_of_the_zone_is_corrected_and_noted() {
        let whole = CISTERN.replace("\n        ", "");
        // The texts are in UTC, the zone is configured as that of Denver.
        let utc = whole
            .replace("Jul 15th, 1:25 PM", "Jul 15th, 7:59 PM")
            .replace("Jul 15th, 8:17 AM", "Jul 15th, 7:57 PM")
            .replace("\"last_updated_on\":null", "\"last_updated_on\":\"48 seconds ago\"");
        let reading = read(&utc).unwrap();
        assert_eq!(reading.observed.at, "2026-07-15T19:57:00Z".parse().unwrap());
        let status = value(&utc, "status");
        let note = "the device's times are 6h ahead of its age; check \"timezone\"";
        assert_eq!(status, Value::text("Working").with_note(note));
    }

    #[test]
    fn device_is_found_in_the_list_of_the_account() {
        let whole = CISTERN.replace("\n        ", "");
        let device = whole.strip_prefix("{\"data\":").unwrap().strip_suffix('}').unwrap();
        let other = device.replace(":200,", ":201,").replace("123456789ABC", "123456789ABD");
        let list = format!("{{\"data\":[{other},{device}]}}").replace(":50,", ":51,");
        assert_eq!(value(&list, "level"), Value::number(51.0, Unit::Percent));
        for device in ["200", "123456789abc"] {
            let keys = config::PtDevices { device: device.to_owned(), ..keys() };
            assert!(decode(&keys, list.as_bytes(), Timestamp::UNIX_EPOCH).is_ok(), "{device}");
        }
        let keys = config::PtDevices { device: "202".to_owned(), ..keys() };
        assert!(decode(&keys, list.as_bytes(), Timestamp::UNIX_EPOCH).is_err());
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
