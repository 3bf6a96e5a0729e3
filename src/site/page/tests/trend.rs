//! Trends in words.

use super::html;
use crate::board::Value;
use crate::site::fixture::{pump, stale, tank, values, weather};
use crate::units::Unit;

#[test]
fn card_of_a_tank_shows_its_trend_in_words() {
    let number = |number, unit| Value::number(number, unit);
    let derived = |rate: f64| {
        values([
            ("volume_rate", number(rate, Unit::UsGallonPerHour)),
            ("volume_change_1h", number(-13.0, Unit::UsGallon)),
            ("volume_change_24h", number(540.0, Unit::UsGallon)),
            ("time_to_empty", number(75.0, Unit::Hour)),
            ("time_to_full", Value::missing(Some(Unit::Hour), "it is not rising")),
            ("last_refill", Value::text("2026-01-31T12:20:00Z")),
            ("last_refill_amount", number(842.0, Unit::UsGallon)),
        ])
    };
    for (rate, sentence) in [
        (-12.8, "<strong>Falling</strong> 12.8 gal/h, empty in 3 days"),
        (12.8, "<strong>Rising</strong> 12.8 gal/h"),
        (0.0, "<strong>Steady</strong>"),
    ] {
        let mut source = tank();
        source.reading.as_mut().unwrap().derived = derived(rate);
        let html = html(vec![source]);
        for words in [
            sentence,
            "<span class=\"delta\">−13 gal</span> in 1 h",
            "<span class=\"delta\">+540 gal</span> in 24 h",
            "Filled by 842 gal, <time datetime=\"2026-01-31T12:20:00Z\"",
            ">5 hours ago</time>",
        ] {
            assert!(html.contains(words), "{words} is not in {html}");
        }
        assert!(!html.contains("Time to empty"), "a value in a sentence has no tile: {html}");
    }
    let mut young = tank();
    young.reading.as_mut().unwrap().derived = derived(1.0)
        .into_iter()
        .map(|(name, value)| (name, Value::missing(value.unit, "too few observations yet")))
        .collect();
    assert!(!html(vec![young]).contains("class=\"trend\""));
}

#[test]
fn card_of_any_kind_shows_trends() {
    let mut source = pump();
    let reading = source.reading.as_mut().unwrap();
    reading.values = values([("volume", Value::number(700.0, Unit::UsGallon))]);
    reading.derived = values([
        ("volume_rate", Value::number(-12.8, Unit::UsGallonPerHour)),
        ("time_to_empty", Value::number(75.0, Unit::Hour)),
        ("battery_change_24h", Value::number(-0.4, Unit::Volt)),
    ]);
    let mut sky = weather();
    sky.reading.as_mut().unwrap().derived =
        values([("temperature_change_24h", Value::number(6.0, Unit::Fahrenheit))]);
    let html = html(vec![source, sky]);
    for words in [
        "<strong>Falling</strong> 12.8 gal/h, empty in 3 days",
        "<span>Battery</span></li><li><span class=\"delta\">−0.4 V</span> in 24 h",
        "<span>Temperature</span></li><li><span class=\"delta\">+6°F</span> in 24 h",
    ] {
        assert!(html.contains(words), "{words} is not in {html}");
    }
    assert!(!html.contains("as of"), "{html}");
}

#[test]
fn forecast_of_a_stale_source_has_the_time_of_its_observation() {
    let mut source = tank();
    source.reading.as_mut().unwrap().derived = values([
        ("volume_rate", Value::number(-12.8, Unit::UsGallonPerHour)),
        ("time_to_empty", Value::number(75.0, Unit::Hour)),
    ]);
    let html = html(vec![stale(source, 10_800)]);
    let (_, after) = html.split_once("empty in 3 days").unwrap();
    assert!(after.starts_with("</span><span class=\"then\">as of <time"), "{html}");
    assert!(after.contains(">3 hours 4 minutes ago</time></span>"), "{html}");
}

#[test]
fn rise_of_days_has_its_length() {
    let refill = |began: &str| {
        let mut source = tank();
        source.reading.as_mut().unwrap().derived = values([
            ("volume_rate", Value::number(255.0, Unit::LitrePerHour)),
            ("time_to_full", Value::number(75.0, Unit::Hour)),
            ("last_refill", Value::text("2026-01-31T17:20:00Z")),
            ("last_refill_began", Value::text(began)),
            ("last_refill_amount", Value::number(24_511.0, Unit::Litre)),
        ]);
        html(vec![source])
    };
    let slow = refill("2026-01-27T15:20:00Z");
    assert!(slow.contains("Filled by 24,511 L over 4 days, until <time"), "{slow}");
    let quick = refill("2026-01-31T16:40:00Z");
    assert!(quick.contains("Filled by 24,511 L, <time"), "{quick}");
}
