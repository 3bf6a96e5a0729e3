//! Quantities and the units they are told in.

use std::fmt;

/// A unit of measurement, named as in the JSON API, the configuration and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// `%`
    Percent,
    /// `in`
    Inch,
    /// `cm`
    Centimetre,
    /// `mm`
    Millimetre,
    /// `gal`, US liquid gallon (231 cubic inches)
    UsGallon,
    /// `L`
    Litre,
    /// `degF`
    Fahrenheit,
    /// `degC`
    Celsius,
    /// `mph`
    MilePerHour,
    /// `km/h`
    KilometrePerHour,
    /// `m/s`
    MetrePerSecond,
    /// `deg`, degrees of arc, clockwise from north
    Degree,
    /// `inHg`
    InchOfMercury,
    /// `hPa`
    Hectopascal,
    /// `V`
    Volt,
    /// `WMO`, a code of WMO table 4677 as the weather services use it
    WmoCode,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Unit; 16] = [
        Unit::Percent,
        Unit::Inch,
        Unit::Centimetre,
        Unit::Millimetre,
        Unit::UsGallon,
        Unit::Litre,
        Unit::Fahrenheit,
        Unit::Celsius,
        Unit::MilePerHour,
        Unit::KilometrePerHour,
        Unit::MetrePerSecond,
        Unit::Degree,
        Unit::InchOfMercury,
        Unit::Hectopascal,
        Unit::Volt,
        Unit::WmoCode,
    ];

    /// The exact name used in JSON, configuration and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unit::Percent => "%",
            Unit::Inch => "in",
            Unit::Centimetre => "cm",
            Unit::Millimetre => "mm",
            Unit::UsGallon => "gal",
            Unit::Litre => "L",
            Unit::Fahrenheit => "degF",
            Unit::Celsius => "degC",
            Unit::MilePerHour => "mph",
            Unit::KilometrePerHour => "km/h",
            Unit::MetrePerSecond => "m/s",
            Unit::Degree => "deg",
            Unit::InchOfMercury => "inHg",
            Unit::Hectopascal => "hPa",
            Unit::Volt => "V",
            Unit::WmoCode => "WMO",
        }
    }

    /// The unit of that exact name.
    pub fn parse(name: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.as_str() == name)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Pascals in a conventional inch of mercury: 25.4 mm of 133.322 387 415 Pa each
/// (NIST SP 811, appendix B.8).
const PASCALS_PER_INCH_OF_MERCURY: f64 = 25.4 * 133.322_387_415;

/// Hectopascals as inches of mercury.
pub fn hectopascals_to_inches_of_mercury(hectopascals: f64) -> f64 {
    hectopascals * 100.0 / PASCALS_PER_INCH_OF_MERCURY
}

/// The number rounded half away from zero to that many decimals, as the nearest
/// `f64`, which prints with no more than those decimals.
pub fn round_to(number: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    let rounded = (number * factor).round() / factor;
    // Minus zero would be printed as such.
    if rounded == 0.0 { 0.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_unit() {
        for unit in Unit::ALL {
            assert_eq!(Unit::parse(unit.as_str()), Some(unit));
        }
        for unknown in ["", "IN", "gallons", "% "] {
            assert_eq!(Unit::parse(unknown), None);
        }
    }

    #[test]
    fn pressure_converts_as_the_tables_say() {
        for (hectopascals, inches) in
            [(0.0, 0.0), (1013.25, 29.9213), (33.863_886_4, 1.0), (870.0, 25.6911)]
        {
            let converted = hectopascals_to_inches_of_mercury(hectopascals);
            assert!((converted - inches).abs() < 0.0001, "{hectopascals}: {converted}");
        }
    }

    #[test]
    fn rounding() {
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
