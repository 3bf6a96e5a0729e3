//! The history over a real file.

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, RETRY_AFTER};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::board::{Change, Finite, Sample, Value};
use crate::engine::{Activity, Body};
use crate::history::{History, import};
use crate::site::Site;
use crate::site::fixture::{at, drained, get, now, request, site, site_with, tank, text, values};
use crate::units::Unit;

/// Two days of a level at five minutes, with a gap of six hours that ended twelve hours ago.
fn level() -> Vec<Sample> {
    let end = now().as_second();
    let gap = end - 18 * 3600..end - 12 * 3600;
    let times = (0..576).map(|n| end - n * 300).rev().filter(|at| !gap.contains(at));
    let sample = |at| {
        Sample::new(
            "tank".into(),
            "level".into(),
            Timestamp::from_second(at).unwrap(),
            Finite::new(50.0 + ((at / 300) % 10) as f64).unwrap(),
            Some(Unit::Percent),
        )
    };
    times.map(sample).collect()
}

struct RecordedSite {
    _folder: tempfile::TempDir,
    site: Site,
}

fn recorded() -> RecordedSite {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    import(&path, &TimeZone::UTC, [Change::Observed(level())]).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    RecordedSite { _folder: folder, site: site_with(vec![tank()], history) }
}

fn get_series(site: &Site, query: &str) -> Json {
    let response = get(site, &format!("/api/v1/history?{query}"), &[]);
    assert_eq!(response.status(), 200, "{query}: {}", drained(response));
    serde_json::from_str(&drained(response)).unwrap()
}

#[test]
fn window_of_each_length_has_its_resolution_and_step() {
    let RecordedSite { site, .. } = &recorded();
    for (query, resolution, step, points) in [
        ("field=tank.level&hours=6", "raw", Json::Null, 72),
        ("field=tank.level", "raw", Json::Null, 216),
        ("field=tank.level&days=1", "raw", Json::Null, 216),
        ("field=tank.level&days=2", "15m", 900.into(), 169),
        // The first hour and the first day are those parts that the window has of them.
        ("field=tank.level&days=2&step=1h", "15m", 3600.into(), 44),
        ("field=tank.level&days=365", "1d", 86_400.into(), 3),
        ("field=tank.level&hours=1&step=raw", "raw", Json::Null, 12),
        ("field=tank.level&from=2026-01-31&to=2026-01-31T06:00:00Z", "raw", Json::Null, 8),
        ("field=tank.level&from=0&to=100", "raw", Json::Null, 0),
    ] {
        let series = get_series(site, query);
        assert_eq!(series["field"], "tank.level");
        assert_eq!(series["unit"], "%");
        assert_eq!(series["resolution"], resolution, "{query}");
        assert_eq!(series["step"], step, "{query}");
        assert_eq!(series["points"].as_array().unwrap().len(), points, "{query}");
    }
    let series = get_series(site, "field=tank.level&hours=2&step=1h");
    assert_eq!(series["over_time"], "mean");
    // From 15:21 to 17:21.
    let partial = [0, 1, 2].map(|n| series["points"][n]["partial"].as_bool().is_some());
    assert_eq!(partial, [true, false, true]);
    let hour = &series["points"][2];
    assert_eq!((&hour["at"], &hour["count"]), (&"2026-01-31T17:00:00Z".into(), &5.into()));
    assert!(hour["min"].as_f64() <= hour["value"].as_f64(), "{hour}");
}

#[test]
fn each_format_has_the_same_points() {
    let RecordedSite { site, .. } = &recorded();
    let series = get_series(site, "field=tank.level&hours=6");
    let points = series["points"].as_array().unwrap();
    for step in ["", "&step=raw"] {
        let get = |format: &str| {
            let target = format!("/api/v1/history?field=tank.level&hours=6&format={format}{step}");
            let response = get(site, &target, &[]);
            let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
            let named = response.headers()[CONTENT_DISPOSITION].to_str().unwrap().to_owned();
            (kind, named, drained(response))
        };
        let (kind, named, csv) = get("csv");
        assert!(kind.starts_with("text/csv"), "{kind}");
        assert_eq!(named, "attachment; filename=\"tank.level.csv\"");
        let mut lines = csv.split("\r\n");
        assert_eq!(lines.next(), Some("at,value,min,max,last,count"));
        for (point, line) in points.iter().zip(lines.by_ref()) {
            let (at, value) = (point["at"].as_str().unwrap(), &point["value"]);
            assert_eq!(line, format!("{at},{value},{value},{value},{value},1"));
        }
        assert_eq!(lines.collect::<Vec<_>>(), [""], "it ends with its last line");
        let (kind, _, ndjson) = get("ndjson");
        assert_eq!(kind, "application/x-ndjson");
        let lines: Vec<Json> =
            ndjson.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, points);
    }
}

