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

/// Largest drop of a counter that is not a reset, as a share of its number.
const MAX_DIP_SHARE: f64 = 0.1;

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
            _ if is_length && is_running_rain(field) => OverTime::Increase,
            _ if quantity == Some(Quantity::Volume) && is_totaliser(field) => OverTime::Increase,
            _ => match quantity {
                // A charge is not a counter: that of a battery falls and rises.
                Some(Quantity::Energy) => OverTime::Increase,
                Some(Quantity::Code) => OverTime::Last,
                _ => OverTime::Mean,
            },
        }
    }
}

/// Returns true for rain since a point in time, such as `rain_today`. Rain of a window that moves on, such
/// as `rain_24h`, is no counter: it also falls.
fn is_running_rain(field: &str) -> bool {
    const SINCE: [&str; 10] = [
        "today", "daily", "total", "event", "week", "weekly", "month", "monthly", "year", "yearly",
    ];
    field.strip_prefix("rain_").is_some_and(|since| SINCE.contains(&since))
}

/// Returns true for a field that is named as the count of a water meter.
fn is_totaliser(field: &str) -> bool {
    let (first, last) = (field.split('_').next(), field.rsplit('_').next());
    first == Some("total") || matches!(last, Some("total" | "meter"))
}

/// Returns by how much a counter rose from one number to the next, as for Home Assistant's
/// `total_increasing`.
///
/// If the number drops by more than a tenth, the counter was reset and has counted from 0 since. A smaller
/// drop is a correction or noise: the rise is negative, so that the rises add up to the difference.
pub fn rise(before: f64, number: f64) -> f64 {
    if is_reset(before, number) { number.max(0.0) } else { number - before }
}

/// Returns true if a counter was reset between two numbers.
pub fn is_reset(before: f64, number: f64) -> bool {
    // A drop makes a negative number larger.
    let share = if before < 0.0 { -MAX_DIP_SHARE } else { MAX_DIP_SHARE };
    number < (1.0 - share) * before
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
            ("rain_total", Some(Unit::Millimetre), OverTime::Increase),
            ("rain_yearly", Some(Unit::Inch), OverTime::Increase),
            // Amounts of a window that moves on.
            ("rain_1h", Some(Unit::Millimetre), OverTime::Mean),
            ("rain_24h", Some(Unit::Inch), OverTime::Mean),
            ("rain_hourly", Some(Unit::Millimetre), OverTime::Mean),
            ("total", Some(Unit::CubicMetre), OverTime::Increase),
            ("water_total", Some(Unit::UsGallon), OverTime::Increase),
            ("total_water", Some(Unit::Litre), OverTime::Increase),
            ("meter", Some(Unit::CubicFoot), OverTime::Increase),
            ("well_meter", Some(Unit::CubicMetre), OverTime::Increase),
            ("pump_total", Some(Unit::Kilowatt), OverTime::Mean),
            ("battery_charge", Some(Unit::AmpereHour), OverTime::Mean),
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
