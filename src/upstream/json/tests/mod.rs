mod cases;

use super::*;
use crate::board::Datum;
use crate::config::{Json as Keys, Kind};
use crate::units::Unit;

fn fetched() -> Timestamp {
    "2026-01-31T17:20:01Z".parse().unwrap()
}

/// Returns the keys of a source, from the lines of its file behind `url`.
fn keys(lines: &str) -> Keys {
    let text =
        format!("[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://127.0.0.1/\"\n{lines}");
    let config = config::parse("p.toml".as_ref(), &text, &|_| None).unwrap();
    match config.sources[0].kind.clone() {
        Kind::Json(keys) => *keys,
        kind => panic!("{kind:?}"),
    }
}

/// Decodes a body with one value named `x`, by the lines of its table.
fn one(lines: &str, body: &str) -> Value {
    let keys = keys(&format!("[source.values.x]\n{lines}"));
    let mut reading = decode(&keys, body.as_bytes(), fetched()).unwrap();
    reading.values.remove(0).1
}

/// Decodes `{"v": …}` with one value at `/v`.
fn sent(lines: &str, value: &str) -> Value {
    one(&format!("pointer = \"/v\"\n{lines}"), &format!("{{\"v\":{value}}}"))
}

fn unitless(number: f64) -> Value {
    Value { unit: None, ..Value::number(number, Unit::Percent) }
}

fn error(lines: &str, body: &str) -> String {
    let keys = keys(lines);
    let reading = decode(&keys, body.as_bytes(), fetched());
    reading.and_then(|reading| check_required(&keys, &reading)).unwrap_err().to_string()
}

#[test]
fn pointer_resolves_to_its_value() {
    let body = r#"{"a":{"b":[1,2.5]},"x/y":3,"m~n":4,"":5,"s":"on"}"#;
    for (pointer, number) in
        [("/a/b/0", 1.0), ("/a/b/1", 2.5), ("/x~1y", 3.0), ("/m~0n", 4.0), ("/", 5.0)]
    {
        let value = one(&format!("pointer = \"{pointer}\"\nunit = \"in\""), body);
        assert_eq!(value, Value::number(number, Unit::Inch), "{pointer}");
    }
    assert_eq!(one("pointer = \"/s\"", body), Value::text("on"));
    assert_eq!(one("pointer = \"/a/b/1\"", body), unitless(2.5));
    assert_eq!(one("pointer = \"\"\nunit = \"in\"", "42"), Value::number(42.0, Unit::Inch));
}

#[test]
fn number_is_computed_and_checked_against_its_bounds() {
    for (lines, raw, number) in [
        ("", "0.30000000000000004", Some(0.30000000000000004)),
        ("scale = 0.1", "3", Some(0.3)),
        ("scale = 1e-6", "123456", Some(0.123456)),
        ("scale = 1.8\noffset = 32", "\"100\"", Some(212.0)),
        ("invert_from = 200", "84.6", Some(115.4)),
        ("scale = 0.1\noffset = 1\ninvert_from = 200", "846", Some(114.4)),
        ("invert_from = 200\nmin = 0\nmax = 199", "0.5", None),
        ("min = 0\nmax = 100", "0", Some(0.0)),
        ("min = 0\nmax = 100", "100", Some(100.0)),
        ("min = 0\nmax = 100", "100.1", None),
        ("min = 0\nmax = 100", "-1", None),
        ("scale = 1e300", "1e300", None),
        ("", "1e999", None),
        ("", "null", None),
    ] {
        let read = sent(&format!("unit = \"%\"\n{lines}"), raw);
        match number {
            Some(number) => assert_eq!(read, Value::number(number, Unit::Percent), "{lines} {raw}"),
            None => {
                assert_eq!((read.datum, read.unit), (None, Some(Unit::Percent)), "{lines} {raw}");
                assert!(read.note.is_some(), "{lines} {raw}");
            }
        }
    }
}

