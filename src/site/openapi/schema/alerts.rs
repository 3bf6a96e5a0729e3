//! The schemas of alerts and incidents.

use serde_json::{Map, Value as Json, json};

use super::{NAME, maybe_time, name, names, reference, unit};
use crate::alert::{AlertState, EndReason};
use crate::config::Severity;

/// Returns an object all of whose members are always present.
fn object(properties: Json) -> Json {
    let required: Vec<String> =
        properties.as_object().iter().flat_map(|members| members.keys().cloned()).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

/// Members that alerts and incidents have in common.
fn subject() -> Map<String, Json> {
    let members = json!({
        "name": name("The alert's name."),
        "severity": {"type": "string", "enum": names(Severity::as_str)},
        "source": {
            "type": ["string", "null"],
            "description": "The source. Null for a rule on the server itself, and for a rule on several \
                sources that is inactive on all of them.",
            "pattern": NAME,
        },
        "field": {
            "type": ["string", "null"],
            "description": "The field, if the rule is on one.",
            "pattern": NAME,
        },
        "condition": {"type": "string", "description": "The condition in words: `below 300 gal`."},
        "value": {
            "type": ["number", "string", "null"],
            "description": "The latest value on which the rule has decided.",
        },
        "threshold": {
            "type": ["number", "null"],
            "description": "The threshold, in the unit of the value.",
        },
        "unit": unit(),
        "observed_at": maybe_time("Time of the observation."),
        "detail": {"type": ["string", "null"], "description": "For people."},
        "acknowledged_by": {
            "type": ["string", "null"],
            "description": "Name of the account that acknowledged it.",
        },
        "acknowledged_at": maybe_time("Time of the acknowledgement."),
    });
    match members {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

fn with_subject(own: Json) -> Json {
    let mut members = subject();
    if let Json::Object(own) = own {
        members.extend(own);
    }
    object(members.into())
}

pub(super) fn alert() -> Json {
    with_subject(json!({
        "state": {
            "type": "string",
            "description": "`pending`: the condition holds, and not yet for as long as the rule says. \
                `acknowledged` and `silenced` alerts fire, too.",
            "enum": names(AlertState::as_str),
        },
        "since": maybe_time("Time since which the condition holds."),
        "silenced_until": maybe_time("End of the silence of the alert."),
        "fault": {
            "type": ["string", "null"],
            "description": "Reason why the rule cannot be applied.",
        },
        "incident": {
            "type": ["string", "null"],
            "description": "Id of the incident, while it fires.",
            "pattern": INCIDENT,
        },
    }))
}

const INCIDENT: &str = "^[0-9a-f]{16}$";

pub(super) fn incident() -> Json {
    let reasons =
        [EndReason::Resolved, EndReason::OutsideHours, EndReason::Withdrawn].map(EndReason::as_str);
    let mut reasons: Vec<Json> = reasons.into_iter().map(Json::from).collect();
    reasons.push(Json::Null);
    with_subject(json!({
        "id": {"type": "string", "pattern": INCIDENT},
        "title": {"type": "string", "description": "Title of the source, or of the site."},
        "since": reference("Time"),
        "fired_at": reference("Time"),
        "ended_at": maybe_time("End; null while it fires."),
        "end_reason": {
            "description": "`outside_hours`: the hours of the rule have ended. `withdrawn`: the rule or its \
                source was changed or removed. Null while it fires.",
            "enum": reasons,
        },
        "value_at_fire": {
            "type": ["number", "string", "null"],
            "description": "The value when it fired, in the same unit.",
        },
    }))
}

pub(super) fn alerts() -> Json {
    object(json!({
        "alerts": {
            "type": "array",
            "description": "Those that fire first, then those that are pending.",
            "items": reference("Alert"),
        },
        "incidents": {
            "type": "array",
            "description": "Those that fire, then those that have ended, the latest first.",
            "items": reference("Incident"),
        },
        "incidents_error": {
            "type": ["string", "null"],
            "description": "Reason why earlier incidents are missing.",
        },
    }))
}
