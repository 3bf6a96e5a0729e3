//! The schemas of all bodies (JSON Schema 2020-12).

use serde_json::{Value as Json, json};
use strum::{VariantArray, VariantNames as _};

use super::example;
use crate::access::MAX_NAME_BYTES;
use crate::board::{ErrorKind, EventKind, State};
use crate::config::KINDS;
use crate::history::{DAY, Tier};
use crate::site::login::LOGIN_BODY_LIMIT;
use crate::units::{MAX_LABEL, OverTime, Unit};

/// Pattern of a source's or a field's name.
pub(super) const NAME: &str = "^[a-z][a-z0-9_]*$";

/// Pattern of a source's and a field's name.
pub(super) const FIELD: &str = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$";

/// Pattern of the assignments of `format=shell`, which no shell runs as a command.
const ASSIGNMENTS: &str = r"^([a-z][A-Za-z0-9_]*=(-?[0-9]+(\.[0-9]+)?|'([^']|'\\'')*')\n)*$";

/// Returns the names of all variants of an enum.
fn names<T: VariantArray + Copy>(name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    T::VARIANTS.iter().copied().map(name).collect()
}

/// Returns a reference to a schema of the components.
pub(super) fn reference(name: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// `components.schemas`
pub(super) fn schemas() -> Json {
    json!({
        "Time": time(),
        "Status": status(),
        "Service": service(),
        "Source": source(),
        "NamedSource": named_source(),
        "Sources": {"type": "array", "items": reference("NamedSource")},
        "Failure": failure(),
        "Value": value(),
        "OneValue": one_value(),
        "BareValue": {
            "type": "string",
            "description": "A number, or a text, on one line.",
            "pattern": "^[^\r\n]*\n$",
        },
        "Assignments": {
            "type": "string",
            "description": "Assignments for `eval` in a POSIX shell, one variable on a line. \
                A variable has the name of its path in the JSON: `tank_level`, \
                `tank_level_unit`, `tank_level_note`, `tank_state`, `tank_observed_at`. Numbers \
                are bare, all other values are quoted, and a missing value is empty. A field with \
                the name of a member of the source, such as `state`, has `_value` appended.",
            "pattern": ASSIGNMENTS,
        },
        "PollBegun": poll_begun(),
        "SignIn": sign_in_form(),
        "Series": series(),
        "Point": point(),
        "SeriesCsv": {
            "type": "string",
            "description": "A header line, and a line for each point (RFC 4180). It has no `partial` and no `note`.",
            "pattern": "^at,value,min,max,last,count\r\n([^\n]+\r\n)*$",
        },
        "SeriesLines": {
            "type": "string",
            "description": "An object of the schema Point on each line.",
            "pattern": "^(\\{[^\n]*\\}\n)*$",
        },
        "Events": events(),
        "Event": event(),
        "Ok": {"type": "string", "const": "ok\n"},
        "Problem": problem(),
        "Text": {"type": "string"},
        "OpenApi": {
            "type": "object",
            "description": "An OpenAPI 3.1 document.",
            "required": ["openapi", "info", "paths", "components"],
            "properties": {"openapi": {"type": "string", "pattern": r"^3\.1\.\d+$"}},
            "additionalProperties": true,
        },
    })
}

fn time() -> Json {
    json!({
        "type": "string",
        "description": "UTC, RFC 3339, whole seconds.",
        "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
        "examples": [example::OBSERVED],
    })
}

/// A time, or null.
fn maybe_time(description: &str) -> Json {
    json!({"description": description, "anyOf": [reference("Time"), {"type": "null"}]})
}

fn name(description: &str) -> Json {
    json!({"type": "string", "description": description, "pattern": NAME})
}

fn state() -> Json {
    json!({
        "type": "string",
        "description": "`waiting`: never answered. `fresh`. `stale`: now is past `stale_at`.",
        "enum": names(State::as_str),
    })
}

/// A unit, or null.
fn unit() -> Json {
    json!({
        "type": ["string", "null"],
        "description": "A known unit, or a label of the configuration. Null for a text.",
        "maxLength": MAX_LABEL,
        "examples": Unit::NAMES,
    })
}

fn status() -> Json {
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
        },
    })
}

