//! Invariant: every body decodes to a reading or an error, and an absent value never becomes a number.

use jiff::Timestamp;

use super::conversion::convert;
use super::kind::decode;
use super::plausible;
use crate::board::{Datum, Reading};
use crate::config::{self, DesiredUnits, Kind};
use crate::text::clean;
use crate::units::System;
use fuzzing::fuzz;

const SOURCES: &str = r#"
[[source]]
name = "ptlevel"
kind = "ptlevel"
url = "http://h/s/x"
height = 58
capacity = 1400
[[source]]
name = "open_meteo"
kind = "open-meteo"
latitude = 1
longitude = 2
[[source]]
name = "ptdevices"
kind = "ptdevices"
device = "1"
token = "x"
timezone = "America/Denver"
[[source]]
name = "nws"
kind = "nws"
station = "KSFO"
[[source]]
name = "ambient"
kind = "ambient"
api_key = "x"
application_key = "y"
[[source]]
name = "json"
kind = "json"
url = "http://h/"
observed_at = { pointer = "/at", format = "unix" }
[source.values.level]
pointer = "/tank/level"
unit = "%"
min = 0
max = 100
[source.values.state]
pointer = "/pump/state"
[source.values.running]
pointer = ["/pump/on", "/pump/state"]
map = { on = 1, off = 0 }
[source.values.probe]
pointer = "/val"
list = "/list"
where = { id = "0x03" }
unit = "degC"
observed_at = { pointer = "/time", format = "local", timezone = "Europe/Vienna" }
[source.values.age]
pointer = "/a"
type = "bool"
observed_at = { pointer = "/ago", format = "age" }
"#;

fn kind(name: &str) -> Kind {
    let config = config::parse(std::path::Path::new("x"), SOURCES, &|_| None).unwrap();
    let mut sources = config.sources.into_iter();
    sources.find(|source| &*source.name == name).unwrap().kind.clone()
}

/// Checks every value, and returns a description of the reading without its numbers and texts.
fn describe(reading: &Reading) -> String {
    let mut description = format!("inferred {}", reading.observed.inferred);
    for (field, value) in &reading.values {
        let form = match &value.datum {
            Some(Datum::Number(number)) => {
                assert!(number.get().is_finite());
                "number"
            }
            Some(Datum::Text(text)) => {
                assert_eq!(clean(text), &**text, "{field} contains hidden characters");
                "text"
            }
            None => {
                assert!(value.note.is_some(), "{field} is missing without a note");
                "missing"
            }
        };
        let has_note = value.note.is_some();
        description += &format!(" {field} {form} {has_note}");
    }
    description
}

/// Checks that no conversion makes a plausible number infinite.
fn check_conversions(kind: &Kind, reading: &Reading) {
    let plausible = plausible::check(kind, reading.clone());
    for system in [System::Us, System::Metric] {
        let units = DesiredUnits { system: Some(system), fields: Vec::new() };
        let converted = convert(&units, plausible.clone());
        for ((field, before), (_, after)) in plausible.values.iter().zip(&converted.values) {
            assert_eq!(before.datum.is_some(), after.datum.is_some(), "{field}: {before:?}");
            if let Some(Datum::Number(number)) = &after.datum {
                assert!(number.get().abs() < 1e30, "{field}: {after:?}");
            }
        }
    }
}

fn fuzz_kind(name: &str, dictionary: &[&str]) {
    let kind = kind(name);
    let fetched_at: Timestamp = "2026-01-31T17:20:00Z".parse().unwrap();
    fuzz(name, dictionary, |input| match decode(&kind, input, fetched_at) {
        Ok(reading) => {
            check_conversions(&kind, &reading);
            describe(&reading)
        }
        Err(error) => {
            let error = error.to_string();
            error.split(['"', '`']).step_by(2).collect::<String>().replace(char::is_numeric, "")
        }
    });
}

#[test]
fn ptlevel_page_is_a_reading_or_an_error() {
    let dictionary = [
        "<span class=\"inchLevel\">",
        "<span class='updated_on'>",
        "</span>",
        "<script>",
        "ptlevel level: 85",
        "3 minutes, 20 seconds ago",
        "99999999999 days ago",
        "just now",
        "-49.09",
        "NaN",
        "<!--",
        "&#x30;",
    ];
    fuzz_kind("ptlevel", &dictionary);
}

#[test]
fn open_meteo_body_is_a_reading_or_an_error() {
    let dictionary = [
        "null",
        "1e999",
        "-1",
        "\"11.2\"",
        "{}",
        "[]",
        "\"error\":true",
        "\"current\":",
        "°C",
        "NaN",
    ];
    fuzz_kind("open_meteo", &dictionary);
}

#[test]
fn json_body_is_a_reading_or_an_error() {
    let dictionary = [
        "null",
        "1e999",
        "-1",
        "\"84.6\"",
        "{}",
        "[]",
        "\"tank\":",
        "\"level\":",
        "\"at\":",
        "1.7e308",
        "-9999",
        "65535",
        "\"pump\":",
        "{\"state\":\"\u{202e}\u{9b}\\u001b\"}",
        "NaN",
        "\"list\":",
        "{\"id\":\"0x03\",\"val\":\"21,5 °C\"}",
        "\"5' 3\\\"\"",
        "\"1,185 gal\"",
        "\"time\":\"2026-10-25T02:30:00\"",
        "\"ago\":\"5 minutes ago\"",
        "\"a\":true",
        "\"on\":",
    ];
    fuzz_kind("json", &dictionary);
}

#[test]
fn ptdevices_body_is_a_reading_or_an_error() {
    let dictionary = [
        "\"data\":",
        "\"device_data\":",
        "\"tx_reported\":\"Feb 29th, 8:17 AM\"",
        "\"percent_level\":",
        "\"-46.00dBm\"",
        "\"units\":\"British Imperial\"",
        "null",
        "1e999",
        "{}",
    ];
    fuzz_kind("ptdevices", &dictionary);
}

#[test]
fn nws_body_is_a_reading_or_an_error() {
    let dictionary = [
        "\"properties\":",
        "\"timestamp\":\"2026-04-07T20:25:00+00:00\"",
        "\"temperature\":",
        "\"unitCode\":\"wmoUnit:Pa\"",
        "\"qualityControl\":\"X\"",
        "\"value\":",
        "null",
        "1e999",
        "{}",
    ];
    fuzz_kind("nws", &dictionary);
}

#[test]
fn ambient_body_is_a_reading_or_an_error() {
    let dictionary = [
        "\"lastData\":",
        "\"dateutc\":1515436500000",
        "\"tempf\":",
        "null",
        "1e999",
        "{}",
        "[",
        "]",
    ];
    fuzz_kind("ambient", &dictionary);
}
