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
