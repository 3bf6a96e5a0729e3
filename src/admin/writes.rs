//! Requests of the admin listener that change something: who may send one, and in which form.
//!
//! The form keeps pages of other sites out in a second way: a page can send a POST with `application/json` only
//! after a preflight, which this listener does not grant.

use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};

use crate::access::{AdminWriteDenial, AdminWriter, Gate, Scope};
use crate::engine::{Request, Response};
use crate::site::problem;

/// Maximum number of bytes of a body.
pub(super) const BODY_LIMIT: usize = 1 << 10;

const JSON: &str = "application/json";

/// Checks that a request may change something, and has the form of one, before its body is read. Returns its
/// sender.
///
/// # Errors
/// Returns the response of the refusal.
pub(super) fn admit(gate: &Gate, request: &Request) -> Result<AdminWriter, Box<Response>> {
    let path = request.target.path();
    let refuse = |status, detail: &str| Err(Box::new(problem(status, detail, path)));
    if request.method != Method::POST {
        let detail = "This address supports POST only.";
        let mut refused = problem(StatusCode::METHOD_NOT_ALLOWED, detail, path);
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Err(Box::new(refused));
    }
    let writer = match gate.admit_admin_write(request, Scope::Alert) {
        Ok(writer) => writer,
        Err(denial) => return Err(Box::new(denied(denial, path))),
    };
    let mut kinds = request.headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, NOT_JSON);
    };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if !kind.trim_matches([' ', '\t']).eq_ignore_ascii_case(JSON) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, NOT_JSON);
    }
    Ok(writer)
}

const NOT_JSON: &str =
    "Send the request with the field Content-Type: application/json. Its body may be empty.";

/// Checks the body, which is empty or an empty object: parameters are in the query.
///
/// # Errors
/// Returns the response of the refusal.
pub(super) fn check_body(request: &Request) -> Result<(), Box<Response>> {
    let is_empty = |value: serde_json::Value| value.as_object().is_some_and(|it| it.is_empty());
    let body = request.body.trim_ascii();
    if body.is_empty() || serde_json::from_slice(body).is_ok_and(is_empty) {
        return Ok(());
    }
    let detail = "The body must be empty or {}: parameters are in the query, such as for=8h.";
    Err(Box::new(problem(StatusCode::BAD_REQUEST, detail, request.target.path())))
}

fn denied(denial: AdminWriteDenial, path: &str) -> Response {
    let (status, detail) = match denial {
        AdminWriteDenial::CrossSite => (
            StatusCode::FORBIDDEN,
            "A browser sent this request for a page (Origin, Sec-Fetch-Site). The admin listener takes commands \
             from programs only; pages send them to the public site."
                .to_owned(),
        ),
        AdminWriteDenial::NoToken => {
            (StatusCode::UNAUTHORIZED, format!("A command over TCP needs a token. {TOKEN}"))
        }
        AdminWriteDenial::WrongToken => {
            (StatusCode::UNAUTHORIZED, format!("The token is not one of the configuration. {TOKEN}"))
        }
        AdminWriteDenial::Scope(scope) => {
            let name = scope.as_str();
            (StatusCode::FORBIDDEN, format!("The token lacks the scope {name}. {TOKEN}"))
        }
    };
    let mut response = problem(status, &detail, path);
    if let Some(challenge) = denial.challenge() {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

const TOKEN: &str = "Create one with `pumphouse-web token new --scope alert`, whose section belongs into the \
                     configuration, also beside open = true, and send it as Authorization: Bearer TOKEN; or use \
                     [server] admin_listen = \"unix:/path\", which needs no token.";
