//! The current weather of Open-Meteo's forecast API
//! (<https://open-meteo.com/en/docs>, `GET /v1/forecast?current=…`).
//!
//! The request names the units of the configured system; pressure is always in hPa. The unit of a number is
//! read from `current_units` in the response and not assumed from the request. If the API ignores a unit
//! parameter, the value has another unit, and its number is still right.
//!
//! `pressure` is `pressure_msl`, the pressure at sea level, as the other kinds report it; `surface_pressure` is
//! the one at the elevation of the place, `station_pressure`.
//!
//! `current.time` is the time of the values, in seconds since 1970 (`timeformat=unixtime`). `precipitation` is
//! the amount of the `current.interval` seconds before it, a quarter of an hour. Any value may be null. Errors
//! are status 400 with `{"error":true,"reason":"…"}`.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::decode::{self, DecodeError, Quoted};
use crate::board::{Datum, FieldName, Observed, Reading, Value};
use crate::config;
use crate::units::{System, Unit};

/// Field, variable of the API, and unit of a missing value.
const FIELDS: [(&str, &str, Unit); 9] = [
    ("temperature", "temperature_2m", Unit::Fahrenheit),
    ("humidity", "relative_humidity_2m", Unit::Percent),
    ("wind_speed", "wind_speed_10m", Unit::MilePerHour),
    ("wind_gust", "wind_gusts_10m", Unit::MilePerHour),
    ("wind_direction", "wind_direction_10m", Unit::Degree),
    ("pressure", "pressure_msl", Unit::Hectopascal),
    ("station_pressure", "surface_pressure", Unit::Hectopascal),
    (RAIN, "precipitation", Unit::Inch),
    (WEATHER_CODE, "weather_code", Unit::WmoCode),
];

const RAIN: &str = "rain";
const WEATHER_CODE: &str = "weather_code";
const CONDITIONS: &str = "conditions";

/// Documented interval of current values, for a response that omits it.
const INTERVAL: Duration = Duration::from_secs(15 * 60);

/// Intervals in seconds that occur, up to a day.
const INTERVALS: RangeInclusive<f64> = 1.0..=86_400.0;

/// Returns the URL of the current weather at the configured coordinates.
pub(super) fn url(keys: &config::OpenMeteo, system: Option<System>) -> String {
    let units = match system {
        Some(System::Us) => {
            "&temperature_unit=fahrenheit&wind_speed_unit=mph&precipitation_unit=inch"
        }
        // °C, km/h and mm are the defaults of the API.
        Some(System::Metric) | None => "",
    };
    let variables: Vec<&str> = FIELDS.iter().map(|(_, variable, _)| *variable).collect();
    let query = format!(
        "latitude={}&longitude={}&current={}{units}&timeformat=unixtime",
        keys.latitude,
        keys.longitude,
        variables.join(","),
    );
    keys.url.endpoint("/v1/forecast", &query)
}

/// Returns the reason in an error response.
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let response: Json = serde_json::from_slice(body).ok()?;
    decode::short_text(response.get("reason")?.as_str()?).map(|reason| reason.to_string())
}

/// Decodes a response.
///
/// # Errors
/// The body is not JSON, is an error object, or lacks `current` or its time.
pub(super) fn decode(body: &[u8]) -> Result<Reading, DecodeError> {
    let response = decode::json(body)?;
    if response.get("error") == Some(&Json::Bool(true)) {
        let reason = reason(body).unwrap_or_else(|| "without a reason".to_owned());
        return Err(DecodeError::new(format!("the service reports an error: {reason}")));
    }
    let current = response
        .get("current")
        .filter(|current| current.is_object())
        .ok_or_else(|| DecodeError::new("the response has no current weather"))?;
    let at = current
        .get("time")
        .and_then(|time| decode::number(Some(time)).ok())
        .filter(|seconds| *seconds > 0.0)
        // The cast saturates, and a saturated count is outside the range of a timestamp.
        .and_then(|seconds| Timestamp::from_second(seconds as i64).ok())
        .ok_or_else(|| DecodeError::new("the current weather has no usable time"))?;
    let units = response.get("current_units");
    let interval = decode::number(current.get("interval")).ok();
    let interval = interval.filter(|seconds| INTERVALS.contains(seconds));
    let interval = interval.map_or(INTERVAL, Duration::from_secs_f64);

    let mut values: Vec<(FieldName, Value)> = Vec::with_capacity(FIELDS.len() + 1);
    for (field, variable, default_unit) in FIELDS {
        let unit = units.and_then(|units| units.get(variable)).and_then(Json::as_str);
        let value = decode_value(current.get(variable), unit, default_unit);
        let value = if field == RAIN { value.over(interval) } else { value };
        let conditions = (field == WEATHER_CODE).then(|| conditions(&value));
        values.push((field.into(), value));
        values.extend(conditions.map(|conditions| (CONDITIONS.into(), conditions)));
    }
    if values.iter().all(|(_, value)| value.datum.is_none()) {
        return Err(DecodeError::new("the current weather has none of the requested values"));
    }
    Ok(Reading { observed: Observed::absolute(at), values })
}

