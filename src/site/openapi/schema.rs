//! The schemas of all bodies (JSON Schema 2020-12).

mod alerts;
mod readings;
mod records;

use serde_json::{Value as Json, json};
use strum::VariantArray;

use super::example;
use crate::access::MAX_NAME_BYTES;
use crate::board::State;
use crate::site::login::LOGIN_BODY_LIMIT;
use crate::units::{MAX_LABEL, Unit};

/// Pattern of a source's or a field's name.
pub(super) const NAME: &str = "^[a-z][a-z0-9_]*$";

/// Pattern of a group.
pub(super) const GROUP: &str = "^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$";

/// Pattern of a source's and a field's name.
pub(super) const FIELD: &str = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$";

/// Pattern of the assignments of `format=shell`, which no shell runs as a command.
const ASSIGNMENTS: &str = r"^([a-z][A-Za-z0-9_]*=(-?[0-9]+(\.[0-9]+)?|'([^']|'\\'')*')\n)*$";

/// Returns the names of all variants of an enum.
pub(super) fn names<T: VariantArray + Copy>(name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
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
        "Status": readings::status(),
        "Service": readings::service(),
        "Source": readings::source(),
        "NamedSource": readings::named_source(),
        "Sources": readings::sources(),
        "Failure": readings::failure(),
        "Value": readings::value(),
        "OneValue": readings::one_value(),
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
        "PollBegun": readings::poll_begun(),
        "SignIn": sign_in_form(),
        "Series": records::series(),
        "Point": records::point(),
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
        "Events": records::events(),
        "Event": records::event(),
        "Alerts": alerts::alerts(),
        "Alert": alerts::alert(),
        "Incident": alerts::incident(),
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
            "instance": {
                "type": "string",
                "description": "The path of the request as the server received it, without the path of a \
                    proxy that removes it: it names the request, and is no link.",
            },
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
