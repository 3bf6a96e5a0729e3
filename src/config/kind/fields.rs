//! The fields that a source of a kind can have.
//!
//! The decoders of `upstream` make them, and a test there compares these lists with what they make: a
//! configuration is checked by modules below the decoders.

use super::field_type::FieldType;
use super::{Json, Kind, Mapped, ValueType};
use crate::units::Unit;

const PTLEVEL: [&str; 3] = ["level", "depth", "volume"];

const PTDEVICES: [&str; 8] = [
    "level",
    "depth",
    "volume",
    "temperature",
    "enclosure_temperature",
    "battery",
    "battery_status",
    "status",
];

/// Fields that every kind of weather has, so that one replaces another.
const WEATHER: [&str; 6] =
    ["temperature", "humidity", "wind_speed", "wind_gust", "wind_direction", "pressure"];

const OPEN_METEO: [&str; 4] = ["station_pressure", "rain", "weather_code", "conditions"];

const NWS: [&str; 2] = ["rain", "conditions"];

const AMBIENT: [&str; 5] =
    ["station_pressure", "rain_rate", "rain_today", "indoor_temperature", "indoor_humidity"];

impl Kind {
    /// Returns the fields that readings of a source with these keys can have.
    pub fn fields(&self) -> Vec<&str> {
        let weather = |others: &[&'static str]| [&WEATHER, others].concat();
        match self {
            Kind::PtLevel(_) => PTLEVEL.to_vec(),
            Kind::PtDevices(_) => PTDEVICES.to_vec(),
            Kind::OpenMeteo(_) => weather(&OPEN_METEO),
            Kind::Nws(_) => weather(&NWS),
            Kind::Ambient(_) => weather(&AMBIENT),
            Kind::Json(keys) => keys.values.iter().map(|value| &*value.name).collect(),
        }
    }

    /// Returns the type of a field as the decoder makes it; `None` if no reading can have the field.
    pub(in crate::config) fn field_type(&self, field: &str) -> Option<FieldType> {
        match self {
            Kind::Json(keys) => json_type(keys, field),
            _ if !self.fields().contains(&field) => None,
            _ => Some(standard_type(field)),
        }
    }
}

fn json_type(keys: &Json, field: &str) -> Option<FieldType> {
    let value = keys.values.iter().find(|value| *value.name == *field)?;
    if let Some(map) = &value.map {
        let is_text = |(_, mapped): &(String, Mapped)| matches!(mapped, Mapped::Text(_));
        return Some(match map.entries() {
            entries if entries.iter().all(is_text) => FieldType::Text,
            entries if entries.iter().any(is_text) => FieldType::AsSent,
            _ => FieldType::Number(value.unit),
        });
    }
    Some(match value.value_type {
        ValueType::Text => FieldType::Text,
        ValueType::AsSent if value.unit.is_none() => FieldType::AsSent,
        ValueType::AsSent | ValueType::Number | ValueType::Bool => FieldType::Number(value.unit),
    })
}

/// Returns the type of a field that has the same name in all kinds. The unit may be another one of its quantity.
fn standard_type(field: &str) -> FieldType {
    FieldType::Number(Some(match field {
        "level" | "humidity" | "indoor_humidity" => Unit::Percent,
        "depth" | "rain" | "rain_today" => Unit::Inch,
        "volume" => Unit::UsGallon,
        "temperature" | "enclosure_temperature" | "indoor_temperature" => Unit::Fahrenheit,
        "battery" => Unit::Volt,
        "wind_speed" | "wind_gust" => Unit::MilePerHour,
        "wind_direction" => Unit::Degree,
        "pressure" | "station_pressure" => Unit::InchOfMercury,
        "rain_rate" => Unit::InchPerHour,
        "weather_code" => Unit::WmoCode,
        "battery_status" | "status" | "conditions" => return FieldType::Text,
        _ => return FieldType::Unknown,
    }))
}
