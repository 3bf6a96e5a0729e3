//! The main figures of cards: whatever a field with a place of its own holds is shown there, with its
//! note.

use super::html;
use crate::board::{Datum, Finite, Observed, SourceView, Value};
use crate::site::fixture::{at, now, pump, tank, values, weather};
use crate::units::Unit;

const NOTE: &str = "doubted by the quality control";

fn with<const N: usize>(mut source: SourceView, list: [(&str, Value); N]) -> String {
    source.reading.as_mut().unwrap().values = values(list);
    html(vec![source])
}

/// Returns the visible texts of a page, joined.
fn words(html: &str) -> String {
    let (_, main) = html.split_once("<main").unwrap();
    let texts = main.split('<').filter_map(|piece| piece.split_once('>'));
    texts.map(|(_, text)| text).collect::<Vec<_>>().join("")
}

#[test]
fn each_value_with_a_place_of_its_own_is_shown_with_its_note() {
    let label = Unit::from_recorded("bales").unwrap();
    let unitless = || Value::unitless(Finite::new(12.0).unwrap());
    // Each kind of value, and how it is shown.
    let kinds = [
        (Value::number(7.4, Unit::Percent), "7.4%"),
        // Large digits have the unit's name: litres.
        (Value::number(42_511.0, Unit::Litre), "42,511 L"),
        (Value::number(0.004, Unit::Litre), "0.004 L"),
        (Value::number(84.0, Unit::Millimetre), "84 mm"),
        (Value::number(12.0, label), "12 bales"),
        (Value::number(1.0, Unit::Bool), "On"),
        (Value::number(0.0, Unit::Bool), "Off"),
        (Value::number(3e15, Unit::CubicMetre), "3 × 10¹⁵ m³"),
        (unitless(), "12"),
        (Value::text("1,185 gal"), "1,185 gal"),
        (Value::text("ZW"), "ZW"),
        (Value::missing(Some(Unit::Percent), NOTE), "no value"),
    ];
    let places = [
        (tank(), "level"),
        (tank(), "volume"),
        (tank(), "depth"),
        (weather(), "temperature"),
        (weather(), "conditions"),
        (weather(), "weather_code"),
        (weather(), "wind_direction"),
        (weather(), "wind_speed"),
        (pump(), "mode"),
    ];
    for (source, field) in &places {
        for (value, shown) in &kinds {
            let value = Value { note: Some(NOTE.into()), ..value.clone() };
            let text = words(&with(source.clone(), [(field, value)]));
            let is_missing_level = *field == "level" && *shown == "no value";
            let shown = if is_missing_level { "Level unknown" } else { shown };
            let is_shown = text.to_lowercase().contains(&shown.to_lowercase());
            assert!(is_shown, "{field}: {shown} is not in {text}");
            assert_eq!(text.matches(NOTE).count(), 1, "{field} {shown}: {text}");
        }
    }
}

#[test]
fn level_in_another_unit_is_no_percentage() {
    for (value, shown, title) in [
        (Value::number(84.0, Unit::Millimetre), "84 mm", "84 mm"),
        (Value::number(8.0, Unit::UsGallon), "8 gallons", "8 gal"),
        (Value::number(5.0, Unit::Volt), "5 V", "5 V"),
        (Value::unitless(Finite::new(9.0).unwrap()), "Level 9", "9"),
        (Value::text("FULL"), "FULL", "FULL"),
    ] {
        let page = with(tank(), [("level", value)]);
        let text = words(&page);
        assert!(text.contains(shown), "{shown} is not in {text}");
        assert!(page.contains(&format!("<title>{title} · Pumphouse</title>")), "{page}");
        for wrong in [" full", "%", "Low level", "Very low", "Level unknown"] {
            assert!(!text.contains(wrong), "{wrong} is in {text}");
        }
        assert!(!page.contains("class=\"drawing"), "a drawing shows a percentage: {page}");
    }
    let long = with(tank(), [("level", Value::text("x".repeat(200)))]);
    assert!(long.contains(&format!("<title>{}… · Pumphouse</title>", "x".repeat(23))), "{long}");
}

