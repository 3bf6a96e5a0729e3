//! `kind = "json"`: any JSON endpoint, read by pointers.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderName, HeaderValue};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::name::is_name;
use super::super::secret::Secret;
use super::super::section::{Section, Spanned};
use super::super::source_url::SourceUrl;
use crate::units::Unit;

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

/// Credentials for an upstream.
#[derive(Debug, Clone, PartialEq)]
pub enum Credentials {
    /// Bearer token (RFC 6750).
    Bearer(Secret),
    /// Name and password (RFC 7617).
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
}

impl Credentials {
    /// Returns the value of the Authorization field (RFC 9110 11.6.2).
    pub fn authorization(&self) -> Secret {
        let (scheme, token) = self.scheme_and_token();
        Secret::new(format!("{scheme} {}", token.expose()))
    }

    fn scheme_and_token(&self) -> (&'static str, Secret) {
        match self {
            Credentials::Bearer(token) => ("Bearer", token.clone()),
            Credentials::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose());
                ("Basic", Secret::new(BASE64_STANDARD.encode(pair)))
            }
        }
    }

    /// Returns the secrets in them, as configured and as sent.
    fn secrets(&self) -> Vec<Secret> {
        let (_, sent) = self.scheme_and_token();
        match self {
            Credentials::Bearer(_) => vec![sent],
            Credentials::Basic { password, .. } => vec![sent, password.clone()],
        }
    }
}

/// `[source.values.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct JsonValue {
    /// The field's name.
    pub name: Arc<str>,
    /// JSON pointer (RFC 6901) to the value.
    pub pointer: String,
    /// The unit; `None` for text.
    pub unit: Option<Unit>,
    /// Factor of the raw number.
    pub scale: f64,
    /// Number that is added after scaling.
    pub offset: f64,
    /// Least plausible value.
    pub min: Option<f64>,
    /// Greatest plausible value.
    pub max: Option<f64>,
}

/// `observed_at = { pointer, format }`
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTime {
    /// JSON pointer (RFC 6901) to the time.
    pub pointer: String,
    /// Format of the time.
    pub format: TimeFormat,
}

/// Format of a time in an upstream's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum TimeFormat {
    /// Seconds since 1970, `unix`.
    Unix,
    /// Milliseconds since 1970, `unix_ms`.
    UnixMs,
    /// RFC 3339, `rfc3339`.
    #[strum(serialize = "rfc3339")]
    Rfc3339,
}

impl TimeFormat {
    /// Returns its name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Json> {
    let url = section.url();
    let headers = section.section("headers", "[source.headers]".to_owned());
    let headers = headers.map(headers_of).unwrap_or_default();
    let credentials = credentials(section);
    let values = section.section("values", "[source.values]".to_owned());
    let values = section.require("values", values).map(values_of);
    let observed_at = section.section("observed_at", "\"observed_at\"".to_owned());
    let observed_at = observed_at.map(time_of);
    // A faulty time must not fall back to the time of the poll.
    let observed_at = match observed_at {
        Some(None) => return None,
        Some(time) => time,
        None => None,
    };
    Some(Json { url: url?, headers, credentials, values: values?, observed_at })
}

fn headers_of(mut section: Section<'_, '_>) -> Vec<(HeaderName, Secret)> {
    let mut headers = Vec::new();
    for Spanned { value: key, span } in section.dynamic_keys() {
        // `NAME_file` is read together with its NAME: names of header fields have no underscore.
        let name = key.strip_suffix("_file").unwrap_or(&key).to_owned();
        let value = section.secret(&name);
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Err(_), _) => {
                section.report(span, format_args!("\"{name}\" is not the name of a header field"))
            }
            (Ok(_), Some(value)) if HeaderValue::from_str(value.expose()).is_err() => {
                section.report(span, format_args!("\"{name}\" contains a control character"));
            }
            (Ok(name), Some(value)) => headers.push((name, value)),
            (Ok(_), None) => {}
        }
    }
    section.finish();
    headers
}

fn credentials(section: &mut Section<'_, '_>) -> Option<Credentials> {
    let bearer = section.secret("bearer").map(Credentials::Bearer);
    let basic_at = section.span_of("basic");
    let basic = section.section("basic", "[source.basic]".to_owned()).and_then(basic_of);
    if let (Some(_), Some(span)) = (&bearer, basic_at) {
        section.report(span, "\"bearer\" and \"basic\" exclude each other");
    }
    bearer.or(basic)
}

fn basic_of(mut section: Section<'_, '_>) -> Option<Credentials> {
    let username = section.string("username").map(|at| at.value);
    let username = section.require("username", username);
    let password = section.secret("password");
    let password = section.require("password", password);
    section.finish();
    Some(Credentials::Basic { username: username?, password: password? })
}

fn values_of(mut section: Section<'_, '_>) -> Vec<JsonValue> {
    let mut values = Vec::new();
    for Spanned { value: name, span } in section.dynamic_keys() {
        if !is_name(&name) {
            section.report(
                span,
                format_args!("\"{name}\" must be lower-case letters, digits and underscores"),
            );
        }
        let title = format!("[source.values.{name}]");
        values.extend(section.section(&name, title).and_then(|value| value_of(&name, value)));
    }
    section.finish();
    values
}

fn value_of(name: &str, mut section: Section<'_, '_>) -> Option<JsonValue> {
    let pointer = pointer(&mut section);
    let has_unit = section.span_of("unit").is_some();
    let unit = section.unit();
    let number = |section: &mut Section<'_, '_>, key: &str| section.number(key).map(|at| at.value);
    let scale = number(&mut section, "scale").unwrap_or(1.0);
    let offset = number(&mut section, "offset").unwrap_or(0.0);
    let (min, max) = (number(&mut section, "min"), number(&mut section, "max"));
    section.finish();
    // A faulty unit must not turn the value into text.
    if has_unit && unit.is_none() {
        return None;
    }
    Some(JsonValue { name: name.into(), pointer: pointer?, unit, scale, offset, min, max })
}

fn time_of(mut section: Section<'_, '_>) -> Option<JsonTime> {
    let pointer = pointer(&mut section);
    let format = section.string("format");
    let format = section.require("format", format).and_then(|Spanned { value, span }| {
        let format = value.parse().ok();
        if format.is_none() {
            let all = TimeFormat::VARIANTS.join(", ");
            section.report(span, format_args!("\"format\": \"{value}\" is none of {all}"));
        }
        format
    });
    section.finish();
    Some(JsonTime { pointer: pointer?, format: format? })
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
