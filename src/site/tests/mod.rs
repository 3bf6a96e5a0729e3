//! The site as a whole, from a request to its response.

mod access;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::RequestObserver;
use crate::board::{ErrorKind, SourceView, State, Value};
use crate::engine::{Activity, BadRequest, Body, Refusal, Response, Service as _};
use crate::route_pattern::NO_ROUTE;
use crate::site::fixture::{
    at, failing, get, now, pump, request, site, site_observed, stale, tank, text, values, waiting,
    weather,
};
use crate::units::Unit;

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn parsed(response: &Response) -> Json {
    serde_json::from_str(text(response)).unwrap()
}

#[test]
fn methods_by_routes() {
    let site = site(vec![tank()]);
    let asset = site.context.assets.style.path.clone();
    for (target, pattern, code) in [
        ("/", "/", 200),
        ("/?anything=goes&here", "/", 200),
        ("http://elsewhere.example/", "/", 200),
        ("http://elsewhere.example/ping", "/ping", 200),
        ("/%70ing", "/ping", 200),
        ("/api/v1/status", "/api/v1/status", 200),
        ("/api/v1/status?", "/api/v1/status", 200),
        ("/api/v1/sources", "/api/v1/sources", 200),
        ("/api/v1/sources/tank", "/api/v1/sources/{source}", 200),
        ("/api/v1/sources/well", "/api/v1/sources/{source}", 404),
        ("/api/v1/values/tank.level", "/api/v1/values/{value}", 200),
        ("/api/v1/values/tank%2Elevel", "/api/v1/values/{value}", 200),
        ("/api/v1/values/tank.level.txt", "/api/v1/values/{value}", 200),
        ("/api/v1/values/tank.level.csv", "/api/v1/values/{value}", 404),
        ("/api/v1/values/tank.level.txt.txt", "/api/v1/values/{value}", 404),
        ("/api/v1/values/tank", "/api/v1/values/{value}", 404),
        ("/api/v1/values/tank.colour", "/api/v1/values/{value}", 404),
        ("/api/v1/values/well.level", "/api/v1/values/{value}", 404),
        ("/ping", "/ping", 200),
        ("/ping?max_age=1", "/ping", 200),
        ("/healthz", "/healthz", 200),
        ("/readyz", "/readyz", 200),
        ("/robots.txt", "/robots.txt", 200),
        ("/favicon.ico", "/favicon.ico", 200),
        (&asset, "/assets/{name}", 200),
        ("/assets/style.css", "/assets/{name}", 404),
        ("/assets/..%2f..%2fetc%2fpasswd", NO_ROUTE, 404),
        ("/nowhere", NO_ROUTE, 404),
        ("/ping/", NO_ROUTE, 404),
        ("//ping", NO_ROUTE, 404),
        ("/api%2Fv1%2fstatus", NO_ROUTE, 404),
        ("/%2570ing", NO_ROUTE, 404),
        ("/%zz", NO_ROUTE, 400),
        ("/%ff", NO_ROUTE, 400),
        ("*", NO_ROUTE, 400),
    ] {
        for method in ["GET", "HEAD"] {
            let (route, response) =
                site.answer(&request(method, target, &[]), now(), &Activity::default());
            assert_eq!((route, response.status().as_u16()), (pattern, code), "{method} {target}");
        }
        // A route that exists answers the other methods by its table, whatever lies below it.
        let exists = pattern != NO_ROUTE;
        for (method, allowed) in
            [("OPTIONS", 204), ("POST", 405), ("DELETE", 405), ("TRACE", 405), ("get", 501)]
        {
            let expected = match (target, method) {
                ("*", "OPTIONS") => 204,
                (_, "get") => 501,
                _ if exists => allowed,
                _ => code,
            };
            let (_, response) =
                site.answer(&request(method, target, &[]), now(), &Activity::default());
            assert_eq!(response.status().as_u16(), expected, "{method} {target}");
            let allow = if matches!(expected, 204 | 405) { "GET, HEAD, OPTIONS" } else { "" };
            assert_eq!(header(&response, "allow"), allow, "{method} {target}");
        }
    }
}

