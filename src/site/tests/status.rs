//! Current readings of all sources and of one.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::{header, parsed};
use crate::board::{ErrorKind, Value};
use crate::engine::{Activity, Body};
use crate::site::fixture::{
    at, failing, get, pump, request, site, stale, tank, values, waiting, weather,
};
use crate::units::Unit;

#[test]
fn status_has_the_shape_of_the_contract() {
    let mut odd = failing(stale(tank(), 7200), ErrorKind::TooLarge, "more than 1 MiB");
    let reading = odd.reading.as_mut().unwrap();
    reading.observed.inferred = true;
    reading.observed.at += jiff::SignedDuration::from_millis(999);
    reading.values = values([
        ("level", Value::missing(Some(Unit::Percent), "not a number")),
        ("mode", Value::text("auto")),
        ("volume", Value::number(1185.0, Unit::UsGallon)),
    ]);
    odd.name = "odd".into();
    let site = site(vec![tank(), odd, waiting("well", "json")]);
    let expected_tank = json!({
        "title": "Cistern", "kind": "ptlevel", "state": "fresh",
        "observed_at": "2026-01-31T17:16:00Z", "fetched_at": "2026-01-31T17:19:01Z",
        "stale_at": "2026-01-31T17:36:00Z", "next_poll_at": "2026-01-31T17:24:01Z",
        "values": {
            "level": {"value": 84.6, "unit": "%"},
            "depth": {"value": 49.09, "unit": "in"},
            "volume": {"value": 1185.0, "unit": "gal"},
        },
        "error": null,
    });
    let expected_odd = json!({
        "title": "Cistern", "kind": "ptlevel", "state": "stale",
        "observed_at": "2026-01-31T15:16:00Z", "observed_at_inferred": true,
        "fetched_at": "2026-01-31T17:19:01Z",
        "stale_at": "2026-01-31T15:36:00Z", "next_poll_at": "2026-01-31T17:24:01Z",
        "values": {
            "level": {"value": null, "unit": "%", "note": "not a number"},
            "mode": {"value": "auto", "unit": null},
            "volume": {"value": 1185.0, "unit": "gal"},
        },
        "error": {"kind": "too_large", "message": "more than 1 MiB",
                  "since": "2026-01-31T16:59:00Z", "failures": 5},
    });
    let expected_well = json!({
        "title": "well", "kind": "json", "state": "waiting", "observed_at": null,
        "fetched_at": null, "stale_at": null, "next_poll_at": "2026-01-31T17:20:10Z",
        "values": {}, "error": null,
    });
    let response = get(&site, "/api/v1/status", &[]);
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(
        parsed(&response),
        json!({
            "service": {"name": "pumphouse-web", "version": env!("CARGO_PKG_VERSION")},
            "sources": {"tank": expected_tank, "odd": expected_odd, "well": expected_well},
        })
    );
    let named = |name: &str, mut members: Json| {
        members["name"] = json!(name);
        members
    };
    assert_eq!(
        parsed(&get(&site, "/api/v1/sources", &[])),
        json!([
            named("odd", expected_odd),
            named("tank", expected_tank.clone()),
            named("well", expected_well)
        ])
    );
    let tank = get(&site, "/api/v1/sources/tank", &[]);
    assert_eq!(parsed(&tank), named("tank", expected_tank));
}

#[test]
fn whole_status_is_rendered_once_for_all_requests() {
    let site = site(vec![tank()]);
    let sent = |seconds| match site
        .answer(&request("GET", "/api/v1/status", &[]), at(seconds), &Activity::default())
        .1
        .into_body()
    {
        Body::Full(bytes) => bytes,
        Body::Stream(_) => panic!("the site streams nothing"),
    };
    assert_eq!(sent(959).as_ptr(), sent(0).as_ptr());
    // A reading that has turned stale since the snapshot is stale in the response.
    let late: Json = serde_json::from_slice(&sent(960)).unwrap();
    assert_eq!(late["sources"]["tank"]["state"], "stale");
}