/// Decodes one value with the unit that the response names.
fn decode_value(raw: Option<&Json>, unit: Option<&str>, default_unit: Unit) -> Value {
    match (decode::quoted(raw), unit.and_then(named_unit)) {
        (Ok(Quoted { unit: None, .. }), None) => {
            Value::missing(Some(default_unit), "sent in an unknown unit")
        }
        (_, unit) => decode::quantity(raw, unit.unwrap_or(default_unit)),
    }
}

/// Parses the API's name of a unit.
fn named_unit(name: &str) -> Option<Unit> {
    Some(match name {
        "°F" => Unit::Fahrenheit,
        "°C" => Unit::Celsius,
        "%" => Unit::Percent,
        "mp/h" | "mph" => Unit::MilePerHour,
        "km/h" => Unit::KilometrePerHour,
        "m/s" => Unit::MetrePerSecond,
        "°" => Unit::Degree,
        "hPa" => Unit::Hectopascal,
        "inch" => Unit::Inch,
        "mm" => Unit::Millimetre,
        "wmo code" => Unit::WmoCode,
        _ => return None,
    })
}

/// Returns the description of a weather code as a value.
fn conditions(code: &Value) -> Value {
    let Some(Datum::Number(code)) = &code.datum else {
        return Value::missing(None, "no weather code was sent");
    };
    match describe(code.get()) {
        Some(description) => Value::text(description),
        None => Value::missing(None, "the weather code is not in the table"),
    }
}

