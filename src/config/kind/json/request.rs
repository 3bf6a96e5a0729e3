//! What is sent to the endpoint: header fields and credentials.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderName, HeaderValue};

use super::super::super::secret::Secret;
use super::super::super::section::{Section, Spanned};

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
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let (_, sent) = self.scheme_and_token();
        match self {
            Credentials::Bearer(_) => vec![sent],
            Credentials::Basic { password, .. } => vec![sent, password.clone()],
        }
    }
}

/// Reads `[source.headers]`.
pub(super) fn headers_of(mut section: Section<'_, '_>) -> Vec<(HeaderName, Secret)> {
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

/// Reads `bearer` or `[source.basic]`.
pub(super) fn credentials(section: &mut Section<'_, '_>) -> Option<Credentials> {
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
