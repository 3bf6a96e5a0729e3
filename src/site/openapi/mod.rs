//! `/openapi.json`: the public routes as an OpenAPI 3.1 document, for generators of
//! clients and for readers.
//!
//! It is built from the constants that the handlers use: route patterns, units, states, ranges,
//! limits. So a unit or a state cannot be forgotten, and a route pattern without operations does not
//! compile. Tests compare the rest: the methods and parameters of every route with the document,
//! real responses with its schemas (`schema_check`), and the responses to random requests that the
//! document allows, and to some that it does not (`fuzz`). `default` describes requests that the
//! engine refuses before the site is called; the tests do not accept it for a response of the site.

mod alerts;
mod current;
mod example;
mod operation;
mod pages;
mod parameter;
mod paths;
mod recorded;
mod response;
mod schema;
mod sign_in;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::content::{CachePolicy, Content, Representation};
use super::context::{Context, RouteRequest};
use super::media_type::JSON;
use super::problem::Problem;
use crate::site::rendered::Rendered;

/// Caching of the document. It changes with a release, and then no client should use the old one for
/// long.
const AN_HOUR: &str = "max-age=3600";

/// Address of the server without a public address: the folder that the document was loaded from (OpenAPI
/// 4.6).
const HERE: &str = ".";

/// Returns the document with the address of the server.
fn render(server: &str) -> Rendered {
    let mut body = serde_json::to_vec(&Document::new(server))
        .expect("string keys and constants are always JSON");
    body.push(b'\n');
    Rendered::new(JSON, body)
}

/// Answers `GET /openapi.json`.
pub(super) fn openapi(context: &Context, _: &RouteRequest<'_>) -> Result<Content, Problem> {
    let active_rules = context.gate.active_rules();
    // Clients append paths that begin with a slash.
    let server = active_rules.site_url().map(|url| url.without_slash());
    let rendered = context.document.get(server.as_deref().unwrap_or(HERE), render);
    Ok(Representation::new(rendered, CachePolicy::undated(AN_HOUR)).into())
}

/// The members of an OpenAPI object, in the order in which people read them.
#[derive(Serialize)]
struct Document {
    openapi: &'static str,
    info: Json,
    servers: Json,
    tags: Json,
    security: Json,
    paths: Json,
    components: Json,
}

impl Document {
    fn new(server: &str) -> Document {
        Document {
            openapi: "3.1.1",
            info: info(),
            servers: json!([{"url": server, "description": "The server of this document."}]),
            tags: tags(),
            // Any of the three, or none where the site is open.
            security: json!([{}, {"basic": []}, {"bearer": []}, {"session": []}]),
            paths: paths::paths(),
            components: json!({
                "schemas": schema::schemas(),
                "parameters": parameter::parameters(),
                "headers": response::headers(),
                "responses": response::responses(),
                "securitySchemes": security_schemes(),
            }),
        }
    }
}

const ABOUT: &str = "\
Levels of water tanks, weather and the like, each with its true age.

* Times are UTC, RFC 3339, whole seconds, with `Z`. Bodies hold times and never ages, so that a \
reading that has not changed is a 304.
* A missing value is `null` with a `note`, never 0.
* `max_age` turns data older than that into a 503, so that `curl -f` alone gates a script.
* Under `/api/` a parameter that is unknown, repeated or malformed is a 400, never ignored.
* HEAD works wherever GET does. OPTIONS returns the methods in `Allow`; any other is a 405.
* Errors are `application/problem+json` (RFC 9457), or a small page for clients that prefer \
`text/html`.
* Bodies above 1 KiB are compressed by gzip if `Accept-Encoding` allows it; each coding has an \
entity tag of its own.
* The response to a right password sets a device cookie (`Set-Cookie`), unless the request had one. \
A client with that cookie is not throttled for the failed logins of other clients at its address.
* Every response carries `X-Content-Type-Options: nosniff` and `Referrer-Policy: no-referrer`, and a \
page its `Content-Security-Policy`.";

fn info() -> Json {
    json!({
        "title": env!("CARGO_PKG_NAME"),
        "summary": "Water tanks and weather, for scripts.",
        "description": ABOUT,
        "license": {"name": "MIT OR Apache-2.0", "identifier": env!("CARGO_PKG_LICENSE")},
        "version": env!("CARGO_PKG_VERSION"),
    })
}

fn tags() -> Json {
    json!([
        {"name": "now", "description": "The latest readings, from memory."},
        {"name": "past", "description": "Recorded series and events."},
        {"name": "alerts", "description": "Rules on the readings, what fires, and answers to it."},
        {"name": "health", "description": "For monitors and supervisors."},
        {"name": "pages", "description": "Pages for people, and the files that they load."},
        {"name": "access", "description": "Sign in and out, for browsers."},
        {"name": "document", "description": "This document."},
    ])
}

fn security_schemes() -> Json {
    json!({
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "A user's name and password, if access is restricted.",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token, for scripts, if access is restricted.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "pumphouse_session_6443",
            "description": "The session of a browser that has signed in on `/login`. The name \
                            ends with the port that the browser requested. A method that \
                            changes something needs `Origin` or `Sec-Fetch-Site` with it.",
        },
    })
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod schema_check;
#[cfg(test)]
mod tests;
