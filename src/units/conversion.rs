//! Conversions between units of the same quantity, and the rounding of computed numbers.

use super::{Quantity, Unit};

impl Unit {
    /// Returns the number of decimals to which a computed number of magnitude `size` is rounded.
    ///
    /// These are the decimals that sensors resolve in this unit. A small number gets more of them,
    /// up to three significant digits: the volume of a bucket keeps its digits, and a number other
    /// than 0 is not rounded to 0. A small temperature gets no more, because the zero of its scale
    /// is arbitrary.
    pub fn decimals_of(self, size: f64) -> i32 {
        let least = self.least_decimals();
        if size == 0.0 || !size.is_finite() || self.quantity() == Quantity::Temperature {
            return least;
        }
        // The logarithm of a finite number is far within the range of an i32.
        let digits = SIGNIFICANT_DIGITS - 1 - size.abs().log10().floor() as i32;
        digits.clamp(least, MAX_DECIMALS)
    }

    /// Returns the number rounded to [`decimals_of`](Unit::decimals_of) its own size.
    pub fn rounded(self, number: f64) -> f64 {
        round_to(number, self.decimals_of(number))
    }

    /// Returns true if numbers in this unit can be converted to `other`.
    pub fn converts_to(self, other: Unit) -> bool {
        let (from, to) = (self.quantity(), other.quantity());
        self == other || (from == to && from != Quantity::Unknown)
    }

    /// Converts a number in this unit to `other` and [rounds](Unit::rounded) the result.
    ///
    /// Returns the number unchanged if the units are equal, and `None` if they measure different
    /// quantities.
    pub fn convert(self, number: f64, other: Unit) -> Option<f64> {
        let converted = self.convert_unrounded(number, other)?;
        Some(if self == other { number } else { other.rounded(converted) })
    }

    /// Converts a number in this unit to `other` without rounding it: for a number that is computed with.
    pub fn convert_unrounded(self, number: f64, other: Unit) -> Option<f64> {
        match (self, other) {
            _ if self == other => Some(number),
            _ if !self.converts_to(other) => None,
            (Unit::Fahrenheit, Unit::Celsius) => Some((number - 32.0) / 1.8),
            (Unit::Celsius, Unit::Fahrenheit) => Some(number * 1.8 + 32.0),
            _ => Some(number * self.factor() / other.factor()),
        }
    }
}

/// Least number of significant digits of a small computed number.
const SIGNIFICANT_DIGITS: i32 = 3;

/// Largest exponent of the power of ten by which a number is multiplied to round it: 10^309 is
/// beyond the range of an `f64`.
const MAX_DECIMALS: i32 = 300;

/// Returns the number rounded half away from zero to `decimals` decimals.
///
/// The result is the nearest `f64`, so it prints with at most that many decimals.
pub fn round_to(number: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    let rounded = (number * factor).round() / factor;
    // -0.0 would be printed as "-0".
    if rounded == 0.0 { 0.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converted_number_has_the_decimals_of_its_size() {
        for (number, unit, expected, other) in [
            (1013.25, Unit::Hectopascal, 29.92, Unit::InchOfMercury),
            (30.05, Unit::InchOfMercury, 1017.6, Unit::Hectopascal),
            (100.0, Unit::Celsius, 212.0, Unit::Fahrenheit),
            (-40.0, Unit::Fahrenheit, -40.0, Unit::Celsius),
            (66.9, Unit::Fahrenheit, 19.4, Unit::Celsius),
            (49.09, Unit::Inch, 124.7, Unit::Centimetre),
            (1.0, Unit::Inch, 25.4, Unit::Millimetre),
            (254.0, Unit::Millimetre, 25.4, Unit::Centimetre),
            (1185.0, Unit::UsGallon, 4486.0, Unit::Litre),
            (1000.0, Unit::Litre, 264.0, Unit::UsGallon),
            (60.0, Unit::MilePerHour, 96.6, Unit::KilometrePerHour),
            (10.0, Unit::MetrePerSecond, 22.4, Unit::MilePerHour),
            (36.0, Unit::KilometrePerHour, 10.0, Unit::MetrePerSecond),
            (6.612_345, Unit::Volt, 6.612_345, Unit::Volt),
            // A small tank, and little rain.
            (0.4, Unit::UsGallon, 1.51, Unit::Litre),
            (1.5, Unit::Litre, 0.396, Unit::UsGallon),
            (45.67, Unit::Litre, 12.1, Unit::UsGallon),
            (-0.4, Unit::UsGallon, -1.51, Unit::Litre),
            (0.1, Unit::Millimetre, 0.00394, Unit::Inch),
            (0.01, Unit::Inch, 0.254, Unit::Millimetre),
            (0.001, Unit::Hectopascal, 0.000_029_5, Unit::InchOfMercury),
            (0.0, Unit::Litre, 0.0, Unit::UsGallon),
            (0.1, Unit::KilometrePerHour, 0.0621, Unit::MilePerHour),
            // A temperature near zero is not a small quantity.
            (32.1, Unit::Fahrenheit, 0.1, Unit::Celsius),
        ] {
            assert_eq!(unit.convert(number, other), Some(expected), "{number} {unit} in {other}");
        }
        for extreme in [f64::MIN_POSITIVE, -f64::MIN_POSITIVE, f64::MAX, 5e-324] {
            let converted = Unit::Litre.convert(extreme, Unit::UsGallon).unwrap();
            assert!(converted.is_finite(), "{extreme}: {converted}");
        }
        for (unit, other) in [
            (Unit::Inch, Unit::Litre),
            (Unit::Percent, Unit::Degree),
            (Unit::Celsius, Unit::Hectopascal),
        ] {
            assert_eq!(unit.convert(1.0, other), None);
        }
    }

    #[test]
    fn number_is_rounded_half_away_from_zero() {
        for (number, decimals, rounded) in [
            (84.637_931_034_482_76, 1, "84.6"),
            (1184.93, 0, "1185"),
            (29.921_252, 2, "29.92"),
            (-0.04, 1, "0"),
            (-2.25, 1, "-2.3"),
        ] {
            assert_eq!(round_to(number, decimals).to_string(), rounded);
        }
    }
}
