//! One value, as JSON and bare.

use serde_json::{Value as Json, json};

use super::{header, parsed};
use crate::board::{Observed, Value};
use crate::site::fixture::{at, get, site, tank, text, values, waiting};
use crate::units::Unit;

/// Returns a value that was observed that many seconds from now.
fn own_time(seconds: i64) -> Value {
    let observed = Some(Observed::absolute(at(seconds)));
    Value { observed, ..Value::number(1.0, Unit::Volt) }
}

#[test]
fn value_is_json_or_bare_and_503_where_it_is_missing() {
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([
        ("level", Value::number(84.6, Unit::Percent)),
        ("volume", Value::number(1185.0, Unit::UsGallon)),
        ("tiny", Value::number(-0.000_001, Unit::Volt)),
        ("mode", Value::text("on\r\n0")),
        ("battery", Value::missing(Some(Unit::Volt), "the upstream sent null")),
        ("txt", Value::number(7.0, Unit::Volt)),
        // The time of each value counts, where the upstream states one.
        ("newer", own_time(-60)),
        ("older", own_time(-3600)),
        ("unknown", own_time(3600)),
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
        ("tank.newer.txt?max_age=60", 200, "1\n"),
        ("tank.older.txt?max_age=3600", 200, "1\n"),
        ("tank.older.txt?max_age=3599", 503, ""),
        ("tank.unknown.txt?max_age=3600", 503, ""),
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
    let newer = get(&site, "/api/v1/values/tank.newer", &[]);
    let expected =
        r#""unit":"V","observed_at":"2026-01-31T17:19:00Z","state":"fresh","fetched_at""#;
    assert!(text(&newer).contains(expected), "{}", text(&newer));
    let shell = get(&site, "/api/v1/status?format=shell&fields=tank.newer", &[]);
    let shell = text(&shell);
    assert!(shell.contains("tank_newer_observed_at='2026-01-31T17:19:00Z'\n"), "{shell}");
    let missing = parsed(&get(&site, "/api/v1/values/tank.battery", &[]));
    assert_eq!(missing["value"], Json::Null);
    assert_eq!(missing["note"], "the upstream sent null");
    assert_eq!(parsed(&get(&site, "/api/v1/values/tank.txt", &[]))["value"], 7.0);
}

#[test]
fn state_and_max_age_of_selected_values_count_from_their_own_times() {
    let mut source = tank();
    source.reading.as_mut().unwrap().values = values([
        ("level", Value::number(84.6, Unit::Percent)),
        ("newer", own_time(-60)),
        ("older", own_time(-3 * 86_400)),
        ("unknown", own_time(3600)),
    ]);
    let site = site(vec![source]);
    // The reading is 240 seconds old. The status code is that with `max_age=239`.
    for (fields, state, code) in [
        ("tank.level", "fresh", 503),
        ("tank.newer", "fresh", 200),
        ("tank.older", "stale", 503),
        ("tank.unknown", "stale", 503),
        ("tank.newer,tank.older", "stale", 503),
        ("tank.newer,tank.unknown", "stale", 503),
        ("tank.newer,tank.level", "fresh", 503),
    ] {
        let status = format!("/api/v1/status?fields={fields}");
        let body = parsed(&get(&site, &status, &[]));
        assert_eq!(body["sources"]["tank"]["state"], state, "{fields}");
        let gated = get(&site, &format!("{status}&max_age=239"), &[]);
        assert_eq!(gated.status().as_u16(), code, "{fields}");
        if !fields.contains(',') {
            let value = format!("/api/v1/values/{fields}");
            assert_eq!(parsed(&get(&site, &value, &[]))["state"], state, "{fields}");
            let gated = get(&site, &format!("{value}?max_age=239"), &[]);
            assert_eq!(gated.status().as_u16(), code, "{fields}");
        }
    }
}
