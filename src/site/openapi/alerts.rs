//! Paths of alerts, and of the commands on them.

use serde_json::{Value as Json, json};

use super::example;
use super::operation::{Read, common, options, path_parameters};
use super::parameter::references;
use super::response::{CACHED, headers_of, json_media, response_with};

const TAG: &str = "alerts";

/// `/api/v1/alerts`
pub(super) fn list() -> Read {
    Read {
        id: "listAlerts",
        tag: TAG,
        summary: "All alerts, those that fire first, and the latest incidents.",
        parameters: &[],
        ok: response_with(
            "An entry for each source on which a rule is not inactive, and one for each other rule.",
            &CACHED,
            [json_media("Alerts", example::alerts())],
        ),
        tagged: true,
        also: &[],
    }
}

/// `/api/v1/alerts/{alert}`
pub(super) fn alert() -> Read {
    Read {
        id: "getAlert",
        tag: TAG,
        summary: "One alert and its incidents.",
        parameters: &["alert_limit"],
        ok: response_with(
            "The alert on each of its sources, and its incidents, the latest first.",
            &CACHED,
            [json_media("Alerts", example::alerts())],
        ),
        tagged: true,
        also: &["NotFound"],
    }
}

/// `/api/v1/alerts/{alert}/acknowledge`
pub(super) fn acknowledge(path: &str) -> Json {
    command(
        path,
        "acknowledgeAlert",
        "State that you know of what fires: reminders end.",
        &["alert_source", "alert_next"],
        &["NotFound", "Conflict"],
    )
}

/// `/api/v1/alerts/{alert}/silence`
pub(super) fn silence(path: &str) -> Json {
    command(
        path,
        "silenceAlert",
        "Send no messages that the alert fires, for a time.",
        &["for", "alert_next"],
        &["NotFound"],
    )
}

/// `/api/v1/alerts/{alert}/unsilence`
pub(super) fn unsilence(path: &str) -> Json {
    command(path, "unsilenceAlert", "End a silence.", &["alert_next"], &["NotFound"])
}

fn command(path: &str, id: &str, summary: &str, parameters: &[&str], also: &[&str]) -> Json {
    let mut responses = common(also);
    let done = response_with(
        "The alert after the command.",
        &["Cache-Control", "Vary"],
        [json_media("Alerts", example::alerts())],
    );
    responses.insert("200".to_owned(), done);
    let see_other = json!({
        "description": "The form of a page: continue with a GET of `Location`.",
        "headers": headers_of(&["Location", "Cache-Control", "Vary"]),
    });
    responses.insert("303".to_owned(), see_other);
    let description = "Requires the scope `alert`. The form of a page, whose browser prefers `text/html`, is \
                       redirected to the path in `next`.";
    json!({
        "parameters": references(&path_parameters(path)),
        "post": {
            "operationId": id,
            "tags": [TAG],
            "summary": summary,
            "description": description,
            "parameters": references(parameters),
            "responses": responses,
        },
        "options": options(id, TAG, path),
    })
}
