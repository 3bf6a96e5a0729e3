//! `/openapi.json`: the public routes as an OpenAPI 3.1 document, for programs that write clients
//! and for people who read.
//!
//! It is made of the same constants that the routes go by: units, states, ranges, limits. Tests
//! walk the routes and the document against each other, hold real answers against its schemas, and
//! ask whatever it lets one ask.

mod example;
mod operation;
mod parameter;
mod response;
mod schema;
mod sign_in;

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::content::{CachePolicy, Content, Representation};
use super::context::{Context, RouteRequest};
use super::media_type::JSON;
use super::problem::Problem;
use crate::board::Rendered;

/// It changes with a release only, and then a client should not go by the old one for long.
const AN_HOUR: &str = "max-age=3600";

/// The document, rendered when somebody asks for it first.
static RENDERED: LazyLock<Rendered> = LazyLock::new(|| {
    let mut body =
        serde_json::to_vec(&Document::new()).expect("string keys and constants are always JSON");
    body.push(b'\n');
    Rendered::new(JSON, body)
});

/// The document.
pub(super) fn openapi(_: &Context, _: &RouteRequest<'_>) -> Result<Content, Problem> {
    Ok(Representation::new(RENDERED.clone(), CachePolicy::undated(AN_HOUR)).into())
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
    fn new() -> Document {
        Document {
            openapi: "3.1.1",
            info: info(),
            servers: json!([{"url": "/", "description": "Where this document came from."}]),
            tags: tags(),
            // Any of the three, or none where the site is open.
            security: json!([{}, {"basic": []}, {"bearer": []}, {"session": []}]),
            paths: operation::paths(),
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
* A value that could not be had is `null` with a `note`, never 0.
* `max_age` turns data older than that into a 503, so that `curl -f` alone gates a script.
* Under `/api/` a parameter that is unknown, repeated or malformed is a 400, never ignored.
* HEAD works wherever GET does. OPTIONS tells by `Allow` what does; another method is a 405.
* Errors are `application/problem+json` (RFC 9457), or a small page for those who prefer \
`text/html`.
* Bodies above 1 KiB are compressed by gzip where `Accept-Encoding` asks for it; each coding has an \
entity tag of its own.
* A right password is answered with a device cookie (`Set-Cookie`), unless one came with it: by it \
the browser or script is not throttled for the failures of others at the same address.
* Every answer carries `X-Content-Type-Options: nosniff` and `Referrer-Policy: no-referrer`, and a \
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
        {"name": "past", "description": "What was recorded, and what happened."},
        {"name": "health", "description": "For monitors and supervisors."},
        {"name": "pages", "description": "For people, and what their pages load."},
        {"name": "access", "description": "Sign in and out, for browsers."},
        {"name": "document", "description": "This document."},
    ])
}

fn security_schemes() -> Json {
    json!({
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "A user's name and password, where the site is not open.",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token, for scripts, where the site is not open.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "pumphouse_session_6443",
            "description": "The session of a browser that has signed in on `/login`; the name ends \
                            with the port that the browser asked for. A method that changes \
                            something needs `Origin` or `Sec-Fetch-Site` with it.",
        },
    })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod tests;
