//! What operations answer, as far as it is the same for many: the headers and the problems.

use serde_json::{Map, Value as Json, json};

use super::example;
use super::schema::reference;
use crate::site::media_type::JSON;
use crate::site::problem::MAX_RETRY_AFTER;
use crate::site::query::MOST_PARAMETERS;

/// Headers of a response that caches may store.
pub(super) const CACHED: [&str; 3] = ["ETag", "Cache-Control", "Vary"];

/// Headers of a response about readings.
pub(super) const DATED: [&str; 4] = ["ETag", "Last-Modified", "Cache-Control", "Vary"];

/// Headers of a response that no cache may store.
pub(super) const FLEETING: [&str; 1] = ["Cache-Control"];

/// A header of the components, and whether it is always there.
const HEADERS: [(&str, bool, &str, &str); 11] = [
    ("ETag", true, "A strong entity tag over the body.", "\"0123456789abcdef0123456789abcdef\""),
    ("Last-Modified", false, "The newest observation.", "Sat, 31 Jan 2026 17:16:00 GMT"),
    (
        "Cache-Control",
        true,
        "For how long the answer is good.",
        "max-age=241, stale-if-error=86400",
    ),
    ("Vary", true, "The request headers that the answer depends on.", "accept-encoding"),
    ("Retry-After", true, "Seconds after which to try again.", "241"),
    ("Allow", true, "The methods that there are.", "GET, HEAD, OPTIONS"),
    ("Location", true, "Where to look for the outcome.", "/api/v1/sources/tank"),
    ("Content-Disposition", false, "A file's name.", "attachment; filename=\"tank.level.csv\""),
    (
        "Set-Cookie",
        false,
        "The session, and the device.",
        "pumphouse_session_6443=AbCd; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure",
    ),
    ("Clear-Site-Data", false, "At sign-out: no page stays in the cache.", "\"cache\""),
    ("WWW-Authenticate", true, "How to say who asks.", "Basic realm=\"pumphouse\""),
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

fn carrying(names: &[&str]) -> Json {
    let header =
        |name: &&str| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    names.iter().map(header).collect::<Map<String, Json>>().into()
}

/// A media type with the schema of that name and an example.
pub(super) fn media(kind: &str, schema: &str, example: impl Into<Json>) -> (String, Json) {
    (kind.to_owned(), json!({"schema": reference(schema), "example": example.into()}))
}

/// A media type without an example.
pub(super) fn plain_media(kind: &str, schema: &str) -> (String, Json) {
    (kind.to_owned(), json!({"schema": reference(schema)}))
}

/// An answer with these headers and one of these bodies.
pub(super) fn answer(
    description: &str,
    headers: &[&str],
    bodies: impl IntoIterator<Item = (String, Json)>,
) -> Json {
    let bodies: Map<String, Json> = bodies.into_iter().collect();
    json!({"description": description, "headers": carrying(headers), "content": bodies})
}

/// An answer of [`responses`].
pub(super) fn shared(name: &str) -> Json {
    json!({"$ref": format!("#/components/responses/{name}")})
}

/// JSON, as one of an answer's bodies.
pub(super) fn json_media(schema: &str, example: Json) -> (String, Json) {
    media(JSON, schema, example)
}

/// `components.responses`
pub(super) fn responses() -> Json {
    let problem = |status: u16, title: &str, about: &str, detail: &str, headers: &[&str]| {
        let headers: Vec<&str> = ["Cache-Control", "Vary"].iter().chain(headers).copied().collect();
        let json =
            media("application/problem+json", "Problem", example::problem(status, title, detail));
        answer(about, &headers, [json, plain_media("text/html", "Text")])
    };
    let not_modified = ["ETag", "Last-Modified", "Cache-Control", "Vary"];
    json!({
        "NotModified": {
            "description": "The client has it: `If-None-Match` or `If-Modified-Since`.",
            "headers": carrying(&not_modified),
        },
        "Options": {
            "description": "What can be done here.",
            "headers": carrying(&["Allow"]),
        },
        "SeeOther": {
            "description": "Go on at `Location`, with GET.",
            "headers": carrying(&["Location", "Cache-Control", "Set-Cookie", "Clear-Site-Data"]),
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
                 more than {MOST_PARAMETERS} parameters; or the answer would take too much work, \
                 and the detail names a cheaper request."
            ),
            "max_age is a number of whole seconds up to 2147483647, such as max_age=300.", &[],
        ),
        "Unauthorized": problem(
            401, "Unauthorized", "The site is not open, and nobody knows who asks.",
            "A user or a token is needed here.", &["WWW-Authenticate"],
        ),
        "Forbidden": problem(
            403, "Forbidden", "Whoever asks may not do this.",
            "Another site's page may not ask for a poll.", &[],
        ),
        "NotFound": problem(
            404, "Not Found", "There is no such source, field or file, or nothing was recorded.",
            "There is no source and field of that name.", &[],
        ),
        "MethodNotAllowed": problem(
            405, "Method Not Allowed", "What every method gets that `Allow` does not name.",
            "This address can only be read.", &["Allow"],
        ),
        "PreconditionFailed": problem(
            412, "Precondition Failed", "`If-Match` or `If-Unmodified-Since` does not hold.",
            "The data is not, or no longer, what the precondition names.", &[],
        ),
        "TooManyRequests": problem(
            429, "Too Many Requests", "Too soon, or too many failed logins.",
            "tank was polled just now, or wants to be left alone for a while.", &["Retry-After"],
        ),
        "Unavailable": problem(
            503, "Service Unavailable",
            "There is no such data now: it is older than `max_age`, never came, or the history \
             cannot be read. Or the server is overloaded, or too many expensive requests are in \
             progress: those that read the history wait for `queue_timeout` and run one at a time \
             for each client.",
            "Older than 300 seconds, or never answered: tank.", &["Retry-After"],
        ),
        "Refused": problem(
            431, "Request Header Fields Too Large",
            "What the server refuses before it looks for the address, or fails to do: 408 (not \
             complete in time), 413 (body too large), 414 (target too long), 417 (unknown \
             expectation), 421 (another server's name, or the scheme of another connection), 431 \
             (head too large), 500, 501 (unknown method or transfer coding), 505 (HTTP version).",
            "The request head is larger than this server accepts.", &[],
        ),
    })
}
