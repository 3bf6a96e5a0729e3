//! Responses that many operations share, and their headers.

use serde_json::{Map, Value as Json, json};

use super::example;
use super::schema::reference;
use crate::site::media_type::JSON;
use crate::site::problem::MAX_RETRY_AFTER;
use crate::site::query::MAX_PARAMETERS;

/// Headers of a response that caches may store.
pub(super) const CACHED: [&str; 3] = ["ETag", "Cache-Control", "Vary"];

/// Headers of a response about readings.
pub(super) const DATED: [&str; 4] = ["ETag", "Last-Modified", "Cache-Control", "Vary"];

/// Headers of a response that no cache may store.
pub(super) const FLEETING: [&str; 1] = ["Cache-Control"];

/// Headers of the components: name, presence in every such response, description, example.
const HEADERS: [(&str, bool, &str, &str); 11] = [
    ("ETag", true, "A strong entity tag over the body.", "\"0123456789abcdef0123456789abcdef\""),
    ("Last-Modified", false, "The newest observation.", "Sat, 31 Jan 2026 17:16:00 GMT"),
    (
        "Cache-Control",
        true,
        "Time for which the response may be reused.",
        "max-age=241, stale-if-error=86400",
    ),
    ("Vary", true, "Request headers that the response depends on.", "accept-encoding"),
    ("Retry-After", true, "Seconds after which to try again.", "241"),
    ("Allow", true, "Methods that the address allows.", "GET, HEAD, OPTIONS"),
    (
        "Location",
        true,
        "Address of the result, or of the page to load next, relative to that of the request.",
        "../tank",
    ),
    ("Content-Disposition", false, "Name of the file.", "attachment; filename=\"tank.level.csv\""),
    (
        "Set-Cookie",
        false,
        "The session cookie and the device cookie.",
        "pumphouse_session_6443=AbCd; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure",
    ),
    ("Clear-Site-Data", false, "At sign-out: no page stays in the cache.", "\"cache\""),
    ("WWW-Authenticate", true, "The accepted ways to authenticate.", "Basic realm=\"pumphouse\""),
];

/// `components.headers`
pub(super) fn headers() -> Json {
    let header = |(name, required, description, example): (&str, bool, &str, &str)| {
        let schema = match name {
            "Retry-After" => json!({"type": "integer", "minimum": 1, "maximum": MAX_RETRY_AFTER}),
            _ => json!({"type": "string"}),
        };
        let example = match name {
            "Retry-After" => json!(241),
            _ => json!(example),
        };
        let header = json!({
            "description": description,
            "required": required,
            "schema": schema,
            "example": example,
        });
        (name.to_owned(), header)
    };
    HEADERS.map(header).into_iter().collect::<Map<String, Json>>().into()
}

/// Returns references to headers of the components.
pub(super) fn headers_of(names: &[&str]) -> Json {
    let header =
        |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(header).collect::<Map<String, Json>>().into()
}

/// Returns a media type with the schema of that name and an example.
pub(super) fn media(kind: &str, schema: &str, example: impl Into<Json>) -> (String, Json) {
    (kind.to_owned(), json!({"schema": reference(schema), "example": example.into()}))
}

/// Returns a media type without an example.
pub(super) fn plain_media(kind: &str, schema: &str) -> (String, Json) {
    (kind.to_owned(), json!({"schema": reference(schema)}))
}

/// Returns a response with these headers and one of these bodies.
pub(super) fn response_with(
    description: &str,
    headers: &[&str],
    bodies: impl IntoIterator<Item = (String, Json)>,
) -> Json {
    let bodies: Map<String, Json> = bodies.into_iter().collect();
    json!({"description": description, "headers": headers_of(headers), "content": bodies})
}

/// Returns a reference to one of [`responses`].
pub(super) fn shared(name: &str) -> Json {
    json!({"$ref": format!("#/components/responses/{name}")})
}

/// Returns JSON as one of a response's bodies.
pub(super) fn json_media(schema: &str, example: Json) -> (String, Json) {
    media(JSON, schema, example)
}

