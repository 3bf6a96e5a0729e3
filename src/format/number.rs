//! Numbers: thousands are separated by commas, the minus sign is U+2212.

use crate::board::Datum;
use crate::units::Unit;

/// Returns a number without decimals: `1,185`.
pub(crate) fn whole(number: f64) -> String {
    fixed(number, 0)
}

/// Returns a number with exactly `decimals` decimals: `29.90`.
pub(crate) fn fixed(number: f64, decimals: usize) -> String {
    grouped(&format!("{number:.decimals$}"))
}

/// Magnitude from which a number is written by its power of ten: beyond it, digits say nothing.
const POWERS_FROM: f64 = 1e12;

/// Magnitude below which a number is written by its power of ten.
const POWERS_BELOW: f64 = 1e-6;

/// Returns a number with two decimals below 10, one below 1,000 and none from there on, without
/// trailing zeros: `9.46`, `84.6`, `1,185`.
///
/// A number below 0.1 has three significant digits, so that only 0 is `0`: `0.0017`. A very large or
/// very small one has its power of ten: `1.2 × 10¹⁵`.
pub(crate) fn compact(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= POWERS_FROM => return scientific(number, 2),
        size if size >= 1000.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 || size == 0.0 => 2,
        size if size >= POWERS_BELOW => (2.0 - size.log10().floor()) as usize,
        _ => return scientific(number, 2),
    };
    grouped(trimmed(&format!("{number:.decimals$}")))
}

/// Returns a number for large digits: whole from 10 on, with one decimal from 1 on, and
/// [`compact`] below.
pub(crate) fn headline(number: f64) -> String {
    match number.abs() {
        size if size >= POWERS_FROM => scientific(number, 2),
        size if size >= 10.0 => whole(number),
        size if size >= 1.0 => grouped(trimmed(&format!("{number:.1}"))),
        _ => compact(number),
    }
}

/// Returns a decimal without the zeros at its end: `8.50` as `8.5`, `8.0` as `8`.
fn trimmed(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// Returns a number as a product of a mantissa, with at most `decimals` decimals, and a power of ten:
/// `1.2 × 10¹⁵`.
pub(crate) fn scientific(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$e}");
    // Rust writes an exponent behind every finite number in this format.
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{} × 10{}", grouped(trimmed(mantissa)), superscript(exponent))
}

/// Returns the digits and the sign of an integer as superscripts, for an exponent: `⁻⁹`.
pub(super) fn superscript(integer: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| match c.to_digit(10) {
        Some(digit) => DIGITS[digit as usize],
        None => '⁻',
    };
    integer.chars().map(raised).collect()
}

/// Returns a change with its sign, without decimals from 100 on: `+540`, `−0.4`.
pub(crate) fn signed(change: f64) -> String {
    let size = if change.abs() >= 100.0 { whole(change) } else { compact(change) };
    if change > 0.0 { format!("+{size}") } else { size }
}

/// Returns a datum without its unit: the number, or the text as the upstream sent it.
pub(crate) fn datum(datum: &Datum, unit: Option<Unit>) -> String {
    match (datum, unit) {
        (Datum::Number(number), Some(Unit::Bool)) if number.get() == 1.0 => "On".to_owned(),
        (Datum::Number(number), Some(Unit::Bool)) if number.get() == 0.0 => "Off".to_owned(),
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
            (-0.001, "−0.001"),
            (0.0017, "0.0017"),
            (0.062_137, "0.0621"),
            (0.000_001_234, "0.00000123"),
            (1.234e-9, "1.23 × 10⁻⁹"),
            (-2e15, "−2 × 10¹⁵"),
            (f64::MAX, "1.8 × 10³⁰⁸"),
            (5e-324, "4.94 × 10⁻³²⁴"),
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
        for (number, expected) in [
            (84.6, "85"),
            (9.46, "9.5"),
            (9.96, "10"),
            (3.0, "3"),
            (0.4, "0.4"),
            (0.0003, "0.0003"),
            (0.0, "0"),
            (42_511.4, "42,511"),
            (-12.4, "−12"),
            (3e300, "3 × 10³⁰⁰"),
        ] {
            assert_eq!(headline(number), expected, "{number}");
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
    fn truth_is_on_or_off() {
        for (number, expected) in [(1.0, "On"), (0.0, "Off"), (0.5, "0.5")] {
            let value = Value::number(number, Unit::Bool).datum.unwrap();
            assert_eq!(datum(&value, Some(Unit::Bool)), expected);
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
