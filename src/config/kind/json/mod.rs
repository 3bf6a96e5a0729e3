//! `kind = "json"`: any JSON endpoint, read by pointers.

mod credentials;
mod request;
mod time;
mod values;

use std::str::FromStr;

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::secret::Secret;
use super::super::section::{Section, Spanned};
use super::super::source_url::SourceUrl;

pub use credentials::Credentials;
pub use request::JsonRequest;
pub use time::{JsonTime, TimeFormat};
pub use values::JsonValue;

/// Keys of `kind = "json"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// The endpoint.
    pub url: SourceUrl,
    /// What is sent to the endpoint.
    pub request: JsonRequest,
    /// Format of the response.
    pub format: BodyFormat,
    /// `[source.values.NAME]`, in the order of the file.
    pub values: Vec<JsonValue>,
    /// Position and format of the time of observation.
    pub observed_at: Option<JsonTime>,
}

impl Json {
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let mut secrets: Vec<Secret> = self.url.secrets().collect();
        secrets.extend(self.request.secrets());
        secrets
    }
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Json> {
    let url = section.url();
    let request = request::read(section);
    let format = choice(section, "format").unwrap_or_default();
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

/// Reads a string that is one of the names of an enumeration.
fn choice<T: FromStr + VariantNames>(section: &mut Section<'_, '_>, key: &str) -> Option<T> {
    let Spanned { value, span } = section.string(key)?;
    let choice = value.parse().ok();
    if choice.is_none() {
        let all = T::VARIANTS.join(", ");
        section.report(span, format_args!("\"{key}\": \"{value}\" is none of {all}"));
    }
    choice
}

/// Reads a JSON pointer (RFC 6901): empty, or beginning with a slash.
fn pointer(section: &mut Section<'_, '_>) -> Option<String> {
    let pointer = section.string("pointer");
    let Spanned { value, span } = section.require("pointer", pointer)?;
    if value.is_empty() || value.starts_with('/') {
        return Some(value);
    }
    section.report(span, "\"pointer\" must be a JSON pointer (RFC 6901) such as \"/a/b/0\"");
    None
}
