//! The schemas of current readings: the status, its sources and their values.

use serde_json::{Value as Json, json};

use super::{GROUP, NAME, maybe_time, name, names, reference, state, unit};
use crate::board::ErrorKind;
use crate::config::KINDS;

pub(super) fn status() -> Json {
    json!({
        "type": "object",
        "required": ["service", "sources"],
        "properties": {
            "service": reference("Service"),
            "sources": {
                "type": "object",
                "description": "Each source under its name.",
                "propertyNames": {"pattern": NAME},
                "additionalProperties": reference("Source"),
            },
            "next": next(),
        },
    })
}

/// Cursor of the next page.
fn next() -> Json {
    json!({
        "type": ["string", "null"],
        "description": "The parameter `cursor` of the next page, null on the last one. Present if the request \
            has `group`, `state`, `limit` or `cursor`.",
    })
}

/// A list, or an object with a list and the cursor of the next page.
pub(super) fn sources() -> Json {
    let list = json!({"type": "array", "items": reference("NamedSource")});
    let page = json!({
        "type": "object",
        "description": "If the request has `group`, `state`, `limit` or `cursor`.",
        "required": ["sources", "next"],
        "properties": {"sources": list, "next": next()},
    });
    json!({"oneOf": [list, page]})
}

pub(super) fn service() -> Json {
    json!({
        "type": "object",
        "required": ["name", "version", "started_at"],
        "properties": {
            "name": {"type": "string"},
            "version": {"type": "string"},
            "started_at": reference("Time"),
        },
    })
}

pub(super) fn source() -> Json {
    json!({
        "type": "object",
        "required": [
            "title", "kind", "state", "observed_at", "fetched_at", "stale_at", "next_poll_at",
            "values", "error",
        ],
        "properties": {
            "title": {"type": "string", "description": "For people."},
            "group": {
                "type": "string",
                "description": "Its group, if the configuration states one.",
                "pattern": GROUP,
            },
            "kind": {"type": "string", "description": "Kind of the upstream.", "enum": KINDS},
            "state": state(),
            "observed_at": maybe_time("Time by the sensor's clock."),
            "observed_at_inferred": {
                "type": "boolean",
                "description": "Present, and true, if the upstream did not report the time itself.",
                "const": true,
            },
            "fetched_at": maybe_time("Time by the server's clock at which the response was complete."),
            "stale_at": maybe_time("Time from which it is stale."),
            "next_poll_at": maybe_time("Time of the next poll."),
            "values": {
                "type": "object",
                "description": "Each value under its field's name; empty before the first successful poll.",
                "propertyNames": {"pattern": NAME},
                "additionalProperties": reference("Value"),
            },
            "error": {
                "description": "Failure of the latest poll; null if it succeeded.",
                "anyOf": [reference("Failure"), {"type": "null"}],
            },
        },
    })
}

/// A source with its name as a member.
pub(super) fn named_source() -> Json {
    let mut schema = source();
    schema["properties"]["name"] = name("The source's name.");
    if let Some(required) = schema["required"].as_array_mut() {
        required.push("name".into());
    }
    schema
}

pub(super) fn failure() -> Json {
    json!({
        "type": "object",
        "required": ["kind", "message", "since", "failures"],
        "properties": {
            "kind": {"type": "string", "enum": names(ErrorKind::as_str)},
            "message": {"type": "string", "description": "For people."},
            "since": {"$ref": "#/components/schemas/Time", "description": "Time of the first failure."},
            "failures": {"type": "integer", "description": "Failed polls in a row.", "minimum": 1},
        },
    })
}

pub(super) fn value() -> Json {
    json!({
        "type": "object",
        "required": ["value", "unit"],
        "properties": value_members(),
        "if": {"properties": {"value": {"type": "null"}}},
        "then": {"required": ["note"]},
    })
}

fn value_members() -> Json {
    json!({
        "value": {
            "type": ["number", "string", "null"],
            "description": "Null if the upstream sent null or an invalid value; `note` has the reason.",
        },
        "unit": unit(),
        "period": {
            "type": "integer",
            "description": "Seconds before the observation that an amount covers: 3600 for the rain of an hour.",
            "minimum": 0,
        },
        "observed_at": {
            "$ref": "#/components/schemas/Time",
            "description": "Time of this value, if the upstream states one for it alone.",
        },
        "observed_at_inferred": {
            "const": true,
            "description": "Present if the upstream does not state the time exactly.",
        },
        "note": {"type": "string", "description": "A remark, for people."},
    })
}

pub(super) fn one_value() -> Json {
    let mut schema = value();
    schema["required"] =
        json!(["source", "field", "value", "unit", "state", "observed_at", "fetched_at"]);
    let members = &mut schema["properties"];
    members["source"] = name("The source's name.");
    members["field"] = name("The field's name.");
    members["state"] = state();
    members["observed_at"] = json!({
        "$ref": "#/components/schemas/Time",
        "description": "Time of the value if the upstream states one for it alone, else of the reading.",
    });
    members["fetched_at"] = reference("Time");
    schema
}

pub(super) fn poll_begun() -> Json {
    json!({
        "type": "object",
        "required": ["source", "poll"],
        "properties": {"source": name("The source's name."), "poll": {"const": "begun"}},
    })
}
