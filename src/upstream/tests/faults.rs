//! Faulty numbers, for every kind of source that can send them.

use super::kinds::{KINDS, KindCase, number, read, source, value};
use crate::board::{Observed, Value};

/// Returns the value of the case's number, sent as `raw`, after a check that the other number is intact.
fn sent_as(case: &KindCase, units: &str, raw: &str) -> Value {
    let reading = read(&source(case.keys, units), &case.body.replace("RAW", raw)).unwrap();
    assert!(value(&reading, case.healthy).datum.is_some(), "{}: {raw}", case.keys);
    value(&reading, case.field)
}

#[test]
fn sentinel_or_impossible_number_is_null_with_a_note_in_every_kind() {
    for case in &KINDS {
        for units in ["us", "metric"] {
            for (raw, reason) in [
                ("-9999", "-9999 "),
                ("-9999.0", "stands for no measurement"),
                ("-999", "stands for no measurement"),
                ("-999.9", "stands for no measurement"),
                ("-999.99", "stands for no measurement"),
                ("-9999.9", "stands for no measurement"),
                ("-99999", "stands for no measurement"),
                ("-999999", "stands for no measurement"),
                ("-32767", "stands for no measurement"),
                ("65535", "stands for no measurement"),
                ("32767", "stands for no measurement"),
                ("6553.5", "stands for no measurement"),
                ("-32768", "stands for no measurement"),
                ("2147483647", "stands for no measurement"),
                ("123456", "is not possible"),
                ("-5572.8", "is not possible"),
                ("1.7e308", "1.7e308 is beyond what can be measured"),
                ("-1.7e308", "beyond what can be measured"),
            ] {
                let value = sent_as(case, units, raw);
                assert_eq!(value.datum, None, "{}: {raw}", case.keys);
                let note = value.note.as_deref().unwrap_or_default();
                assert!(note.contains(reason), "{}: {raw}: {note}", case.keys);
            }
        }
    }
}

#[test]
fn ordinary_number_has_no_note_in_any_kind() {
    for case in &KINDS {
        let value = sent_as(case, "us", "48.5");
        assert!(value.datum.is_some() && value.note.is_none(), "{}: {value:?}", case.keys);
    }
}

#[test]
fn what_is_no_number_is_null_with_a_note_and_never_0_in_any_kind() {
    for case in &KINDS {
        let is_json = case.body.starts_with(['{', '[']);
        for raw in [
            "null",
            "\"\"",
            "\" \"",
            "\"n/a\"",
            "\"--\"",
            "\"NaN\"",
            "\"FULL\"",
            "1e999",
            "-1e999",
            "\"1e999\"",
            "\"-9999\"",
            "\"1.7e308\"",
            "[]",
            "[48.5]",
            "{}",
        ] {
            // A page has the text itself.
            let raw = if is_json { raw } else { raw.trim_matches('"') };
            let value = sent_as(case, "us", raw);
            assert_eq!(value.datum, None, "{}: {raw}", case.keys);
            assert!(value.note.is_some(), "{}: {raw}", case.keys);
        }
    }
}

#[test]
fn number_in_a_string_is_a_number_in_every_kind() {
    for case in &KINDS {
        let plain = sent_as(case, "us", "48.5");
        let is_json = case.body.starts_with(['{', '[']);
        for raw in ["\"48.5\"", "\" 48.5 \"", "\"+48.5\"", "4.85e1"] {
            let raw = if is_json { raw } else { raw.trim_matches('"') };
            assert_eq!(sent_as(case, "us", raw), plain, "{}: {raw}", case.keys);
        }
    }
}

/// Kinds whose responses state a time, with the text of that time in `KINDS`, and a text of the time
/// one hour later than the response, and in 2036.
const STATED: [(usize, &str, [&str; 2]); 3] = [
    (2, "1769879760", ["1769883600", "2085978496"]),
    (3, "2026-01-31T17:16:00+00:00", ["2026-01-31T18:20:00+00:00", "2036-02-07T06:28:16+00:00"]),
    (4, "1769879760000", ["1769883600000", "2085978496000"]),
];

