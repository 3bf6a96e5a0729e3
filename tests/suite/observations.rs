//! Observations by the clocks and the order of real answers: what is the same one, and which is the latest.

use std::process::Command;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;
use serde_json::Value;

use crate::harness::eventually;
use crate::server::{BINARY, Server, code, json};

fn now() -> i64 {
    Timestamp::now().as_second()
}

fn answer(at: i64, level: f64) -> String {
    format!(r#"{{"at": {at}, "level": {level}}}"#)
}

fn source(upstream: &Upstream) -> Source {
    Source::json("tank", &upstream.url())
        .value("level", "/level", "%")
        .observed_at_unix()
        .set("interval", "1s")
        .set("timeout", "1s")
}

fn tank(status: &Value) -> &Value {
    &status["sources"]["tank"]
}

/// Waits until the source has been polled twice more.
fn wait_for_polls(upstream: &Upstream) {
    let polls = upstream.connections();
    eventually("the source is polled", || upstream.connections() >= polls + 3);
}

/// Returns the recorded points: time and level.
fn points(server: &Server) -> Vec<(String, f64)> {
    let response = server.get("/api/v1/history?field=tank.level&days=1&step=raw&format=ndjson");
    // The stream may be in chunks, whose sizes are lines, too.
    let points = response.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let point = |point: Value| Some((point["at"].as_str()?.to_owned(), point["value"].as_f64()?));
    points.filter_map(point).collect()
}

/// The case "future_clock": a device whose clock is ahead is stuck.
#[test]
fn stamp_in_the_future_that_never_changes_turns_stale_also_after_kill_9() {
    let upstream = Upstream::answering(&answer(now() + 11 * 3600, 84.6));
    let config = Config::https()
        .set("history.flush", "200ms")
        .source(source(&upstream).set("stale_after", "4s"));
    let server = Server::start(&config);
    let fresh = server.eventually_status("fresh", |status| tank(status)["state"] == "fresh");
    assert_eq!(tank(&fresh)["observed_at_inferred"], true, "{fresh}");
    let stale = server.eventually_status("stale", |status| tank(status)["state"] == "stale");
    assert_eq!(tank(&stale)["observed_at"], tank(&fresh)["observed_at"]);
    assert!(tank(&stale)["error"].is_null(), "{stale}");
    assert_eq!(code(&server.get("/api/v1/values/tank.level.txt?max_age=3")), 503);
    wait_for_polls(&upstream);
    let expected = vec![(tank(&fresh)["observed_at"].as_str().unwrap().to_owned(), 84.6)];
    eventually("the observation is recorded", || !points(&server).is_empty());
    assert_eq!(points(&server), expected, "one point");

    server.signal("KILL");
    let again = server.start_again(&config);
    wait_for_polls(&upstream);
    let status = again.status();
    assert_eq!(tank(&status)["state"], "stale");
    assert_eq!(tank(&status)["observed_at"], tank(&fresh)["observed_at"]);
    assert_eq!(points(&again), expected, "one point");
}

/// The case "goes_back": an older answer, between two of the latest.
#[test]
fn older_answer_is_recorded_and_neither_shown_nor_an_event() {
    let start = now();
    let upstream = Upstream::answering(&answer(start - 240 * 60, 80.0));
    let source = source(&upstream)
        .set("stale_after", "3h")
        .set("trends.level.rate_over", "2h")
        .set("trends.level.changes", ["1h"]);
    let config = Config::https().set("history.flush", "200ms").source(source);
    let server = Server::start(&config);
    for (minutes, level) in [
        (-240, 80.0),
        (-200, 78.0),
        (-160, 76.0),
        (-120, 74.0),
        (-80, 72.0),
        (-40, 70.0),
        (0, 68.0),
    ] {
        upstream.set(Some(&answer(start + minutes * 60, level)));
        server.eventually_status("the observation is shown", |status| {
            tank(status)["values"]["level"]["value"] == level
        });
    }
    let latest = server.status();
    let values = &tank(&latest)["values"];
    assert_eq!(values["level_rate"]["value"], -3.0, "{latest}");
    let events = json(&server.get("/api/v1/events?source=tank"));
    // Older than all, and with other values than any.
    upstream.set(Some(&answer(start - 140 * 60, 75.0)));
    eventually("the older observation is recorded", || {
        points(&server).iter().any(|(_, level)| *level == 75.0)
    });
    wait_for_polls(&upstream);
    let status = server.status();
    for key in ["observed_at", "state", "values", "error"] {
        assert_eq!(tank(&status)[key], tank(&latest)[key], "{key}");
    }
    assert_ne!(tank(&status)["fetched_at"], tank(&latest)["fetched_at"]);
    assert_eq!(json(&server.get("/api/v1/events?source=tank")), events);
    // A correction of the latest is shown and recorded.
    upstream.set(Some(&answer(start, 67.0)));
    server.eventually_status("the correction is shown", |status| {
        tank(status)["values"]["level"]["value"] == 67.0
            && tank(status)["observed_at"] == tank(&latest)["observed_at"]
    });
}

#[test]
fn check_poll_reports_a_clock_that_is_ahead_and_its_likely_cause() {
    for (ahead, texts) in [
        (
            5 * 3600,
            &["the upstream's clock is ahead by 4h 59m", "5h: a time zone is the likely"][..],
        ),
        (1234, &["the upstream's clock is ahead by 20m", "set the clock of the device"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let upstream = Upstream::answering(&answer(now() + ahead - 2, 84.6));
        Config::new().open().source(source(&upstream)).write(folder.path());
        let path = folder.path().join("pumphouse.toml");
        let output = Command::new(BINARY).args(["check", "--poll"]).arg(path).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        for text in texts {
            assert!(printed.contains(text), "no {text} in {printed}");
        }
        assert!(!printed.contains("ago"), "{printed}");
    }
}
