//! Units behind their numbers: a sign directly, others after a space, the same in every place of a page.

use super::html;
use crate::board::{SourceView, Value};
use crate::site::chart::fixture::recorded_site;
use crate::site::fixture::{get, pump, tank, text, values, weather};
use crate::units::Unit;

/// Returns the texts of a page, its title, and the attribute from which the read-out of a chart takes the unit.
fn texts(html: &str) -> String {
    let attribute = html
        .split("data-suffix=\"")
        .skip(1)
        .map(|rest| format!("84{}", rest.split('"').next().unwrap()));
    let pieces = html.split('<').filter_map(|piece| piece.split_once('>'));
    pieces.map(|(_, text)| text).collect::<String>() + &attribute.collect::<Vec<_>>().join("\n")
}

/// Requires that the unit follows numbers in this way only.
fn is_uniform(texts: &str, symbol: &str, is_sign: bool) {
    let number = |before: &str| before.ends_with(|c: char| c.is_ascii_digit());
    let mut found = 0;
    for (at, _) in texts.match_indices(symbol) {
        let before = &texts[..at];
        let is_direct = number(before);
        if is_direct || number(before.trim_end()) {
            assert_eq!(is_direct, is_sign, "{symbol}: {}", before.lines().last().unwrap());
            found += 1;
        }
    }
    assert!(found > 0, "{symbol} is not in {texts}");
}

#[test]
fn sign_follows_its_number_directly_and_another_unit_after_a_space_in_every_place() {
    for (unit, rate, symbol, is_sign) in [
        (Unit::Percent, "%/h", "%", true),
        (Unit::Fahrenheit, "degF/h", "°F", true),
        (Unit::Celsius, "degC/h", "°C", true),
        (Unit::Degree, "deg/h", "°", true),
        (Unit::Millimetre, "mm/h", "mm", false),
        (Unit::Bar, "bar/h", "bar", false),
    ] {
        let value = || Value::number(84.0, unit);
        let rate = Unit::from_recorded(rate).unwrap();
        let with = |mut source: SourceView, fields: &[&str]| {
            let reading = source.reading.as_mut().unwrap();
            reading.values = fields.iter().map(|field| ((*field).into(), value())).collect();
            reading.derived = values([
                ("level_rate", Value::number(-2.0, rate)),
                ("level_change_24h", Value::number(-5.0, unit)),
                ("last_refill", Value::text("2026-01-31T12:00:00Z")),
                ("last_refill_amount", Value::number(7.0, unit)),
            ]);
            source
        };
        let place = |source: SourceView, fields: &[&str]| texts(&html(vec![with(source, fields)]));
        for texts in [
            // The title of the page, the figure, a tile, and the trend.
            place(tank(), &["level", "depth"]),
            place(tank(), &["volume"]),
            place(weather(), &["temperature", "wind_speed"]),
            place(weather(), &["wind_direction"]),
            place(pump(), &["battery"]),
        ] {
            is_uniform(&texts, symbol, is_sign);
        }
        let mut source = tank();
        let note = format!("255 {} is not possible", unit.as_str());
        source.reading.as_mut().unwrap().values =
            values([("depth", Value::missing(Some(unit), &*note))]);
        is_uniform(&texts(&html(vec![source])), symbol, is_sign);
    }
    // The description of a chart, and its read-out.
    let recorded = recorded_site("Cistern");
    for path in ["/", "/source/tank", "/chart/tank.level.svg"] {
        let page = get(&recorded.site, path, &[]);
        is_uniform(&texts(text(&page)), "%", true);
    }
}
