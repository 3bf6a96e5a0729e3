//! Replays of small histories.

mod coarse;
mod live;
mod sources;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::board::{Change, Finite, Sample};
use crate::config;
use crate::history::import;
use crate::units::Unit;

/// Returns the time of a minute of the tests, by the clock of UTC.
fn minute(minute: i64) -> Timestamp {
    let start: Timestamp = "2026-03-08T08:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minute)
}

/// Returns a configuration with a tank and these rules.
fn config(zone: &str, alerts: &str) -> Config {
    let text = format!(
        "[site]\ntimezone = \"{zone}\"\n\
         [[source]]\nname = \"tank\"\nkind = \"json\"\nurl = \"http://127.0.0.1:9/\"\n\
         values.volume = {{ pointer = \"/v\", unit = \"gal\" }}\n\
         values.level = {{ pointer = \"/l\", unit = \"%\" }}\n\
         values.state = {{ pointer = \"/s\", type = \"text\" }}\n\
         trends.volume = {{ tank = true, full = 1000 }}\n{alerts}"
    );
    config::parse("test.toml".as_ref(), &text, &|_| None).unwrap_or_else(|e| panic!("{e}"))
}

/// A history in a folder of its own.
struct Recorded {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    zone: TimeZone,
}

impl Recorded {
    fn new(zone: &str, changes: impl IntoIterator<Item = Change>) -> Recorded {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let zone = TimeZone::get(zone).unwrap();
        import(&path, &zone, changes).unwrap();
        Recorded { _folder: folder, path, zone }
    }

    /// Records volumes at minutes.
    fn volumes(zone: &str, volumes: &[(i64, f64)]) -> Recorded {
        Recorded::new(zone, volumes.iter().map(|&(at, volume)| observed(at, volume)))
    }

    fn execute(&self, sql: &str) {
        rusqlite::Connection::open(&self.path).unwrap().execute_batch(sql).unwrap();
    }

    /// Replays rules from minute 0 on.
    fn replay(&self, config: &Config, to: i64) -> Replay {
        let history = History::read_only(&self.path, self.zone.clone());
        replay(&history, config, &config.alerts, (minute(0), minute(to))).unwrap()
    }
}

fn observed(at: i64, volume: f64) -> Change {
    let sample = |field: &str, number, unit| {
        let number = Finite::new(number).unwrap();
        Sample::new("tank".into(), field.into(), minute(at), number, Some(unit))
    };
    Change::Observed(vec![
        sample("volume", volume, Unit::UsGallon),
        sample("level", volume / 10.0, Unit::Percent),
    ])
}

/// Returns the minutes at which incidents fired and ended.
fn minutes(alert: &ReplayedAlert) -> Vec<(i64, Option<i64>)> {
    let minute = |at: Timestamp| at.duration_since(minute(0)).as_mins();
    let of = |incident: &ReplayedIncident| {
        (minute(incident.fired_at), incident.ended.map(|ended| minute(ended.at)))
    };
    alert.incidents.iter().map(of).collect()
}

#[test]
fn rules_fire_and_end_by_the_times_of_the_observations() {
    let falling: Vec<(i64, f64)> = (0..120).map(|n| (n * 5, 600.0 - n as f64 * 4.0)).collect();
    for (name, rule, volumes, expected) in [
        (
            "hysteresis",
            "below = \"300 gal\"\nclear = \"350 gal\"",
            vec![(0, 400.0), (5, 299.0), (10, 310.0), (15, 350.0), (20, 340.0), (25, 290.0)],
            vec![(5, Some(15)), (25, None)],
        ),
        (
            "held",
            "below = \"300 gal\"\nfor = \"10m\"",
            vec![(0, 299.0), (5, 310.0), (10, 299.0), (15, 299.0), (20, 299.0), (25, 400.0)],
            vec![(20, Some(25))],
        ),
        (
            "gap",
            "below = \"300 gal\"\nclear = \"350 gal\"",
            vec![(0, 400.0), (5, 290.0), (600, 310.0), (605, 360.0)],
            vec![(5, Some(605))],
        ),
        (
            "before the replayed time, and still firing",
            "falls = \"40 gal\"\nwithin = \"1h\"",
            vec![(-30, 400.0), (-20, 350.0), (20, 350.0), (45, 350.0)],
            vec![(-20, Some(45))],
        ),
        ("ended before the replayed time", "below = 300", vec![(-9, 290.0), (-5, 400.0)], vec![]),
        (
            "rate",
            "field = \"tank.volume_rate\"\nbelow = \"-30 gal/h\"",
            falling.clone(),
            vec![(60, None)],
        ),
        ("empty", "empty_within = \"12h\"", falling, vec![(60, None)]),
    ] {
        let subject = if rule.contains("field") { "" } else { "field = \"tank.volume\"\n" };
        let config = config("UTC", &format!("[[alert]]\nname = \"low\"\n{subject}{rule}\n"));
        let replayed = Recorded::volumes("UTC", &volumes).replay(&config, 700);
        assert_eq!(minutes(&replayed.alerts[0]), expected, "{name}");
    }
}

