//! Numbers of each field and unit that are kept, noted or rejected.

use std::path::Path;

use super::*;
use crate::config;

/// Returns the kind of a source with these keys.
fn kind(keys: &str) -> Kind {
    let text = format!("[[source]]\nname = \"s\"\n{keys}");
    config::parse(Path::new("x"), &text, &|_| None).unwrap().sources.remove(0).kind.clone()
}

fn ambient() -> Kind {
    kind("kind = \"ambient\"\napi_key = \"a\"\napplication_key = \"b\"\n")
}

fn ptlevel() -> Kind {
    kind("kind = \"ptlevel\"\nurl = \"http://h/s/x\"\nheight = 58\ncapacity = 1400\n")
}

fn json(limits: &str) -> Kind {
    kind(&format!(
        "kind = \"json\"\nurl = \"http://h/\"\n[source.values.x]\npointer = \"/x\"\n{limits}"
    ))
}

/// Expected result of a check.
enum Expected {
    Kept,
    Noted(&'static str),
    Null,
}
use Expected::{Kept, Noted, Null};

fn check_all(kind: &Kind, cases: &[(&str, f64, Unit, Expected)]) {
    for (field, number, unit, expected) in cases {
        let judged = judge(Fields::of(kind), field, *number, Some(*unit));
        let fits = match expected {
            Kept => judged == Plausibility::Plausible,
            Noted(note) => judged == Plausibility::Doubtful(note),
            Null => matches!(judged, Plausibility::Impossible(_)),
        };
        assert!(fits, "{field} {number} {unit}: {judged:?}");
    }
}

#[test]
fn number_of_a_weather_station_is_within_what_occurs() {
    use Unit::{
        Celsius, Degree, Fahrenheit, Hectopascal, Inch, InchOfMercury, InchPerHour,
        KilometrePerHour, MetrePerSecond, MilePerHour, Millimetre, Percent, WmoCode,
    };
    let cases = [
        ("temperature", -89.2, Celsius, Kept),
        ("temperature", 135.0, Fahrenheit, Kept),
        ("temperature", 81.0, Celsius, Null),
        ("temperature", -9999.0, Fahrenheit, Null),
        // -9999 °F and -999 °C in the other unit.
        ("temperature", -5572.8, Celsius, Null),
        ("temperature", -1766.2, Fahrenheit, Null),
        ("temperature", -99.9, Celsius, Null),
        ("temperature", 6553.5, Fahrenheit, Null),
        ("temperature", 327.67, Celsius, Null),
        ("indoor_temperature", -148.1, Fahrenheit, Null),
        ("humidity", 0.0, Percent, Kept),
        ("humidity", 100.4, Percent, Kept),
        ("humidity", 255.0, Percent, Null),
        ("indoor_humidity", -1.0, Percent, Null),
        ("wind_speed", 0.0, MilePerHour, Kept),
        ("wind_speed", -0.1, MilePerHour, Null),
        ("wind_gust", 408.0, KilometrePerHour, Kept),
        ("wind_gust", 121.0, MetrePerSecond, Null),
        ("wind_direction", 360.0, Degree, Kept),
        ("wind_direction", 361.0, Degree, Null),
        ("wind_direction", -1.0, Degree, Null),
        ("pressure", 1084.8, Hectopascal, Kept),
        ("pressure", 30.05, InchOfMercury, Kept),
        ("pressure", 0.0, InchOfMercury, Null),
        ("pressure", 700.0, Hectopascal, Kept),
        // 65535 Pa are an elevation of 3,500 m, but not at sea level.
        ("pressure", 655.35, Hectopascal, Null),
        ("station_pressure", 655.35, Hectopascal, Kept),
        ("station_pressure", 540.0, Hectopascal, Kept),
        ("station_pressure", 6553.5, Hectopascal, Null),
        ("rain", 0.0, Inch, Kept),
        ("rain", -0.01, Inch, Null),
        ("rain", 655.35, Millimetre, Null),
        ("rain_today", 72.0, Inch, Kept),
        ("rain_today", 80.0, Inch, Null),
        ("weather_code", 99.0, WmoCode, Kept),
        ("weather_code", -1.0, WmoCode, Null),
        ("rain_rate", -0.1, InchPerHour, Null),
    ];
    check_all(&ambient(), &cases);
}

#[test]
fn number_of_a_tank_may_be_a_little_below_empty_and_above_full() {
    use Unit::{Inch, Percent, UsGallon};
    let cases = [
        ("level", 100.0, Percent, Kept),
        ("level", 0.0, Percent, Kept),
        ("level", 176.0, Percent, Noted("more than full")),
        ("level", -0.3, Percent, Noted("less than empty")),
        ("level", -21.0, Percent, Null),
        ("level", -9.99, Percent, Null),
        ("level", 655.35, Percent, Null),
        ("level", 6553.5, Percent, Null),
        ("depth", 63.4, Inch, Kept),
        ("depth", -0.2, Inch, Noted("less than empty")),
        ("depth", -999.9, Inch, Null),
        ("depth", 3276.7, Inch, Null),
        ("depth", 65_535.0, Inch, Null),
        ("volume", 2464.0, UsGallon, Kept),
        ("volume", -4.0, UsGallon, Noted("less than empty")),
        ("volume", -999.0, UsGallon, Null),
        ("volume", 65_535.0, UsGallon, Kept),
    ];
    check_all(&ptlevel(), &cases);
    check_all(&json(""), &cases[..8]);
}

#[test]
fn number_of_a_json_value_is_rejected_by_its_unit() {
    use Unit::{
        Ampere, AmpereHour, Celsius, Centimetre, Degree, Fahrenheit, Hectopascal, Hertz, Hour,
        Inch, InchOfMercury, Kilopascal, Kilowatt, KilowattHour, Litre, LitrePerHour,
        LitrePerMinute, Metre, MetrePerSecond, MicrogramPerCubicMetre, MicrosiemensPerCentimetre,
        Milliampere, MilligramPerLitre, Millimetre, MillimetrePerHour, NephelometricTurbidityUnit,
        PartPerMillion, Percent, PoundPerSquareInch, RevolutionPerMinute, Second,
        UsGallonPerMinute, Volt, Watt, WmoCode,
    };
    let cases = [
        ("boiler", 85.0, Celsius, Kept),
        ("boiler", 185.0, Fahrenheit, Kept),
        ("boiler", 327.67, Celsius, Null),
        ("boiler", 655.35, Celsius, Null),
        ("boiler", 327.0, Celsius, Kept),
        ("boiler", 85.0625, Celsius, Kept),
        ("furnace", 1800.0, Celsius, Kept),
        ("furnace", 3276.7, Celsius, Null),
        ("nitrogen", -195.8, Celsius, Kept),
        ("freezer", -127.0, Celsius, Null),
        ("freezer", -196.6, Fahrenheit, Null),
        ("freezer", -273.2, Celsius, Null),
        ("freezer", -9.99, Celsius, Kept),
        ("temperature", 95.0, Celsius, Kept),
        ("humidity", 106.0, Percent, Null),
        ("humidity", 12.0, Hour, Kept),
        ("wind_direction", 400.0, Degree, Null),
        ("tilt", -45.0, Degree, Kept),
        ("tilt", 3276.7, Degree, Null),
        ("flow", -1.5, MetrePerSecond, Kept),
        ("wind_speed", -1.5, MetrePerSecond, Null),
        ("pressure", -0.9, InchOfMercury, Kept),
        ("pressure", 65_535.0, Hectopascal, Null),
        ("pressure", 6553.5, Hectopascal, Null),
        ("pressure", 655.35, InchOfMercury, Null),
        ("pressure", 200.0, InchOfMercury, Kept),
        ("pressure", 655.35, Kilopascal, Kept),
        ("pressure", 65_535.0, Kilopascal, Null),
        ("pressure", 655.35, PoundPerSquareInch, Null),
        ("pressure", 2500.0, PoundPerSquareInch, Kept),
        ("pressure", -32_768.0, Hectopascal, Null),
        ("pressure", -1101.0, Hectopascal, Null),
        ("battery", 12.6, Volt, Kept),
        ("battery", 65_535.0, Volt, Null),
        ("battery", 655.35, Volt, Null),
        ("battery", 655.0, Volt, Kept),
        ("load", 327.67, Ampere, Null),
        ("load", 327.67, Milliampere, Kept),
        ("soil_moisture", 655.35, Percent, Null),
        ("soil_moisture", -9.99, Percent, Null),
        ("growth", -12.5, Percent, Kept),
        ("co2", 65_535.0, PartPerMillion, Null),
        ("co2", 32_767.0, PartPerMillion, Kept),
        ("well", 65_535.0, MicrosiemensPerCentimetre, Null),
        ("well", 180_000.0, MicrosiemensPerCentimetre, Kept),
        ("motor", 65_535.0, RevolutionPerMinute, Null),
        ("motor", 90_000.0, RevolutionPerMinute, Kept),
        ("mains", 655.35, Hertz, Null),
        ("mains", 50.02, Hertz, Kept),
        ("dust", 6553.5, MicrogramPerCubicMetre, Null),
        ("dust", 65_535.0, MicrogramPerCubicMetre, Null),
        ("dust", 655.35, MicrogramPerCubicMetre, Kept),
        ("dust", 65_535.0, MilligramPerLitre, Kept),
        ("solids", -32_768.0, MilligramPerLitre, Null),
        ("turbidity", 65_535.0, NephelometricTurbidityUnit, Null),
        ("valve", 6553.5, Percent, Null),
        ("code", 100.0, WmoCode, Null),
        ("rain", 12_000.0, Inch, Kept),
        ("rain_total", -0.1, Inch, Null),
        ("depth", -12.3, Inch, Kept),
        ("depth", 65_535.0, Inch, Null),
        ("meter", 65_535.0, Litre, Kept),
        ("meter", -9999.0, Litre, Null),
        ("meter", -32_768.0, Litre, Null),
        ("meter", -999_999.0, Litre, Null),
        ("energy", -32_768.0, KilowattHour, Null),
        ("energy", 65_535.0, KilowattHour, Kept),
        ("power", 65_535.0, Watt, Kept),
        ("power", -999.0, Watt, Kept),
        ("power", 3276.7, Kilowatt, Null),
        ("charge", 65_535.0, AmpereHour, Null),
        ("flow", 65_535.0, LitrePerMinute, Null),
        ("flow", 32_767.0, UsGallonPerMinute, Null),
        ("flow", 65_535.0, LitrePerHour, Kept),
        ("flow", -32_768.0, LitrePerHour, Null),
        ("flow", 40_000.0, LitrePerMinute, Kept),
        ("rise", 65_535.0, MillimetrePerHour, Null),
        ("runtime", 65_535.0, Second, Kept),
        ("runtime", -32_768.0, Second, Null),
        ("distance", -32_767.0, Millimetre, Null),
        ("meter", -999.0, Litre, Null),
        ("meter", -998.0, Litre, Kept),
        ("level", 84.0, Inch, Kept),
        ("level", 65_535.0, Millimetre, Null),
        ("level", -6353.5, Centimetre, Kept),
        ("distance", 65_535.0, Millimetre, Null),
        ("distance", 32_767.0, Millimetre, Null),
        ("distance", 655.35, Metre, Null),
        ("distance", 12_000.0, Metre, Kept),
        ("rain", 65_535.0, Millimetre, Kept),
    ];
    check_all(&json(""), &cases);
    let number = |number| judge(Fields::of(&json("")), "x", number, None);
    assert_eq!(number(65_535.0), Plausibility::Plausible);
    assert!(matches!(number(-9999.0), Plausibility::Impossible(_)));
}

#[test]
fn number_that_cannot_be_measured_is_rejected_without_a_unit_too() {
    for kind in [ambient(), ptlevel(), json(""), json("min = -1e308\nmax = 1e308\n")] {
        for number in [1.7e308, -1.7e308, f64::MAX, 1e16, -1e16] {
            for unit in [None, Some(Unit::Litre), Some(Unit::Fahrenheit)] {
                let judged = judge(Fields::of(&kind), "x", number, unit);
                assert!(matches!(judged, Plausibility::Impossible(_)), "{number}: {judged:?}");
            }
        }
    }
    assert_eq!(judge(Fields::of(&json("")), "x", 1e15, None), Plausibility::Plausible);
    let note = Plausibility::Impossible("1.7e308 is beyond what can be measured".to_owned());
    assert_eq!(judge(Fields::of(&json("")), "x", 1.7e308, None), note);
}

#[test]
fn conversion_of_the_largest_number_is_finite() {
    for from in Unit::ALL {
        for to in Unit::ALL {
            for number in [MAX_MAGNITUDE, -MAX_MAGNITUDE] {
                let converted = from.convert(number, *to);
                assert!(converted.is_none_or(|number| number.abs() < 1e30), "{from} {to}");
            }
        }
    }
}

#[test]
fn configured_bound_replaces_the_limits_on_its_side() {
    let (cold, hot) = (json("min = -20000\n"), json("max = 20000\n"));
    let is_kept = |kind: &Kind, number| {
        judge(Fields::of(kind), "x", number, Some(Unit::Celsius)) == Plausibility::Plausible
    };
    assert!(is_kept(&cold, -9999.0) && !is_kept(&cold, 9999.0));
    assert!(is_kept(&hot, 9999.0) && !is_kept(&hot, -9999.0));
}

#[test]
fn note_shows_the_number_with_its_unit() {
    for (number, note) in
        [(-9999.0, "-9999 degF stands for no measurement"), (451.0, "451 degF is not possible")]
    {
        let judged = judge(Fields::of(&ambient()), "temperature", number, Some(Unit::Fahrenheit));
        assert_eq!(judged, Plausibility::Impossible(note.to_owned()));
    }
}

#[test]
fn sentinel_is_recognised_before_it_is_scaled() {
    for (name, calibration, unit, sent, is_null) in [
        ("x", "scale = 0.5\n", "L", -9999.0, true),
        ("x", "scale = 0.5\n", "L", -999.0, true),
        ("x", "scale = 0.01\n", "degC", -999.0, false),
        ("x", "scale = 0.01\n", "degC", -9999.0, true),
        ("x", "scale = 0.1\ninvert_from = 200\n", "cm", -999.0, true),
        // An ultrasonic sensor without an echo, in millimetres.
        ("depth", "scale = 0.1\ninvert_from = 200\n", "cm", 65_535.0, true),
        ("level", "scale = 0.1\ninvert_from = 200\n", "cm", 65_535.0, true),
        ("x", "scale = 0.1\ninvert_from = 200\n", "cm", 65_535.0, true),
        // Without limits, a negative result shows that the sensor cannot measure so much.
        ("x", "invert_from = 9000\n", "L", 65_535.0, true),
        ("x", "invert_from = 40000\n", "L", 65_535.0, true),
        ("x", "invert_from = 90000\n", "L", 65_535.0, false),
        ("x", "invert_from = 9000\n", "L", 9001.0, false),
        ("x", "invert_from = 200\n", "cm", 150.0, false),
        ("x", "scale = 0.001\n", "V", 65_535.0, false),
        ("x", "offset = 1\n", "L", 65_535.0, false),
        ("x", "offset = 1\nmax = 70000\nmin = -20000\n", "L", -9999.0, false),
    ] {
        let kind = json(&format!("unit = \"{unit}\"\n{calibration}"));
        let Kind::Json(keys) = &kind else { unreachable!() };
        let Calibration { scale, offset, invert_from, .. } = keys.values[0].calibration;
        let scaled = sent * scale + offset;
        let computed = invert_from.map_or(scaled, |from| from - scaled);
        let keys = JsonValue { name: name.into(), ..keys.values[0].clone() };
        let checked = check_sent(&keys, sent, computed, keys.unit);
        assert_eq!(checked.is_err(), is_null, "{name} {calibration} {sent}: {checked:?}");
    }
}
