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
    /// `h`
    Hour,
    /// `%/h`
    PercentPerHour,
    /// `gal/h`
    UsGallonPerHour,
    /// `L/h`
    LitrePerHour,
    /// `in/h`
    InchPerHour,
    /// `cm/h`
    CentimetrePerHour,
    /// `mm/h`
    MillimetrePerHour,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Unit; 23] = [
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
        Unit::Hour,
        Unit::PercentPerHour,
        Unit::UsGallonPerHour,
        Unit::LitrePerHour,
        Unit::InchPerHour,
        Unit::CentimetrePerHour,
        Unit::MillimetrePerHour,
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
            Unit::Hour => "h",
            Unit::PercentPerHour => "%/h",
            Unit::UsGallonPerHour => "gal/h",
            Unit::LitrePerHour => "L/h",
            Unit::InchPerHour => "in/h",
            Unit::CentimetrePerHour => "cm/h",
            Unit::MillimetrePerHour => "mm/h",
        }
    }

    /// The unit of its change in time, for what is told so: per cent, volumes and lengths.
    pub const fn per_hour(self) -> Option<Unit> {
        match self {
            Unit::Percent => Some(Unit::PercentPerHour),
            Unit::UsGallon => Some(Unit::UsGallonPerHour),
            Unit::Litre => Some(Unit::LitrePerHour),
            Unit::Inch => Some(Unit::InchPerHour),
            Unit::Centimetre => Some(Unit::CentimetrePerHour),
            Unit::Millimetre => Some(Unit::MillimetrePerHour),
            _ => None,
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

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Depth, rain.
    Length,
    /// Volume.
    Volume,
    /// Temperature.
    Temperature,
    /// Speed.
    Speed,
    /// Pressure.
    Pressure,
    /// What is told in one unit only: per cent, degrees of arc, volts, codes.
    Other,
}

/// The units that people of a region are used to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Inches, US gallons, °F, mph, inHg; `us`.
    Us,
    /// Centimetres (rain: millimetres), litres, °C, km/h, hPa; `metric`.
    Metric,
}

impl System {
    /// Both.
    pub const ALL: [System; 2] = [System::Us, System::Metric];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            System::Us => "us",
            System::Metric => "metric",
        }
    }

    /// The unit in which this system tells a field that was sent in `unit`. A unit that already
    /// belongs to the system stays.
    pub fn unit_for(self, field: &str, unit: Unit) -> Unit {
        match (self, unit.quantity()) {
            (System::Us, Quantity::Length) => Unit::Inch,
            (System::Us, Quantity::Volume) => Unit::UsGallon,
            (System::Us, Quantity::Temperature) => Unit::Fahrenheit,
            (System::Us, Quantity::Speed) => Unit::MilePerHour,
            (System::Us, Quantity::Pressure) => Unit::InchOfMercury,
            (System::Metric, Quantity::Length) if unit != Unit::Inch => unit,
            (System::Metric, Quantity::Length) if field.starts_with("rain") => Unit::Millimetre,
            (System::Metric, Quantity::Length) => Unit::Centimetre,
            (System::Metric, Quantity::Volume) => Unit::Litre,
            (System::Metric, Quantity::Temperature) => Unit::Celsius,
            (System::Metric, Quantity::Speed) if unit != Unit::MilePerHour => unit,
            (System::Metric, Quantity::Speed) => Unit::KilometrePerHour,
            (System::Metric, Quantity::Pressure) => Unit::Hectopascal,
            (_, Quantity::Other) => unit,
        }
    }
}

impl Unit {
    /// What it measures.
    pub const fn quantity(self) -> Quantity {
        match self {
            Unit::Inch | Unit::Centimetre | Unit::Millimetre => Quantity::Length,
            Unit::UsGallon | Unit::Litre => Quantity::Volume,
            Unit::Fahrenheit | Unit::Celsius => Quantity::Temperature,
            Unit::MilePerHour | Unit::KilometrePerHour | Unit::MetrePerSecond => Quantity::Speed,
            Unit::InchOfMercury | Unit::Hectopascal => Quantity::Pressure,
            _ => Quantity::Other,
        }
    }

    /// The unit in units of the first one of its quantity. All but the pressure are exact by
    /// definition (NIST SP 811, appendix B.8); the conventional inch of mercury is 25.4 mm of
    /// 133.322 387 415 Pa each.
    const fn factor(self) -> f64 {
        match self {
            Unit::Inch => 25.4,
            Unit::Centimetre => 10.0,
            Unit::UsGallon => 3.785_411_784,
            Unit::MilePerHour => 1.609_344,
            Unit::MetrePerSecond => 3.6,
            Unit::InchOfMercury => 25.4 * 1.333_223_874_15,
            _ => 1.0,
        }
    }