/// `components.responses`
pub(super) fn responses() -> Json {
    let problem = |status: u16, title: &str, about: &str, detail: &str, headers: &[&str]| {
        let headers: Vec<&str> = ["Cache-Control", "Vary"].iter().chain(headers).copied().collect();
        let json =
            media("application/problem+json", "Problem", example::problem(status, title, detail));
        response_with(about, &headers, [json, plain_media("text/html", "Text")])
    };
    let not_modified = ["ETag", "Last-Modified", "Cache-Control", "Vary"];
    json!({
        "NotModified": {
            "description": "The client has the current response, by `If-None-Match` or `If-Modified-Since`.",
            "headers": headers_of(&not_modified),
        },
        "Options": {
            "description": "The methods in `Allow`.",
            "headers": headers_of(&["Allow"]),
        },
        "SeeOther": {
            "description": "Continue with a GET of `Location`.",
            "headers": headers_of(&["Location", "Cache-Control", "Set-Cookie", "Clear-Site-Data"]),
        },
        "ContentTooLarge": problem(
            413, "Payload Too Large", "The form is too large.",
            "A sign-in form has at most 8192 bytes.", &[],
        ),
        "UnsupportedMediaType": problem(
            415, "Unsupported Media Type", "The body is no form.",
            "A sign-in form is sent as application/x-www-form-urlencoded.", &[],
        ),
        "BadRequest": problem(
            400, "Bad Request",
            &format!(
                "A parameter is unknown, repeated or malformed, or the address is; the query holds \
                 more than {MAX_PARAMETERS} parameters; or the response would take too much work, \
                 and the detail names a cheaper request."
            ),
            "max_age is a number of whole seconds up to 2147483647, such as max_age=300.", &[],
        ),
        "Unauthorized": problem(
            401, "Unauthorized", "Access is restricted, and the request has no valid credentials.",
            "This address requires an account or a token, and the request has no valid credentials.", &["WWW-Authenticate"],
        ),
        "Forbidden": problem(
            403, "Forbidden", "The credentials lack a scope, or a page of another site sent the request.",
            "A page of another site may not change anything here without a token.", &[],
        ),
        "NotFound": problem(
            404, "Not Found", "There is no such source, field, alert or file, or nothing was recorded.",
            "There is no source and field of that name.", &[],
        ),
        "MethodNotAllowed": problem(
            405, "Method Not Allowed", "The method is not in `Allow`.",
            "This address allows GET and HEAD only.", &["Allow"],
        ),
        "Conflict": problem(
            409, "Conflict", "The alert does not fire, so there is nothing to acknowledge.",
            "The alert does not fire, or not for that source, so there is nothing to acknowledge.", &[],
        ),
        "PreconditionFailed": problem(
            412, "Precondition Failed", "`If-Match` or `If-Unmodified-Since` does not hold.",
            "The current data does not match the precondition.", &[],
        ),
        "TooManyRequests": problem(
            429, "Too Many Requests", "A poll too soon, or too many failed logins.",
            "tank was polled a moment ago, or its rate limit allows no poll yet.", &["Retry-After"],
        ),
        "Unavailable": problem(
            503, "Service Unavailable",
            "The data is missing: it is older than `max_age`, the source has not answered yet, or \
             the history cannot be read. Or the server is overloaded, or too many expensive \
             requests are in progress: requests that read the history run one at a time for each \
             client, and wait up to `queue_timeout`.",
            "Older than 300 seconds, or never answered: tank.", &["Retry-After"],
        ),
        "Refused": problem(
            431, "Request Header Fields Too Large",
            "A request that the server refuses before routing, or fails to answer: 408 (not \
             complete in time), 413 (body too large), 414 (target too long), 417 (unknown \
             expectation), 421 (not a name of this server, or not the scheme of this connection), 431 \
             (head too large), 500, 501 (unknown method or transfer coding), 505 (HTTP version).",
            "The request head is larger than this server accepts.", &[],
        ),
    })
}
