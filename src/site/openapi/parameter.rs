//! The parameters of all operations, each with examples that tests try.

use serde_json::{Map, Value as Json, json};
use strum::VariantNames as _;

use super::schema::{FIELD, GROUP, NAME, names};
use crate::site::alerts::{DEFAULT_INCIDENTS, MAX_INCIDENTS};
use crate::site::chart::{Range, SIDES, Theme, WIDE};
use crate::site::events::{DEFAULT_EVENTS, MAX_EVENTS};
use crate::site::history::MAX_JOINED;
use crate::site::overview::MAX_WORDS;
use crate::site::query::{MAX_FIELDS, MAX_LIMIT, MAX_MAX_AGE, Syntax};
use crate::site::series::Format;
use crate::site::source_filter::Condition;

/// Returns references to parameters of the components.
pub(super) fn references(names: &[&str]) -> Json {
    names.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect()
}

/// Keys of the preconditions of a response with an entity tag (RFC 9110 13).
pub(super) const CONDITIONS: [&str; 4] =
    ["if_none_match", "if_modified_since", "if_match", "if_unmodified_since"];

/// `components.parameters`
pub(super) fn parameters() -> Json {
    let groups = [
        of_paths(),
        of_now(),
        of_fleets(),
        of_windows(),
        of_events(),
        of_alerts(),
        of_charts(),
        of_sign_in(),
        conditions(),
    ];
    groups.into_iter().flatten().collect::<Map<String, Json>>().into()
}

type Named = (String, Json);

/// A parameter of a path. Two parameters of one name with different meanings have different keys.
fn in_path(key: &str, name: &str, description: &str, schema: Json, example: &str) -> Named {
    let parameter = json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": schema,
        "example": example,
    });
    (key.to_owned(), parameter)
}

fn in_query(name: &str, description: &str, schema: Json, examples: &[Json]) -> Named {
    let examples: Map<String, Json> = examples
        .iter()
        .map(|value| {
            let key = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // A key has letters, digits, dots, hyphens and underscores only (OpenAPI 4.8.7.1).
            let key = key.replace(|sign: char| !sign.is_ascii_alphanumeric() && sign != '.', "_");
            (key, json!({"value": value}))
        })
        .collect();
    let parameter = json!({
        "name": name,
        "in": "query",
        "description": description,
        "schema": schema,
        "examples": examples,
    });
    (name.to_owned(), parameter)
}

fn in_header(key: &str, name: &str, description: &str, example: &str) -> Named {
    let parameter = json!({
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    });
    (key.to_owned(), parameter)
}

fn of_sign_in() -> Vec<Named> {
    let about = "Path of this site to go to after sign-in. Any other address means `/`.";
    let examples = [json!("/source/tank?range=7d")];
    vec![in_query("next", about, json!({"type": "string"}), &examples)]
}

fn of_paths() -> Vec<Named> {
    let name = json!({"type": "string", "pattern": NAME});
    vec![
        in_path("source", "source", "A source's name.", name.clone(), "tank"),
        in_path("field", "field", "A field's name.", name, "level"),
        in_path(
            "path_group",
            "group",
            "A group, such as `north/ridge`, whose slashes are not encoded.",
            json!({"type": "string", "pattern": GROUP}),
            "north",
        ),
        in_path(
            "asset",
            "name",
            "A file's name, as the pages of this release contain it.",
            json!({"type": "string"}),
            "style.0123456789abcdef.css",
        ),
    ]
}