#[test]
fn value_that_a_device_does_not_measure_is_not_shown() {
    let percent_only = || {
        [
            ("level", Value::number(90.0, Unit::Percent)),
            ("volume", Value::missing(Some(Unit::UsGallon), Value::UNSENT)),
            ("depth", Value::missing(Some(Unit::Inch), Value::UNSENT)),
        ]
    };
    let mut device = tank();
    device.kind = "ptdevices";
    let text = words(&with(device.clone(), percent_only()));
    for wrong in ["No reading", "missing", "Volume", "Depth"] {
        assert!(!text.contains(wrong), "{wrong} is in {text}");
    }
    // A volume that was sent and cannot be read is shown, with the reason.
    let unusable = Value::missing(Some(Unit::UsGallon), "sent in an unknown unit");
    let text = words(&with(
        device.clone(),
        [("level", Value::number(90.0, Unit::Percent)), ("volume", unusable)],
    ));
    assert!(text.contains("sent in an unknown unit") && !text.contains("No reading"), "{text}");
    // A field that the configuration shows is shown.
    device.show = ["level".into(), "depth".into()].into();
    let text = words(&with(device, percent_only()));
    assert!(text.contains("Depth") && text.contains(Value::UNSENT), "{text}");
    // A configured value of another kind is expected.
    let mut configured = pump();
    configured.name = "json".into();
    let text = words(&with(configured, percent_only()));
    assert_eq!(text.matches(Value::UNSENT).count(), 2, "{text}");
}

#[test]
fn calm_has_no_direction() {
    let speed = |number| ("wind_speed", Value::number(number, Unit::MilePerHour));
    let degrees = |number| ("wind_direction", Value::number(number, Unit::Degree));
    let null = || ("wind_direction", Value::missing(Some(Unit::Degree), "the station sent null"));
    for (list, shown) in [
        ([speed(0.0), degrees(0.0)], "Calm"),
        ([speed(0.0), degrees(225.0)], "Calm"),
        ([speed(0.0), null()], "Calm"),
        ([speed(3.0), ("wind_direction", Value::text("calm"))], "Calm"),
        ([speed(3.0), degrees(0.0)], "Wind from N 0°, 3 mph"),
        ([speed(3.0), degrees(360.0)], "Wind from N 360°"),
        ([speed(3.0), degrees(9999.0)], "Wind direction: 9,999°"),
        ([speed(3.0), ("wind_direction", Value::text("ZW"))], "Wind direction: ZW"),
        ([speed(3.0), ("wind_direction", Value::text("VRB"))], "Wind direction: VRB"),
        ([speed(3.0), ("wind_direction", Value::text("nne"))], "Wind from nne, 3 mph"),
        ([speed(3.0), null()], "Wind direction: –no valuethe station sent null"),
    ] {
        let text = words(&with(weather(), list));
        assert!(text.contains(shown), "{shown} is not in {text}");
        assert_eq!(text.contains("Wind from"), shown.contains("Wind from"), "{text}");
        assert_eq!(text.contains("sent null"), shown.contains("sent null"), "{text}");
    }
}

