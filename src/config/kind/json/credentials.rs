//! Credentials for an endpoint.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::super::super::secret::Secret;
use super::super::super::section::Section;

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

/// Reads `bearer` or `[source.basic]`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Credentials> {
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
