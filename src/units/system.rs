//! Systems of units: the unit in which each field is shown.

use strum::{Display, EnumString};

use super::Unit;

/// System of units, as `units` of the configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum System {
    /// `us`: inches, feet, US gallons, °F, mph, inHg for the air and psi for pumps.
    Us,
    /// `metric`: centimetres (millimetres for rain), metres, litres, °C, km/h, hPa, bar for psi.
    Metric,
}

impl System {
    /// Returns the unit of this system for a field that the upstream sent in `unit`.
    ///
    /// A unit that already belongs to the system is returned unchanged.
    pub fn unit_for(self, field: &str, unit: Unit) -> Unit {
        let is_rain = field == "rain" || field.starts_with("rain_");
        match self {
            System::Us => match unit {
                Unit::Centimetre | Unit::Millimetre => Unit::Inch,
                Unit::Metre => Unit::Foot,
                Unit::Litre | Unit::CubicMetre => Unit::UsGallon,
                Unit::LitrePerMinute => Unit::UsGallonPerMinute,
                Unit::LitrePerHour | Unit::CubicMetrePerHour => Unit::UsGallonPerHour,
                Unit::Celsius => Unit::Fahrenheit,
                Unit::KilometrePerHour | Unit::MetrePerSecond | Unit::Knot => Unit::MilePerHour,
                // The air is measured in inches of mercury, and a pump in pounds per square inch.
                Unit::Hectopascal | Unit::Millibar => Unit::InchOfMercury,
                Unit::Pascal | Unit::Kilopascal | Unit::Bar if is_air_pressure(field) => {
                    Unit::InchOfMercury
                }
                Unit::Pascal | Unit::Kilopascal | Unit::Bar => Unit::PoundPerSquareInch,
                Unit::CentimetrePerHour | Unit::MillimetrePerHour => Unit::InchPerHour,
                other => other,
            },
            System::Metric => match unit {
                Unit::Inch if is_rain => Unit::Millimetre,
                Unit::Inch => Unit::Centimetre,
                Unit::Foot => Unit::Metre,
                Unit::UsGallon => Unit::Litre,
                Unit::CubicFoot => Unit::CubicMetre,
                Unit::UsGallonPerMinute => Unit::LitrePerMinute,
                Unit::UsGallonPerHour => Unit::LitrePerHour,
                Unit::Fahrenheit => Unit::Celsius,
                Unit::MilePerHour => Unit::KilometrePerHour,
                Unit::InchOfMercury => Unit::Hectopascal,
                Unit::PoundPerSquareInch => Unit::Bar,
                Unit::InchPerHour if is_rain => Unit::MillimetrePerHour,
                Unit::InchPerHour => Unit::CentimetrePerHour,
                other => other,
            },
        }
    }
}

/// Returns true for the pressure of the air by its standard name.
fn is_air_pressure(field: &str) -> bool {
    matches!(field, "pressure" | "station_pressure")
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("depth", Unit::Metre, Unit::Foot, Unit::Metre),
            ("volume", Unit::CubicMetre, Unit::UsGallon, Unit::CubicMetre),
            ("rain_rate", Unit::InchPerHour, Unit::InchPerHour, Unit::MillimetrePerHour),
            ("flow", Unit::LitrePerMinute, Unit::UsGallonPerMinute, Unit::LitrePerMinute),
            ("wind_speed", Unit::Knot, Unit::MilePerHour, Unit::Knot),
            ("pump_pressure", Unit::Bar, Unit::PoundPerSquareInch, Unit::Bar),
            ("pump_pressure", Unit::PoundPerSquareInch, Unit::PoundPerSquareInch, Unit::Bar),
            ("pressure", Unit::Kilopascal, Unit::InchOfMercury, Unit::Kilopascal),
            ("energy", Unit::KilowattHour, Unit::KilowattHour, Unit::KilowattHour),
        ] {
            assert_eq!(System::Us.unit_for(field, unit), us, "{field}");
            assert_eq!(System::Metric.unit_for(field, unit), metric, "{field}");
        }
    }
}
