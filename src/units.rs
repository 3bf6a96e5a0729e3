//! Units of measurement, their names, and the conversions between them.
//!
//! A value keeps the unit that its upstream sent unless `units` or `[source.fields]` of the
//! configuration selects another one: a [`System`] selects the unit for each [`Quantity`], and
//! [`Unit::convert`] converts. A converted number is rounded to what a sensor resolves in the new
//! unit, so that the conversion invents no digits.

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// Unit of measurement, named as in the JSON API, the configuration and the metrics.
///
/// Names are case-sensitive: `L` is a litre, `l` is unknown.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantNames,
)]
pub enum Unit {
    /// `%`
    #[strum(serialize = "%")]
    Percent,
    /// `in`
    #[strum(serialize = "in")]
    Inch,
    /// `cm`
    #[strum(serialize = "cm")]
    Centimetre,
    /// `mm`
    #[strum(serialize = "mm")]
    Millimetre,
    /// `gal`, US liquid gallon (231 cubic inches)
    #[strum(serialize = "gal")]
    UsGallon,
    /// `L`
    #[strum(serialize = "L")]
    Litre,
    /// `degF`
    #[strum(serialize = "degF")]
    Fahrenheit,
    /// `degC`
    #[strum(serialize = "degC")]
    Celsius,
    /// `mph`
    #[strum(serialize = "mph")]
    MilePerHour,
    /// `km/h`
    #[strum(serialize = "km/h")]
    KilometrePerHour,
    /// `m/s`
    #[strum(serialize = "m/s")]
    MetrePerSecond,
    /// `deg`, degrees of arc, clockwise from north
    #[strum(serialize = "deg")]
    Degree,
    /// `inHg`
    #[strum(serialize = "inHg")]
    InchOfMercury,
    /// `hPa`
    #[strum(serialize = "hPa")]
    Hectopascal,
    /// `V`
    #[strum(serialize = "V")]
    Volt,
    /// `WMO`, a code of WMO table 4677 as the weather services use it
    #[strum(serialize = "WMO")]
    WmoCode,
    /// `h`
    #[strum(serialize = "h")]
    Hour,
    /// `%/h`
    #[strum(serialize = "%/h")]
    PercentPerHour,
    /// `gal/h`
    #[strum(serialize = "gal/h")]
    UsGallonPerHour,
    /// `L/h`
    #[strum(serialize = "L/h")]
    LitrePerHour,
    /// `in/h`
    #[strum(serialize = "in/h")]
    InchPerHour,
    /// `cm/h`
    #[strum(serialize = "cm/h")]
    CentimetrePerHour,
    /// `mm/h`
    #[strum(serialize = "mm/h")]
    MillimetrePerHour,
}

impl Unit {
    /// Returns the name used in JSON, configuration and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the unit of this unit's rate of change.
    ///
    /// Percentages, volumes and lengths have one; other units have none.
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

    /// Returns the quantity that the unit measures.
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

    /// Returns the size of the unit relative to a base unit of its quantity: millimetre, litre,
    /// kilometre per hour, hectopascal.
    ///
    /// All factors but the one for pressure are exact by definition (NIST SP 811, appendix B.8).
    /// The conventional inch of mercury is 25.4 mm, and a millimetre of mercury is
    /// 133.322 387 415 Pa.
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

    const fn least_decimals(self) -> i32 {
        match self {
            Unit::UsGallon | Unit::Litre => 0,
            Unit::Inch | Unit::InchOfMercury => 2,
            _ => 1,
        }
    }

    /// Converts a number in this unit to `other` and [rounds](Unit::rounded) the result.
    ///
    /// Returns the number unchanged if the units are equal, and `None` if they measure different
    /// quantities.
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

/// Quantity that a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Depth of water or of rain.
    Length,
    /// Volume.
    Volume,
    /// Temperature.
    Temperature,
    /// Speed of the wind.
    Speed,
    /// Pressure of the air.
    Pressure,
    /// Any quantity without conversions: percentages, angles, volts, codes, hours, rates.
    Other,
}

/// System of units, as `units` of the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum System {
    /// `us`: inches, US gallons, °F, mph, inHg.
    Us,
    /// `metric`: centimetres (millimetres for rain), litres, °C, km/h, hPa.
    Metric,
}

impl System {
    /// Returns the unit of this system for a field that the upstream sent in `unit`.
    ///
    /// A unit that already belongs to the system is returned unchanged.
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
    fn name_of_a_unit_parses_to_that_unit() {
        assert_eq!(Unit::VARIANTS.len(), 23);
        for &name in Unit::VARIANTS {
            let unit: Unit = name.parse().unwrap();
            assert_eq!((unit.as_str(), &*unit.to_string()), (name, name));
        }
        for unknown in ["", "IN", "gallons", "% ", "Percent"] {
            assert!(unknown.parse::<Unit>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn name_of_a_system_parses_to_that_system() {
        for (name, expected) in
            [("us", Some(System::Us)), ("metric", Some(System::Metric)), ("US", None), ("", None)]
        {
            assert_eq!(name.parse().ok(), expected, "{name}");
            assert!(expected.is_none_or(|system| system.to_string() == name), "{name}");
        }
    }

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
    fn system_selects_a_unit_for_each_quantity() {
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
