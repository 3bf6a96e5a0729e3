//! A replay has the incidents that the server had.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::super::evaluator::Evaluator;
use super::super::super::incident::IncidentId;
use super::super::super::settings::Settings;
use super::super::super::store::Loaded;
use super::*;
use crate::board::{
    LastReading, Observed, Reading, ServiceInfo, Snapshot, SourceView, State, Value,
};
use crate::kernel::clock::tests::time_point;

const STALE_AFTER: Duration = Duration::from_secs(3600);

/// Rules on thresholds, with each of the keys that decide when they fire.
const RULES: &str = "\
[[alert]]\nname = \"low\"\nfield = \"tank.volume\"\nbelow = \"300 gal\"\n\
[[alert]]\nname = \"held\"\nfield = \"tank.volume\"\nbelow = 400\nclear = 450\nfor = \"20m\"\n\
[[alert]]\nname = \"night\"\nfield = \"tank.volume\"\nabove = \"500 gal\"\nbetween = \"22:00-04:30\"\n\
[[alert]]\nname = \"odd\"\nfield = \"tank.volume\"\noutside = [200, 600]\nfor = \"5m\"\n\
[[alert]]\nname = \"draw\"\nfield = \"tank.volume\"\nfalls = \"150 gal\"\nwithin = \"1h\"\n";

/// Time of a fire, and time of the end.
type Times = (Timestamp, Option<Timestamp>);

/// Returns the incidents of a server that sees these observations when they come, and the clock between them.
fn live(
    config: &Config,
    observations: &[(i64, Option<f64>)],
    to: i64,
) -> BTreeMap<String, Vec<Times>> {
    let at = |minute_: i64| time_point(minute(minute_), minute_ * 60);
    let mut next = 0;
    let ids = Box::new(move || {
        next += 1;
        IncidentId(next)
    });
    let mut evaluator = Evaluator::new(Settings::from(config), minute(0), at(0), ids);
    evaluator.activate(Loaded::default(), at(0));
    let mut incidents: BTreeMap<IncidentId, (String, Times)> = BTreeMap::new();
    let mut latest: Option<Snapshot> = None;
    for now in 0..=to {
        if let Some((_, volume)) = observations.iter().find(|(minute, _)| *minute == now) {
            latest = Some(snapshot(now, *volume));
        }
        let Some(snapshot) = &latest else { continue };
        evaluator.look(snapshot, at(now));
        for incident in evaluator.take_effects().incidents {
            let times = (incident.fired_at, incident.ended.map(|ended| ended.at));
            incidents.insert(incident.id, (incident.subject.alert.to_string(), times));
        }
    }
    let mut by_alert: BTreeMap<String, Vec<Times>> = BTreeMap::new();
    for (alert, times) in incidents.into_values() {
        by_alert.entry(alert).or_default().push(times);
    }
    by_alert
}

fn snapshot(now: i64, volume: Option<f64>) -> Snapshot {
    let value = match volume {
        Some(volume) => Value::number(volume, Unit::UsGallon),
        None => Value::missing(Some(Unit::UsGallon), "null"),
    };
    let observed = Observed::absolute(minute(now));
    let reading = Reading { observed, values: vec![("volume".into(), value)] };
    let version = u64::try_from(now).unwrap() + 1;
    let source = SourceView {
        name: "tank".into(),
        title: "Tank".into(),
        group: None,
        kind: "json",
        show: [].into(),
        state: State::Fresh,
        reading: Some(LastReading::new(reading, minute(now), STALE_AFTER)),
        interval: Duration::from_secs(60),
        next_poll_at: None,
        error: None,
        configuration: 0,
        version,
        is_held: true,
        is_stale_announced: false,
        changed_at: minute(now),
    };
    Snapshot {
        version,
        service: ServiceInfo { name: "test", version: "0", started_at: minute(0) },
        sources: [source].into_iter().collect(),
        published_at: minute(now),
        next_due: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn replay_has_the_incidents_of_the_server(
        steps in prop::collection::vec(
            (prop_oneof![8 => 1_i64..9, 1 => 60_i64..600], prop_oneof![9 => (150.0..650.0).prop_map(Some), 1 => Just(None)]),
            1..80,
        ),
    ) {
        let zone = "America/Los_Angeles";
        let config = config(zone, RULES);
        let mut now = 0;
        let observations: Vec<(i64, Option<f64>)> = steps
            .into_iter()
            .map(|(after, volume)| {
                now += after;
                (now, volume)
            })
            .collect();
        let to = now + 30;
        let changes = observations.iter().filter_map(|&(at, volume)| Some(observed(at, volume?)));
        let replayed = Recorded::new(zone, changes).replay(&config, to);
        let times = |incident: &ReplayedIncident| {
            (incident.fired_at, incident.ended.map(|ended| ended.at))
        };
        let of = |alert: &ReplayedAlert| {
            (alert.alert.name.to_string(), alert.incidents.iter().map(times).collect::<Vec<_>>())
        };
        let found: BTreeMap<String, Vec<Times>> =
            replayed.alerts.iter().filter(|alert| !alert.incidents.is_empty()).map(of).collect();
        prop_assert_eq!(found, live(&config, &observations, to));
    }
}
