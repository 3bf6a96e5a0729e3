//! Aggregation of a quantity over time: what one number stands for several observations.

use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use super::{Quantity, Unit};

/// Aggregation of the observations of a quantity, named as `over_time` in the configuration.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum OverTime {
    /// `mean`: the mean of the numbers, such as temperatures.
    Mean,
    /// `circular`: the direction of the mean vector, such as directions of the wind.
    Circular,
    /// `sum`: the sum of amounts that each belong to the interval before their time, such as rain.
    Sum,
    /// `increase`: the increase of a counter that may be reset to 0, such as rain since midnight.
    Increase,
    /// `max`: the greatest number, such as gusts.
    Max,
    /// `last`: the latest number, such as codes.
    Last,
}

impl OverTime {
    /// Returns the name in JSON and in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the aggregation of a field that configures none: by the standard names of fields,
    /// then by its unit.
    pub fn of(field: &str, unit: Option<Unit>) -> OverTime {
        let quantity = unit.map(Unit::quantity);
        let is_angle = quantity == Some(Quantity::Angle);
        let is_length = quantity == Some(Quantity::Length);
        match field {
            "wind_direction" => OverTime::Circular,
            _ if is_angle && field.ends_with("_direction") => OverTime::Circular,
            _ if field.split('_').any(|word| word == "gust") => OverTime::Max,
            "rain" if is_length => OverTime::Sum,
            // Rain since a point in time: rain_today, rain_daily, rain_total.
            _ if is_length && field.starts_with("rain_") => OverTime::Increase,
            _ => match quantity {
                Some(Quantity::Energy | Quantity::Charge) => OverTime::Increase,
                Some(Quantity::Code) => OverTime::Last,
                _ => OverTime::Mean,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_is_aggregated_by_its_name_and_unit() {
        for (field, unit, expected) in [
            ("temperature", Some(Unit::Celsius), OverTime::Mean),
            ("wind_direction", Some(Unit::Degree), OverTime::Circular),
            ("gust_direction", Some(Unit::Degree), OverTime::Circular),
            ("tilt", Some(Unit::Degree), OverTime::Mean),
            ("wind_gust", Some(Unit::MilePerHour), OverTime::Max),
            ("gust", Some(Unit::Knot), OverTime::Max),
            ("rain", Some(Unit::Millimetre), OverTime::Sum),
            ("rain", None, OverTime::Mean),
            ("rain_today", Some(Unit::Inch), OverTime::Increase),
            ("rain_daily", Some(Unit::Millimetre), OverTime::Increase),
            ("rain_rate", Some(Unit::InchPerHour), OverTime::Mean),
            ("pump_energy", Some(Unit::KilowattHour), OverTime::Increase),
            ("weather_code", Some(Unit::WmoCode), OverTime::Last),
            ("volume", Some(Unit::UsGallon), OverTime::Mean),
            ("ph", None, OverTime::Mean),
        ] {
            assert_eq!(OverTime::of(field, unit), expected, "{field}");
        }
    }
}
