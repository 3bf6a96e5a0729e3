//! Limits of the numbers of each field and unit.

use std::ops::RangeInclusive;

use super::{Fields, MAX_MAGNITUDE};
use crate::units::{Quantity, Unit};

/// Limits of a field or unit, in `unit`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Limits {
    pub(super) unit: Unit,
    /// Numbers that can be true.
    pub(super) possible: RangeInclusive<f64>,
    /// Numbers that occur. One with the digits of a sentinel is a measurement in here.
    pub(super) usual: RangeInclusive<f64>,
    /// Note on a number below `usual`.
    pub(super) below: Option<&'static str>,
    /// Note on a number above `usual`.
    pub(super) above: Option<&'static str>,
    /// Further sentinel of the sensors of this quantity.
    pub(super) sentinel: Option<f64>,
}

const LESS_THAN_EMPTY: &str = "less than empty";
const MORE_THAN_FULL: &str = "more than full";

impl Limits {
    fn new(unit: Unit, possible: RangeInclusive<f64>, usual: RangeInclusive<f64>) -> Limits {
        Limits { unit, possible, usual, below: None, above: None, sentinel: None }
    }

    fn between(unit: Unit, min: f64, max: f64) -> Limits {
        Limits::new(unit, min..=max, min..=max)
    }

    /// Returns a number in the unit of the limits.
    pub(super) fn converted(&self, number: f64, unit: Option<Unit>) -> f64 {
        unit.and_then(|unit| unit.convert(number, self.unit)).unwrap_or(number)
    }

    /// Adds the notes on a tank that is emptier than empty and fuller than full.
    fn of_content(self) -> Limits {
        Limits { below: Some(LESS_THAN_EMPTY), above: Some(MORE_THAN_FULL), ..self }
    }
}

/// Returns the limits of a field in `unit`.
pub(super) fn limits(fields: Fields<'_>, field: &str, unit: Unit) -> Option<Limits> {
    match fields {
        Fields::Weather => measured_in(unit, of_weather(field)),
        Fields::Tank => measured_in(unit, of_tank(field)),
        Fields::Json(_) => of_json(field, unit),
    }
}

/// Returns the limits of a value of `json` in `unit`.
pub(super) fn of_json(field: &str, unit: Unit) -> Option<Limits> {
    measured_in(unit, of_name(field))
}

/// Returns the limits of a name, or those of the unit if that measures another quantity: a humidity may be
/// absolute.
fn measured_in(unit: Unit, named: Option<Limits>) -> Option<Limits> {
    named.filter(|limits| unit.converts_to(limits.unit)).or_else(|| of_unit(unit))
}

/// Returns the limits of a field of a weather station. They exceed the records of the World Meteorological
/// Organization (<https://wmo.asu.edu/content/world-meteorological-organization-global-weather-climate-extremes-archive>).
fn of_weather(field: &str) -> Option<Limits> {
    Some(match field {
        "temperature" | "indoor_temperature" => {
            Limits::new(Unit::Celsius, -100.0..=80.0, -90.0..=60.0)
        }
        // At sea level: 870 hPa is the record. A station that is not set to its elevation sends less.
        "pressure" => Limits::new(Unit::Hectopascal, 300.0..=1100.0, 850.0..=1100.0),
        "station_pressure" => Limits::between(Unit::Hectopascal, 300.0, 1100.0),
        // Of an hour at most: 305 mm are the record.
        "rain" => Limits::new(Unit::Millimetre, 0.0..=1000.0, 0.0..=300.0),
        // Of a day: 1825 mm are the record.
        "rain_today" => Limits::new(Unit::Millimetre, 0.0..=2000.0, 0.0..=1000.0),
        _ => return of_name(field),
    })
}

/// Returns the limits of a field whose name has one meaning in every kind of source.
fn of_name(field: &str) -> Option<Limits> {
    Some(match field {
        "level" => Limits::new(Unit::Percent, -20.0..=1000.0, 0.0..=100.0).of_content(),
        "volume" => {
            let possible = -MAX_MAGNITUDE..=MAX_MAGNITUDE;
            let usual = 0.0..=MAX_MAGNITUDE;
            Limits::new(Unit::Litre, possible, usual).of_content()
        }
        // A well may be deeper, and its depth relative to any datum.
        "depth" => {
            Limits::new(Unit::Millimetre, -MAX_MAGNITUDE..=MAX_MAGNITUDE, -30_000.0..=30_000.0)
        }
        // A hygrometer in fog reports a little more than 100 %.
        "humidity" => Limits::between(Unit::Percent, 0.0, 105.0),
        _ if field.ends_with("_humidity") => Limits::between(Unit::Percent, 0.0, 105.0),
        "wind_direction" => Limits::between(Unit::Degree, 0.0, 360.0),
        "wind_speed" | "wind_gust" => Limits::between(Unit::MetrePerSecond, 0.0, 120.0),
        "rain_rate" => Limits::new(Unit::MillimetrePerHour, 0.0..=3000.0, 0.0..=1000.0),
        // An amount of any time: there are counters that never reset.
        _ if field == "rain" || field.starts_with("rain_") => {
            Limits::between(Unit::Millimetre, 0.0, MAX_MAGNITUDE)
        }
        _ => return None,
    })
}