#[test]
fn type_decides_what_is_made_of_what_is_sent() {
    let missing = |note: &str| Value::missing(None, note);
    let bool = |number: f64| Value::number(number, Unit::Bool);
    let no_bool = |note: &str| Value::missing(Some(Unit::Bool), note);
    let bales = Unit::from_recorded("bales");
    for (lines, raw, expected) in [
        // As sent.
        ("", "7.2", unitless(7.2)),
        ("", "\"7.2\"", unitless(7.2)),
        ("", "\"007\"", Value::text("007")),
        ("", "\"1,185 gal\"", Value::text("1,185 gal")),
        ("", "\"FULL\"", Value::text("FULL")),
        ("", "true", Value::text("true")),
        ("", "\"unavailable\"", Value::text("unavailable")),
        ("over_time = \"last\"", "\"on\"", Value::text("on")),
        // Every key of numbers makes a number.
        ("scale = 10", "\"7.2\"", unitless(72.0)),
        ("offset = 1", "\"7.2\"", unitless(8.2)),
        ("min = 0", "\"7.2\"", unitless(7.2)),
        ("max = 9", "\"7.2\"", unitless(7.2)),
        ("invert_from = 10", "\"7.2\"", unitless(2.8)),
        ("filter = \"median 3\"", "\"7.2\"", unitless(7.2)),
        ("max_step = 1", "\"7.2\"", unitless(7.2)),
        ("over_time = \"increase\"", "\"7,2\"", unitless(7.2)),
        ("type = \"number\"", "\"007\"", unitless(7.0)),
        ("type = \"number\"", "\"25%\"", Value::number(25.0, Unit::Percent)),
        ("unit_label = \"bales\"", "\"12\"", Value { unit: bales, ..unitless(12.0) }),
        ("min = 0", "\"FULL\"", missing("sent as \"FULL\", which is not a number")),
        ("min = 0", "true", missing("not sent as a number")),
        ("min = 0", "null", missing("sent as null")),
        // Texts.
        ("type = \"text\"", "\"7.2\"", Value::text("7.2")),
        ("type = \"text\"", "7.20", Value::text("7.20")),
        ("type = \"text\"", "false", Value::text("false")),
        ("type = \"text\"", "\"\"", missing("sent as an empty text")),
        ("type = \"text\"", "[]", missing("not sent as a text")),
        // True and false.
        ("type = \"bool\"", "true", bool(1.0)),
        ("unit = \"bool\"", "false", bool(0.0)),
        ("type = \"bool\"", "\"ON\"", bool(1.0)),
        ("type = \"bool\"", "\"no\"", bool(0.0)),
        ("type = \"bool\"", "0", bool(0.0)),
        ("type = \"bool\"", "1.0", bool(1.0)),
        ("type = \"bool\"", "2", no_bool("sent as \"2\", which is neither true nor false")),
        (
            "type = \"bool\"",
            "\"open\"",
            no_bool("sent as \"open\", which is neither true nor false"),
        ),
        ("type = \"bool\"", "[]", no_bool("not sent as true or false")),
        ("type = \"bool\"", "null", no_bool("sent as null")),
    ] {
        assert_eq!(sent(lines, raw), expected, "{lines}: {raw}");
    }
}

#[test]
fn zero_has_no_sign() {
    for (lines, raw) in [
        ("", "-0.0"),
        ("", "\"-0\""),
        ("unit = \"degC\"", "-0.0"),
        ("unit = \"degC\"", "\"-0.0 °C\""),
        ("scale = -1", "0"),
    ] {
        let Some(Datum::Number(number)) = sent(lines, raw).datum else { panic!("{lines} {raw}") };
        assert_eq!(number.get().to_string(), "0", "{lines} {raw}");
    }
}

#[test]
fn number_may_be_sent_with_the_configured_label() {
    for (label, raw, number) in [
        ("mmHg", "759.9 mmHg", Some(759.9)),
        ("km", "12 km", Some(12.0)),
        ("Wh", "1,234 Wh", Some(1234.0)),
        ("VA", "230va", Some(230.0)),
        ("bales", " 40 Bales ", Some(40.0)),
        ("m\u{b3}/d", "1,5 m\u{b3}/d", Some(1.5)),
        ("bales", "40", Some(40.0)),
        ("bales", "40 sacks", None),
        ("bales", "bales", None),
        ("bales", "some bales", None),
        // Its digits are those of the number.
        ("2", "42", Some(42.0)),
    ] {
        let value = sent(&format!("unit_label = \"{label}\""), &format!("\"{raw}\""));
        let unit = crate::units::Label::new(label).map(Unit::Label);
        match number {
            Some(number) => assert_eq!(value, Value { unit, ..unitless(number) }, "{raw}"),
            None => {
                let note = value.note.as_deref().unwrap_or_default().to_owned();
                assert!(note.starts_with(&format!("sent as \"{raw}\", ")), "{note}");
                assert_eq!(value, Value::missing(unit, note));
            }
        }
    }
}

