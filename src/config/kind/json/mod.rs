//! `kind = "json"`: any JSON endpoint, read by pointers.

mod request;
mod time;
mod values;

use http::HeaderName;

use super::super::secret::Secret;
use super::super::section::{Section, Spanned};
use super::super::source_url::SourceUrl;

pub use request::Credentials;
pub use time::{JsonTime, TimeFormat};
pub use values::JsonValue;

/// Keys of `kind = "json"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Json {
    /// The endpoint.
    pub url: SourceUrl,
    /// `[source.headers]`: sent with each request.
    pub headers: Vec<(HeaderName, Secret)>,
    /// `bearer`, or `[source.basic]`.
    pub credentials: Option<Credentials>,
    /// `[source.values.NAME]`, in the order of the file.
    pub values: Vec<JsonValue>,
    /// Position and format of the time of observation.
    pub observed_at: Option<JsonTime>,
}

impl Json {
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let mut secrets: Vec<Secret> = self.url.secrets().collect();
        for (_, value) in &self.headers {
            secrets.extend(value.last_word());
            secrets.push(value.clone());
        }
        secrets.extend(self.credentials.iter().flat_map(Credentials::secrets));
        secrets
    }
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Json> {
    let url = section.url();
    let headers = section.section("headers", "[source.headers]".to_owned());
    let headers = headers.map(request::headers_of).unwrap_or_default();
    let credentials = request::credentials(section);
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
    Some(Json { url: url?, headers, credentials, values: values?, observed_at })
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