fn of_now() -> Vec<Named> {
    vec![
        in_query(
            "max_age",
            "Seconds: older data is a 503 with `Retry-After`, as is a source that has not \
             answered yet. Counted from the observation.",
            json!({"type": "integer", "minimum": 0, "maximum": MAX_MAX_AGE}),
            &[json!(86_400), json!(MAX_MAX_AGE)],
        ),
        (
            "fields".to_owned(),
            json!({
                "name": "fields",
                "in": "query",
                "description": "The fields to return.",
                "style": "form",
                "explode": false,
                "schema": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_FIELDS,
                    "items": {"type": "string", "pattern": FIELD},
                },
                "examples": {
                    "one": {"value": ["tank.level"]},
                    "two": {"value": ["tank.level", "tank.volume"]},
                },
            }),
        ),
        in_query(
            "format",
            "`shell`: assignments for `eval` in a POSIX shell.",
            json!({"type": "string", "enum": Syntax::VARIANTS, "default": "json"}),
            &[json!("json"), json!("shell")],
        ),
    ]
}

fn of_fleets() -> Vec<Named> {
    vec![
        in_query(
            "group",
            "Only sources of that group and of those below it: `north` has those of `north/ridge`.",
            json!({"type": "string", "pattern": GROUP}),
            &[json!("north"), json!("north/ridge")],
        ),
        (
            "state".to_owned(),
            json!({
                "name": "state",
                "in": "query",
                "description": "Only sources in one of these states. `failing`: the latest poll failed; the \
                    reading may still be fresh.",
                "style": "form",
                "explode": false,
                "schema": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "enum": names(Condition::as_str)},
                },
                "examples": {
                    "one": {"value": ["stale"]},
                    "two": {"value": ["failing", "stale"]},
                },
            }),
        ),
        in_query(
            "q",
            "Words of which each is in the title, the name or the group of a source.",
            json!({"type": "string", "maxLength": MAX_WORDS}),
            &[json!("ridge upper")],
        ),
        in_query(
            "page",
            "Number of the page of the overview.",
            json!({"type": "integer", "minimum": 1, "default": 1}),
            &[json!(2)],
        ),
        in_query(
            "limit",
            "Maximum number of sources.",
            json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}),
            &[json!(1), json!(MAX_LIMIT)],
        ),
        in_query(
            "cursor",
            "The member `next` of the page before.",
            json!({"type": "string", "pattern": NAME}),
            &[json!("tank")],
        ),
    ]
}

fn of_windows() -> Vec<Named> {
    let moment = || json!({"type": "string", "minLength": 1});
    let number = || json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1e9});
    let times = [json!("2026-01-30T17:16:00Z"), json!("2026-01-30"), json!("1769793360")];
    let (mut key, field) = in_query(
        "field",
        "The series: a source's and a field's name.",
        json!({"type": "string", "pattern": FIELD}),
        &[json!("tank.level")],
    );
    key.insert_str(0, "series_");
    let (mut format_key, format) = in_query(
        "format",
        "`csv`: a line for each point. `ndjson`: a JSON object on a line for each point.",
        json!({"type": "string", "enum": Format::VARIANTS, "default": "json"}),
        &[json!("json"), json!("csv"), json!("ndjson")],
    );
    format_key.insert_str(0, "series_");
    let mut field = (key, field);
    field.1["required"] = true.into();
    vec![
        field,
        (format_key, format),
        in_query(
            "from",
            "Begin of the window: RFC 3339, a date in the site's time zone, or seconds since \
             1970. Excludes `hours` and `days`; without any of them the window is a day.",
            moment(),
            &times,
        ),
        in_query(
            "to",
            "End of the window, in the same formats; default: now.",
            moment(),
            &times[..1],
        ),
        in_query(
            "hours",
            "Length of the window up to `to`, in hours.",
            number(),
            &[json!(6), json!(0.5)],
        ),
        in_query("days", "Length of the window up to `to`, in days.", number(), &[json!(7)]),
        in_query(
            "step",
            &format!(
                "Time from point to point: `raw` for each observation, a time such as `15m`, or \
                 seconds; above a day, whole days. Without it, as fine as 2,000 points allow. A \
                 window with a step is streamed, and has no entity tag. A step that is no multiple \
                 of `15m` joins single observations, at most {MAX_JOINED}: more is a 400."
            ),
            json!({"type": "string", "pattern": "^(raw|[0-9]+|([0-9]+(ms|s|m|h|d))+)$"}),
            &[json!("raw"), json!("15m"), json!("1h30m"), json!("1d"), json!("3600")],
        ),
    ]
}