#[test]
fn converted_number_is_computed_with_unrounded() {
    for (unit, lines, raw, number) in [
        ("m", "invert_from = 2", "1234 mm", 0.766),
        ("m3", "", "12345 L", 12.345),
        ("hPa", "", "1.176 kPa", 11.76),
        ("inHg", "", "101.3 kPa", 29.91),
        ("gal", "", "1000 L", 264.0),
        ("ft", "offset = 1", "1 in", 1.083_333_33),
        ("degC", "", "66.9 \u{b0}F", 19.4),
    ] {
        let value = sent(&format!("unit = \"{unit}\"\n{lines}"), &format!("\"{raw}\""));
        assert_eq!(value, Value::number(number, unit.parse().unwrap()), "{raw}");
    }
}

#[test]
fn scale_is_not_applied_to_a_number_in_another_unit() {
    let scaled = |raw: &str| sent("unit = \"inHg\"\nscale = 0.2953", raw);
    let note = "sent in kPa, which is converted to inHg: remove \"scale\"";
    assert_eq!(scaled("\"101.3 kPa\""), Value::missing(Some(Unit::InchOfMercury), note));
    assert_eq!(scaled("101.3"), Value::number(29.91389, Unit::InchOfMercury));
    assert_eq!(scaled("\"101.3 inHg\""), Value::number(29.91389, Unit::InchOfMercury));
    let moved = sent("unit = \"degC\"\nscale = 1.1", "\"10\u{b0}\"");
    assert_eq!(moved, Value::number(11.0, Unit::Celsius), "a bare degree");
}

#[test]
fn integer_of_64_bits_is_compared_exactly() {
    let list = r#"{"l":[{"id":2882303761517118464,"v":1},{"id":2882303761517118465,"v":2},
        {"id":3.0,"v":3},{"id":"4","v":4}]}"#;
    let at =
        |id: &str| one(&format!("list = \"/l\"\nwhere = {{ id = {id} }}\npointer = \"/v\""), list);
    assert_eq!(at("2882303761517118465"), unitless(2.0));
    assert_eq!(at("2882303761517118464"), unitless(1.0));
    assert_eq!(at("3"), unitless(3.0));
    let absent = "no element of its list has id = 2882303761517118463";
    assert_eq!(at("2882303761517118463"), Value::missing(None, absent));
    let text = "no element of its list has id = 4; there is \"4\", a text: quote it";
    assert_eq!(at("4"), Value::missing(None, text));
    let number = "no element of its list has id = \"3\"; there is 3.0, a number: do not quote it";
    assert_eq!(at("\"3\""), Value::missing(None, number));
    let mapped = |raw| sent("map = { 2882303761517118465 = 1, 7 = 2 }", raw);
    assert_eq!(mapped("2882303761517118465"), unitless(1.0));
    let other = "sent as \"2882303761517118464\", which is not in \"map\"";
    assert_eq!(mapped("2882303761517118464"), Value::missing(None, other));
    assert_eq!(mapped("7.0"), unitless(2.0));
}

#[test]
fn map_gives_the_value_for_what_is_sent() {
    const PUMP: &str = "map = { on = 1, off = 0, \"N/A\" = -1, true = 2, 7 = 3 }";
    const STATES: &str = "map = { 0 = \"resting\", 1 = \"running\" }";
    let missing = |note: &str| Value::missing(None, note);
    for (lines, raw, expected) in [
        (PUMP, "\"on\"", unitless(1.0)),
        (PUMP, "\" Off \"", unitless(0.0)),
        (PUMP, "\"n/a\"", unitless(-1.0)),
        (PUMP, "true", unitless(2.0)),
        (PUMP, "7", unitless(3.0)),
        (PUMP, "7.0", unitless(3.0)),
        (PUMP, "\"idle\"", missing("sent as \"idle\", which is not in \"map\"")),
        (PUMP, "8", missing("sent as \"8\", which is not in \"map\"")),
        (PUMP, "[]", missing("sent as a list or an object")),
        (PUMP, "null", missing("sent as null")),
        (STATES, "1", Value::text("running")),
        (STATES, "\"0\"", Value::text("resting")),
        ("map = { open = true, closed = false }", "\"open\"", Value::number(1.0, Unit::Bool)),
        ("unit = \"bool\"\nmap = { open = 1 }", "\"open\"", Value::number(1.0, Unit::Bool)),
        ("unit = \"%\"\nmap = { full = 100 }", "\"FULL\"", Value::number(100.0, Unit::Percent)),
        // The case distinguishes, if both are listed.
        ("map = { a = 1, A = 2 }", "\"A\"", unitless(2.0)),
    ] {
        assert_eq!(sent(lines, raw), expected, "{lines}: {raw}");
    }
    let bounded = sent("map = { full = 100 }\nmax = 99", "\"full\"");
    assert_eq!(bounded, missing("above the configured max"));
}