/// Returns the limits of a field of a tank sensor.
fn of_tank(field: &str) -> Option<Limits> {
    Some(match field {
        "depth" => Limits {
            below: Some(LESS_THAN_EMPTY),
            ..Limits::new(Unit::Millimetre, -500.0..=100_000.0, 0.0..=30_000.0)
        },
        "volume" => {
            Limits::new(Unit::Litre, -1000.0..=MAX_MAGNITUDE, 0.0..=MAX_MAGNITUDE).of_content()
        }
        "temperature" | "enclosure_temperature" => {
            Limits::new(Unit::Celsius, -100.0..=100.0, -60.0..=90.0)
        }
        "battery" => Limits::between(Unit::Volt, 0.0, 100.0),
        _ => return of_name(field),
    })
}

/// Returns the limits of any number in this unit; `None` if any number can be true.
///
/// The range that occurs is narrower than the possible one. Only a number with the digits of a sentinel is rejected
/// between the two: a furnace has 1200 °C, but exactly 655.35 °C is a sensor that is absent.
pub(super) fn of_unit(unit: Unit) -> Option<Limits> {
    const ANY: RangeInclusive<f64> = -MAX_MAGNITUDE..=MAX_MAGNITUDE;
    Some(match unit.quantity() {
        Quantity::Temperature => Limits {
            // A DS18B20 that does not answer.
            sentinel: Some(-127.0),
            // From the absolute zero to the end of thermocouples.
            ..Limits::new(Unit::Celsius, -273.15..=3000.0, -80.0..=200.0)
        },
        // A pressure may be relative to that of the air: a vacuum is above -1100 hPa.
        // In these units it is mostly that of the air itself, in others that of a pipe.
        Quantity::Pressure => {
            let is_of_air =
                matches!(unit, Unit::Hectopascal | Unit::Millibar | Unit::InchOfMercury);
            let most = if is_of_air { 1100.0 } else { 20_000.0 };
            Limits::new(Unit::Hectopascal, -1100.0..=1e7, -1100.0..=most)
        }
        // The distance to the water, the depth of a well, the height of a cloud.
        Quantity::Length => Limits::new(Unit::Millimetre, ANY, -30_000.0..=30_000.0),
        // Water that falls and rises in a tank, rain, and flows that turn back. Counters are positive.
        Quantity::LengthRate => Limits::new(Unit::MillimetrePerHour, ANY, -10_000.0..=10_000.0),
        Quantity::VolumeFlow => Limits::new(Unit::LitrePerHour, ANY, -30_000.0..=1e6),
        Quantity::Volume => Limits::new(Unit::Litre, ANY, -30_000.0..=MAX_MAGNITUDE),
        Quantity::Energy => Limits::new(Unit::KilowattHour, ANY, -30_000.0..=MAX_MAGNITUDE),
        Quantity::Power => Limits::new(Unit::Watt, ANY, -1e6..=1e6),
        Quantity::Charge => Limits::new(Unit::AmpereHour, ANY, -10_000.0..=10_000.0),
        Quantity::Time => Limits::new(Unit::Second, ANY, -30_000.0..=MAX_MAGNITUDE),
        Quantity::Speed => Limits::new(Unit::MetrePerSecond, -1000.0..=1000.0, -150.0..=150.0),
        Quantity::Ratio => Limits::new(Unit::Percent, -1000.0..=10_000.0, 0.0..=200.0),
        Quantity::Angle => Limits::new(Unit::Degree, -36_000.0..=36_000.0, -360.0..=360.0),
        Quantity::Voltage => Limits::new(Unit::Volt, -1e6..=1e6, -300.0..=300.0),
        Quantity::Current => Limits::new(Unit::Ampere, -1e6..=1e6, -300.0..=300.0),
        // The sun gives 1361 W/m2 above the atmosphere; a radiometer at night is a little below 0.
        Quantity::Irradiance => Limits::between(Unit::WattPerSquareMetre, -500.0, 5000.0),
        // The sun gives 130,000 lx.
        Quantity::Illuminance => Limits::between(Unit::Lux, 0.0, 1e6),
        Quantity::UvIndex => Limits::between(Unit::UvIndex, 0.0, 50.0),
        Quantity::Acidity => Limits::between(Unit::Ph, -2.0, 16.0),
        Quantity::SoundLevel => Limits::between(Unit::Decibel, -200.0, 300.0),
        Quantity::SignalLevel => Limits::between(Unit::DecibelMilliwatt, -200.0, 100.0),
        Quantity::Concentration => Limits::new(Unit::PartPerMillion, -1000.0..=1e6, 0.0..=50_000.0),
        // Sea water has 55,000 uS/cm.
        Quantity::Conductivity => Limits::new(Unit::MicrosiemensPerCentimetre, ANY, 0.0..=60_000.0),
        Quantity::Turbidity => Limits::new(Unit::NephelometricTurbidityUnit, ANY, 0.0..=5000.0),
        Quantity::Frequency => Limits::new(Unit::Hertz, ANY, 0.0..=300.0),
        Quantity::Rotation => Limits::new(Unit::RevolutionPerMinute, ANY, -30_000.0..=30_000.0),
        // Particles in the air; other densities may be of anything.
        Quantity::Density if unit == Unit::MicrogramPerCubicMetre => {
            Limits::new(unit, ANY, 0.0..=5000.0)
        }
        Quantity::Density => Limits::new(Unit::GramPerCubicMetre, ANY, 0.0..=1e6),
        Quantity::Code => Limits::between(Unit::WmoCode, 0.0, 99.0),
        _ => return None,
    })
}
