//! `/openapi.json`: the public routes as an OpenAPI 3.1 document, for generators of
//! clients and for readers.
//!
//! The document is data, in the files of the folder `document` (`data`), since JSON takes much less
//! of the program than machine code that builds the same values. The data inserts the constants that
//! the handlers use: units, states, ranges, limits (`insert`, `constants`), so that a unit or a state
//! cannot be forgotten. It names components where OpenAPI has references (`short_form`), and leaves
//! out what operations have in common (`operation`).
//!
//! Tests compare the rest: the route patterns, methods and parameters with the document, real
//! responses with its schemas (`schema_check`), and the responses to random requests that the
//! document allows, and to some that it does not (`fuzz`). `default` describes requests that the
//! engine refuses before the site is called; the tests do not accept it for a response of the site.
//!
//! # How to add a route
//!
//! 1. `document/paths`: its path, with GET or POST or both. A route whose last segment has several
//!    parts names them, as `{source}.{field}`. HEAD, OPTIONS, preconditions and the responses that
//!    every route has are added.
//! 2. `document/parameters.json`, `document/schemas`, `document/examples.json`: what it uses and is
//!    not there yet.
//! 3. `constants.rs`: new limits and choices, which the data inserts.

mod constants;
mod data;
mod insert;
mod operation;
mod short_form;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use self::data::{joined, parsed};
use self::insert::Inserts;
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
    openapi: Json,
    info: Json,
    servers: Json,
    tags: Json,
    security: Json,
    paths: Json,
    components: Json,
}

impl Document {
    fn new(server: &str) -> Document {
        let inserts = Inserts::new(server);
        let filled = |members: Map<String, Json>| inserts.fill(members.into());
        let expanded = |files: &[&str]| {
            let mut members = filled(joined(files));
            short_form::expand(&mut members);
            members
        };
        let mut document = filled(parsed(data::DOCUMENT));
        let mut member = |name: &str| document[name].take();
        let components = [
            ("schemas", filled(joined(&data::SCHEMAS))),
            ("parameters", expanded(&data::PARAMETERS)),
            ("headers", expanded(&data::HEADERS)),
            ("responses", expanded(&data::RESPONSES)),
            ("securitySchemes", member("securitySchemes")),
        ];
        let components = components.map(|(kind, members)| (kind.to_owned(), members));
        Document {
            openapi: member("openapi"),
            info: member("info"),
            servers: member("servers"),
            tags: member("tags"),
            // Any of the three, or none where the site is open.
            security: member("security"),
            paths: paths(&inserts),
            components: components.into_iter().collect::<Map<String, Json>>().into(),
        }
    }
}

/// Returns all paths with their operations.
fn paths(inserts: &Inserts) -> Json {
    let shared = parsed(data::OPERATIONS);
    let mut paths = joined(&data::PATHS);
    for (path, item) in &mut paths {
        operation::complete(path, item, &shared);
    }
    let mut paths = inserts.fill(paths.into());
    short_form::expand(&mut paths);
    paths
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod schema_check;
#[cfg(test)]
mod tests;
