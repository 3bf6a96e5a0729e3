//! Paths of the recorded data.

use serde_json::{Map, Value as Json, json};

use super::example;
use super::operation::Read;
use super::response::{CACHED, answer, json_media, media};

const TAG: &str = "past";

/// `/api/v1/history`
pub(super) fn history() -> Read {
    let series = [
        json_media("Series", example::series()),
        media("text/csv", "SeriesCsv", example::CSV),
        media("application/x-ndjson", "SeriesLines", example::lines()),
    ];
    Read {
        id: "getHistory",
        tag: TAG,
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
    }
}

/// `/api/v1/events`
pub(super) fn events() -> Read {
    Read {
        id: "listEvents",
        tag: TAG,
        summary: "What happened, the latest first, in pages.",
        parameters: &["limit", "before", "events_source"],
        ok: answer(
            "A page of events, and where the next one is.",
            &CACHED,
            [json_media("Events", example::events())],
        ),
        tagged: true,
        also: &[],
    }
}
