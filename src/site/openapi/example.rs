//! Examples of responses.

use serde_json::{Value as Json, json};

pub(super) const OBSERVED: &str = "2026-01-31T17:16:00Z";
const FETCHED: &str = "2026-01-31T17:20:01Z";

/// `/api/v1/status`
pub(super) fn status() -> Json {
    json!({
        "service": {
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "started_at": "2026-01-31T16:00:00Z",
        },
        "sources": {"tank": source()},
    })
}

fn source() -> Json {
    json!({
        "title": "Cistern",
        "kind": "ptlevel",
        "state": "fresh",
        "observed_at": OBSERVED,
        "fetched_at": FETCHED,
        "stale_at": "2026-01-31T17:36:00Z",
        "next_poll_at": "2026-01-31T17:25:01Z",
        "values": {
            "level": {"value": 84.6, "unit": "%"},
            "depth": {"value": 49.09, "unit": "in"},
            "volume": {"value": 1185.0, "unit": "gal"},
            "time_to_full": {"value": null, "unit": "h", "note": "it is not rising"},
        },
        "error": null,
    })
}

/// `/api/v1/sources/{source}`
pub(super) fn named_source() -> Json {
    let mut source = source();
    source["name"] = "tank".into();
    source["error"] = json!({
        "kind": "timeout",
        "message": "no answer within 10 s",
        "since": FETCHED,
        "failures": 3,
    });
    source
}

/// `/api/v1/values/{source}.{field}`
pub(super) fn one_value() -> Json {
    json!({
        "source": "tank",
        "field": "level",
        "value": 84.6,
        "unit": "%",
        "state": "fresh",
        "observed_at": OBSERVED,
        "fetched_at": FETCHED,
    })
}

/// `format=shell`
pub(super) const ASSIGNMENTS: &str = "tank_level=84.6\ntank_level_unit='%'\ntank_level_note=''\n\
    tank_state='fresh'\ntank_observed_at='2026-01-31T17:16:00Z'\n\
    tank_fetched_at='2026-01-31T17:20:01Z'\n";

/// `/api/v1/history`
pub(super) fn series() -> Json {
    json!({
        "field": "tank.level",
        "unit": "%",
        "over_time": "mean",
        "from": "2026-01-31T16:00:00Z",
        "to": "2026-01-31T18:00:00Z",
        "resolution": "raw",
        "step": 3600,
        "points": [point()],
    })
}

fn point() -> Json {
    json!({
        "at": "2026-01-31T17:00:00Z",
        "value": 84.55,
        "min": 84.5,
        "max": 84.6,
        "last": 84.6,
        "count": 4,
    })
}

pub(super) const CSV: &str =
    "at,value,min,max,last,count\r\n2026-01-31T17:00:00Z,84.55,84.5,84.6,84.6,4\r\n";

/// A line of `format=ndjson`.
pub(super) fn lines() -> String {
    format!("{}\n", point())
}

/// `/api/v1/events`
pub(super) fn events() -> Json {
    json!({
        "events": [{
            "id": 41,
            "at": "2026-01-31T17:36:00Z",
            "kind": "stale",
            "source": "tank",
            "detail": "",
        }],
        "next": "/api/v1/events?limit=1&before=41",
    })
}

/// `/api/v1/alerts` and `/api/v1/alerts/{alert}`
pub(super) fn alerts() -> Json {
    json!({
        "alerts": [{
            "name": "tank_low",
            "state": "acknowledged",
            "severity": "critical",
            "source": "tank",
            "field": "volume",
            "condition": "below 300 gal",
            "since": OBSERVED,
            "value": 280.0,
            "threshold": 300.0,
            "unit": "gal",
            "observed_at": OBSERVED,
            "detail": null,
            "acknowledged_by": "anna",
            "acknowledged_at": FETCHED,
            "silenced_until": null,
            "fault": null,
            "incident": "00abcdef01234567",
        }],
        "incidents": [{
            "id": "00abcdef01234567",
            "name": "tank_low",
            "source": "tank",
            "title": "Cistern",
            "field": "volume",
            "severity": "critical",
            "condition": "below 300 gal",
            "since": OBSERVED,
            "fired_at": OBSERVED,
            "ended_at": null,
            "end_reason": null,
            "value_at_fire": 290.0,
            "value": 280.0,
            "threshold": 300.0,
            "unit": "gal",
            "observed_at": OBSERVED,
            "detail": null,
            "acknowledged_by": "anna",
            "acknowledged_at": FETCHED,
        }],
        "incidents_error": null,
    })
}

/// `POST /api/v1/sources/{source}/poll`
pub(super) fn poll_begun() -> Json {
    json!({"source": "tank", "poll": "begun"})
}

/// A problem of that status.
pub(super) fn problem(status: u16, title: &str, detail: &str) -> Json {
    json!({
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "/api/v1/values/tank.level",
    })
}
