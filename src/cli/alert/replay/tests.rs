//! The command on small histories.

use super::*;
use crate::board::{Change, Event, EventKind, Finite, Sample};
use crate::history::import;
use crate::units::Unit;

fn now() -> Timestamp {
    "2026-01-31T17:20:00Z".parse().unwrap()
}

fn minutes_ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

const RULES: &str = "\
[[alert]]\nname = \"tank_low\"\nfield = \"tank.volume\"\nbelow = \"300 gal\"\nfor = \"10m\"\nseverity = \"critical\"\n\
[[alert]]\nname = \"tank_high\"\nfield = \"tank.volume\"\nabove = \"900 gal\"\n\
[[alert]]\nname = \"pump_off\"\nfield = \"tank.pump\"\nequals = \"off\"\n\
[[alert]]\nname = \"cold\"\nfield = \"*.temperature\"\nbelow = \"2 degC\"\n\
[[alert]]\nname = \"silent\"\nsource = \"*\"\nstale = true\n";

/// Writes a configuration with these rules and a history; returns their folder.
fn folder(rules: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("pumphouse.db");
    let text = format!(
        "[site]\ntimezone = \"America/Denver\"\n[history]\npath = \"{}\"\n\
         [[source]]\nname = \"tank\"\nkind = \"json\"\nurl = \"http://127.0.0.1:9/\"\n\
         values.volume = {{ pointer = \"/v\", unit = \"gal\" }}\n\
         values.temperature = {{ pointer = \"/t\", unit = \"degC\" }}\n\
         values.pump = {{ pointer = \"/p\", type = \"text\" }}\n{rules}",
        database.display()
    );
    std::fs::write(folder.path().join("p.toml"), text).unwrap();
    // Every five minutes of three hours; below the threshold for an hour, and again at the end.
    let volume = |ago: i64| match ago {
        60..120 => 280.0,
        ..=20 => 290.5,
        _ => 500.0,
    };
    let samples = (0..=36).rev().map(|n| {
        let number = Finite::new(volume(n * 5)).unwrap();
        let at = minutes_ago(n * 5);
        Sample::new("tank".into(), "volume".into(), at, number, Some(Unit::UsGallon))
    });
    let stale = Event {
        at: minutes_ago(500),
        kind: EventKind::Stale,
        source: Some("tank".into()),
        detail: "".into(),
    };
    let fresh = Event { at: minutes_ago(100), kind: EventKind::Fresh, ..stale.clone() };
    let changes =
        [Change::Observed(samples.collect()), Change::Happened(stale), Change::Happened(fresh)];
    import(&database, &jiff::tz::TimeZone::UTC, changes).unwrap();
    folder
}

fn run(folder: &tempfile::TempDir, alerts: &[&str], json: bool) -> Result<String, Failure> {
    let replay = Replay {
        file: Some(folder.path().join("p.toml")),
        config: None,
        days: 30,
        alert: alerts.iter().map(|&name| name.to_owned()).collect(),
        all: false,
        json,
    };
    replay.text_at(now())
}

#[test]
fn incidents_are_listed_in_the_zone_of_the_site() {
    let expected = "\
tank_low: tank.volume below 300 gal for 10m (critical)
  2 incidents in 30 days, 1 h in all, longest 50 min; flaps: 0 (ended within 10m)
  FIRED                   VALUE      ENDED                   LASTED  SOURCE
  Sat 31 Jan 2026, 08:35  280 gal    Sat 31 Jan 2026, 09:25  50 min  tank
  Sat 31 Jan 2026, 10:10  290.5 gal  still firing            10 min  tank

tank_high: tank.volume above 900 gal (warning)
  no incidents in 30 days

pump_off: tank.pump is \"off\" (warning)
  cannot be replayed: texts are not recorded

cold: *.temperature below 2°C (warning)
  cannot be replayed: no value of tank.temperature was recorded in the latest 30 days

silent: * stale (warning)
  1 incident in 30 days, 6 h 40 min in all, longest 6 h 40 min; flaps: 0 (ended within 10m)
  FIRED                   VALUE  ENDED                   LASTED      SOURCE
  Sat 31 Jan 2026, 02:00  -      Sat 31 Jan 2026, 08:40  6 h 40 min  tank
";
    assert_eq!(run(&folder(RULES), &[], false).unwrap(), expected);
}

#[test]
fn json_has_all_in_utc() {
    let text = run(&folder(RULES), &["tank_low"], true).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "from": "2026-01-01T17:20:00Z", "to": "2026-01-31T17:20:00Z",
        "alerts": [{
            "name": "tank_low", "condition": "below 300 gal", "severity": "critical",
            "field": "volume", "cannot_replay": null,
            "sources": [{"name": "tank", "rows": 37, "quarters_before": null,
                         "not_replayed_before": null, "fault": null}],
            "count": 2, "seconds": 3600, "longest_seconds": 3000, "flaps": 0,
            "incidents": [
                {"source": "tank", "since": "2026-01-31T15:25:00Z",
                 "fired_at": "2026-01-31T15:35:00Z", "ended_at": "2026-01-31T16:25:00Z",
                 "reason": "resolved", "seconds": 3000, "value": 280.0, "unit": "gal",
                 "threshold": 300.0, "from_quarters": false},
                {"source": "tank", "since": "2026-01-31T17:00:00Z",
                 "fired_at": "2026-01-31T17:10:00Z", "ended_at": null, "reason": null,
                 "seconds": 600, "value": 290.5, "unit": "gal", "threshold": 300.0,
                 "from_quarters": false},
            ],
        }],
    });
    assert_eq!(json, expected);
}

#[test]
fn unknown_alert_is_an_error_with_a_suggestion() {
    for (rules, name, expected) in [
        (RULES, "tank_lo", "--alert tank_lo: there is no such alert; did you mean \"tank_low\"?"),
        ("", "low", "--alert low: there is no such alert; no alerts are configured"),
    ] {
        let failure = run(&folder(rules), &[name], false).unwrap_err();
        assert_eq!(failure.to_string(), expected);
        assert_eq!(failure.exit_code(), std::process::ExitCode::from(1));
    }
    assert_eq!(run(&folder(""), &[], false).unwrap(), "No alerts are configured.\n");
}

#[test]
fn lengths_have_two_units_at_most() {
    for (seconds, expected) in [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3_600, "1 h"),
        (12_000, "3 h 20 min"),
        (90_061, "1 d 1 h"),
        (86_400 + 59, "1 d"),
    ] {
        assert_eq!(text::length(SignedDuration::from_secs(seconds)), expected);
    }
}

#[test]
fn number_of_days_is_bounded() {
    assert_eq!(days("3650"), Ok(3650));
    for text in ["0", "-1", "36526", "a year"] {
        assert!(days(text).is_err(), "{text}");
    }
}