#[test]
fn stamp_in_the_future_is_passed_on_unchanged() {
    for (kind, past, stamps) in STATED {
        let case = &KINDS[kind];
        for (stamp, expected) in
            stamps.into_iter().zip(["2026-01-31T18:20:00Z", "2036-02-07T06:28:16Z"])
        {
            let body = case.body.replace("RAW", "48.5").replace(past, stamp);
            let reading = read(&source(case.keys, "us"), &body).unwrap();
            let expected = Observed::absolute(expected.parse().unwrap());
            assert_eq!(reading.observed, expected, "{}", case.keys);
        }
    }
}

#[test]
fn stamp_that_is_a_number_may_be_written_in_any_way() {
    let expected = Observed::absolute("2026-01-31T17:16:00Z".parse().unwrap());
    for (kind, stamp, _) in STATED {
        let case = &KINDS[kind];
        let Ok(number) = stamp.parse::<f64>() else { continue };
        for written in [format!("\"{stamp}\""), format!("{stamp}.0"), format!("{number:e}")] {
            let body = case.body.replace("RAW", "48.5").replace(stamp, &written);
            let reading = read(&source(case.keys, "us"), &body).unwrap();
            assert_eq!(reading.observed, expected, "{}: {written}", case.keys);
        }
    }
}

#[test]
fn response_without_a_usable_time_is_an_error() {
    for (kind, stamp, _) in STATED {
        let case = &KINDS[kind];
        for broken in ["0", "-5", "soon", "", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
            let body = case.body.replace("RAW", "48.5").replace(stamp, broken);
            assert!(read(&source(case.keys, "us"), &body).is_err(), "{}: {broken}", case.keys);
        }
    }
    for (kind, time) in [(0, "just now"), (1, "Jan 31st, 5:16 PM")] {
        let case = &KINDS[kind];
        for broken in ["0", "-5", "soon", ""] {
            let body = case.body.replace("RAW", "48.5").replace(time, broken);
            assert!(read(&source(case.keys, "us"), &body).is_err(), "{}: {broken}", case.keys);
        }
    }
}

/// Body of one `ambient` station with this data.
fn ambient(data: &str) -> String {
    format!(r#"[{{"macAddress":"AA","info":{{"name":"A"}},"lastData":{{{data}}}}}]"#)
}

const AMBIENT: &str = KINDS[4].keys;

#[test]
fn absent_outdoor_sensors_leave_the_indoor_ones_intact() {
    let body = ambient(
        r#""dateutc":1769879760000,"tempf":-9999,"humidity":-9999,"winddir":-9999,
        "windspeedmph":-9999,"windgustmph":-9999,"hourlyrainin":0.0,"dailyrainin":0.0,
        "tempinf":66.2,"humidityin":47,"baromrelin":29.94"#,
    );
    let reading = read(&source(AMBIENT, "us"), &body).unwrap();
    for field in ["temperature", "humidity", "wind_direction", "wind_speed", "wind_gust"] {
        let value = value(&reading, field);
        assert_eq!(value.datum, None, "{field}");
        assert!(value.note.unwrap().ends_with("stands for no measurement"), "{field}");
    }
    for (field, expected) in [
        ("indoor_temperature", "66.2 degF"),
        ("indoor_humidity", "47 %"),
        ("pressure", "29.94 inHg"),
        ("rain_rate", "0 in/h"),
        ("rain_today", "0 in"),
    ] {
        let value = value(&reading, field);
        assert_eq!((number(&value).as_deref(), &value.note), (Some(expected), &None), "{field}");
    }
}

#[test]
fn rate_of_rain_is_not_an_amount() {
    let data = r#""dateutc":1769879760000,"tempf":52.9,"hourlyrainin":0.75,"dailyrainin":0.02"#;
    for (units, rate, today) in [("us", "0.75 in/h", "0.02 in"), ("metric", "19 mm/h", "0.508 mm")]
    {
        let reading = read(&source(AMBIENT, units), &ambient(data)).unwrap();
        assert_eq!(number(&value(&reading, "rain_rate")).as_deref(), Some(rate));
        assert_eq!(number(&value(&reading, "rain_today")).as_deref(), Some(today));
        assert!(reading.values.iter().all(|(name, _)| &**name != "rain"));
    }
}

#[test]
fn pressure_is_at_sea_level_in_every_kind_of_weather() {
    let open_meteo = r#"{"elevation":700.0,"current_units":{"temperature_2m":"°F",
        "surface_pressure":"hPa","pressure_msl":"hPa"},"current":{"time":1769879760,
        "temperature_2m":52.2,"surface_pressure":934.1,"pressure_msl":1016.0}}"#;
    let station =
        ambient(r#""dateutc":1769879760000,"tempf":50,"baromrelin":30.0,"baromabsin":27.58"#);
    for (keys, body) in [(KINDS[2].keys, open_meteo), (AMBIENT, &station)] {
        let reading = read(&source(keys, "us"), body).unwrap();
        assert_eq!(number(&value(&reading, "pressure")).as_deref(), Some("30 inHg"));
        assert_eq!(number(&value(&reading, "station_pressure")).as_deref(), Some("27.58 inHg"));
    }
    let nws = r#"{"properties":{"timestamp":"2026-01-31T17:16:00+00:00",
        "barometricPressure":{"unitCode":"wmoUnit:Pa","value":101690,"qualityControl":"qc:V"},
        "seaLevelPressure":{"unitCode":"wmoUnit:Pa","value":101680,"qualityControl":"V"}}}"#;
    let reading = read(&source(KINDS[3].keys, "metric"), nws).unwrap();
    assert_eq!(number(&value(&reading, "pressure")).as_deref(), Some("1016.9 hPa"));
}

