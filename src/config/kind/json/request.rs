//! What is sent to the endpoint with each request.

use http::{HeaderName, HeaderValue};

use super::super::super::secret::Secret;
use super::super::super::section::{Section, Spanned};
use super::credentials::{self, Credentials};

/// What is sent to the endpoint with each request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JsonRequest {
    /// `[source.headers]`.
    pub headers: Vec<(HeaderName, Secret)>,
    /// `bearer`, or `[source.basic]`.
    pub credentials: Option<Credentials>,
}

impl JsonRequest {
    /// Returns the secrets in it, as configured and as sent.
    pub(in super::super) fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        for (_, value) in &self.headers {
            secrets.extend(value.last_word());
            secrets.push(value.clone());
        }
        secrets.extend(self.credentials.iter().flat_map(Credentials::secrets));
        secrets
    }
}

/// Reads the keys of the request.
pub(super) fn read(section: &mut Section<'_, '_>) -> JsonRequest {
    let headers = section.section("headers", "[source.headers]".to_owned());
    let headers = headers.map(headers_of).unwrap_or_default();
    JsonRequest { headers, credentials: credentials::read(section) }
}

/// Reads `[source.headers]`.
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
