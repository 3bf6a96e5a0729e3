//! Numbers: thousands are separated by commas, the minus sign is U+2212.

use crate::board::Datum;
use crate::units::Unit;

/// Returns a number without decimals: `1,185`.
pub(in crate::site) fn whole(number: f64) -> String {
    fixed(number, 0)
}

/// Returns a number with exactly `decimals` decimals: `29.90`.
pub(in crate::site) fn fixed(number: f64, decimals: usize) -> String {
    grouped(&format!("{number:.decimals$}"))
}

/// Returns a number with two decimals below 10, one below 1,000 and none from there on, without
/// trailing zeros: `9.46`, `84.6`, `1,185`.
pub(in crate::site) fn compact(number: f64) -> String {
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

/// Returns a change with its sign, without decimals from 100 on: `+540`, `−0.4`.
pub(in crate::site) fn signed(change: f64) -> String {
    let size = if change.abs() >= 100.0 { whole(change) } else { compact(change) };
    if change > 0.0 { format!("+{size}") } else { size }
}

/// Returns a datum without its unit: the number, or the text as the upstream sent it.
pub(in crate::site) fn datum(datum: &Datum, unit: Option<Unit>) -> String {
    match (datum, unit) {
        // Barometers are read to the hundredth of an inch; weather moves them by half an inch.
        (Datum::Number(number), Some(Unit::InchOfMercury)) => format!("{:.2}", number.get()),
        (Datum::Number(number), _) => compact(number.get()),
        (Datum::Text(text), _) => text.to_string(),
    }
}

/// Returns the decimal `text` with a comma between each three digits of its integer part.
fn grouped(text: &str) -> String {
    let text = if text == "-0" { "0" } else { text };
    let (sign, digits) = match text.strip_prefix('-') {
        // U+2212 is as wide as a digit.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Value;

    #[test]
    fn compact_number_has_the_decimals_of_its_size() {
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
            assert_eq!(compact(number), expected, "{number}");
        }
        assert_eq!(whole(84.6), "85");
        assert_eq!(fixed(-1234.5, 2), "−1,234.50");
    }

    #[test]
    fn change_has_its_sign() {
        for (change, expected) in
            [(540.4, "+540"), (6.0, "+6"), (0.0, "0"), (-0.4, "−0.4"), (-1300.0, "−1,300")]
        {
            assert_eq!(signed(change), expected, "{change}");
        }
    }

    #[test]
    fn barometer_has_two_decimals() {
        let number = |number| Value::number(number, Unit::InchOfMercury).datum.unwrap();
        for (pressure, expected) in [(30.05, "30.05"), (29.9, "29.90")] {
            assert_eq!(datum(&number(pressure), Some(Unit::InchOfMercury)), expected);
        }
    }
}
