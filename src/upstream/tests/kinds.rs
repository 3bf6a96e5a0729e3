//! One source of each kind, with bodies that are healthy but for one number.

use std::path::Path;

use jiff::Timestamp;

use super::super::ambient;
use super::super::interpret::{DecodeFailure, interpret};
use super::super::json::Settling;
use super::super::secrets::Secrets;
use crate::board::{Datum, Reading, Value};
use crate::config::{self, Kind, Source};

/// A kind of source, and a body of it.
pub(super) struct KindCase {
    /// Keys of the source.
    pub(super) keys: &'static str,
    /// Body with `RAW` for the number of `field`.
    pub(super) body: &'static str,
    /// Field of the number.
    pub(super) field: &'static str,
    /// Field of another number, which is healthy.
    pub(super) healthy: &'static str,
}

/// All six kinds.
pub(super) const KINDS: [KindCase; 6] = [
    KindCase {
        keys: "kind = \"ptlevel\"\nurl = \"http://h/s/x\"\nheight = 58\ncapacity = 1400\n",
        body: r#"<span class="inchLevel">RAW</span><span class="updated_on">just now</span>
            <script>var ptlevel={level: 85};</script>"#,
        field: "depth",
        healthy: "level",
    },
    KindCase {
        keys: "kind = \"ptdevices\"\ndevice = \"1\"\ntoken = \"x\"\ntimezone = \"UTC\"\n",
        body: r#"{"data":{"status_number":2,"units":"US Imperial",
            "tx_reported":"Jan 31st, 5:16 PM","device_data":{"percent_level":RAW,
            "inch_level":10},"temperature_units":"F"}}"#,
        field: "level",
        healthy: "depth",
    },
    KindCase {
        keys: "kind = \"open-meteo\"\nlatitude = 1\nlongitude = 2\n",
        body: r#"{"current_units":{"temperature_2m":"°F","relative_humidity_2m":"%"},
            "current":{"time":1769879760,"interval":900,"temperature_2m":RAW,
            "relative_humidity_2m":71}}"#,
        field: "temperature",
        healthy: "humidity",
    },
    KindCase {
        keys: "kind = \"nws\"\nstation = \"KSFO\"\n",
        body: r#"{"properties":{"timestamp":"2026-01-31T17:16:00+00:00",
            "temperature":{"unitCode":"wmoUnit:degC","value":RAW,"qualityControl":"V"},
            "relativeHumidity":{"unitCode":"wmoUnit:percent","value":71}}}"#,
        field: "temperature",
        healthy: "humidity",
    },
    KindCase {
        keys: "kind = \"ambient\"\napi_key = \"a\"\napplication_key = \"b\"\n",
        body: r#"[{"lastData":{"dateutc":1769879760000,"tempf":RAW,"humidity":71}}]"#,
        field: "temperature",
        healthy: "humidity",
    },
    KindCase {
        keys: "kind = \"json\"\nurl = \"http://h/\"\n\
               [source.values.water]\npointer = \"/t\"\nunit = \"degC\"\n\
               [source.values.battery]\npointer = \"/b\"\nunit = \"V\"\n",
        body: r#"{"t":RAW,"b":12.6}"#,
        field: "water",
        healthy: "battery",
    },
];

/// Time of every response.
pub(super) fn fetched() -> Timestamp {
    "2026-01-31T17:20:00Z".parse().unwrap()
}

/// Returns a source with these keys; `units` is that of `[site]`.
pub(super) fn source(keys: &str, units: &str) -> Source {
    let text = format!("[site]\nunits = \"{units}\"\n[[source]]\nname = \"s\"\n{keys}");
    config::parse(Path::new("x"), &text, &|_| None).unwrap().sources.remove(0).as_ref().clone()
}

/// Converts a body as the poller does.
pub(super) fn read(source: &Source, body: &str) -> Result<Reading, DecodeFailure> {
    let mut settling = Settling::default();
    interpret(source, &Secrets::of(source), &mut settling, body.as_bytes(), fetched())
}

/// Returns a value of a reading.
pub(super) fn value(reading: &Reading, field: &str) -> Value {
    let found = reading.values.iter().find(|(name, _)| **name == *field);
    found.unwrap_or_else(|| panic!("no {field}: {reading:?}")).1.clone()
}

/// Returns a number with its unit, as text.
pub(super) fn number(value: &Value) -> Option<String> {
    let Some(Datum::Number(number)) = &value.datum else { return None };
    let unit = value.unit.map_or("", |unit| unit.as_str());
    Some(format!("{} {unit}", number.get()).trim_end().to_owned())
}

#[test]
fn fields_of_readings_are_those_that_the_configuration_knows() {
    for case in &KINDS {
        let source = source(case.keys, "us");
        let reading = read(&source, &case.body.replace("RAW", "20")).unwrap();
        let found: Vec<&str> = match &source.kind {
            // A station without a sensor has no field for it.
            Kind::Ambient(_) => ambient::FIELDS.iter().map(|(field, ..)| *field).collect(),
            _ => reading.values.iter().map(|(name, _)| &**name).collect(),
        };
        assert_eq!(found, source.kind.fields(), "{}", source.kind.as_str());
    }
}