#[test]
fn a_poll_can_be_asked_for() {
    let site = site(vec![tank()]);
    let same = ("host", "pump.example:6443");
    for (target, fields, code) in [
        ("/api/v1/sources/tank/poll", &[][..], 202),
        ("/api/v1/sources/weather/poll", &[], 429),
        ("/api/v1/sources/none/poll", &[], 404),
        ("/api/v1/sources/tank/poll?now=1", &[], 400),
        ("/api/v1/sources/tank/poll", &[("sec-fetch-site", "same-origin")], 202),
        ("/api/v1/sources/tank/poll", &[("sec-fetch-site", "cross-site")], 403),
        ("/api/v1/sources/tank/poll", &[("sec-fetch-site", "same-site")], 403),
        ("/api/v1/sources/tank/poll", &[same, ("origin", "https://pump.example:6443")], 202),
        ("/api/v1/sources/tank/poll", &[same, ("origin", "https://evil.example")], 403),
        ("/api/v1/sources/tank/poll", &[same, ("origin", "null")], 403),
    ] {
        let (_, response) =
            site.answer(&request("POST", target, fields), now(), &Activity::default());
        assert_eq!(response.status().as_u16(), code, "{target} {fields:?}");
        if code == 429 {
            assert_eq!(header(&response, "retry-after"), "10");
        }
        if code == 202 {
            assert_eq!(header(&response, "location"), "/api/v1/sources/tank");
        }
    }
    for (method, code) in [("GET", 405), ("HEAD", 405), ("DELETE", 405), ("OPTIONS", 204)] {
        let asked = request(method, "/api/v1/sources/tank/poll", &[]);
        let (_, response) = site.answer(&asked, now(), &Activity::default());
        assert_eq!(response.status().as_u16(), code, "{method}");
        assert_eq!(header(&response, "allow"), "POST, OPTIONS", "{method}");
    }
}

#[test]
fn status_in_the_shape_of_the_contract() {
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
            "service": {"name": "pumphouse-web", "version": env!("CARGO_PKG_VERSION"),
                        "started_at": "2026-01-30T17:20:00Z"},
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
            named("tank", expected_tank.clone()),
            named("odd", expected_odd),
            named("well", expected_well)
        ])
    );
    let tank = get(&site, "/api/v1/sources/tank", &[]);
    assert_eq!(parsed(&tank), named("tank", expected_tank));
}

