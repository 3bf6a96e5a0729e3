//! Credentials for an endpoint.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::HeaderValue;

use super::super::super::secret::Secret;
use super::super::super::section::Section;

/// Credentials for an upstream.
#[derive(Debug, Clone, PartialEq)]
pub enum Credentials {
    /// Bearer token (RFC 6750).
    Bearer(Secret),
    /// Name and password that are sent (RFC 7617).
    Basic(Login),
    /// Name and password of which a digest is sent (RFC 7616).
    Digest(Login),
}

/// Name and password of a user of the upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

impl Credentials {
    /// Returns the value of the Authorization field (RFC 9110 11.6.2); `None` for a digest, which depends on
    /// the upstream's challenge.
    pub fn authorization(&self) -> Option<Secret> {
        match self {
            Credentials::Bearer(token) => Some(Secret::new(format!("Bearer {}", token.expose()))),
            Credentials::Basic(login) => Some(Secret::new(format!("Basic {}", login.encoded()))),
            Credentials::Digest(_) => None,
        }
    }

    /// Returns the secrets in them, as configured and as sent.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        match self {
            Credentials::Bearer(token) => vec![token.clone()],
            Credentials::Basic(login) => {
                vec![Secret::new(login.encoded()), login.password.clone()]
            }
            Credentials::Digest(login) => vec![login.password.clone()],
        }
    }
}

impl Login {
    fn encoded(&self) -> String {
        BASE64_STANDARD.encode(format!("{}:{}", self.username, self.password.expose()))
    }
}

/// Reads `bearer`, `[source.basic]` or `[source.digest]`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Credentials> {
    let spans = ["bearer", "bearer_file", "basic", "digest"].map(|key| (key, section.span_of(key)));
    let mut present = spans.iter().filter_map(|(key, span)| Some((*key, (*span)?)));
    if let (Some((first, _)), Some((second, span))) = (present.next(), present.next())
        // Of these two the reader of secrets reports that they exclude each other.
        && second != "bearer_file"
    {
        section.report(span, format_args!("\"{first}\" and \"{second}\" exclude each other"));
    }
    let bearer_at = spans.iter().find_map(|(_, span)| *span).unwrap_or_default();
    let bearer = section.secret("bearer");
    if bearer.as_ref().is_some_and(|token| HeaderValue::from_str(token.expose()).is_err()) {
        section.report(bearer_at, "\"bearer\" contains a control character");
        return None;
    }
    let basic = section.section("basic", "[source.basic]".to_owned()).and_then(login_of);
    let digest = section.section("digest", "[source.digest]".to_owned()).and_then(login_of);
    (bearer.map(Credentials::Bearer))
        .or(basic.map(Credentials::Basic))
        .or(digest.map(Credentials::Digest))
}

fn login_of(mut section: Section<'_, '_>) -> Option<Login> {
    let username = section.string("username").map(|at| at.value);
    let username = section.require("username", username);
    let password = section.secret("password");
    let password = section.require("password", password);
    section.finish();
    Some(Login { username: username?, password: password? })
}