#[test]
fn tank_beyond_full_or_empty_keeps_its_value_with_a_note() {
    let ptlevel = |depth| KINDS[0].body.replace("RAW", depth);
    let ptdevices = |percent| KINDS[1].body.replace("RAW", percent);
    let level = "kind = \"json\"\nurl = \"http://h/\"\n\
                 [source.values.level]\npointer = \"/l\"\nunit = \"%\"\n";
    for (keys, body, expected, note) in [
        (KINDS[0].keys, ptlevel("63.40"), "109.3 %", "deeper than the configured height of 58 in"),
        (KINDS[0].keys, ptlevel("102.1"), "176 %", "deeper than the configured height of 58 in"),
        (KINDS[1].keys, ptdevices("176"), "176 %", "more than full"),
        (KINDS[1].keys, ptdevices("-0.3"), "-0.3 %", "less than empty"),
        (level, r#"{"l":176}"#.to_owned(), "176 %", "more than full"),
        (level, r#"{"l":-0.3}"#.to_owned(), "-0.3 %", "less than empty"),
    ] {
        let level = value(&read(&source(keys, "us"), &body).unwrap(), "level");
        assert_eq!(number(&level).as_deref(), Some(expected));
        assert_eq!(level.note.as_deref(), Some(note), "{expected}");
    }
}

#[test]
fn doubt_of_the_quality_control_stays_with_the_value() {
    let body = |letter: &str| {
        format!(
            r#"{{"properties":{{"timestamp":"2026-01-31T17:10:00+00:00","textDescription":"Clear",
            "temperature":{{"unitCode":"wmoUnit:degC","value":57.2,"qualityControl":"{letter}"}},
            "windSpeed":{{"unitCode":"wmoUnit:km_h-1","value":7.5,"qualityControl":"{letter}"}},
            "relativeHumidity":{{"unitCode":"wmoUnit:percent","value":35}}}}}}"#
        )
    };
    let nws = source(KINDS[3].keys, "us");
    for letter in ["Q", "q", "qc:Q", " qc:q "] {
        let reading = read(&nws, &body(letter)).unwrap();
        for (field, expected) in [("temperature", "135 degF"), ("wind_speed", "4.66 mph")] {
            let value = value(&reading, field);
            assert_eq!(number(&value).as_deref(), Some(expected), "{letter}");
            assert_eq!(value.note.as_deref(), Some("doubted by the quality control"), "{letter}");
        }
    }
    for letter in ["X", "x", "qc:X", "qc:B", " x"] {
        let temperature = value(&read(&nws, &body(letter)).unwrap(), "temperature");
        assert_eq!(temperature.datum, None, "{letter}");
        assert_eq!(temperature.note.as_deref(), Some("rejected by the quality control"));
    }
}
