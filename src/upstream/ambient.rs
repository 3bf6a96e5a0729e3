//! A station of the Ambient Weather network (<https://ambientweather.docs.apiary.io>,
//! `GET /v1/devices`, or `GET /v1/devices/{mac}?limit=1` for one of several stations).
//!
//! The first form is an array of stations with their `lastData`, the second an array of readings, the newest
//! first. In both, `dateutc` is in milliseconds since 1970. Keys of sensors that a station lacks are absent.
//! Units are always US, regardless of the owner's choice for the vendor's dashboard. The query contains both
//! keys, so the URL is never logged.
//!
//! `baromrelin` is the pressure at sea level and `baromabsin` that at the station. `hourlyrainin` is the
//! rate of the rain, and `dailyrainin` its amount since midnight at the station.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::decode::{self, DecodeError};
use crate::board::{FieldName, Observed, Reading, Value};
use crate::config;
use crate::units::Unit;

/// Field, key of the API, unit, and true if every station has the sensor.
pub(super) const FIELDS: [(&str, &str, Unit, bool); 11] = [
    ("temperature", "tempf", Unit::Fahrenheit, true),
    ("humidity", "humidity", Unit::Percent, true),
    ("wind_speed", "windspeedmph", Unit::MilePerHour, true),
    ("wind_gust", "windgustmph", Unit::MilePerHour, true),
    ("wind_direction", "winddir", Unit::Degree, true),
    ("pressure", "baromrelin", Unit::InchOfMercury, true),
    ("station_pressure", "baromabsin", Unit::InchOfMercury, false),
    // Not the rain of an hour: the vendor's device data specifications define it as a rate, in/hr.
    ("rain_rate", "hourlyrainin", Unit::InchPerHour, true),
    ("rain_today", "dailyrainin", Unit::Inch, true),
    ("indoor_temperature", "tempinf", Unit::Fahrenheit, false),
    ("indoor_humidity", "humidityin", Unit::Percent, false),
];

/// Returns the URL of the newest reading. Never logged: it contains keys.
pub(super) fn url(keys: &config::Ambient) -> String {
    let (station, limit) = match &keys.mac {
        Some(mac) => (format!("/{mac}"), "&limit=1"),
        None => (String::new(), ""),
    };
    let (api_key, application_key) = (keys.api_key.expose(), keys.application_key.expose());
    let query = format!("apiKey={api_key}&applicationKey={application_key}{limit}");
    keys.url.endpoint(&format!("/v1/devices{station}"), &query)
}

/// Returns the reason in an error response.
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let response: Json = serde_json::from_slice(body).ok()?;
    decode::short_text(response.get("error")?.as_str()?).map(|reason| reason.to_string())
}

