//! Fields that a source is configured to show.

use super::html;
use crate::board::Value;
use crate::site::fixture::{pump, tank, values, weather};
use crate::units::Unit;

#[test]
fn card_shows_the_configured_fields_in_their_order() {
    let mut source = pump();
    source.show = ["mode".into(), "battery".into(), "gone".into()].into();
    let html = html(vec![source]);
    let at = |words: &str| html.find(words);
    assert!(at(">Mode<").unwrap() < at("</svg>Battery<").unwrap(), "{html}");
    assert_eq!(at("Motor temperature"), None);
}

#[test]
fn card_of_every_kind_shows_only_the_configured_fields() {
    let derived = || {
        values([
            ("volume_rate", Value::number(-12.8, Unit::UsGallonPerHour)),
            ("volume_change_1h", Value::number(-13.0, Unit::UsGallon)),
            ("time_to_empty", Value::number(75.0, Unit::Hour)),
            ("time_to_full", Value::missing(Some(Unit::Hour), "it is not rising")),
            ("last_refill", Value::text("2026-01-31T12:20:00Z")),
            ("last_refill_amount", Value::number(842.0, Unit::UsGallon)),
        ])
    };
    let of_tank = |show: &[&str]| {
        let mut source = tank();
        source.reading.as_mut().unwrap().derived = derived();
        source.show = show.iter().map(|&name| name.into()).collect();
        html(vec![source])
    };
    let of_weather = |show: &[&str]| {
        let mut source = weather();
        source.show = show.iter().map(|&name| name.into()).collect();
        html(vec![source])
    };
    let (level, volume, depth) = ("<p class=\"level\">", "<p class=\"volume\">", "Depth<");
    let (drawing, direction) = ("class=\"drawing", "<strong>Falling</strong> 12.8 gal/h");
    let (change, empty, filled) = ("in 1 h", "empty in 3 days", "Filled ");
    let all = [level, volume, depth, drawing, direction, change, empty, filled];
    for (show, shown) in [
        (&[][..], &all[..]),
        (&["level"], &[level, drawing]),
        (&["volume", "depth"], &[volume, depth]),
        (&["depth", "volume_rate"], &[depth, direction]),
        (&["level", "time_to_empty"], &[level, drawing, empty]),
        (&["volume", "volume_change_1h", "last_refill"], &[volume, change, filled]),
    ] {
        let html = of_tank(show);
        for words in all {
            assert_eq!(html.contains(words), shown.contains(&words), "{words} by {show:?}: {html}");
        }
        let in_tab = html.contains("<title>85%");
        assert_eq!(in_tab, shown.contains(&level), "the tab shows no more than the card");
    }
    // A null that is configured to be shown has its note.
    assert!(of_tank(&["time_to_full"]).contains("it is not rising"));
    let (degrees, sky, vane) = ("<p class=\"temperature\">", "Partly cloudy", "Wind from");
    let (rain, humidity) = ("</svg>Rain<", "</svg>Humidity<");
    let all = [degrees, sky, vane, rain, humidity];
    for (show, shown) in [
        (&[][..], &all[..]),
        (&["temperature"], &[degrees]),
        (&["weather_code", "rain"], &[sky, rain]),
        (&["rain", "humidity", "wind_direction"], &[rain, humidity, vane]),
    ] {
        let html = of_weather(show);
        for words in all {
            assert_eq!(html.contains(words), shown.contains(&words), "{words} by {show:?}: {html}");
        }
    }
    let turned = of_weather(&["rain", "humidity"]);
    assert!(turned.find(rain) < turned.find(humidity), "in the order of the configuration");
}
