//! Units, names of fields and directions.

use crate::units::Unit;

/// Returns the symbol that is printed behind a number in this unit; empty for codes and truths.
pub(crate) fn symbol(unit: Unit) -> &'static str {
    match unit {
        Unit::Fahrenheit => "°F",
        Unit::Celsius => "°C",
        Unit::Degree => "°",
        Unit::WmoCode | Unit::Bool => "",
        Unit::CubicMetre => "m³",
        Unit::CubicFoot => "ft³",
        Unit::CubicMetrePerHour => "m³/h",
        Unit::WattPerSquareMetre => "W/m²",
        Unit::GramPerCubicMetre => "g/m³",
        Unit::MicrogramPerCubicMetre => "µg/m³",
        Unit::MicrosiemensPerCentimetre => "µS/cm",
        Unit::Label(label) => rate_symbol(label.as_str()),
        _ => unit.as_str(),
    }
}

/// Returns the symbol of a rate that the board derives in a unit without a unit of rate: see `Unit::per_hour`.
fn rate_symbol(label: &'static str) -> &'static str {
    match label {
        "degF/h" => "°F/h",
        "degC/h" => "°C/h",
        "ft3/h" => "ft³/h",
        "W/m2/h" => "W/m²/h",
        "g/m3/h" => "g/m³/h",
        "ug/m3/h" => "µg/m³/h",
        "uS/cm/h" => "µS/cm/h",
        other => other,
    }
}

/// Returns true for a symbol that follows its number directly: `85%`, `52°F`, `2.4%/h`. Other symbols follow
/// after a space: `84 mm`.
pub(crate) fn is_sign(symbol: &str) -> bool {
    symbol.starts_with(['%', '°'])
}

/// Returns the symbol of a unit as it follows a number in a text, with the space before it: `%`, ` mm`; empty
/// without a unit, and for codes and truths.
pub(crate) fn suffix(unit: Option<Unit>) -> String {
    match unit.map_or("", symbol) {
        "" => String::new(),
        sign if is_sign(sign) => sign.to_owned(),
        symbol => format!(" {symbol}"),
    }
}

/// Returns the unit's name where a tank has one, for places with room, and else its symbol.
pub(crate) fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::UsGallon => "gallons",
        Unit::Litre => "litres",
        Unit::Inch => "inches",
        _ => symbol(unit),
    }
}

/// Returns the label of a field: `Wind speed` for `wind_speed`.
pub(crate) fn field_label(field: &str) -> String {
    let mut text = field.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Points of the compass, from north on.
const POINTS: [&str; 16] = [
    "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW",
    "NNW",
];

/// Returns true for the abbreviation of a point of the compass, in upper or lower case.
pub(crate) fn is_compass_point(text: &str) -> bool {
    POINTS.iter().any(|point| point.eq_ignore_ascii_case(text.trim()))
}

/// Returns the nearest of the sixteen points of the compass.
pub(crate) fn compass_point(degrees: f64) -> &'static str {
    // The remainder is from 0 to 360, so the quotient is at most 16 and the cast is exact.
    POINTS[(degrees.rem_euclid(360.0) / 22.5).round() as usize % POINTS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angle_has_the_nearest_point() {
        for (degrees, point) in
            [(0.0, "N"), (11.0, "N"), (12.0, "NNE"), (315.0, "NW"), (359.0, "N"), (-90.0, "W")]
        {
            assert_eq!(compass_point(degrees), point, "{degrees}");
        }
    }

    #[test]
    fn only_signs_follow_their_number_directly() {
        for (text, expected) in [
            ("%", "85%"),
            ("%/h", "85%/h"),
            ("degF", "85°F"),
            ("degC", "85°C"),
            ("deg", "85°"),
            ("degF/h", "85°F/h"),
            ("mm", "85 mm"),
            ("gal/min", "85 gal/min"),
            ("WMO", "85"),
            ("bool", "85"),
        ] {
            let unit = Unit::from_recorded(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(format!("85{}", suffix(Some(unit))), expected);
        }
        assert_eq!(suffix(None), "");
    }

    #[test]
    fn rate_has_the_symbol_of_its_unit() {
        for name in Unit::NAMES {
            let unit = Unit::from_recorded(name).unwrap();
            if let Some(rate @ Unit::Label(_)) = unit.per_hour() {
                assert_eq!(symbol(rate), format!("{}/h", symbol(unit)));
            }
        }
    }

    #[test]
    fn label_begins_with_a_capital() {
        assert_eq!(field_label("wind_speed"), "Wind speed");
        assert_eq!(field_label(""), "");
    }
}
