//! Paths of the recorded data.

use serde_json::{Map, Value as Json, json};

use super::example;
use super::operation::Read;
use super::response::{CACHED, json_media, media, response_with};

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
        summary: "Recorded series of one field.",
        parameters: &["series_field", "from", "to", "hours", "days", "step", "series_format"],
        ok: json!({
            "description": "The points of the window.",
            "headers": {
                "ETag": {
                    "description": "Absent if the query has a `step`.",
                    "schema": {"type": "string"},
                },
                "Vary": {
                    "description": "Absent if the query has a `step`.",
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
        summary: "Recorded events, the latest first, in pages.",
        parameters: &["events_limit", "before", "events_source"],
        ok: response_with(
            "A page of events, and the address of the next one.",
            &CACHED,
            [json_media("Events", example::events())],
        ),
        tagged: true,
        also: &[],
    }
}