#[test]
fn missing_value_leaves_the_others_intact() {
    let lines = "[source.values.a]\npointer = \"/here\"\nunit = \"in\"\n\
                 [source.values.b]\npointer = \"/gone\"\nunit = \"in\"";
    let reading = decode(&keys(lines), br#"{"here":1}"#, fetched()).unwrap();
    assert_eq!(reading.observed, Observed::fetched(fetched()));
    assert_eq!(reading.values[0].1, Value::number(1.0, Unit::Inch));
    let missing = Value::missing(Some(Unit::Inch), "missing from the response");
    assert_eq!(reading.values[1].1, missing);
}

#[test]
fn response_without_any_configured_value_is_an_error() {
    for body in ["", "{}", "[]", "null", r#"{"error":"token"}"#, "<html>", r#"{"level":1"#] {
        let error = error("[source.values.x]\npointer = [\"/level\", \"/depth\"]", body);
        assert!(!error.is_empty(), "{body}");
    }
}

#[test]
fn list_without_the_element_is_a_response_without_that_value() {
    let lines = "pointer = \"/val\"\nlist = \"/list\"\nwhere = { id = \"0x03\" }\nunit = \"degF\"";
    let note = "no element of its list has id = \"0x03\"";
    assert_eq!(
        one(lines, r#"{"list":[{"id":"0x17","val":"0"}]}"#),
        Value::missing(Some(Unit::Fahrenheit), note)
    );
    assert_eq!(
        one(lines, r#"{"list":[{"id":"0x03","val":"21.2"}]}"#),
        Value::number(21.2, Unit::Fahrenheit)
    );
}

#[test]
fn required_value_that_is_missing_fails_the_poll() {
    let lines = "[source.values.x]\npointer = \"/v\"\nrequired = true\nmax = 9\n\
                 [source.values.y]\npointer = \"/y\"";
    for (body, note) in [
        (r#"{"y":1}"#, "missing from the response"),
        (r#"{"y":1,"v":null}"#, "sent as null"),
        (r#"{"y":1,"v":"--"}"#, "sent as \"--\""),
        (r#"{"y":1,"v":10}"#, "above the configured max"),
    ] {
        assert_eq!(error(lines, body), format!("the required value \"x\" is missing: {note}"));
    }
    assert!(decode(&keys(lines), br#"{"v":1}"#, fetched()).is_ok(), "the other is not required");
}

#[test]
fn reading_without_a_configured_time_has_the_latest_of_its_values() {
    let lines = "[source.values.a]\npointer = \"/a\"\n\
                 observed_at = { pointer = \"/at_a\", format = \"unix\" }\n\
                 [source.values.b]\npointer = \"/b\"\n\
                 observed_at = { pointer = \"/at_b\", format = \"unix\" }\n";
    let both = br#"{"a":1,"b":2,"at_a":1769879760,"at_b":1769879700}"#;
    let reading = decode(&keys(lines), both, fetched()).unwrap();
    let (at_a, at_b) = ("2026-01-31T17:16:00Z", "2026-01-31T17:15:00Z");
    let absolute = |at: &str| Observed::absolute(at.parse().unwrap());
    assert_eq!(reading.observed, absolute(at_a));
    let times: Vec<_> = reading.values.iter().map(|(_, value)| value.observed).collect();
    assert_eq!(times, [Some(absolute(at_a)), Some(absolute(at_b))]);

    let one = decode(&keys(lines), br#"{"a":1,"b":2,"at_b":1769879700}"#, fetched()).unwrap();
    assert_eq!(one.observed, absolute(at_b));
    let note = "no usable time of observation: missing from the response";
    assert_eq!(one.values[0].1, Value::missing(None, note));

    assert_eq!(error(lines, r#"{"a":1,"b":2}"#), "no value has a usable time of observation");
    // A value without a time of its own is as old as the response.
    let lines = format!("{lines}[source.values.c]\npointer = \"/c\"\n");
    let reading = decode(&keys(&lines), br#"{"a":1,"c":2}"#, fetched()).unwrap();
    assert_eq!(reading.observed, Observed::fetched(fetched()));
}

#[test]
fn configured_time_of_a_source_is_required() {
    let lines = "observed_at = { pointer = \"/t\", format = \"unix\" }\n\
                 [source.values.x]\npointer = \"/v\"";
    assert_eq!(
        error(lines, r#"{"v":1}"#),
        "the response has no usable time of observation: missing from the response"
    );
}
