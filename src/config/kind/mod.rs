//! The kinds of sources, with the keys that each adds to its `[[source]]`.

mod field_type;
mod fields;
mod json;
mod tank;
mod weather;

use std::sync::Arc;

use super::secret::Secret;
use super::section::{Section, Spanned};
use super::source_url::SourceUrl;
use crate::suggestion::advice;
use crate::units::OverTime;

pub(super) use field_type::FieldType;
pub use json::{
    BodyFormat, Calibration, Condition, Conditions, Credentials, Json, JsonList, JsonPlace,
    JsonRequest, JsonTime, JsonValue, ListElement, Login, Mapped, Method, NamedFormat, Query,
    TimeFormat, ValueMap, ValueType,
};
pub use tank::{PtDevices, PtLevel};
pub use weather::{Ambient, Nws, OpenMeteo};

/// The API of an upstream, with the keys that it needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A PTLevel share page.
    PtLevel(PtLevel),
    /// The PTDevices API.
    PtDevices(PtDevices),
    /// The Open-Meteo forecast API's current weather.
    OpenMeteo(OpenMeteo),
    /// The latest observation of a station of the US National Weather Service.
    Nws(Nws),
    /// The Ambient Weather API.
    Ambient(Ambient),
    /// Any JSON endpoint, read by pointers.
    Json(Box<Json>),
}

impl Kind {
    /// Returns its name in the configuration and in JSON.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Kind::PtLevel(_) => "ptlevel",
            Kind::PtDevices(_) => "ptdevices",
            Kind::OpenMeteo(_) => "open-meteo",
            Kind::Nws(_) => "nws",
            Kind::Ambient(_) => "ambient",
            Kind::Json(_) => "json",
        }
    }

    /// Returns the secrets in its keys, which are redacted wherever they occur.
    pub fn secrets(&self) -> Vec<Secret> {
        let of_kind = match self {
            Kind::PtLevel(kind) => kind.url.share().into_iter().collect(),
            Kind::PtDevices(kind) => vec![kind.token.clone()],
            Kind::OpenMeteo(_) | Kind::Nws(_) => Vec::new(),
            Kind::Ambient(kind) => vec![kind.api_key.clone(), kind.application_key.clone()],
            Kind::Json(kind) => kind.request.secrets(),
        };
        self.url().secrets().chain(of_kind).collect()
    }

    /// Returns settings that are valid but probably unintended, as texts for people.
    pub(super) fn warnings(&self) -> Vec<String> {
        match self {
            Kind::Json(kind) => kind.warnings(),
            _ => Vec::new(),
        }
    }

    /// Returns the aggregations over time that its keys configure, by field.
    pub fn over_time(&self) -> Vec<(Arc<str>, OverTime)> {
        let Kind::Json(kind) = self else { return Vec::new() };
        let of = |value: &JsonValue| Some((value.name.clone(), value.over_time?));
        kind.values.iter().filter_map(of).collect()
    }

    /// Returns the URL that is polled, or its base.
    pub const fn url(&self) -> &SourceUrl {
        match self {
            Kind::PtLevel(kind) => &kind.url,
            Kind::PtDevices(kind) => &kind.url,
            Kind::OpenMeteo(kind) => &kind.url,
            Kind::Nws(kind) => &kind.url,
            Kind::Ambient(kind) => &kind.url,
            Kind::Json(kind) => &kind.url,
        }
    }
}

/// The name of every kind.
pub const NAMES: [&str; 6] = ["ptlevel", "ptdevices", "open-meteo", "nws", "ambient", "json"];

/// Reads `kind` and the keys that belong to it.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Kind> {
    let kind = section.string("kind");
    let Spanned { value, span } = section.require("kind", kind)?;
    match value.as_str() {
        "ptlevel" => tank::ptlevel(section).map(Kind::PtLevel),
        "ptdevices" => tank::ptdevices(section).map(Kind::PtDevices),
        "open-meteo" => weather::open_meteo(section).map(Kind::OpenMeteo),
        "nws" => weather::nws(section).map(Kind::Nws),
        "ambient" => weather::ambient(section).map(Kind::Ambient),
        "json" => json::read(section).map(Box::new).map(Kind::Json),
        other => {
            let advice = advice(other, NAMES.into_iter());
            section.report(span, format_args!("\"kind\": \"{other}\" is unknown; {advice}"));
            None
        }
    }
}