fn service() -> Json {
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

fn source() -> Json {
    json!({
        "type": "object",
        "required": [
            "title", "kind", "state", "observed_at", "fetched_at", "stale_at", "next_poll_at",
            "values", "error",
        ],
        "properties": {
            "title": {"type": "string", "description": "For people."},
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
fn named_source() -> Json {
    let mut schema = source();
    schema["properties"]["name"] = name("The source's name.");
    if let Some(required) = schema["required"].as_array_mut() {
        required.push("name".into());
    }
    schema
}

fn failure() -> Json {
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

fn value() -> Json {
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

fn one_value() -> Json {
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

fn poll_begun() -> Json {
    json!({
        "type": "object",
        "required": ["source", "poll"],
        "properties": {"source": name("The source's name."), "poll": {"const": "begun"}},
    })
}

/// The form of `POST /login`.
fn sign_in_form() -> Json {
    json!({
        "type": "object",
        "description": format!("At most {LOGIN_BODY_LIMIT} bytes, each field once."),
        "required": ["username", "password"],
        "properties": {
            "username": {"type": "string", "maxLength": MAX_NAME_BYTES},
            "password": {"type": "string", "format": "password"},
            "next": {
                "type": "string",
                "description": "Path of this site to go to; any other address means `/`.",
            },
        },
    })
}

fn series() -> Json {
    let tiers = names(Tier::as_str);
    json!({
        "type": "object",
        "required": ["field", "unit", "over_time", "from", "to", "resolution", "step", "points"],
        "properties": {
            "field": {"type": "string", "pattern": FIELD},
            "unit": unit(),
            "over_time": {
                "type": "string",
                "description": "Aggregation of the field over time, by which `value` is computed.",
                "enum": OverTime::VARIANTS,
            },
            "from": reference("Time"),
            "to": {"$ref": "#/components/schemas/Time", "description": "End of the window, exclusive."},
            "resolution": {
                "type": "string",
                "description": "The rows that the points were read from: observations, quarters of an hour or days.",
                "enum": tiers,
            },
            "step": {
                "type": ["integer", "null"],
                "description": "Seconds from point to point; null: each observation is a point.",
                "minimum": 1,
                "maximum": 3660 * DAY,
            },
            "points": {"type": "array", "items": reference("Point")},
        },
    })
}

fn point() -> Json {
    let number =
        |description: &str| json!({"type": ["number", "null"], "description": description});
    json!({
        "type": "object",
        "required": ["at", "value", "min", "max", "last", "count"],
        "properties": {
            "at": {"$ref": "#/components/schemas/Time", "description": "Begin of the step."},
            "value": number(
                "If `step` is null, the observation. Else by `over_time`: the mean (`mean`), the mean \
                 direction, weighted by the wind speed (`circular`), the sum of amounts, each in the \
                 step that ends at its time or contains it (`sum`), the rise of a counter that may be \
                 reset (`increase`), the largest (`max`) or the latest (`last`) observation. Null as \
                 `note` explains.",
            ),
            "min": number("Smallest observation; null for directions."),
            "max": number("Largest observation; null for directions."),
            "last": number("Latest observation."),
            "count": {"type": "integer", "description": "Number of observations.", "minimum": 1},
            "note": {"type": "string", "description": "Reason why `value` is null; absent else."},
            "partial": {
                "type": "boolean",
                "description": "True if `from` or `to` cuts the step, so that the point has the \
                                observations inside of the window only; absent else.",
            },
        },
    })
}

fn events() -> Json {
    json!({
        "type": "object",
        "required": ["events", "next"],
        "properties": {
            "events": {
                "type": "array",
                "description": "The latest first.",
                "items": reference("Event"),
            },
            "next": {
                "type": ["string", "null"],
                "description": "Path and query of the next page, from the root of the host; null on the last one. With a public address (url in [site]), it begins with the path of that.",
                "format": "uri-reference",
            },
        },
    })
}

fn event() -> Json {
    json!({
        "type": "object",
        "required": ["id", "at", "kind", "source", "detail"],
        "properties": {
            "id": {"type": "integer", "description": "A later event has a greater id."},
            "at": reference("Time"),
            "kind": {"type": "string", "enum": names(EventKind::as_str)},
            "source": {
                "type": ["string", "null"],
                "description": "The source concerned; null: the program.",
                "pattern": NAME,
            },
            "detail": {"type": "string", "description": "For people; may be empty."},
        },
    })
}

fn problem() -> Json {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "default": "about:blank"},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What failed, the limit, and what to do."},
            "instance": {"type": "string", "description": "The path of the request as the server received it, without the path of a proxy that \
                 removes it: it names the request, and is no link."},
            "sources": {
                "type": "array",
                "description": "The sources concerned.",
                "items": {
                    "type": "object",
                    "required": ["name", "state", "observed_at"],
                    "properties": {
                        "name": name("The source's name."),
                        "state": state(),
                        "observed_at": maybe_time("Time by the sensor's clock."),
                    },
                },
            },
        },
    })
}
