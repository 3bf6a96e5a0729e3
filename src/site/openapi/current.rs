//! Paths of the current readings.

use serde_json::{Value as Json, json};

use super::example;
use super::operation::{Read, common, options, path_parameters};
use super::parameter::references;
use super::response::{DATED, json_media, media, response_with};

const TAG: &str = "now";

fn shell() -> (String, Json) {
    media("text/plain", "Assignments", example::ASSIGNMENTS)
}

/// `/api/v1/status`
pub(super) fn status() -> Read {
    Read {
        id: "getStatus",
        tag: TAG,
        summary: "Every source, or one page of those of a group or in a state.",
        parameters: &["fields", "format", "max_age", "group", "state", "limit", "cursor"],
        ok: response_with(
            "The sources, in the order of their names. With many sources, it may be a second late.",
            &DATED,
            [json_media("Status", example::status()), shell()],
        ),
        tagged: true,
        also: &[],
    }
}

/// `/api/v1/sources`
pub(super) fn sources() -> Read {
    Read {
        id: "listSources",
        tag: TAG,
        summary: "Every source, as a list, or one page of those of a group or in a state.",
        parameters: &["fields", "max_age", "group", "state", "limit", "cursor"],
        ok: response_with(
            "The sources, in the order of their names. With many sources, it may be a second late.",
            &DATED,
            [json_media("Sources", json!([example::named_source()]))],
        ),
        tagged: true,
        also: &[],
    }
}

/// `/api/v1/sources/{source}`
pub(super) fn source() -> Read {
    Read {
        id: "getSource",
        tag: TAG,
        summary: "One source.",
        parameters: &["fields", "max_age"],
        ok: response_with(
            "The source.",
            &DATED,
            [json_media("NamedSource", example::named_source())],
        ),
        tagged: true,
        also: &["NotFound"],
    }
}

/// `/api/v1/values/{source}.{field}`
pub(super) fn value() -> Read {
    Read {
        id: "getValue",
        tag: TAG,
        summary: "One value.",
        parameters: &["format", "max_age"],
        ok: response_with(
            "The value, and how far it can be trusted.",
            &DATED,
            [json_media("OneValue", example::one_value()), shell()],
        ),
        tagged: true,
        also: &["NotFound"],
    }
}

/// `/api/v1/values/{source}.{field}.txt`
pub(super) fn bare_value() -> Read {
    Read {
        id: "getBareValue",
        tag: TAG,
        summary: "The bare value. A missing value is a 503.",
        parameters: &["max_age"],
        ok: response_with("The value.", &DATED, [media("text/plain", "BareValue", "84.6\n")]),
        tagged: true,
        also: &["NotFound"],
    }
}

/// `/api/v1/sources/{source}/poll`
pub(super) fn poll(path: &str) -> Json {
    let mut responses = common(&["NotFound"]);
    let begun = response_with(
        "The poll begins. Its result is in `fetched_at` or `error` of the source.",
        &["Location", "Cache-Control"],
        [json_media("PollBegun", example::poll_begun())],
    );
    responses.insert("202".to_owned(), begun);
    json!({
        "parameters": references(&path_parameters(path)),
        "post": {
            "operationId": "pollSource",
            "tags": [TAG],
            "summary": "Poll an upstream now, not at the next interval.",
            "responses": responses,
        },
        "options": options("pollSource", TAG, path),
    })
}
