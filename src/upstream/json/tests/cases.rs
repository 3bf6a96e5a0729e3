//! Responses of real devices, reduced, with the configurations that people wrote for them.

use super::*;

/// Returns number, unit and note of each value, as JSON.
fn values(lines: &str, body: &str) -> Vec<String> {
    let reading = decode(&keys(lines), body.as_bytes(), fetched()).unwrap();
    let shown = |(name, value): &(FieldName, Value)| {
        format!("{name} {}", serde_json::to_string(value).unwrap())
    };
    reading.values.iter().map(shown).collect()
}

#[test]
fn ecowitt_gateway_sends_numbers_with_their_units() {
    let body = r#"{"common_list":[
        {"id":"0x02","val":"56.7","unit":"F"},{"id":"0x07","val":"25%"},
        {"id":"5","val":"1.176 kPa"},{"id":"0x03","val":"21.2","unit":"F"},
        {"id":"0x0B","val":"1.79 mph"},{"id":"0x15","val":"4.26 W/m2"},{"id":"0x17","val":"0"}],
        "rain":[{"id":"0x0D","val":"0.25 in"},{"id":"0x0E","val":"0.00 in/Hr"}],
        "wh25":[{"intemp":"72.0","unit":"F","inhumi":"40%","abs":"----.-","rel":"29.92 inHg"}]}"#;
    let of_id = |name: &str, id: &str, unit: &str| {
        format!(
            "[source.values.{name}]\npointer = \"/val\"\nlist = \"/common_list\"\n\
             where = {{ id = \"{id}\" }}\nunit = \"{unit}\"\n"
        )
    };
    let at = |name: &str, pointer: &str, unit: &str| {
        format!("[source.values.{name}]\npointer = \"{pointer}\"\nunit = \"{unit}\"\n")
    };
    let lines = [
        of_id("temperature", "0x02", "degF"),
        of_id("humidity", "0x07", "%"),
        of_id("vapour_pressure", "5", "hPa"),
        of_id("wind_speed", "0x0B", "mph"),
        of_id("sun", "0x15", "W/m2"),
        of_id("gone", "0x99", "degF"),
        at("rain", "/rain/0/val", "in"),
        at("rain_rate", "/rain/1/val", "mm/h"),
        at("pressure_abs", "/wh25/0/abs", "inHg"),
        at("pressure", "/wh25/0/rel", "inHg"),
        // Position 2 was a humidity before a sensor was lost.
        at("indoor_humidity", "/common_list/2/val", "%"),
    ]
    .concat();
    assert_eq!(
        values(&lines, body),
        [
            r#"temperature {"value":56.7,"unit":"degF"}"#,
            r#"humidity {"value":25.0,"unit":"%"}"#,
            r#"vapour_pressure {"value":11.76,"unit":"hPa"}"#,
            r#"wind_speed {"value":1.79,"unit":"mph"}"#,
            r#"sun {"value":4.26,"unit":"W/m2"}"#,
            r#"gone {"value":null,"unit":"degF","note":"no element of its list has id = \"0x99\""}"#,
            r#"rain {"value":0.25,"unit":"in"}"#,
            r#"rain_rate {"value":0.0,"unit":"mm/h"}"#,
            r#"pressure_abs {"value":null,"unit":"inHg","note":"sent as \"----.-\""}"#,
            r#"pressure {"value":29.92,"unit":"inHg"}"#,
            r#"indoor_humidity {"value":null,"unit":"%","note":"sent in kPa, but % is configured"}"#,
        ]
    );
}

#[test]
fn number_in_a_string_without_a_unit_is_computed_and_bounded() {
    let body = r#"{"entity_id":"sensor.ph","state":"7.2"}"#;
    let lines = "[source.values.ph]\npointer = \"/state\"\nscale = 10\n";
    assert_eq!(values(lines, body), [r#"ph {"value":72.0,"unit":null}"#]);
    assert_eq!(
        values(&format!("{lines}min = 100\nmax = 140\n"), body),
        [r#"ph {"value":null,"unit":null,"note":"below the configured min"}"#]
    );
    let lines = "[source.values.ph]\npointer = \"/state\"\n";
    assert_eq!(values(lines, body), [r#"ph {"value":7.2,"unit":null}"#]);
}

#[test]
fn text_without_keys_of_numbers_stays_a_text() {
    let body = r#"{"level":"FULL","volume":"1,185 gal","pump":true,"windr":"ZW","temp":"12.3"}"#;
    let of = |name: &str| format!("[source.values.{name}]\npointer = \"/{name}\"\n");
    let lines = ["level", "volume", "pump", "windr", "temp"].map(of).concat();
    assert_eq!(
        values(&lines, body),
        [
            r#"level {"value":"FULL","unit":null}"#,
            r#"volume {"value":"1,185 gal","unit":null}"#,
            r#"pump {"value":"true","unit":null}"#,
            r#"windr {"value":"ZW","unit":null}"#,
            r#"temp {"value":12.3,"unit":null}"#,
        ]
    );
}

#[test]
fn tasmota_sends_local_times() {
    let body = r#"{"StatusSNS":{"Time":"2026-01-31T18:19:31","SHT3X-0x45":{"Temperature":23.6},
        "TempUnit":"C"}}"#;
    let lines = |zone: &str| {
        format!(
            "observed_at = {{ pointer = \"/StatusSNS/Time\", format = \"rfc3339\"{zone} }}\n\
             [source.values.temperature]\npointer = \"/StatusSNS/SHT3X-0x45/Temperature\"\n\
             unit = \"degC\"\n"
        )
    };
    let with_zone = keys(&lines(", timezone = \"Europe/Vienna\""));
    let reading = decode(&with_zone, body.as_bytes(), fetched()).unwrap();
    assert_eq!(reading.observed, Observed::absolute("2026-01-31T17:19:31Z".parse().unwrap()));
    assert_eq!(reading.values[0].1, Value::number(23.6, Unit::Celsius));
    let error = error(&lines(""), body);
    assert!(error.contains("which has no offset; configure \"timezone\""), "{error}");
}
