//! Numbers, units and names as people read them.

use crate::board::{Datum, SourceView, Value};
use crate::units::Unit;

/// A number without decimals, its thousands apart: `1,185`.
pub(super) fn whole(number: f64) -> String {
    grouped(&format!("{number:.0}"))
}

/// A number with as many decimals as a reader can use.
pub(in crate::site) fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    grouped(text)
}

/// A number in digits, its thousands apart and its minus as wide as a digit.
pub(in crate::site) fn grouped(text: &str) -> String {
    let text = if text == "-0" { "0" } else { text };
    let (sign, digits) = match text.strip_prefix('-') {
        // U+2212, which is as wide as a digit.
        Some(digits) => ("−", digits),
        None => ("", text),
    };
    let (integer, fraction) = match digits.find('.') {
        Some(point) => digits.split_at(point),
        None => (digits, ""),
    };
    let mut out = String::from(sign);
    for (index, digit) in integer.chars().enumerate() {
        if index > 0 && (integer.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

/// A datum in words: the number with its decimals cut to what is useful, or the text.
pub(super) fn datum(datum: &Datum, unit: Option<Unit>) -> String {
    match (datum, unit) {
        // A barometer is read to the hundredth: half an inch is the range of the weather.
        (Datum::Number(number), Some(Unit::InchOfMercury)) => format!("{:.2}", number.get()),
        (Datum::Number(number), _) => short(number.get()),
        (Datum::Text(text), _) => text.to_string(),
    }
}

/// A unit as it is printed after a number.
pub(in crate::site) fn symbol(unit: Unit) -> &'static str {
    match unit {
        Unit::Fahrenheit => "°F",
        Unit::Celsius => "°C",
        Unit::Degree => "°",
        Unit::WmoCode => "",
        _ => unit.as_str(),
    }
}

/// A unit as it is spoken of where there is room for it.
pub(super) fn spelled(unit: Unit) -> &'static str {
    match unit {
        Unit::UsGallon => "gallons",
        Unit::Litre => "litres",
        Unit::Inch => "inches",
        _ => symbol(unit),
    }
}

/// `wind_speed` as `Wind speed`.
pub(in crate::site) fn label(field: &str) -> String {
    let mut text = field.replace('_', " ");
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// The value of that field, if the source has it.
pub(super) fn find<'a>(source: &'a SourceView, field: &str) -> Option<&'a Value> {
    source.value(field)
}

/// The number in that field, if there is one.
pub(super) fn number(source: &SourceView, field: &str) -> Option<(f64, Option<Unit>)> {
    let value = find(source, field)?;
    match value.datum {
        Some(Datum::Number(number)) => Some((number.get(), value.unit)),
        _ => None,
    }
}

/// The point of the compass nearest to an angle, of sixteen.
pub(super) fn compass(degrees: f64) -> &'static str {
    const POINTS: [&str; 16] = [
        "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW",
        "NW", "NNW",
    ];
    // A float turns into the nearest integer of the type, so the index is in range.
    POINTS[(degrees.rem_euclid(360.0) / 22.5).round() as usize % POINTS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.001, "0"),
            (84.6, "84.6"),
            (49.09, "49.1"),
            (30.05, "30.1"),
            (9.456, "9.46"),
            (-12.0, "−12"),
            (999.96, "1,000"),
            (1185.0, "1,185"),
            (-1_234_567.8, "−1,234,568"),
            (100.0, "100"),
            (0.5, "0.5"),
        ] {
            assert_eq!(short(number), expected, "{number}");
        }
        assert_eq!(whole(84.6), "85");
    }

    #[test]
    fn a_barometer_is_read_to_the_hundredth() {
        let number = |number| Value::number(number, Unit::InchOfMercury).datum.unwrap();
        for (pressure, expected) in [(30.05, "30.05"), (29.9, "29.90")] {
            assert_eq!(datum(&number(pressure), Some(Unit::InchOfMercury)), expected);
        }
    }

    #[test]
    fn angles_have_names() {
        for (degrees, point) in
            [(0.0, "N"), (11.0, "N"), (12.0, "NNE"), (315.0, "NW"), (359.0, "N"), (-90.0, "W")]
        {
            assert_eq!(compass(degrees), point, "{degrees}");
        }
    }

    #[test]
    fn fields_have_names() {
        assert_eq!(label("wind_speed"), "Wind speed");
        assert_eq!(label(""), "");
    }
}