#[test]
fn series_without_a_step_has_an_entity_tag_and_with_a_step_is_streamed() {
    let RecordedSite { site, .. } = &recorded();
    let target = "/api/v1/history?field=tank.level&hours=6";
    let whole = get(site, target, &[]);
    assert_eq!(whole.headers()[CACHE_CONTROL], "max-age=241, stale-if-error=86400");
    let tag = whole.headers()[ETAG].to_str().unwrap().to_owned();
    assert_eq!(get(site, target, &[("if-none-match", &tag)]).status(), 304);
    let packed = get(site, target, &[("accept-encoding", "gzip")]);
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let streamed = get(site, &format!("{target}&step=raw"), &[]);
    assert!(matches!(streamed.body(), Body::Stream(_)));
    assert_eq!(streamed.headers()[CACHE_CONTROL], "no-cache");
}

#[test]
fn window_up_to_now_keeps_its_entity_tag_until_its_next_point() {
    let RecordedSite { site, .. } = &recorded();
    // 17:20 is the beginning of a minute, of five, and not of a quarter of an hour.
    for (query, still) in [
        ("hours=1", 59),
        ("hours=5", 59),
        ("hours=6", 299),
        ("", 299),
        ("days=1", 299),
        ("days=7", 599),
        ("days=365", 599),
    ] {
        let target = format!("/api/v1/history?field=tank.level&{query}");
        let tag = |seconds| {
            let request = request("GET", target.trim_end_matches('&'), &[]);
            let (_, response) = site.answer(&request, at(seconds), &Activity::default());
            assert_eq!(response.status(), 200, "{query}");
            response.headers()[ETAG].clone()
        };
        assert_eq!(tag(0), tag(still), "{query}");
        assert_ne!(tag(0), tag(still + 1), "{query}");
    }
}

#[test]
fn malformed_query_is_400_and_unrecorded_field_404() {
    let RecordedSite { site, .. } = &recorded();
    for query in [
        "",
        "field=tank",
        "field=tank.level.txt",
        "field=tank.level&hours=0",
        "field=tank.level&hours=-1",
        "field=tank.level&hours=1e3",
        "field=tank.level&days=99999999",
        "field=tank.level&hours=1&days=1",
        "field=tank.level&from=2026-01-30&hours=1",
        "field=tank.level&from=yesterday",
        "field=tank.level&from=2026-02-01&to=2026-01-31",
        "field=tank.level&step=25h",
        "field=tank.level&step=fine",
        "field=tank.level&format=xml",
        "field=tank.level&fields=tank.level",
        "field=tank.level&field=tank.level",
    ] {
        let response = get(site, &format!("/api/v1/history?{query}"), &[]);
        assert_eq!(response.status(), 400, "{query}");
        assert!(text(&response).contains("\"detail\""), "{query}");
    }
    for (query, series) in [
        ("field=tank.nothing", "No value of tank.nothing was ever recorded"),
        ("field=well.level", "No value of well.level"),
        ("field=tank.depth", "No value of tank.depth has been recorded yet"),
    ] {
        let response = get(site, &format!("/api/v1/history?{query}"), &[]);
        assert_eq!(response.status(), 404, "{query}");
        assert!(text(&response).contains(series), "{}", text(&response));
    }
}

#[test]
fn history_that_is_off_or_unreadable_is_a_problem_with_the_reason() {
    let off = site(vec![tank()]);
    let response = get(&off, "/api/v1/history?field=tank.level", &[]);
    assert_eq!(response.status(), 404);
    assert!(text(&response).contains("This server records no history."));
    let picture = get(&off, "/chart/tank.level.svg", &[]);
    assert!(text(&picture).contains("This server records no history."));
    let gone = History::read_only("/nowhere/p.db".as_ref(), TimeZone::UTC);
    let gone = site_with(vec![tank()], gone);
    let response = get(&gone, "/api/v1/history?field=tank.level", &[]);
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[RETRY_AFTER], "60");
    assert!(!text(&response).contains("nowhere"), "the detail does not reveal a path");
}

#[test]
fn page_of_events_is_empty_without_events_and_its_query_is_checked() {
    let RecordedSite { site, .. } = &recorded();
    let response = get(site, "/api/v1/events", &[]);
    assert_eq!(text(&response), "{\"events\":[],\"next\":null}\n");
    for query in
        ["limit=0", "limit=501", "limit=x", "before=-1", "after=1", "source=a%26b", "source="]
    {
        assert_eq!(get(site, &format!("/api/v1/events?{query}"), &[]).status(), 400, "{query}");
    }
}

