//! The schemas of records: series, their points, and events.

use serde_json::{Value as Json, json};
use strum::VariantNames as _;

use super::{FIELD, NAME, names, reference, unit};
use crate::board::EventKind;
use crate::history::{DAY, Tier};
use crate::units::OverTime;

pub(super) fn series() -> Json {
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

pub(super) fn point() -> Json {
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

pub(super) fn events() -> Json {
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
                "description": "Path and query of the next page, from the root of the host; null on the \
                    last one. With a public address (url in [site]), it begins with the path of that; below a path that a proxy removes, one is required.",
                "format": "uri-reference",
            },
        },
    })
}

pub(super) fn event() -> Json {
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