#[test]
fn incident_ends_with_the_hours_of_its_rule_on_days_of_23_and_25_hours() {
    let rule = "[[alert]]\nname = \"draw\"\nfield = \"tank.volume\"\nfalls = \"40 gal\"\nwithin = \"1h\"\n\
                between = \"00:00-04:30\"\n";
    let zone = "America/Los_Angeles";
    // Midnight, and 04:30: with an hour less than usual in March, and one more in November.
    for (midnight, end) in [
        ("2026-03-08T08:00:00Z", "2026-03-08T11:30:00Z"),
        ("2026-03-10T07:00:00Z", "2026-03-10T11:30:00Z"),
        ("2026-11-01T07:00:00Z", "2026-11-01T12:30:00Z"),
    ] {
        let (midnight, end): (Timestamp, Timestamp) =
            (midnight.parse().unwrap(), end.parse().unwrap());
        let begin = midnight.duration_since(minute(0)).as_mins();
        // It falls from 23:00 on, and in the night without an end.
        let volumes: Vec<(i64, f64)> =
            (-12..96).map(|n| (begin + n * 5, 900.0 - n as f64 * 5.0)).collect();
        let recorded = Recorded::volumes(zone, &volumes);
        let history = History::read_only(&recorded.path, recorded.zone.clone());
        let config = config(zone, rule);
        let to = end + SignedDuration::from_hours(2);
        let replayed = replay(&history, &config, &config.alerts, (midnight, to)).unwrap();
        let incidents = &replayed.alerts[0].incidents;
        let ends: Vec<_> = incidents.iter().map(|one| one.ended.unwrap().at).collect();
        assert_eq!(ends, [end]);
        // The fall before midnight does not count.
        assert_eq!(incidents[0].fired_at, midnight + SignedDuration::from_mins(40));
    }
}

#[test]
fn rule_that_cannot_be_replayed_says_why() {
    let config = config(
        "UTC",
        "[[alert]]\nname = \"state\"\nfield = \"tank.state\"\nequals = \"off\"\n\
         [[alert]]\nname = \"low\"\nfield = \"tank.level\"\nbelow = 20\n\
         [[notify]]\nname = \"phone\"\nkind = \"ntfy\"\nurl = \"https://ntfy.sh\"\ntopic = \"t\"\n",
    );
    let recorded = Recorded::new("UTC", []);
    let replayed = recorded.replay(&config, 10);
    let reasons: Vec<_> = replayed.alerts.iter().map(|alert| alert.unreplayable).collect();
    assert_eq!(reasons[..2], [Some(Unreplayable::Text), None]);
    assert!(reasons[2..].iter().all(|reason| *reason == Some(Unreplayable::Server)));
    assert!(reasons.len() > 2, "the server's own rules");
    assert!(replayed.alerts[1].extents.iter().all(Extent::is_empty));
}

#[test]
fn summary_counts_short_incidents_and_the_replayed_time_only() {
    let config = config(
        "UTC",
        "[[alert]]\nname = \"low\"\nfield = \"tank.volume\"\nbelow = 300\nclear = 300\n",
    );
    let volumes = [(-60, 290.0), (30, 400.0), (60, 290.0), (65, 400.0), (90, 290.0)];
    // The rule has no window, so the replay begins with the first observation within it.
    let replayed = Recorded::volumes("UTC", &volumes).replay(&config, 100);
    let minutes = SignedDuration::from_mins;
    assert_eq!(
        replayed.alerts[0].summary(minute(0), minute(100)),
        Summary { count: 2, firing: minutes(15), longest: minutes(10), flaps: 1 }
    );
}
