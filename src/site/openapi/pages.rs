//! Paths for people and for monitors, and this document's own.

use serde_json::Value as Json;

use super::operation::Read;
use super::response::{CACHED, FLEETING, media, plain_media, response_with};

/// `/`
pub(super) fn dashboard() -> Read {
    let about = "The dashboard, or with more than 12 sources an overview of them, the worst first. Works \
                 without JavaScript.";
    let parameters = &["range", "state", "group", "q", "page"];
    Read { parameters, ..page("getDashboard", about, html()) }
}

/// `/group/{group}`
pub(super) fn group() -> Read {
    let about = "An overview of the sources of a group and of those below it, the worst first.";
    let parameters = &["state", "q", "page"];
    Read { parameters, also: &["NotFound"], ..page("getGroupPage", about, html()) }
}

/// `/source/{source}`
pub(super) fn source_page() -> Read {
    let about = "A source with all its charts and their numbers.";
    Read { parameters: &["range"], also: &["NotFound"], ..page("getSourcePage", about, html()) }
}

/// `/alerts`
pub(super) fn alerts() -> Read {
    page("getAlertsPage", "All alerts, the worst first, and the latest incidents.", html())
}

/// `/alert/{alert}`
pub(super) fn alert() -> Read {
    let about = "An alert, the sources on which it fires, and its incidents.";
    Read { also: &["NotFound"], ..page("getAlertPage", about, html()) }
}

/// `/chart/{source}.{field}.svg`
pub(super) fn chart() -> Read {
    let ok = response_with("The picture.", &CACHED, [svg()]);
    Read {
        parameters: &["range", "width", "height", "theme"],
        also: &["NotFound"],
        ..page("getChart", "A chart, for other pages to show.", ok)
    }
}

/// `/assets/{name}`
pub(super) fn asset() -> Read {
    let files = [plain_media("text/css", "Text"), plain_media("text/javascript", "Text"), svg()];
    let about = "A file that the pages load. A name is never used again for other bytes.";
    Read {
        also: &["NotFound"],
        ..page("getAsset", about, response_with("The file.", &CACHED, files))
    }
}

/// `/favicon.ico`
pub(super) fn favicon() -> Read {
    page("getIcon", "The icon.", response_with("The icon.", &CACHED, [svg()]))
}

/// `/robots.txt`
pub(super) fn robots() -> Read {
    let ok = response_with("No page.", &CACHED, [plain_media("text/plain", "Text")]);
    page("getRobots", "The pages that search engines may index.", ok)
}

/// `/openapi.json`
pub(super) fn openapi() -> Read {
    let ok = response_with("The document.", &CACHED, [plain_media("application/json", "OpenApi")]);
    Read { tag: "document", ..page("getOpenApi", "This document.", ok) }
}

/// `/ping`
pub(super) fn ping() -> Read {
    probe("ping", "The shortest request that passes through all layers.")
}

/// `/healthz`
pub(super) fn health() -> Read {
    probe("getHealth", "Liveness: the process serves. Never depends on an upstream.")
}

/// `/readyz`
pub(super) fn readiness() -> Read {
    probe("getReadiness", "Readiness: every source has answered and none is stale.")
}

fn html() -> Json {
    response_with("The page.", &CACHED, [plain_media("text/html", "Text")])
}

fn svg() -> (String, Json) {
    plain_media("image/svg+xml", "Text")
}

fn page(id: &'static str, summary: &'static str, ok: Json) -> Read {
    Read { id, tag: "pages", summary, parameters: &[], ok, tagged: true, also: &[] }
}

fn probe(id: &'static str, summary: &'static str) -> Read {
    let ok = response_with("Yes.", &FLEETING, [media("text/plain", "Ok", "ok\n")]);
    Read { id, tag: "health", summary, parameters: &[], ok, tagged: false, also: &[] }
}
