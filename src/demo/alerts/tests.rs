//! Replays of the demo's recorded year.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::alert::replay::{Replay, replay};
use crate::config::{Config, TrendSettings};
use crate::demo::history;
use crate::demo::upstreams::Upstreams;
use crate::history::{History, import};

const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Replays rules over the year that the demo starts with.
fn replayed(alerts: &[Arc<Alert>]) -> Replay {
    let now: Timestamp = "2026-11-26T12:07:30Z".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    import(&path, &TimeZone::UTC, history(now)).unwrap();
    let mut config = Config { sources: Upstreams::start().unwrap().sources(), ..Config::default() };
    config.site.timezone = TimeZone::UTC;
    assert_eq!(config.sources[0].trends, [TrendSettings::of_tank()]);
    let history = History::read_only(&path, TimeZone::UTC);
    replay(&history, &config, alerts, (now - YEAR, now)).unwrap()
}

/// Returns rules below and above each of several levels and volumes of the tank.
fn thresholds(clear_at_threshold: bool) -> Vec<Arc<Alert>> {
    let shares = (38..=94).step_by(4);
    let limits = shares.flat_map(|share| {
        let share = f64::from(share);
        [("level", share, Unit::Percent), ("volume", share * 14.0, Unit::UsGallon)]
    });
    let rules = limits.flat_map(|(field, number, unit)| {
        let threshold = Limit { number, unit: Some(unit) };
        let clear = clear_at_threshold.then_some(threshold);
        let below = FieldCondition::Below { threshold, clear };
        let above = FieldCondition::Above { threshold, clear };
        [("below", below), ("above", above)].map(|(name, condition)| {
            let name = format!("{field}_{name}_{number}");
            Arc::new(alert(&name, Severity::Warning, on("tank", field, condition)))
        })
    });
    rules.collect()
}

/// Returns the number of incidents, and of pairs of one rule that are less than an hour apart.
fn incidents(replay: &Replay) -> (usize, usize) {
    let (mut count, mut close) = (0, 0);
    for alert in &replay.alerts {
        count += alert.incidents.len();
        let pairs = alert.incidents.windows(2).filter(|pair| {
            let ended = pair[0].ended.expect("an incident before another one has ended").at;
            pair[1].fired_at.duration_since(ended) < SignedDuration::from_hours(1)
        });
        close += pairs.count();
    }
    (count, close)
}

#[test]
fn replay_of_a_recorded_year_thresholds_flap_nowhere() {
    let alerts = thresholds(false);
    let replay = replayed(&alerts);
    let (count, close) = incidents(&replay);
    // The tank is emptied and filled about 150 times a year.
    assert!(count > 100 * alerts.len() && count < 151 * alerts.len(), "{count}");
    assert_eq!(close, 0);
    // The noise of the sensor is there: without hysteresis they do flap.
    let (_, close) = incidents(&replayed(&thresholds(true)));
    assert!(close > alerts.len() / 2, "{close}");
}

#[test]
fn rules_of_the_demo_fire_in_its_recorded_year() {
    let replay = replayed(&alerts());
    for alert in &replay.alerts {
        let name = &*alert.alert.name;
        // The squalls are not in the history.
        assert_eq!(alert.incidents.is_empty(), name == "gusts", "{name}");
        assert_eq!(alert.unreplayable, None, "{name}");
        let summary = alert.summary(replay.from, replay.to);
        assert_eq!(summary.flaps, 0, "{name}");
    }
}