    /// Decimals of a number of that size that was worked out: what sensors resolve in this unit,
    /// and more of small numbers, so that the content of a bucket keeps its digits and what is not
    /// 0 does not become it. Of temperatures, whose zero is arbitrary, no more.
    pub fn decimals_of(self, size: f64) -> i32 {
        let least = self.least_decimals();
        if size == 0.0 || !size.is_finite() || self.quantity() == Quantity::Temperature {
            return least;
        }
        // The logarithm of a finite number is far within an i32.
        let digits = SIGNIFICANT - 1 - size.abs().log10().floor() as i32;
        digits.clamp(least, MOST_DECIMALS)
    }

    /// The number with the decimals of its size.
    pub fn rounded(self, number: f64) -> f64 {
        round_to(number, self.decimals_of(number))
    }

    const fn least_decimals(self) -> i32 {
        match self {
            Unit::UsGallon | Unit::Litre => 0,
            Unit::Inch | Unit::InchOfMercury => 2,
            _ => 1,
        }
    }

    /// The number, told in this unit, as it is told in `other`; `None` when they measure
    /// different things. A converted number is [rounded](Unit::rounded).
    pub fn convert(self, number: f64, other: Unit) -> Option<f64> {
        if self == other {
            return Some(number);
        }
        let converted = match (self, other) {
            (Unit::Fahrenheit, Unit::Celsius) => (number - 32.0) / 1.8,
            (Unit::Celsius, Unit::Fahrenheit) => number * 1.8 + 32.0,
            _ if self.quantity() == other.quantity() && self.quantity() != Quantity::Other => {
                number * self.factor() / other.factor()
            }
            _ => return None,
        };
        Some(other.rounded(converted))
    }
}

/// Digits of a small number that are told at least.
const SIGNIFICANT: i32 = 3;

/// Powers of ten beyond this are none of an `f64`.
const MOST_DECIMALS: i32 = 300;

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
    fn numbers_convert_as_the_tables_say() {
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
            // Small tanks and little rain.
            (0.4, Unit::UsGallon, 1.51, Unit::Litre),
            (1.5, Unit::Litre, 0.396, Unit::UsGallon),
            (45.67, Unit::Litre, 12.1, Unit::UsGallon),
            (-0.4, Unit::UsGallon, -1.51, Unit::Litre),
            (0.1, Unit::Millimetre, 0.00394, Unit::Inch),
            (0.01, Unit::Inch, 0.254, Unit::Millimetre),
            (0.001, Unit::Hectopascal, 0.000_029_5, Unit::InchOfMercury),
            (0.0, Unit::Litre, 0.0, Unit::UsGallon),
            (0.1, Unit::KilometrePerHour, 0.0621, Unit::MilePerHour),
            // The zero of a temperature is no smallness.
            (32.1, Unit::Fahrenheit, 0.1, Unit::Celsius),
        ] {
            assert_eq!(unit.convert(number, other), Some(expected), "{number} {unit} in {other}");
        }
        for tiny in [f64::MIN_POSITIVE, -f64::MIN_POSITIVE, f64::MAX, 5e-324] {
            let told = Unit::Litre.convert(tiny, Unit::UsGallon).unwrap();
            assert!(told.is_finite(), "{tiny}: {told}");
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
    fn each_system_has_its_units() {
        for (field, unit, us, metric) in [
            ("depth", Unit::Inch, Unit::Inch, Unit::Centimetre),
            ("depth", Unit::Centimetre, Unit::Inch, Unit::Centimetre),
            ("rain", Unit::Inch, Unit::Inch, Unit::Millimetre),
            ("rain_daily", Unit::Millimetre, Unit::Inch, Unit::Millimetre),
            ("volume", Unit::UsGallon, Unit::UsGallon, Unit::Litre),
            ("temperature", Unit::Celsius, Unit::Fahrenheit, Unit::Celsius),
            ("wind_gust", Unit::MilePerHour, Unit::MilePerHour, Unit::KilometrePerHour),
            ("wind_gust", Unit::MetrePerSecond, Unit::MilePerHour, Unit::MetrePerSecond),
            ("pressure", Unit::Hectopascal, Unit::InchOfMercury, Unit::Hectopascal),
            ("level", Unit::Percent, Unit::Percent, Unit::Percent),
        ] {
            assert_eq!(System::Us.unit_for(field, unit), us, "{field}");
            assert_eq!(System::Metric.unit_for(field, unit), metric, "{field}");
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
