use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::board::Datum;

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// Reads a string in a unit, and returns the number or the note.
fn read(text: &str, unit: Option<Unit>) -> Result<(f64, Option<Unit>), String> {
    let quoted = parse(text).and_then(|quoted| in_unit(quoted, unit));
    quoted.map(|quoted| (quoted.number, quoted.unit)).map_err(Note::into_owned)
}

#[test]
fn number_is_read_in_every_way_to_write_it() {
    for (text, number) in [
        ("12.5", 12.5),
        (" 7 ", 7.0),
        ("+5", 5.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0.25e1", -2.5),
        ("1E3", 1000.0),
        // Decimal commas.
        ("12,5", 12.5),
        ("1,18", 1.18),
        ("0,125", 0.125),
        ("-0,125", -0.125),
        ("1234,567", 1234.567),
        // Thousands.
        ("1,185", 1185.0),
        ("-12,500", -12_500.0),
        ("1,185.5", 1185.5),
        ("1.185,5", 1185.5),
        ("1,234,567", 1_234_567.0),
        ("1.234.567", 1_234_567.0),
        ("1,234,567.25", 1_234_567.25),
        ("1.234.567,25", 1_234_567.25),
        ("1 185", 1185.0),
        ("1\u{a0}185", 1185.0),
        ("1\u{202f}185,5", 1185.5),
        ("1 185,125", 1185.125),
        ("1'185", 1185.0),
        ("1’185.5", 1185.5),
        // One point is a decimal point, as in JSON.
        ("1.185", 1.185),
        ("1185.500", 1185.5),
        // Signs that people type.
        ("\u{2212}4.5", -4.5),
        ("- 4.5", -4.5),
        ("\u{2011}4.5", -4.5),
        ("\u{ff0d}4.5", -4.5),
        ("1\u{2009}185", 1185.0),
        ("1\u{205f}185", 1185.0),
    ] {
        assert_eq!(read(text, None), Ok((number, None)), "{text}");
    }
}

#[test]
fn text_that_is_not_a_number_has_a_note_that_quotes_it() {
    let long = format!("{}5", "x".repeat(60));
    let quoted_long = format!("sent as \"{}…\", which is not a number", "x".repeat(40));
    for (text, note) in [
        ("", "sent as an empty text"),
        ("  ", "sent as an empty text"),
        ("----.-", "sent as \"----.-\""),
        ("--", "sent as \"--\""),
        ("N/A", "sent as \"N/A\""),
        ("null", "sent as \"null\""),
        ("unknown", "sent as \"unknown\""),
        ("Unavailable", "sent as \"Unavailable\""),
        ("nan", "sent as \"nan\""),
        ("inf", "sent as \"inf\""),
        ("FULL", "sent as \"FULL\", which is not a number"),
        ("12 pts", "sent as \"12 pts\", in a unit that is not known"),
        ("294.65 K", "sent as \"294.65 K\", in a unit that is not known"),
        ("5 m/s SW", "sent as \"5 m/s SW\", in a unit that is not known"),
        ("5-", "sent as \"5-\", which is not a number"),
        ("½ in", "sent as \"½ in\", which is not a number"),
        ("5' 3.5 1/2\"", "sent as \"5' 3.5 1/2\"\", which is not a number"),
        ("5' 11 3/2\"", "sent as \"5' 11 3/2\"\", which is not a number"),
        ("5' 3 1/3\"", "sent as \"5' 3 1/3\"\", which is not a number"),
        ("49.5 1/2 in", "sent as \"49.5 1/2 in\", which is not a number"),
        ("49 1/2", "sent as \"49 1/2\", which is not a number"),
        ("49 1/2 gal", "sent as \"49 1/2 gal\", which is not a number"),
        ("49 1/0 in", "sent as \"49 1/0 in\", which is not a number"),
        ("1e999", "sent out of range"),
        ("1 2", "sent as \"1 2\", which is not a number"),
        ("1.2.3", "sent as \"1.2.3\", which is not a number"),
        ("1,2,3", "sent as \"1,2,3\", which is not a number"),
        ("1,18,500", "sent as \"1,18,500\", which is not a number"),
        ("1,185.5.5", "sent as \"1,185.5.5\", which is not a number"),
        ("0,125,000", "sent as \"0,125,000\", which is not a number"),
        ("6.6/7", "sent as \"6.6/7\", which is not a number"),
        ("12:30", "sent as \"12:30\", which is not a number"),
        ("0x1F", "sent as \"0x1F\", which is not a number"),
        ("--5", "sent as \"--5\", which is not a number"),
        (&long, &quoted_long),
    ] {
        assert_eq!(read(text, Some(Unit::Percent)), Err(note.to_owned()), "{text}");
    }
}

#[test]
fn unit_behind_a_number_is_converted_to_the_configured_one() {
    use Unit::{
        Celsius, DecibelMilliwatt, Degree, Fahrenheit, Foot, Hectopascal, Inch, InchOfMercury,
        InchPerHour, Litre, Metre, MilePerHour, Percent, UsGallon, Volt, WattPerSquareMetre,
    };
    let label = Unit::from_recorded("bales").unwrap();
    let contradicts = |note: &str| Err(note.to_owned());
    for (text, unit, expected) in [
        ("1.79 mph", MilePerHour, Ok(1.79)),
        ("1.79mph", MilePerHour, Ok(1.79)),
        ("25%", Percent, Ok(25.0)),
        ("0.25 in", Inch, Ok(0.25)),
        ("29.92 inHg", InchOfMercury, Ok(29.92)),
        ("29.92 inHg", Hectopascal, Ok(1013.2)),
        ("-46.00dBm", DecibelMilliwatt, Ok(-46.0)),
        ("4.26 W/m2", WattPerSquareMetre, Ok(4.26)),
        ("0.00 in/Hr", InchPerHour, Ok(0.0)),
        ("1,185 gal", UsGallon, Ok(1185.0)),
        ("1,185 gal", Litre, Ok(4486.0)),
        ("21,5 °C", Celsius, Ok(21.5)),
        ("70 °F", Celsius, Ok(21.1)),
        ("21.5°", Celsius, Ok(21.5)),
        ("270°", Degree, Ok(270.0)),
        ("5.3 in.", Inch, Ok(5.3)),
        // Feet and inches.
        ("5' 3\"", Inch, Ok(63.0)),
        ("5'3", Inch, Ok(63.0)),
        ("5′3″", Inch, Ok(63.0)),
        ("5 ft 3 in", Inch, Ok(63.0)),
        ("5'-3\"", Inch, Ok(63.0)),
        ("5' 3 1/2\"", Inch, Ok(63.5)),
        ("5'-3-1/2\"", Inch, Ok(63.5)),
        ("5 ft 3 3/16 in", Inch, Ok(63.1875)),
        ("5' 3½\"", Inch, Ok(63.5)),
        ("-1' 6 1/2\"", Inch, Ok(-18.5)),
        ("49 1/2 in", Inch, Ok(49.5)),
        ("49-1/2\"", Inch, Ok(49.5)),
        ("49½ in", Inch, Ok(49.5)),
        ("-49 1/4 in", Inch, Ok(-49.25)),
        ("5 feet, 3 inches", Inch, Ok(63.0)),
        ("21.5 ° C", Celsius, Ok(21.5)),
        ("63 IN", Inch, Ok(63.0)),
        // Codes for no measurement look like any other number in another unit.
        ("-999 mm", Inch, contradicts("-999 mm stands for no measurement")),
        ("-9999 °F", Celsius, contradicts("-9999 degF stands for no measurement")),
        ("65535 mm", Inch, contradicts("65535 mm stands for no measurement")),
        ("6553.5 gal", Litre, Ok(24808.0)),
        ("5ft 3.5in", Inch, Ok(63.5)),
        ("5 feet 3 inches", Foot, Ok(5.25)),
        ("-1' 6\"", Inch, Ok(-18.0)),
        ("5ft", Inch, Ok(60.0)),
        ("5'", Metre, Ok(1.52)),
        ("49.09\"", Inch, Ok(49.09)),
        ("5' 13\"", Inch, contradicts("sent as \"5' 13\"\", which is not a number")),
        // Contradictions.
        ("1.176 kPa", Celsius, contradicts("sent in kPa, but degC is configured")),
        ("12 V", Percent, contradicts("sent in V, but % is configured")),
        ("7 in", label, contradicts("sent in in, but bales is configured")),
        ("7", label, Ok(7.0)),
        ("3.3", Volt, Ok(3.3)),
        ("98.6 F", Fahrenheit, Ok(98.6)),
    ] {
        let expected = expected.map(|number| (number, Some(unit)));
        assert_eq!(read(text, Some(unit)), expected, "{text} in {unit}");
    }
    assert_eq!(read("1.79 mph", None), Ok((1.79, Some(MilePerHour))), "the unit that was sent");
}

#[test]
fn quantity_is_read_from_a_json_number_or_string() {
    let inches = |text: &str| quantity(Some(&json(text)), Unit::Inch);
    assert_eq!(inches("49.09"), Value::number(49.09, Unit::Inch));
    assert_eq!(inches("\"2 ft\""), Value::number(24.0, Unit::Inch));
    for (text, note) in [
        ("null", "sent as null"),
        ("1e999", "sent out of range"),
        ("true", "not sent as a number"),
        ("{}", "not sent as a number"),
    ] {
        assert_eq!(inches(text), Value::missing(Some(Unit::Inch), note));
    }
    let missing = Value::missing(Some(Unit::Inch), "missing from the response");
    assert_eq!(quantity(None, Unit::Inch), missing);
}

#[test]
fn text_that_looks_like_a_code_is_no_plain_number() {
    for (text, number) in [
        ("7.2", Some(7.2)),
        ("-12", Some(-12.0)),
        (" 0.50 ", Some(0.5)),
        ("0", Some(0.0)),
        ("+0.3", Some(0.3)),
        ("123456789012345", Some(123_456_789_012_345.0)),
        ("007", None),
        ("00.5", None),
        ("1234567890123456", None),
        ("+41791234567", None),
        ("1e5", None),
        ("12E4", None),
        ("0x10", None),
        ("12,5", None),
        ("1.2.3", None),
        ("1.", None),
        (".5", None),
        ("25%", None),
        ("", None),
        ("NaN", None),
    ] {
        assert_eq!(plain_number(text), number, "{text}");
    }
}

/// Writes the digits of a whole number in groups of three.
fn grouped(whole: u64, separator: &str) -> String {
    let digits = whole.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

proptest! {
    #[test]
    fn any_text_is_a_finite_number_or_has_a_note(text in "\\PC{0,70}") {
        match parse(&text) {
            Ok(quoted) => prop_assert!(quoted.number.is_finite()),
            Err(note) => prop_assert!(!note.is_empty()),
        }
        for unit in Unit::ALL {
            match quantity(Some(&Json::from(text.as_str())), *unit).datum {
                Some(Datum::Number(number)) => prop_assert!(number.get().is_finite()),
                Some(Datum::Text(text)) => prop_assert!(false, "{text}"),
                None => {}
            }
        }
    }

    #[test]
    fn text_of_digits_and_marks_is_a_finite_number_or_has_a_note(
        text in "[-+0-9., '\"eE%ftinm°]{0,24}"
    ) {
        if let Ok(quoted) = parse(&text) {
            prop_assert!(quoted.number.is_finite());
        }
    }

    #[test]
    fn number_is_read_back_in_every_style(
        whole in 0..1_000_000_000_u64,
        cents in 0..100_u32,
        negative: bool,
        unit in proptest::sample::select(Unit::ALL),
    ) {
        let sign = if negative { -1.0 } else { 1.0 };
        let number: f64 = format!("{whole}.{cents:02}").parse::<f64>().unwrap() * sign;
        let minus = if negative { "-" } else { "" };
        for (group, decimal) in
            [("", "."), ("", ","), (",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."), ("’", ",")]
        {
            let mut text = format!("{minus}{}{decimal}{cents:02}", grouped(whole, group));
            prop_assert_eq!(parse(&text), Ok(Quoted { number, unit: None }), "{}", &text);
            write!(text, " {unit}").unwrap();
            let quoted = Quoted { number, unit: Some(unit) };
            prop_assert_eq!(parse(&text), Ok(quoted), "{}", &text);
        }
        let whole_number = whole as f64 * sign;
        for group in ["", " ", "'"] {
            let text = format!("{minus}{}", grouped(whole, group));
            prop_assert_eq!(parse(&text), Ok(Quoted { number: whole_number, unit: None }), "{}", &text);
        }
    }
}
