//! The fields that a source of a kind can have.
//!
//! The decoders of `upstream` make them, and a test there compares these lists with what they make: a
//! configuration is checked by modules below the decoders.

use super::Kind;

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
}