/// Decodes a response.
///
/// # Errors
/// The body is not an array of readings or of one station, or the reading has no time or no values.
pub(super) fn decode(body: &[u8]) -> Result<Reading, DecodeError> {
    let response = decode::json(body)?;
    let entries =
        response.as_array().ok_or_else(|| DecodeError::new("the response is not an array"))?;
    let first = entries.first().ok_or_else(|| {
        DecodeError::new("the response has no station: check that it has sent data, and \"mac\"")
    })?;
    let data = match first.get("lastData") {
        Some(_) if entries.len() > 1 => {
            let stations = entries.len();
            return Err(DecodeError::new(format!(
                "the account has {stations} stations; choose one by \"mac\""
            )));
        }
        Some(data) => data,
        None => first,
    };
    let at = decode::number(data.get("dateutc"))
        .ok()
        .filter(|millis| *millis > 0.0)
        // The cast saturates, and a saturated count is outside the range of a timestamp.
        .and_then(|millis| Timestamp::from_millisecond(millis as i64).ok())
        .ok_or_else(|| DecodeError::new("the reading has no usable time (dateutc)"))?;
    let values: Vec<(FieldName, Value)> = FIELDS
        .iter()
        .filter(|(_, key, _, expected)| *expected || data.get(*key).is_some())
        .map(|(field, key, unit, _)| ((*field).into(), decode::quantity(data.get(*key), *unit)))
        .collect();
    if values.iter().all(|(_, value)| value.datum.is_none()) {
        return Err(DecodeError::new("the reading has none of the expected values"));
    }
    Ok(Reading { observed: Observed::absolute(at), values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const DATA: &str = r#"{"dateutc":1515436500000,"tempf":66.9,"humidity":30,
        "windspeedmph":0.9,"windgustmph":4,"winddir":58,"baromrelin":30.05,"baromabsin":28.71,
        "hourlyrainin":0,"dailyrainin":0.12,"tempinf":74.1,"humidityin":null}"#;

    fn station(data: &str) -> String {
        format!(
            r#"{{"macAddress":"00:00:00:00:00:00","info":{{"name":"Home"}},"lastData":{data}}}"#
        )
    }

    #[test]
    fn both_forms_of_the_response_are_decoded() {
        for body in [format!("[{}]", station(DATA)), format!("[{DATA},{DATA}]")] {
            let reading = decode(body.as_bytes()).unwrap();
            let at = "2018-01-08T18:35:00Z".parse().unwrap();
            assert_eq!(reading.observed, Observed::absolute(at));
            let expected: Vec<(FieldName, Value)> = [
                ("temperature", Value::number(66.9, Unit::Fahrenheit)),
                ("humidity", Value::number(30.0, Unit::Percent)),
                ("wind_speed", Value::number(0.9, Unit::MilePerHour)),
                ("wind_gust", Value::number(4.0, Unit::MilePerHour)),
                ("wind_direction", Value::number(58.0, Unit::Degree)),
                ("pressure", Value::number(30.05, Unit::InchOfMercury)),
                ("station_pressure", Value::number(28.71, Unit::InchOfMercury)),
                ("rain_rate", Value::number(0.0, Unit::InchPerHour)),
                ("rain_today", Value::number(0.12, Unit::Inch)),
                ("indoor_temperature", Value::number(74.1, Unit::Fahrenheit)),
                ("indoor_humidity", Value::missing(Some(Unit::Percent), "sent as null")),
            ]
            .map(|(name, value)| (name.into(), value))
            .into();
            assert_eq!(reading.values, expected);
        }
    }

    #[test]
    fn absent_sensor_has_no_value() {
        let reading = decode(br#"[{"dateutc":1515436500000,"tempf":"66.9"}]"#).unwrap();
        assert_eq!(reading.values.len(), 8, "no indoor sensor, no indoor values");
        assert_eq!(reading.values[0].1, Value::number(66.9, Unit::Fahrenheit));
        let missing = Value::missing(Some(Unit::Percent), "missing from the response");
        assert_eq!(reading.values[1].1, missing);
    }

    #[test]
    fn response_without_a_reading_is_an_error() {
        let two = format!("[{0},{0}]", station(DATA));
        for (body, reason) in [
            ("", "empty"),
            ("{}", "not an array"),
            ("[]", "no station"),
            (two.as_str(), "2 stations"),
            ("[{}]", "dateutc"),
            (r#"[{"dateutc":0,"tempf":1}]"#, "dateutc"),
            (r#"[{"dateutc":1e300,"tempf":1}]"#, "dateutc"),
            (r#"[{"dateutc":1515436500000}]"#, "none of the expected values"),
            (r#"[{"macAddress":"x","lastData":null}]"#, "dateutc"),
        ] {
            let error = decode(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn url_contains_the_keys_and_the_configured_station() {
        let mut keys = config::Ambient {
            url: "https://rt.ambientweather.net".parse().unwrap(),
            api_key: Secret::new("k1".to_owned()),
            application_key: Secret::new("k2".to_owned()),
            mac: None,
        };
        let query = "apiKey=k1&applicationKey=k2";
        assert_eq!(url(&keys), format!("https://rt.ambientweather.net/v1/devices?{query}"));
        keys.mac = Some("00:0E:C6:20:0F:7B".to_owned());
        let expected =
            format!("https://rt.ambientweather.net/v1/devices/00:0E:C6:20:0F:7B?{query}&limit=1");
        assert_eq!(url(&keys), expected);
    }

    #[test]
    fn reason_of_an_error_response_is_read() {
        assert_eq!(
            reason(br#"{"error":"above-user-rate-limit"}"#).as_deref(),
            Some("above-user-rate-limit")
        );
    }
}