#[test]
fn list_of_sources_and_shell_status_are_rendered_once_for_a_snapshot() {
    let site = site(vec![tank(), weather()]);
    for target in ["/api/v1/sources", "/api/v1/status?format=shell"] {
        let sent = |seconds| {
            let request = request("GET", target, &[]);
            match site.answer(&request, at(seconds), &Activity::default()).1.into_body() {
                Body::Full(bytes) => bytes,
                Body::Stream(_) => panic!("the site streams nothing"),
            }
        };
        let (first, later, stale) = (sent(0), sent(900), sent(960));
        assert_eq!(first.as_ptr(), later.as_ptr(), "{target}");
        // The tank has turned stale since the publication.
        assert_ne!(first, stale, "{target}");
        let joint = if target.contains('?') { '&' } else { '?' };
        let gated = get(&site, &format!("{target}{joint}max_age=1"), &[]);
        assert_eq!(gated.status(), 503, "{target}");
    }
}

#[test]
fn status_narrowed_by_fields_has_only_these() {
    let site = site(vec![tank(), weather(), waiting("well", "json")]);
    for (target, expected) in [
        ("/api/v1/status?fields=tank.level", json!({"tank": ["level"]})),
        (
            "/api/v1/status?fields=weather.temperature,tank.level,tank.depth",
            json!({"tank": ["level", "depth"], "weather": ["temperature"]}),
        ),
        ("/api/v1/status?fields=well.level", json!({"well": []})),
    ] {
        let body = parsed(&get(&site, target, &[]));
        let names: serde_json::Map<String, Json> = body["sources"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, source)| {
                let values = source["values"].as_object().unwrap();
                // The order of members is the map's; compare as the table is written.
                let mut fields: Vec<&String> = values.keys().collect();
                fields.sort_by_key(|field| *field != "level");
                (name.clone(), json!(fields))
            })
            .collect();
        assert_eq!(Json::Object(names), expected, "{target}");
        assert!(body["service"].is_object());
    }
    let narrowed = parsed(&get(&site, "/api/v1/sources/tank?fields=tank.depth", &[]));
    assert_eq!(narrowed["values"], json!({"depth": {"value": 49.09, "unit": "in"}}));
}

#[test]
fn query_with_an_unknown_or_malformed_parameter_is_400() {
    let site = site(vec![tank(), weather()]);
    for target in [
        "/api/v1/status?colour=blue",
        "/api/v1/status?max_age=soon",
        "/api/v1/status?max_age=1&max_age=1",
        "/api/v1/status?fields=tank.colour",
        "/api/v1/status?fields=well.level",
        "/api/v1/sources?fields=",
        "/api/v1/sources/tank?fields=weather.temperature",
        "/api/v1/values/tank.level?fields=tank.level",
        "/api/v1/values/tank.level?%zz",
    ] {
        let response = get(&site, target, &[]);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{target}");
        assert_eq!(header(&response, "content-type"), "application/problem+json", "{target}");
    }
}

#[test]
fn source_older_than_max_age_is_503_until_its_next_poll() {
    // Observed 240, 600 and 30 seconds ago; next polls in 241, 120 and 30 seconds.
    let site = site(vec![tank(), weather(), pump()]);
    for (target, code, retry) in [
        ("/api/v1/status?max_age=600", 200, ""),
        ("/api/v1/status?max_age=599", 503, "120"),
        ("/api/v1/status?max_age=100", 503, "241"),
        ("/api/v1/status?max_age=240&fields=tank.level", 200, ""),
        ("/api/v1/status?max_age=239&fields=tank.level", 503, "241"),
        ("/api/v1/sources?max_age=599", 503, "120"),
        ("/api/v1/sources/pump?max_age=30", 200, ""),
        ("/api/v1/sources/pump?max_age=29", 503, "30"),
    ] {
        let response = get(&site, target, &[]);
        assert_eq!(response.status().as_u16(), code, "{target}");
        assert_eq!(header(&response, "retry-after"), retry, "{target}");
    }
}
