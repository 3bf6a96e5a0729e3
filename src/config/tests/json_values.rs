//! Values and times of `kind = "json"`: every key, and its errors.

use super::*;
use crate::units::{OverTime, Unit};

/// Returns the file of a source with one value, whose first key is in line 6, column 1.
fn file(lines: &str) -> String {
    format!(
        "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h\"\n[source.values.a]\n{lines}\n"
    )
}

fn value(lines: &str) -> JsonValue {
    let config = read(&file(lines)).unwrap();
    match &config.sources[0].kind {
        Kind::Json(kind) => kind.values[0].clone(),
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn every_key_of_a_value_is_read() {
    let value = value(
        "pointer = [\"/val\", \"/value\"]\nlist = \"/list\"\n\
         where = { id = \"0x03\", channel = 1, \"/a/on\" = true, \"x/y\" = 2.5 }\n\
         unit = \"gpm\"\nscale = 0.5\noffset = 1\ninvert_from = 200\nmin = 0\nmax = 9\n\
         filter = \"median 5\"\nmax_step = 2\nrequired = true\nover_time = \"max\"\n\
         observed_at = { pointer = \"/at\", format = \"%d.%m.%Y %H:%M\", timezone = \"Asia/Kathmandu\" }",
    );
    assert_eq!(value.place.pointers, ["/val", "/value"]);
    let Some(JsonList { pointer, element: ListElement::Where(conditions) }) = &value.place.list
    else {
        panic!("{value:?}");
    };
    assert_eq!(pointer, "/list");
    let pointers: Vec<_> = conditions.iter().map(|one| &*one.pointer).collect();
    assert_eq!(pointers, ["/id", "/channel", "/a/on", "/x~1y"]);
    let shown = Conditions(conditions).to_string();
    assert_eq!(shown, "id = \"0x03\" and channel = 1 and /a/on = true and x/y = 2.5");
    assert_eq!((value.unit, value.value_type), (Some(Unit::UsGallonPerMinute), ValueType::Number));
    let calibration = Calibration {
        scale: 0.5,
        offset: 1.0,
        invert_from: Some(200.0),
        min: Some(0.0),
        max: Some(9.0),
    };
    assert_eq!(value.calibration, calibration);
    assert_eq!((value.filter, value.max_step, value.required), (Some(5), Some(2.0), true));
    assert_eq!(value.over_time, Some(OverTime::Max));
    let time = value.observed_at.unwrap();
    assert_eq!(time.format, TimeFormat::Pattern("%d.%m.%Y %H:%M".to_owned()));
    assert_eq!(time.timezone.unwrap().iana_name(), Some("Asia/Kathmandu"));
}

/// Scripts and configurations of others use these names.
#[test]
fn every_public_name_of_units_formats_and_aggregations_is_accepted() {
    const UNITS: &str = "% in cm mm gal L degF degC mph km/h m/s deg inHg hPa V \
                         psi bar kPa Pa mbar gal/min gal/h L/min L/h m3/h ft m m3 ft3 W kW kWh A mA \
                         Ah Hz rpm s min h d lx W/m2 UV ppm mg/L uS/cm pH NTU g/m3 ug/m3 dB dBm kn \
                         in/h mm/h bool";
    for name in UNITS.split_whitespace() {
        let value = value(&format!("pointer = \"\"\nunit = \"{name}\""));
        assert_eq!(value.unit.map(Unit::as_str), Some(name));
    }
    for (alias, name) in [
        ("gpm", "gal/min"),
        ("lpm", "L/min"),
        ("m³", "m3"),
        ("°C", "degC"),
        ("µS/cm", "uS/cm"),
        ("kt", "kn"),
    ] {
        let value = value(&format!("pointer = \"\"\nunit = \"{alias}\""));
        assert_eq!(value.unit.map(Unit::as_str), Some(name), "{alias}");
    }
    for name in ["mean", "circular", "sum", "increase", "max", "last"] {
        let value = value(&format!("pointer = \"\"\nover_time = \"{name}\""));
        assert_eq!(value.over_time.map(OverTime::as_str), Some(name));
    }
    for format in [
        "unix",
        "unix_ms",
        "unix_us",
        "rfc3339",
        "http",
        "local",
        "age",
        "age_seconds",
        "%d.%m.%Y %H:%M",
    ] {
        let zone =
            if matches!(format, "local" | "%d.%m.%Y %H:%M") { ", timezone = \"UTC\"" } else { "" };
        let time = format!("observed_at = {{ pointer = \"/t\", format = \"{format}\"{zone} }}");
        let value = value(&format!("pointer = \"\"\n{time}"));
        assert_eq!(value.observed_at.unwrap().format.to_string().trim_matches('"'), format);
    }
}

#[test]
fn type_of_a_value_follows_from_its_keys() {
    for (lines, value_type) in [
        ("", ValueType::AsSent),
        ("over_time = \"last\"", ValueType::AsSent),
        ("over_time = \"sum\"", ValueType::Number),
        ("min = 0", ValueType::Number),
        ("unit = \"m³\"", ValueType::Number),
        ("unit_label = \"bales\"", ValueType::Number),
        ("unit = \"bool\"", ValueType::Bool),
        ("type = \"text\"", ValueType::Text),
        ("type = \"number\"", ValueType::Number),
        ("type = \"bool\"\nfilter = \"median 3\"", ValueType::Bool),
        ("map = { on = 1, off = 0 }", ValueType::Number),
        ("map = { on = \"running\" }", ValueType::Text),
        ("map = { open = true }", ValueType::Bool),
        ("type = \"bool\"\nmap = { open = 1 }", ValueType::Bool),
        ("unit = \"bool\"\nmap = { open = 1 }", ValueType::Bool),
    ] {
        let value = value(&format!("pointer = \"/a\"\n{lines}"));
        assert_eq!(value.value_type, value_type, "{lines}");
        assert_eq!(value.unit == Some(Unit::Bool), value_type == ValueType::Bool, "{lines}");
    }
}

#[test]
fn faulty_key_of_a_value_is_reported_with_a_remedy() {
    for (lines, expected) in [
        (
            "pointer = \"a\"",
            "6:12: \"pointer\" must be a JSON pointer (RFC 6901) such as \"/a/b/0\"",
        ),
        ("pointer = [\"/a\", \"b\"]", "6:19: \"pointer\" must be a JSON pointer"),
        ("pointer = []", "5:1: \"pointer\" must name at least one position"),
        ("pointer = 1", "6:11: \"pointer\" must be a string or an array of strings, not a whole"),
        (
            "pointer = \"\"\nwhere = { id = 1 }",
            "7:1: \"where\" selects an element of \"list\", which is missing in [source.values.a]; add list = \"/…\"",
        ),
        (
            "pointer = \"\"\nlast = true",
            "7:1: \"last\" selects an element of \"list\", which is missing",
        ),
        (
            "pointer = \"\"\nlist = \"/l\"",
            "7:1: \"list\" needs the element to read in [source.values.a]; write where = { id = \"…\" }, or last = true",
        ),
        ("pointer = \"\"\nlist = \"l\"\nlast = true", "7:9: \"list\" must be a JSON pointer"),
        (
            "pointer = \"\"\nlist = \"/l\"\nlast = true\nwhere = { id = 1 }",
            "8:1: \"where\" and \"last\" exclude each other",
        ),
        (
            "pointer = \"\"\nlist = \"/l\"\nwhere = {}",
            "8:9: at least one member such as id = \"0x03\" is missing",
        ),
        (
            "pointer = \"\"\nlist = \"/l\"\nwhere = { id = [] }",
            "8:16: \"id\" must be a string, a number, true or false, not an array",
        ),
        (
            "pointer = \"\"\nunit = \"cups\"",
            "7:9: \"unit\": \"cups\" is unknown in [source.values.a]; write unit_label = \"cups\" for a unit that is none of %, in, ",
        ),
        (
            "pointer = \"\"\nunit = \"furlongs\"",
            "7:9: \"unit\": \"furlongs\" is unknown in [source.values.a]; ",
        ),
        (
            "pointer = \"\"\nunit_label = \"gpm\"",
            "7:15: \"unit_label\": \"gpm\" is a known unit in [source.values.a]; write unit = \"gal/min\"",
        ),
        (
            "pointer = \"\"\nunit_label = \" x\"",
            "7:15: \"unit_label\" must have 1 to 24 visible characters",
        ),
        (
            "pointer = \"\"\nunit = \"in\"\nunit_label = \"x\"",
            "8:15: \"unit\" and \"unit_label\" exclude each other",
        ),
        (
            "pointer = \"\"\ntype = \"string\"",
            "7:9: \"type\": \"string\" is none of number, text, bool",
        ),
        (
            "pointer = \"\"\ntype = \"text\"\nscale = 2",
            "8:1: \"scale\" is for numbers, and the value is a text",
        ),
        (
            "pointer = \"\"\ntype = \"text\"\nunit = \"in\"",
            "8:1: \"unit\" is for numbers, and the value is a text",
        ),
        (
            "pointer = \"\"\ntype = \"bool\"\nunit = \"in\"",
            "8:1: \"unit\" must be \"bool\" for a value that is true or false",
        ),
        (
            "pointer = \"\"\ntype = \"bool\"\nmax = 1",
            "8:1: \"max\" is for numbers, and the value is true or false",
        ),
        (
            "pointer = \"\"\nmap = {}",
            "7:7: entries such as { on = 1, off = 0 }, all of one type, are needed",
        ),
        ("pointer = \"\"\nmap = { a = 1, b = \"x\" }", "7:7: entries such as"),
        (
            "pointer = \"\"\ntype = \"text\"\nmap = { a = 1 }",
            "8:1: \"map\" must give texts for a value that is a text",
        ),
        (
            "pointer = \"\"\nunit = \"in\"\nmap = { a = \"x\" }",
            "7:1: \"unit\" is for numbers, and the value is a text",
        ),
        (
            "pointer = \"\"\ntype = \"number\"\nmap = { a = \"x\" }",
            "8:1: \"map\" must give numbers for a value that is a number",
        ),
        (
            "pointer = \"\"\ntype = \"bool\"\nmap = { a = 2 }",
            "8:1: \"map\" must give true or false",
        ),
        (
            "pointer = \"\"\nscale = 2\nmap = { a = 1 }",
            "7:1: \"scale\" has no effect: \"map\" gives the value itself",
        ),
        (
            "pointer = \"\"\nfilter = \"median 4\"",
            "7:11: \"filter\": \"median 4\" must be \"median 3\" to \"median 99\"",
        ),
        ("pointer = \"\"\nfilter = \"mean 5\"", "7:11: \"filter\": \"mean 5\" must be"),
        ("pointer = \"\"\nmax_step = 0", "7:12: \"max_step\" must be greater than 0"),
        (
            "pointer = \"\"\nrequired = \"yes\"",
            "7:13: \"required\" must be true or false, not a string",
        ),
        (
            "pointer = \"\"\nover_time = \"avg\"",
            "7:14: \"over_time\": \"avg\" is none of mean, circular, sum, increase, max, last",
        ),
        (
            "pointer = \"\"\nunit = \"hPa\"\nover_time = \"circular\"",
            "8:1: \"over_time\": circular is for directions in deg, not for hPa",
        ),
        (
            "pointer = \"\"\nunit_label = \"bales\"\nover_time = \"circular\"",
            "8:1: \"over_time\": circular is for directions in deg, not for bales",
        ),
        (
            "pointer = \"\"\nunit = \"degC\"\nover_time = \"sum\"",
            "8:1: \"over_time\": sum is for amounts that add up, not for degC",
        ),
        ("pointer = \"\"\nunit = \"%\"\nover_time = \"sum\"", "8:1: \"over_time\": sum is for"),
        ("pointer = \"\"\nunit = \"deg\"\nover_time = \"sum\"", "8:1: \"over_time\": sum is for"),
        (
            "pointer = \"\"\nunits = \"in\"",
            "7:1: unknown key \"units\" in [source.values.a]; did you mean \"unit\"?",
        ),
    ] {
        let error = read(&file(lines)).expect_err(lines);
        assert!(
            error.lines().any(|line| line.starts_with(&format!("p.toml:{expected}"))),
            "{lines}\nhas the error\n{error}\nnot\n{expected}"
        );
    }
}

#[test]
fn faulty_time_is_reported_with_a_remedy() {
    for (keys, expected) in [
        ("format = \"unix\"", "missing key \"pointer\""),
        ("pointer = \"/t\"", "missing key \"format\""),
        (
            "pointer = \"/t\", format = \"epoch\"",
            "\"format\": \"epoch\" is none of unix, unix_ms, unix_us, rfc3339, http, local, age, age_seconds, nor a pattern such as",
        ),
        (
            "pointer = \"/t\", format = \"local\"",
            "\"format\": local states no zone in \"observed_at\"; add timezone = \"Europe/Vienna\"",
        ),
        (
            "pointer = \"/t\", format = \"%Y-%m-%d %H:%M\"",
            "states no zone in \"observed_at\"; add timezone",
        ),
        (
            "pointer = \"/t\", format = \"local\", timezone = \"CET1\"",
            "\"timezone\": \"CET1\" is not a time zone in \"observed_at\"; write the one of the sensor's clock",
        ),
        (
            "pointer = \"/t\", format = \"%m-%d %H:%M\", timezone = \"Europe/Vienna\"",
            "states no point in time: it needs a year",
        ),
        (
            "pointer = \"/t\", format = \"%Y-%m-%d\", timezone = \"Europe/Vienna\"",
            "states no point in time",
        ),
        (
            "pointer = \"/t\", format = \"%Y-%m-%d %I:%M\", timezone = \"Europe/Vienna\"",
            "states no point in time",
        ),
        (
            "pointer = \"/t\", format = \"%Y-%m-%d %\", timezone = \"Europe/Vienna\"",
            "is not a valid pattern",
        ),
        (
            "pointer = \"/t\", list = \"/l\", format = \"unix\"",
            "\"list\" needs the element to read",
        ),
    ] {
        for place in ["", "[source.values.a]\n"] {
            let time = format!("observed_at = {{ {keys} }}\n");
            let text = match place {
                "" => format!("{time}[source.values.a]\npointer = \"\"\n"),
                _ => format!("[source.values.a]\npointer = \"\"\n{time}"),
            };
            let text =
                format!("[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h\"\n{text}");
            let error = read(&text).expect_err(keys);
            assert!(error.contains(expected), "{keys}\nhas the error\n{error}\nnot\n{expected}");
        }
    }
    for format in ["%Y-%m-%d %H:%M %z", "%s", "%a, %d %b %Y %H:%M:%S %z"] {
        let text =
            format!("pointer = \"\"\nobserved_at = {{ pointer = \"/t\", format = \"{format}\" }}");
        assert!(read(&file(&text)).is_ok(), "{format} states its zone");
    }
}

#[test]
fn setting_without_effect_is_warned_of() {
    for (lines, warning) in [
        ("min = 2\nmax = 1", Some("\"min\" of [source.values.a] is greater than its \"max\"")),
        ("min = 1\nmax = 1", None),
        (
            "observed_at = { pointer = \"/t\", format = \"unix\", timezone = \"Europe/Vienna\" }",
            Some("\"timezone\" of an \"observed_at\" has no effect: the format unix needs none"),
        ),
        (
            "observed_at = { pointer = \"/t\", format = \"rfc3339\", timezone = \"Europe/Vienna\" }",
            None,
        ),
    ] {
        let warnings = read(&file(&format!("pointer = \"/a\"\n{lines}"))).unwrap().warnings;
        let about_value = warnings.iter().find(|warning| warning.starts_with("[[source]] \"w\": "));
        assert_eq!(about_value.is_some(), warning.is_some(), "{lines}: {warnings:?}");
        let has = |warning: &str| about_value.is_some_and(|found| found.contains(warning));
        assert!(warning.is_none_or(has), "{lines}: {warnings:?}");
    }
}

#[test]
fn request_is_conditional_if_every_time_is_absolute() {
    let unix = "observed_at = { pointer = \"/t\", format = \"unix\" }\n";
    let age = "observed_at = { pointer = \"/t\", format = \"age\" }\n";
    for (of_source, of_value, expected) in [
        ("", "", false),
        (unix, "", true),
        (age, "", false),
        ("", unix, true),
        ("", age, false),
        (unix, age, false),
        (age, unix, false),
        (unix, unix, true),
    ] {
        let text = format!(
            "[[source]]\nname = \"w\"\nkind = \"json\"\nurl = \"http://h\"\n{of_source}\
             [source.values.a]\npointer = \"\"\n{of_value}"
        );
        let config = read(&text).unwrap();
        let Kind::Json(kind) = &config.sources[0].kind else { panic!() };
        assert_eq!(kind.states_absolute_times(), expected, "{of_source} {of_value}");
    }
}
