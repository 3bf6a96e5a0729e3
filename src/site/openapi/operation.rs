//! The paths and what can be done at each.

use serde_json::{Map, Value as Json, json};

use super::example;
use super::parameter::{CONDITIONS, references};
use super::response::{answer, json_media, media, plain_media, shared};
use super::sign_in;

/// Headers of an answer that is good for a while.
const CACHED: [&str; 3] = ["ETag", "Cache-Control", "Vary"];

/// Headers of an answer about readings.
const DATED: [&str; 4] = ["ETag", "Last-Modified", "Cache-Control", "Vary"];

/// Headers of an answer that nobody should keep.
const FLEETING: [&str; 1] = ["Cache-Control"];

/// An operation that only reads, and so is GET and HEAD.
struct Read {
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    /// Keys of the parameters, without the conditions.
    parameters: &'static [&'static str],
    ok: Json,
    /// Whether the answer can have an entity tag.
    tagged: bool,
    /// What it may answer beside that, and beside what all do.
    also: &'static [&'static str],
}

/// `paths`
pub(super) fn paths() -> Json {
    let read = now().into_iter().chain(past()).chain(health()).chain(pages());
    let mut paths: Map<String, Json> = read.map(Read::path_item).collect();
    let (path, item) = poll();
    paths.insert(path, item);
    paths.extend(sign_in::paths());
    paths.into()
}

/// The parameters of the path itself, by the braces in it.
fn path_parameters(path: &str) -> Vec<&str> {
    let names = path.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    names.map(|name| if name == "name" { "asset" } else { name }).collect()
}

/// What any request may be answered. `also` names responses by their keys.
pub(super) fn common(also: &[&str]) -> Map<String, Json> {
    let always = ["BadRequest", "Unauthorized", "Forbidden", "MethodNotAllowed", "TooManyRequests"];
    let overloaded = ["Unavailable", "Refused"];
    let keys = always.iter().chain(also).chain(&overloaded);
    keys.map(|key| (status_of(key).to_owned(), shared(key))).collect()
}

fn status_of(key: &str) -> &'static str {
    match key {
        "Options" => "204",
        "SeeOther" => "303",
        "NotModified" => "304",
        "BadRequest" => "400",
        "Unauthorized" => "401",
        "Forbidden" => "403",
        "NotFound" => "404",
        "MethodNotAllowed" => "405",
        "PreconditionFailed" => "412",
        "ContentTooLarge" => "413",
        "UnsupportedMediaType" => "415",
        "TooManyRequests" => "429",
        "Unavailable" => "503",
        _ => "default",
    }
}

pub(super) fn options(id: &str, tag: &str, path: &str) -> Json {
    let also: &[&str] = match path.contains('{') {
        true => &["Options", "NotFound"],
        false => &["Options"],
    };
    json!({
        "operationId": format!("{id}Options"),
        "tags": [tag],
        "summary": "What can be done here.",
        "responses": common(also),
    })
}

impl Read {
    fn path_item(self) -> (String, Json) {
        let Read { path, id, tag, summary, parameters, ok, tagged, also } = self;
        let mut responses = common(also);
        let mut parameters = parameters.to_vec();
        if tagged {
            responses.extend(common(&["NotModified", "PreconditionFailed"]));
            parameters.extend(CONDITIONS);
        }
        let mut head = ok.clone();
        if let Some(members) = head.as_object_mut() {
            members.remove("content");
        }
        let operation = |id: &str, ok: Json| {
            let mut responses = responses.clone();
            responses.insert("200".to_owned(), ok);
            json!({
                "operationId": id,
                "tags": [tag],
                "summary": summary,
                "parameters": references(&parameters),
                "responses": responses,
            })
        };
        let item = json!({
            "parameters": references(&path_parameters(path)),
            "get": operation(id, ok),
            "head": operation(&format!("{id}Head"), head),
            "options": options(id, tag, path),
        });
        (path.to_owned(), item)
    }
}

fn now() -> [Read; 5] {
    let shell = || media("text/plain", "Assignments", example::ASSIGNMENTS);
    [
        Read {
            path: "/api/v1/status",
            id: "getStatus",
            tag: "now",
            summary: "Every source.",
            parameters: &["fields", "format", "max_age"],
            ok: answer("Every source.", &DATED, [json_media("Status", example::status()), shell()]),
            tagged: true,
            also: &[],
        },
        Read {
            path: "/api/v1/sources",
            id: "listSources",
            tag: "now",
            summary: "Every source, as a list.",
            parameters: &["fields", "max_age"],
            ok: answer(
                "The sources in the order of the configuration.",
                &DATED,
                [json_media("Sources", json!([example::named_source()]))],
            ),
            tagged: true,
            also: &[],
        },
        Read {
            path: "/api/v1/sources/{source}",
            id: "getSource",
            tag: "now",
            summary: "One source.",
            parameters: &["fields", "max_age"],
            ok: answer("The source.", &DATED, [json_media("NamedSource", example::named_source())]),
            tagged: true,
            also: &["NotFound"],
        },
        Read {
            path: "/api/v1/values/{source}.{field}",
            id: "getValue",
            tag: "now",
            summary: "One value.",
            parameters: &["format", "max_age"],
            ok: answer(
                "The value, and how far it can be trusted.",
                &DATED,
                [json_media("OneValue", example::one_value()), shell()],
            ),
            tagged: true,
            also: &["NotFound"],
        },
        Read {
            path: "/api/v1/values/{source}.{field}.txt",
            id: "getBareValue",
            tag: "now",
            summary: "One value and nothing else. A missing one is a 503.",
            parameters: &["max_age"],
            ok: answer("The value.", &DATED, [media("text/plain", "BareValue", "84.6\n")]),
            tagged: true,
            also: &["NotFound"],
        },
    ]
}

