//! `kind = "json"`: any JSON endpoint, read by pointers.

mod credentials;
mod place;
mod query;
mod request;
mod time;
mod value_type;
mod values;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::section::Section;
use super::super::source_url::SourceUrl;

pub use credentials::{Credentials, Login};
pub use place::{Condition, Conditions, JsonList, JsonPlace, ListElement};
pub use query::Query;
pub use request::{JsonRequest, Method};
pub use time::{JsonTime, NamedFormat, TimeFormat};
pub use value_type::{Mapped, ValueMap, ValueType};
pub use values::{Calibration, JsonValue};

/// Keys of `kind = "json"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// The endpoint.
    pub url: SourceUrl,
    /// Method, fields, body and credentials of each request.
    pub request: Box<JsonRequest>,
    /// Format of the response.
    pub format: BodyFormat,
    /// `[source.values.NAME]`, in the order of the file.
    pub values: Vec<JsonValue>,
    /// Position and format of the time of observation.
    pub observed_at: Option<JsonTime>,
}

impl Json {
    /// Returns true if every reading is dated by points in time that the upstream states. An unchanged
    /// response is then no new observation.
    pub fn states_absolute_times(&self) -> bool {
        let is_absolute =
            |time: &Option<JsonTime>| time.as_ref().is_some_and(JsonTime::is_absolute);
        let of_values = |value: &JsonValue| match &value.observed_at {
            Some(time) => time.is_absolute(),
            None => is_absolute(&self.observed_at),
        };
        is_absolute(&self.observed_at) && self.values.iter().all(of_values)
            || self.observed_at.is_none()
                && self.values.iter().all(|value| is_absolute(&value.observed_at))
    }

    /// Returns settings that are valid but probably unintended.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for JsonValue { name, calibration: Calibration { min, max, .. }, .. } in &self.values {
            if let (Some(min), Some(max)) = (min, max)
                && min > max
            {
                warnings.push(format!(
                    "\"min\" of [source.values.{name}] is greater than its \"max\", so it is always \
                     null"
                ));
            }
        }
        let times = self.values.iter().map(|value| &value.observed_at).chain([&self.observed_at]);
        for time in times.flatten().filter(|time| time.has_idle_zone()) {
            let format = &time.format;
            warnings.push(format!(
                "\"timezone\" of an \"observed_at\" has no effect: the format {format} needs none"
            ));
        }
        warnings
    }
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Json> {
    let url = section.url();
    let request = Box::new(request::read(section));
    let format = section.choice("format").map_or_else(BodyFormat::default, |at| at.value);
    let values = section.section("values", "[source.values]".to_owned());
    let values = section.require("values", values).map(values::values_of);
    let observed_at = section.section("observed_at", "\"observed_at\"".to_owned());
    let observed_at = observed_at.map(time::time_of);
    // A faulty time must not fall back to the time of the poll.
    let observed_at = match observed_at {
        Some(None) => return None,
        Some(time) => time,
        None => None,
    };
    Some(Json { url: url?, request, format, values: values?, observed_at })
}

/// Format of a response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum BodyFormat {
    /// One JSON document, `json`.
    #[default]
    Json,
    /// One JSON document a line, `ndjson`; the last complete line is the reading.
    Ndjson,
}

impl BodyFormat {
    /// Returns its name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