fn of_events() -> Vec<Named> {
    let (mut key, source) = in_query(
        "source",
        "Only events of that source.",
        json!({"type": "string"}),
        &[json!("tank")],
    );
    key.insert_str(0, "events_");
    let (mut limit_key, limit) = in_query(
        "limit",
        "Maximum number of events.",
        json!({"type": "integer", "minimum": 1, "maximum": MAX_EVENTS, "default": DEFAULT_EVENTS}),
        &[json!(1), json!(MAX_EVENTS)],
    );
    limit_key.insert_str(0, "events_");
    vec![
        (key, source),
        (limit_key, limit),
        in_query(
            "before",
            "Only events with a smaller `id`.",
            json!({"type": "integer", "minimum": 0}),
            &[json!(41)],
        ),
    ]
}

fn of_alerts() -> Vec<Named> {
    let (mut source_key, source) = in_query(
        "source",
        "Acknowledge the incident of that source only; default: all that fire.",
        json!({"type": "string", "pattern": NAME}),
        &[json!("tank")],
    );
    source_key.insert_str(0, "alert_");
    let (mut next_key, next) = in_query(
        "next",
        "Path of this site to redirect a form to. Any other address means `/`.",
        json!({"type": "string"}),
        &[json!("/alert/tank_low")],
    );
    next_key.insert_str(0, "alert_");
    let (mut limit_key, limit) = in_query(
        "limit",
        "Maximum number of incidents.",
        json!({
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_INCIDENTS,
            "default": DEFAULT_INCIDENTS,
        }),
        &[json!(1), json!(MAX_INCIDENTS)],
    );
    limit_key.insert_str(0, "alert_");
    let (length_key, mut length) = in_query(
        "for",
        "Length of the silence, at most a year.",
        json!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}),
        &[json!("8h"), json!("1d12h")],
    );
    length["required"] = true.into();
    let name = json!({"type": "string", "pattern": NAME});
    vec![
        in_path("alert", "alert", "An alert's name.", name, "tank_low"),
        (source_key, source),
        (next_key, next),
        (limit_key, limit),
        (length_key, length),
    ]
}

fn of_charts() -> Vec<Named> {
    let side = |usual: u32| {
        let (least, most) = (SIDES.start(), SIDES.end());
        json!({"type": "integer", "minimum": least, "maximum": most, "default": usual})
    };
    let range = json!({
        "type": "string",
        "enum": Range::VARIANTS,
        "default": Range::Day.as_str(),
    });
    vec![
        in_query("range", "Length of the chart up to now.", range, &[json!("7d")]),
        in_query("width", "Pixels.", side(WIDE.width), &[json!(SIDES.start())]),
        in_query("height", "Pixels.", side(WIDE.height), &[json!(SIDES.end())]),
        in_query(
            "theme",
            "`auto` follows the viewer's preference.",
            json!({"type": "string", "enum": Theme::VARIANTS, "default": "auto"}),
            &[json!("dark")],
        ),
    ]
}

fn conditions() -> Vec<Named> {
    let date = "Sat, 31 Jan 2026 17:16:00 GMT";
    let tags = [
        ("if_none_match", "If-None-Match", "Entity tags of responses that the client has: a 304."),
        ("if_match", "If-Match", "Entity tags of which one must be the current one, else a 412."),
    ];
    let dates = [
        ("if_modified_since", "If-Modified-Since", "Not changed since then: a 304."),
        ("if_unmodified_since", "If-Unmodified-Since", "Changed since then: a 412."),
    ];
    let tags = tags.map(|(key, name, about)| in_header(key, name, about, "\"0123456789abcdef\""));
    let dates = dates.map(|(key, name, about)| in_header(key, name, about, date));
    tags.into_iter().chain(dates).collect()
}