fn past() -> [Read; 2] {
    let series = [
        json_media("Series", example::series()),
        media("text/csv", "SeriesCsv", example::CSV),
        media("application/x-ndjson", "SeriesLines", example::lines()),
    ];
    [
        Read {
            path: "/api/v1/history",
            id: "getHistory",
            tag: "past",
            summary: "What a field was.",
            parameters: &["series_field", "from", "to", "hours", "days", "step", "series_format"],
            ok: json!({
                "description": "The points of the window. Without `step` it has an entity tag.",
                "headers": {
                    "ETag": {
                        "description": "Where no `step` was asked for.",
                        "schema": {"type": "string"},
                    },
                    "Vary": {
                        "description": "Where no `step` was asked for.",
                        "schema": {"type": "string"},
                    },
                    "Cache-Control": {"$ref": "#/components/headers/Cache-Control"},
                    "Content-Disposition": {"$ref": "#/components/headers/Content-Disposition"},
                },
                "content": series.into_iter().collect::<Map<String, Json>>(),
            }),
            tagged: true,
            also: &["NotFound"],
        },
        Read {
            path: "/api/v1/events",
            id: "listEvents",
            tag: "past",
            summary: "What happened, the latest first, in pages.",
            parameters: &["limit", "before", "events_source"],
            ok: answer(
                "A page of events, and where the next one is.",
                &CACHED,
                [json_media("Events", example::events())],
            ),
            tagged: true,
            also: &[],
        },
    ]
}

fn health() -> [Read; 3] {
    let ok = || answer("It is.", &FLEETING, [media("text/plain", "Ok", "ok\n")]);
    let read = |path, id, summary| Read {
        path,
        id,
        tag: "health",
        summary,
        parameters: &[],
        ok: ok(),
        tagged: false,
        also: &[],
    };
    [
        read("/ping", "ping", "Whether requests go the full path and come back."),
        read("/healthz", "getHealth", "Whether the process serves. Never depends on an upstream."),
        read("/readyz", "getReadiness", "Whether every source has answered and none is stale."),
    ]
}

fn pages() -> [Read; 7] {
    let page = |about| answer(about, &CACHED, [plain_media("text/html", "Text")]);
    let svg = || plain_media("image/svg+xml", "Text");
    let asset = [plain_media("text/css", "Text"), plain_media("text/javascript", "Text"), svg()];
    let read = |path, id, summary, ok| Read {
        path,
        id,
        tag: "pages",
        summary,
        parameters: &[],
        ok,
        tagged: true,
        also: &[],
    };
    let dashboard = "The dashboard. Works without JavaScript.";
    let source = "A source with all its charts and their numbers.";
    let robots = answer("Nothing.", &CACHED, [plain_media("text/plain", "Text")]);
    [
        Read { parameters: &["range"], ..read("/", "getDashboard", dashboard, page("The page.")) },
        Read {
            parameters: &["range"],
            also: &["NotFound"],
            ..read("/source/{source}", "getSourcePage", source, page("The page."))
        },
        Read {
            parameters: &["range", "width", "height", "theme"],
            also: &["NotFound"],
            ..read(
                "/chart/{source}.{field}.svg",
                "getChart",
                "A chart, for other pages to show.",
                answer("The picture.", &CACHED, [svg()]),
            )
        },
        Read {
            also: &["NotFound"],
            ..read(
                "/assets/{name}",
                "getAsset",
                "What the pages load. A name is never used again for other bytes.",
                answer("The file.", &CACHED, asset),
            )
        },
        read("/favicon.ico", "getIcon", "The icon.", answer("The icon.", &CACHED, [svg()])),
        read("/robots.txt", "getRobots", "What search engines may look at.", robots),
        Read {
            tag: "document",
            ..read(
                "/openapi.json",
                "getOpenApi",
                "This document.",
                answer("The document.", &CACHED, [plain_media("application/json", "OpenApi")]),
            )
        },
    ]
}

fn poll() -> (String, Json) {
    let path = "/api/v1/sources/{source}/poll";
    let mut responses = common(&["NotFound"]);
    let begun = answer(
        "The poll begins. When it is done `fetched_at` or `error` of the source tells.",
        &["Location", "Cache-Control"],
        [json_media("PollBegun", example::poll_begun())],
    );
    responses.insert("202".to_owned(), begun);
    let item = json!({
        "parameters": references(&path_parameters(path)),
        "post": {
            "operationId": "pollSource",
            "tags": ["now"],
            "summary": "Ask an upstream now, not at the next interval.",
            "responses": responses,
        },
        "options": options("pollSource", "now", path),
    });
    (path.to_owned(), item)
}