#[test]
fn field_that_is_not_recorded_is_404_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    import(&path, &TimeZone::UTC, [Change::Observed(level())]).unwrap();
    let mut source = tank();
    let reading = source.reading.as_mut().unwrap();
    reading.values.extend(values([("mode", Value::text("automatic"))]));
    reading.derived = values([("volume_rate", Value::number(-12.8, Unit::UsGallonPerHour))]);
    let site = site_with(vec![source], History::read_only(&path, TimeZone::UTC));
    for (field, reason) in [
        ("volume_rate", "tank.volume_rate is computed from recorded values, and not recorded"),
        ("volume_rate", "at /api/v1/values/tank.volume_rate."),
        ("mode", "tank.mode is a text, and only numbers are recorded."),
        ("depth", "No value of tank.depth has been recorded yet."),
        ("nothing", "No value of tank.nothing was ever recorded."),
    ] {
        let picture = format!("/chart/tank.{field}.svg");
        for path in [format!("/api/v1/history?field=tank.{field}"), picture.clone()] {
            let response = get(&site, &path, &[]);
            if field == "depth" && path == picture {
                // The picture shows the current reading.
                assert_eq!(response.status(), 200);
                assert!(text(&response).contains(">49.09 in</text>"), "{}", text(&response));
                continue;
            }
            assert_eq!(response.status(), 404, "{path}");
            assert!(text(&response).contains(reason), "{path}: {}", text(&response));
        }
    }
}

/// Returns a site with the samples of a weather station: wind that turns through north, a counter of rain that
/// is reset, and little rain.
fn weather() -> RecordedSite {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let start = "2026-01-31T10:00:00Z".parse::<Timestamp>().unwrap().as_second();
    let mut samples = Vec::new();
    for n in 0..8_i32 {
        let mut add = |field: &str, number: f64, unit| {
            let at = Timestamp::from_second(start + i64::from(n) * 450 + 450).unwrap();
            let number = Finite::new(number).unwrap();
            samples.push(Sample::new("roof".into(), field.into(), at, number, Some(unit)));
        };
        let is_calm = n >= 5;
        add("wind_direction", if n % 2 == 0 { 350.0 } else { 10.0 }, Unit::Degree);
        add("wind_speed", if is_calm { 0.0 } else { 3.0 }, Unit::MetrePerSecond);
        add("rain", f64::from(n) / 1e6, Unit::Inch);
        add("rain_today", [2.5, 2.75, 3.0, 0.0, 0.25, 0.5, 0.5, 0.5][n as usize], Unit::Millimetre);
        add("wind_gust", f64::from(n), Unit::Knot);
    }
    import(&path, &TimeZone::UTC, [Change::Observed(samples)]).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    RecordedSite { _folder: folder, site: site_with(vec![tank()], history) }
}

#[test]
fn value_is_the_aggregate_of_the_quantity_in_each_format() {
    let RecordedSite { site, .. } = &weather();
    let window = "from=2026-01-31T10:00:00Z&to=2026-01-31T11:00:00Z&step=15m";
    for (field, over_time, expected) in [
        ("wind_direction", "circular", ["350,,,350,1", "0,,,350,2", "0,,,350,2", ",,,350,2"]),
        (
            "rain",
            "sum",
            [
                "0.000001,0,0.000001,0.000001,2",
                "0.000005,0.000002,0.000003,0.000003,2",
                "0.000009,0.000004,0.000005,0.000005,2",
                "0.000013,0.000006,0.000007,0.000007,2",
            ],
        ),
        (
            "rain_today",
            "increase",
            ["0,2.5,2.5,2.5,1", "0.5,2.75,3,3,2", "0.25,0,0.25,0.25,2", "0.25,0.5,0.5,0.5,2"],
        ),
        ("wind_gust", "max", ["0,0,0,0,1", "2,1,2,2,2", "4,3,4,4,2", "6,5,6,6,2"]),
    ] {
        let query = format!("field=roof.{field}&{window}");
        let series = get_series(site, &query);
        assert_eq!(series["over_time"], over_time, "{field}");
        let points = series["points"].as_array().unwrap();
        let lines = points.iter().map(|point| {
            let number = |name: &str| match &point[name] {
                Json::Null => String::new(),
                // Printed as a decimal, as in CSV.
                number => number.as_f64().unwrap().to_string(),
            };
            ["value", "min", "max", "last", "count"].map(number).join(",")
        });
        let lines: Vec<String> = lines.collect();
        assert_eq!(lines, expected, "{field}");
        let csv = drained(get(site, &format!("/api/v1/history?{query}&format=csv"), &[]));
        let rows: Vec<&str> =
            csv.lines().skip(1).map(|line| line.split_once(',').unwrap().1).collect();
        assert_eq!(rows, expected, "{field}");
        let ndjson = drained(get(site, &format!("/api/v1/history?{query}&format=ndjson"), &[]));
        let parsed = ndjson.lines().map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(&parsed.collect::<Vec<Json>>(), points, "{field}");
    }
    let query = format!("field=roof.wind_direction&{window}");
    assert_eq!(get_series(site, &query)["points"][3]["note"], "calm");
    // Each observation is a point of its own: it has its own number.
    let raw = get_series(site, "field=roof.rain_today&from=2026-01-31&to=2026-02-01&step=raw");
    assert_eq!((&raw["points"][2]["value"], &raw["step"]), (&3.into(), &Json::Null));
}