#[test]
fn wind_has_its_speeds_behind_its_direction_and_tiles_for_those_with_remarks() {
    let direction = || ("wind_direction", Value::number(315.0, Unit::Degree));
    let mph = |number| Value::number(number, Unit::MilePerHour);
    let noted = Value { note: Some(NOTE.into()), ..mph(9.4) };
    let own = Value { observed: Some(Observed::absolute(at(-90))), ..mph(9.4) };
    for (speed, gust, shown, tiles) in [
        (mph(9.4), mph(14.0), "Wind from NW 315°, 9.4 mph, gusts 14", &[][..]),
        (mph(9.4), Value::number(6.0, Unit::Knot), "9.4 mph, gusts 6 kn", &[]),
        (noted, mph(14.0), "Wind from NW 315°, gusts 14 mph", &["Wind speed"]),
        (own, mph(14.0), "Wind from NW 315°, gusts 14 mph", &["Wind speed"]),
        (mph(0.0), mph(14.0), "Calm", &["Wind speed", "Wind gust"]),
    ] {
        let text =
            words(&with(weather(), [direction(), ("wind_speed", speed), ("wind_gust", gust)]));
        assert!(text.contains(shown), "{shown} is not in {text}");
        for tile in ["Wind speed", "Wind gust"] {
            assert_eq!(text.contains(tile), tiles.contains(&tile), "{tile}: {text}");
        }
    }
}

#[test]
fn code_without_words_is_shown_as_a_number() {
    let code = |number| [("weather_code", Value::number(number, Unit::WmoCode))];
    assert!(words(&with(weather(), code(4.0))).contains("code 4"));
    assert!(words(&with(weather(), code(63.0))).contains("Rain"));
}

#[test]
fn value_with_its_own_time_has_its_own_age() {
    let aged = |seconds: i64| Value {
        observed: Some(Observed::absolute(at(-seconds))),
        ..Value::number(84.6, Unit::Percent)
    };
    for source in [tank(), weather(), pump()] {
        for field in ["level", "depth", "temperature", "humidity"] {
            let page = with(source.clone(), [(field, aged(7200))]);
            assert!(words(&page).contains("Stale, observed 2 hours ago"), "{field}: {page}");
            let page = with(source.clone(), [(field, aged(90))]);
            assert!(words(&page).contains("Observed 1 minute ago"), "{field}: {page}");
        }
        let same = Value {
            observed: Some(source.reading.as_ref().unwrap().observed),
            datum: Some(Datum::text("x")),
            ..Value::text("")
        };
        let text = words(&with(source, [("mode", same)]));
        assert_eq!(text.matches("Observed").count(), 1, "only the card's: {text}");
    }
    assert_eq!(now(), at(0));
}

#[test]
fn stale_level_of_its_own_time_is_stale_in_title_figure_drawing_and_trend() {
    // The reading is fresh; it turns stale 1200 seconds after its observation.
    for (age, is_stale) in [(1199, false), (1200, true)] {
        for (field, unit) in [("level", Unit::Percent), ("level", Unit::Inch)] {
            let value =
                Value { observed: Some(Observed::absolute(at(-age))), ..Value::number(60.0, unit) };
            let mut source = tank();
            source.reading.as_mut().unwrap().derived =
                values([("level_rate", Value::number(-2.0, Unit::PercentPerHour))]);
            let page = with(source, [(field, value)]);
            let symbol = if unit == Unit::Percent { "%" } else { " in" };
            let in_title = format!("<title>60{symbol} (stale) · Pumphouse</title>");
            let is_drawn = unit == Unit::Percent;
            for (words, is_expected) in [
                (&*in_title, true),
                ("<p class=\"level old\"", true),
                ("<svg class=\"drawing old\"", is_drawn),
                ("as of <time", true),
                ("Stale, observed", true),
            ] {
                assert_eq!(page.contains(words), is_stale && is_expected, "{words}: {page}");
            }
            let turns_at = format!("data-old-at=\"{}\"", at(1200 - age).as_second());
            assert_eq!(page.matches(&turns_at).count(), 2 + usize::from(is_drawn), "{page}");
        }
    }
}

#[test]
fn amount_is_shown_with_the_time_that_it_covers() {
    let hour = std::time::Duration::from_secs(3600);
    let rain = Value::number(0.16, Unit::Inch);
    assert!(
        words(&with(weather(), [("rain", rain.clone().over(hour))])).contains("Rain, last hour")
    );
    assert!(!words(&with(weather(), [("rain", rain)])).contains("last hour"));
}
