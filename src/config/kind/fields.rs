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

const OPEN_METEO: [&str; 10] = [
    "temperature",
    "humidity",
    "wind_speed",
    "wind_gust",
    "wind_direction",
    "pressure",
    "station_pressure",
    "rain",
    "weather_code",
    "conditions",
];

const NWS: [&str; 8] = [
    "temperature",
    "humidity",
    "wind_speed",
    "wind_gust",
    "wind_direction",
    "pressure",
    "rain",
    "conditions",
];

const AMBIENT: [&str; 11] = [
    "temperature",
    "humidity",
    "wind_speed",
    "wind_gust",
    "wind_direction",
    "pressure",
    "station_pressure",
    "rain_rate",
    "rain_today",
    "indoor_temperature",
    "indoor_humidity",
];

impl Kind {
    /// Returns the fields that readings of a source with these keys can have.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Kind::PtLevel(_) => PTLEVEL.to_vec(),
            Kind::PtDevices(_) => PTDEVICES.to_vec(),
            Kind::OpenMeteo(_) => OPEN_METEO.to_vec(),
            Kind::Nws(_) => NWS.to_vec(),
            Kind::Ambient(_) => AMBIENT.to_vec(),
            Kind::Json(keys) => keys.values.iter().map(|value| &*value.name).collect(),
        }
    }
}