/// Describes a weather code. The API uses these codes of WMO table 4677 ("WMO Weather interpretation codes").
fn describe(code: f64) -> Option<&'static str> {
    // The checks make the cast below exact.
    if code.fract() != 0.0 || !(0.0..=99.0).contains(&code) {
        return None;
    }
    Some(match code as u8 {
        0 => "Clear sky",
        1 => "Mainly clear",
        2 => "Partly cloudy",
        3 => "Overcast",
        45 => "Fog",
        48 => "Depositing rime fog",
        51 => "Light drizzle",
        53 => "Moderate drizzle",
        55 => "Dense drizzle",
        56 => "Light freezing drizzle",
        57 => "Dense freezing drizzle",
        61 => "Slight rain",
        63 => "Moderate rain",
        65 => "Heavy rain",
        66 => "Light freezing rain",
        67 => "Heavy freezing rain",
        71 => "Slight snowfall",
        73 => "Moderate snowfall",
        75 => "Heavy snowfall",
        77 => "Snow grains",
        80 => "Slight rain showers",
        81 => "Moderate rain showers",
        82 => "Violent rain showers",
        85 => "Slight snow showers",
        86 => "Heavy snow showers",
        95 => "Thunderstorm",
        96 => "Thunderstorm with slight hail",
        99 => "Thunderstorm with heavy hail",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = r#"{"latitude":46.52,"longitude":6.64,"utc_offset_seconds":0,"timezone":"GMT",
        "current_units":{"time":"unixtime","interval":"seconds","temperature_2m":"°F",
        "relative_humidity_2m":"%","wind_speed_10m":"mp/h","wind_gusts_10m":"mp/h",
        "wind_direction_10m":"°","pressure_msl":"hPa","surface_pressure":"hPa",
        "precipitation":"inch","weather_code":"wmo code"},
        "current":{"time":1760885100,"interval":900,"temperature_2m":52.2,
        "relative_humidity_2m":71,"wind_speed_10m":5.8,"wind_gusts_10m":null,
        "wind_direction_10m":210,"pressure_msl":1016.0,"surface_pressure":934.1,
        "precipitation":0.0,
        "weather_code":3}}"#;

    fn field(reading: &Reading, name: &str) -> Value {
        reading.values.iter().find(|(field, _)| &**field == name).unwrap().1.clone()
    }

    #[test]
    fn response_in_us_units_is_decoded() {
        let reading = decode(US.as_bytes()).unwrap();
        let at = "2025-10-19T14:45:00Z".parse().unwrap();
        assert_eq!(reading.observed, Observed::absolute(at));
        let names: Vec<&str> = reading.values.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            [
                "temperature",
                "humidity",
                "wind_speed",
                "wind_gust",
                "wind_direction",
                "pressure",
                "station_pressure",
                "rain",
                "weather_code",
                "conditions"
            ]
        );
        for (name, value) in [
            ("temperature", Value::number(52.2, Unit::Fahrenheit)),
            ("humidity", Value::number(71.0, Unit::Percent)),
            ("wind_speed", Value::number(5.8, Unit::MilePerHour)),
            ("wind_gust", Value::missing(Some(Unit::MilePerHour), "sent as null")),
            ("wind_direction", Value::number(210.0, Unit::Degree)),
            ("pressure", Value::number(1016.0, Unit::Hectopascal)),
            ("station_pressure", Value::number(934.1, Unit::Hectopascal)),
            ("rain", Value::number(0.0, Unit::Inch).over(INTERVAL)),
            ("weather_code", Value::number(3.0, Unit::WmoCode)),
            ("conditions", Value::text("Overcast")),
        ] {
            assert_eq!(field(&reading, name), value);
        }
    }

    #[test]
    fn units_are_read_from_the_response() {
        let body = US
            .replace("°F", "°C")
            .replace(r#""wind_speed_10m":"mp/h""#, r#""wind_speed_10m":"kn""#)
            .replace("\"inch\"", "\"mm\"")
            .replace("\"interval\":900", "\"interval\":3600");
        let reading = decode(body.as_bytes()).unwrap();
        assert_eq!(field(&reading, "temperature"), Value::number(52.2, Unit::Celsius));
        let rain = Value::number(0.0, Unit::Millimetre).over(Duration::from_secs(3600));
        assert_eq!(field(&reading, "rain"), rain);
        assert_eq!(
            field(&reading, "wind_speed"),
            Value::missing(Some(Unit::MilePerHour), "sent in an unknown unit")
        );
    }

    #[test]
    fn interval_of_rain_is_that_of_the_response_if_it_can_be_one() {
        for (interval, seconds) in [
            ("3600", 3600),
            ("\"1800\"", 1800),
            ("600.0", 600),
            ("-5", 900),
            ("1e6", 900),
            ("1e30", 900),
            ("null", 900),
        ] {
            let body = US.replace("\"interval\":900", &format!("\"interval\":{interval}"));
            let rain = Value::number(0.0, Unit::Inch).over(Duration::from_secs(seconds));
            assert_eq!(field(&decode(body.as_bytes()).unwrap(), "rain"), rain, "{interval}");
        }
    }

    #[test]
    fn missing_values_have_notes() {
        let body = br#"{"current_units":{"temperature_2m":"\u00b0C"},
            "current":{"time":1760885100,"interval":900,"temperature_2m":11.2,"weather_code":98}}"#;
        let reading = decode(body).unwrap();
        assert_eq!(field(&reading, "temperature"), Value::number(11.2, Unit::Celsius));
        for name in ["humidity", "pressure", "weather_code", "conditions"] {
            let value = field(&reading, name);
            assert!(value.datum.is_none() && value.note.is_some(), "{name}");
        }
    }

    #[test]
    fn weather_code_in_the_table_has_a_description() {
        for (code, text) in [
            (0.0, Some("Clear sky")),
            (95.0, Some("Thunderstorm")),
            (99.0, Some("Thunderstorm with heavy hail")),
            (4.0, None),
            (3.5, None),
            (-1.0, None),
            (300.0, None),
        ] {
            assert_eq!(describe(code), text, "{code}");
        }
    }

    #[test]
    fn response_without_weather_is_an_error() {
        for (body, reason) in [
            ("", "empty"),
            ("<html>Bad gateway</html>", "not JSON"),
            ("{}", "no current weather"),
            (r#"{"current":[]}"#, "no current weather"),
            (r#"{"current":{"temperature_2m":1}}"#, "no usable time"),
            (r#"{"current":{"time":"2025-10-19T14:45","temperature_2m":1}}"#, "no usable time"),
            (r#"{"current":{"time":1760885100}}"#, "none of the requested values"),
            (r#"{"error":true,"reason":"Too busy"}"#, "Too busy"),
            (&US[..US.len() - 2], "not JSON"),
        ] {
            let error = decode(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn url_has_coordinates_variables_and_units() {
        for base in ["https://api.open-meteo.com", "https://api.open-meteo.com/"] {
            let keys =
                config::OpenMeteo { url: base.parse().unwrap(), latitude: 46.52, longitude: -6.64 };
            assert_eq!(
                url(&keys, Some(System::Us)),
                "https://api.open-meteo.com/v1/forecast?latitude=46.52&longitude=-6.64\
                 &current=temperature_2m,relative_humidity_2m,wind_speed_10m,wind_gusts_10m,\
                 wind_direction_10m,pressure_msl,surface_pressure,precipitation,weather_code\
                 &temperature_unit=fahrenheit&wind_speed_unit=mph&precipitation_unit=inch\
                 &timeformat=unixtime"
            );
            assert!(
                !url(&keys, Some(System::Metric)).contains("unit="),
                "the API's default units are metric"
            );
        }
    }

    #[test]
    fn reason_of_an_error_response_is_read() {
        assert_eq!(
            reason(br#"{"error":true,"reason":"Latitude must be in range\n"}"#).as_deref(),
            Some("Latitude must be in range")
        );
        assert_eq!(reason(b"<html>"), None);
        assert_eq!(reason(br#"{"error":true}"#), None);
    }
}