#[test]
fn the_whole_status_is_the_snapshots_own_bytes() {
    let site = site(vec![tank()]);
    let published = site.context.snapshot().status.identity.body.as_ptr();
    let sent = |seconds| match site
        .answer(&request("GET", "/api/v1/status", &[]), at(seconds), &Activity::default())
        .1
        .into_body()
    {
        Body::Full(bytes) => bytes,
        Body::Stream(_) => panic!("the site streams nothing"),
    };
    assert_eq!(sent(959).as_ptr(), published);
    // What has turned stale since the publication is told as stale all the same.
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
fn narrowed_by_fields() {
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
    let one = parsed(&get(&site, "/api/v1/sources/tank?fields=tank.depth", &[]));
    assert_eq!(one["values"], json!({"depth": {"value": 49.09, "unit": "in"}}));
}

#[test]
fn refused_queries() {
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
fn one_value() {
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([
        ("level", Value::number(84.6, Unit::Percent)),
        ("volume", Value::number(1185.0, Unit::UsGallon)),
        ("tiny", Value::number(-0.000_001, Unit::Volt)),
        ("mode", Value::text("on\r\n0")),
        ("battery", Value::missing(Some(Unit::Volt), "the upstream sent null")),
        ("txt", Value::number(7.0, Unit::Volt)),
    ]);
    let site = site(vec![source, waiting("well", "json")]);
    for (value, code, expected) in [
        ("tank.level.txt", 200, "84.6\n"),
        ("tank.volume.txt", 200, "1185\n"),
        ("tank.tiny.txt", 200, "-0.000001\n"),
        ("tank.mode.txt", 200, "on  0\n"),
        ("tank.txt.txt", 200, "7\n"),
        ("tank.battery.txt", 503, ""),
        ("well.level.txt", 503, ""),
        ("well.level", 503, ""),
        ("tank.level.txt?max_age=240", 200, "84.6\n"),
        ("tank.level.txt?max_age=239", 503, ""),
    ] {
        let response = get(&site, &format!("/api/v1/values/{value}"), &[]);
        assert_eq!(response.status().as_u16(), code, "{value}");
        if code == 200 {
            assert_eq!(text(&response), expected, "{value}");
            assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        } else {
            let retry: u64 = header(&response, "retry-after").parse().unwrap();
            assert!(retry > 0, "{value}");
            assert_eq!(header(&response, "content-type"), "application/problem+json");
        }
    }
    assert_eq!(
        parsed(&get(&site, "/api/v1/values/tank.level", &[])),
        json!({"source": "tank", "field": "level", "value": 84.6, "unit": "%", "state": "fresh",
               "observed_at": "2026-01-31T17:16:00Z", "fetched_at": "2026-01-31T17:19:01Z"})
    );
    let missing = parsed(&get(&site, "/api/v1/values/tank.battery", &[]));
    assert_eq!(missing["value"], Json::Null);
    assert_eq!(missing["note"], "the upstream sent null");
    assert_eq!(parsed(&get(&site, "/api/v1/values/tank.txt", &[]))["value"], 7.0);
}

#[test]
fn gate_of_age() {
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

#[test]
fn conditions_and_codings() {
    let site = site(vec![tank(), weather(), pump()]);
    const TARGETS: [&str; 4] =
        ["/api/v1/status", "/api/v1/sources", "/api/v1/status?fields=tank.level", "/"];
    for target in TARGETS {
        let plain = get(&site, target, &[]);
        let etag = header(&plain, "etag").to_owned();
        assert!(etag.starts_with('"') && etag.len() > 2, "{target}");
        assert_eq!(header(&plain, "vary"), "accept-encoding");
        assert_eq!(header(&plain, "content-encoding"), "");

        let again = get(&site, target, &[("if-none-match", &etag)]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{target}");
        assert!(matches!(again.body(), Body::Full(bytes) if bytes.is_empty()));
        for name in ["etag", "cache-control", "vary", "last-modified"] {
            assert_eq!(header(&again, name), header(&plain, name), "{target} {name}");
        }
        assert_eq!(header(&again, "content-type"), "");

        let packed = get(&site, target, &[("accept-encoding", "gzip")]);
        let is_long = matches!(plain.body(), Body::Full(bytes) if bytes.len() > 1024);
        assert_eq!(header(&packed, "content-encoding") == "gzip", is_long, "{target}");
        assert_eq!(header(&packed, "etag") != etag, is_long, "{target}");
        let failed = get(&site, target, &[("if-match", "\"other\"")]);
        assert_eq!(failed.status(), StatusCode::PRECONDITION_FAILED, "{target}");
    }
    let status = get(&site, "/api/v1/status", &[]);
    assert_eq!(header(&status, "cache-control"), "max-age=30, stale-if-error=86400");
    assert_eq!(header(&status, "last-modified"), "Sat, 31 Jan 2026 17:19:30 GMT");
    let tank = get(&site, "/api/v1/sources/tank", &[]);
    assert_eq!(header(&tank, "cache-control"), "max-age=241, stale-if-error=86400");
    assert_eq!(header(&tank, "last-modified"), "Sat, 31 Jan 2026 17:16:00 GMT");
}

#[test]
fn dates_do_not_hide_a_change_of_state() {
    let since = |response: &Response| header(response, "last-modified").to_owned();
    let ask = |source: SourceView, date: &str| {
        get(&site(vec![source]), "/api/v1/status", &[("if-modified-since", date)]).status()
    };
    let date = since(&get(&site(vec![tank()]), "/api/v1/status", &[]));
    assert_eq!(ask(tank(), &date), StatusCode::NOT_MODIFIED);

    let aged = stale(tank(), 7200);
    let date = since(&get(&site(vec![aged.clone()]), "/api/v1/status", &[]));
    assert_eq!(ask(aged, &date), StatusCode::OK, "it has turned stale since");

    let mut broken = failing(stale(tank(), 7200), ErrorKind::Dns, "no such name");
    broken.reading.as_mut().unwrap().stale_at = at(60);
    broken.state = State::Fresh;
    let date = since(&get(&site(vec![broken.clone()]), "/api/v1/status", &[]));
    assert_eq!(ask(broken, &date), StatusCode::OK, "it has begun to fail since");
}

#[test]
fn readiness() {
    for (sources, ready, listed) in [
        (vec![], true, json!(null)),
        (vec![tank(), weather()], true, json!(null)),
        (vec![failing(tank(), ErrorKind::Tls, "expired")], true, json!(null)),
        (
            vec![stale(tank(), 7200), weather(), waiting("well", "json")],
            false,
            json!([
                {"name": "tank", "state": "stale", "observed_at": "2026-01-31T15:16:00Z"},
                {"name": "well", "state": "waiting", "observed_at": null},
            ]),
        ),
    ] {
        let site = site(sources);
        assert_eq!(text(&get(&site, "/healthz", &[])), "ok\n");
        let response = get(&site, "/readyz", &[]);
        if ready {
            assert_eq!(text(&response), "ok\n");
        } else {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(parsed(&response)["detail"], "tank is stale, well is waiting.");
            assert_eq!(parsed(&response)["sources"], listed);
        }
    }
}

#[test]
fn problems_for_programs_and_for_browsers() {
    let site = site(vec![]);
    let response = get(&site, "/no%3Cb%3Ewhere?secret=1", &[]);
    assert_eq!(
        parsed(&response),
        json!({"type": "about:blank", "title": "Not Found", "status": 404,
               "detail": "There is nothing at this address.", "instance": "/no%3Cb%3Ewhere"})
    );
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert_eq!(header(&response, "content-security-policy"), "");

    let page = get(&site, "/no%3Cb%3Ewhere", &[("accept", "text/html,*/*;q=0.8")]);
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "vary"), "accept");
    assert!(text(&page).contains("There is nothing at this address."));
    assert!(header(&page, "content-security-policy").starts_with("default-src 'none'; "));

    let odd = get(&site, "/api/v1/status?%3Cb%3E=1", &[("accept", "text/html")]);
    assert!(text(&odd).contains("&lt;b&gt;") && !text(&odd).contains("<b>"));
}

#[test]
fn every_response_is_secured() {
    let site = site(vec![tank()]);
    for target in ["/", "/ping", "/api/v1/status", "/nowhere", "/%zz", "/robots.txt"] {
        for method in ["GET", "OPTIONS", "POST"] {
            let (_, response) =
                site.answer(&request(method, target, &[]), now(), &Activity::default());
            assert_eq!(header(&response, "x-content-type-options"), "nosniff");
            assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        }
    }
    let page = get(&site, "/", &[]);
    assert!(header(&page, "content-security-policy").contains("frame-ancestors 'none'"));
    assert!(!header(&page, "content-security-policy").contains("unsafe"));
}

#[test]
fn assets_are_kept_for_good() {
    let site = site(vec![]);
    for (asset, kind) in [
        (&site.context.assets.style, "text/css; charset=utf-8"),
        (&site.context.assets.script, "text/javascript; charset=utf-8"),
        (&site.context.assets.icon, "image/svg+xml"),
    ] {
        let response = get(&site, &asset.path, &[]);
        assert_eq!(header(&response, "content-type"), kind);
        assert_eq!(header(&response, "cache-control"), "public, max-age=31536000, immutable");
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<(&'static str, &'static str, u16)>>);

impl RequestObserver for Seen {
    fn observe(&self, route: &'static str, method: &'static str, code: u16, _: Duration) {
        self.0.lock().unwrap().push((route, method, code));
    }
}

#[test]
fn what_is_answered_and_what_is_refused_is_observed() {
    let seen = Arc::new(Seen::default());
    let site = Arc::new(site_observed(vec![], Arc::clone(&seen) as Arc<dyn RequestObserver>));
    site.call(&request("GET", "/ping", &[]), &Activity::default());
    site.call(&request("BREW", "/ping", &[]), &Activity::default());
    site.call(&request("HEAD", "/nowhere", &[]), &Activity::default());
    for (refusal, code, retry) in [
        (Refusal::BadRequest(BadRequest::FieldName), 400, ""),
        (Refusal::Timeout, 408, ""),
        (Refusal::BodyTooLarge, 413, ""),
        (Refusal::TargetTooLong, 414, ""),
        (Refusal::UnknownExpectation, 417, ""),
        (Refusal::Misdirected, 421, ""),
        (Refusal::HeadTooLarge, 431, ""),
        (Refusal::Panicked, 500, ""),
        (Refusal::UnknownCoding, 501, ""),
        (Refusal::UnknownMethod, 501, ""),
        (Refusal::Overloaded, 503, "2"),
        (Refusal::HeavyOverload, 503, "2"),
        (Refusal::UnknownVersion, 505, ""),
    ] {
        let response = site.refuse(refusal, None);
        assert_eq!(response.status().as_u16(), code);
        assert_eq!(header(&response, "retry-after"), retry);
        assert_eq!(parsed(&response)["detail"], refusal.detail());
        assert_eq!(seen.0.lock().unwrap().pop(), Some(("-", "-", code)));

        let asked = request("POST", "/api/v1/status?a=b", &[("accept", "application/json")]);
        let response = site.refuse(refusal, Some((&asked).into()));
        assert_eq!(parsed(&response)["instance"], "/api/v1/status");
        assert_eq!(seen.0.lock().unwrap().pop(), Some(("-", "POST", code)));

        let browser = request("GET", "/", &[("accept", "text/html,*/*;q=0.8")]);
        let response = site.refuse(refusal, Some((&browser).into()));
        assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
        assert!(text(&response).contains(refusal.detail()));
        assert_eq!(seen.0.lock().unwrap().pop(), Some(("-", "GET", code)));
    }
    assert_eq!(
        *seen.0.lock().unwrap(),
        [("/ping", "GET", 200), ("-", "other", 501), ("-", "HEAD", 404)]
    );
}
