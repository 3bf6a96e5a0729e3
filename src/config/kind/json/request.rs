//! Request to the endpoint: method, query, body, header fields and credentials.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use strum::{EnumString, IntoStaticStr, VariantNames};

use super::super::super::headers;
use super::super::super::secret::{Secret, is_secret_name};
use super::super::super::section::Section;
use super::super::super::source_url::form_decoded;
use super::credentials::{self, Credentials};
use super::query::{self, Query};

/// Request to the endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JsonRequest {
    /// `method`.
    pub method: Method,
    /// `[source.headers]`.
    pub headers: Vec<(HeaderName, Secret)>,
    /// `body`. It may contain a password.
    pub body: Option<Secret>,
    /// `[source.query]`.
    pub query: Query,
    /// `bearer`, `[source.basic]` or `[source.digest]`.
    pub credentials: Option<Credentials>,
}

/// Method of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Method {
    /// `GET`.
    #[default]
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

impl Method {
    /// Returns its name in the configuration and in the request.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl JsonRequest {
    /// Returns the media type of the body, unless a header field states it: that of JSON if it is JSON, or that
    /// of a form, which `curl --data` sends for any body, if it is `name=value&…`.
    pub fn content_type(&self) -> Option<HeaderValue> {
        let body = self.body.as_ref()?;
        let is_configured = self.headers.iter().any(|(name, _)| *name == CONTENT_TYPE);
        let is_json = crate::json::from_text::<serde::de::IgnoredAny>(body.expose()).is_ok();
        let media_type = match is_json {
            true => "application/json",
            false if is_form(body.expose()) => "application/x-www-form-urlencoded",
            false => return None,
        };
        (!is_configured).then_some(HeaderValue::from_static(media_type))
    }

    /// Returns the secrets in it, as configured and as sent.
    pub(in super::super) fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        for (_, value) in &self.headers {
            secrets.extend(value.last_word());
            secrets.push(value.clone());
        }
        secrets.extend(self.body.iter().flat_map(body_secrets));
        secrets.extend(self.query.secrets());
        secrets.extend(self.credentials.iter().flat_map(Credentials::secrets));
        secrets
    }
}

/// Returns true for `name=value`, or several joined by `&`, in the characters of an encoded form.
fn is_form(body: &str) -> bool {
    let is_encoded =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'{');
    let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    body.bytes().all(is_encoded) && body.split('&').all(is_pair)
}

/// Returns the secrets in a body: all of it, and the values whose names say that they are secret. Other values
/// are ordinary words, which a response may have as well.
fn body_secrets(body: &Secret) -> Vec<Secret> {
    let mut secrets = vec![body.clone()];
    match crate::json::from_text::<serde_json::Value>(body.expose()) {
        Ok(document) => {
            let mut rest = vec![&document];
            while let Some(value) = rest.pop() {
                match value {
                    serde_json::Value::Array(items) => rest.extend(items),
                    serde_json::Value::Object(members) => {
                        let texts = members.iter().filter(|(name, _)| is_secret_name(name));
                        let texts = texts.filter_map(|(_, value)| value.as_str());
                        secrets.extend(texts.map(|text| Secret::new(text.to_owned())));
                        rest.extend(members.values());
                    }
                    _ => {}
                }
            }
        }
        // A form (WHATWG URL 5).
        Err(_) => {
            let pairs = body.expose().split('&').filter_map(|pair| pair.split_once('='));
            for (_, value) in pairs.filter(|(name, _)| is_secret_name(name)) {
                secrets.extend([value.to_owned(), form_decoded(value)].map(Secret::new));
            }
        }
    }
    secrets
}

/// Reads the keys of the request.
pub(super) fn read(section: &mut Section<'_, '_>) -> JsonRequest {
    let method = section.choice("method").map(|at| at.value);
    let body = section.secret("body");
    // As curl does: who gives a body wants it to be read.
    let method = method.unwrap_or(if body.is_some() { Method::Post } else { Method::Get });
    let headers = section.section("headers", "[source.headers]".to_owned());
    let headers = headers.map(headers::read).unwrap_or_default();
    let query = section.section("query", "[source.query]".to_owned());
    let query = query.map(query::read).unwrap_or_default();
    let credentials = credentials::read(section);
    JsonRequest { method, headers, body, query, credentials }
}
