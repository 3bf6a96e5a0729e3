//! Rules on sources and on the server.

use super::*;
use crate::alert::{FailureSight, ServerSight, SourceSight};
use crate::board::State;
use crate::config::ServerCondition;

/// Returns the sight of a source whose observation turned or turns stale at a time.
pub(super) fn stale(at: Timestamp) -> SourceSight<'static> {
    SourceSight {
        state: State::Stale,
        stale_at: Some(at),
        observed_at: Some(at - SignedDuration::from_mins(15)),
        waiting_until: start(),
        fetched_at: None,
        failing: None,
    }
}

fn source(bench: &mut Bench, at: i64, sight: SourceSight<'_>) -> char {
    bench.now = minute(at);
    let transition = bench.observe(&Sight::Source(sight));
    letter(transition.as_ref())
}

#[test]
fn stale_source_fires_by_the_time_it_turned_stale() {
    let mut bench = Bench::new(on_source(SourceCondition::Stale));
    let fresh = |until: i64| SourceSight { state: State::Fresh, ..stale(minute(until)) };
    assert_eq!(source(&mut bench, 0, fresh(15)), '.');
    assert_eq!(bench.due(), Some(minute(15)));
    assert_eq!(source(&mut bench, 20, stale(minute(15))), 'F');
    let incident = bench.monitor.incident().unwrap();
    assert_eq!((incident.since, incident.fired_at), (minute(15), minute(20)));
    assert_eq!(bench.due(), None);
    // A newer observation that is stale, too.
    assert_eq!(source(&mut bench, 30, stale(minute(25))), '.');
    assert_eq!(source(&mut bench, 40, fresh(55)), 'r');
}

#[test]
fn hold_of_a_stale_source_counts_by_the_clock() {
    let mut bench = Bench::new(Alert { hold: HOUR, ..on_source(SourceCondition::Stale) });
    assert_eq!(source(&mut bench, 20, stale(minute(15))), 'P');
    assert_eq!(bench.due(), Some(minute(75)));
    bench.restart();
    assert_eq!(bench.tick(minute(74)), None);
    assert_eq!(letter(bench.tick(minute(75)).as_ref()), 'F');
}

#[test]
fn source_that_has_sent_nothing_counts_as_stale_after_its_time() {
    let waiting = |until: i64| SourceSight {
        state: State::Waiting,
        stale_at: None,
        observed_at: None,
        waiting_until: minute(until),
        ..stale(start())
    };
    let mut bench = Bench::new(on_source(SourceCondition::Stale));
    assert_eq!(source(&mut bench, 0, waiting(15)), '.');
    assert_eq!(letter(bench.tick(bench.due().unwrap()).as_ref()), 'F');
    // After a restart it waits again, which says nothing.
    bench.restart();
    assert_eq!(source(&mut bench, 20, waiting(35)), '.');
    assert_eq!(bench.tick(minute(36)), None);
    assert_eq!(bench.monitor.state(), Phase::Firing);
}

#[test]
fn clock_that_is_behind_says_nothing_of_staleness() {
    let mut bench = Bench::new(on_source(SourceCondition::Stale));
    assert_eq!(source(&mut bench, 0, stale(minute(1_000))), '.');
    assert_eq!(source(&mut bench, 1_001, stale(minute(1_000))), 'F');
    assert_eq!(source(&mut bench, 0, stale(minute(1_000))), '.', "the clock was set back");
}

#[test]
fn source_fires_after_it_has_failed_for_a_time_and_ends_by_a_success() {
    let ok = |at: i64| SourceSight { fetched_at: Some(minute(at)), ..stale(start()) };
    let failing = |since: i64, fetched: i64| SourceSight {
        failing: Some(FailureSight {
            since: minute(since),
            failures: 3,
            message: "connection refused",
        }),
        ..ok(fetched)
    };
    let mut bench = Bench::new(on_source(SourceCondition::Failing { over: 30 * MINUTE }));
    assert_eq!(source(&mut bench, 0, ok(0)), '.');
    assert_eq!(source(&mut bench, 1, failing(1, 0)), '.');
    assert_eq!(bench.due(), Some(minute(31)));
    let Some(Transition::Fired(incident)) = bench.tick(minute(31)) else { panic!("not fired") };
    assert_eq!(incident.since, minute(1));
    assert_eq!(incident.evidence.detail.as_deref(), Some("connection refused"));
    // After a restart there is no failure before the first poll, and then a new one.
    bench.restart();
    assert_eq!(source(&mut bench, 40, ok(0)), '.');
    assert_eq!(source(&mut bench, 41, failing(41, 0)), '.');
    assert_eq!(bench.monitor.state(), Phase::Firing);
    assert_eq!(source(&mut bench, 50, ok(50)), 'r');
    // A success between two looks.
    assert_eq!(source(&mut bench, 90, failing(55, 50)), 'F');
    assert_eq!(source(&mut bench, 99, failing(98, 97)), 'r');
}

#[test]
fn condition_of_the_server_freezes_while_it_is_not_known() {
    let rule = AlertRule::Server(ServerCondition::DiskFull);
    let mut bench = Bench::new(Alert { hold: 10 * MINUTE, ..alert(rule) });
    let mut server = |at: i64, is_met: Option<bool>| {
        bench.now = minute(at);
        let sight = ServerSight {
            is_met,
            since: None,
            value: Finite::new(3.0),
            unit: Some(Unit::Percent),
            threshold: Finite::new(5.0),
            detail: Some("/var"),
        };
        letter(bench.observe(&Sight::Server(sight)).as_ref())
    };
    let found = [
        server(0, None),
        server(1, Some(true)),
        server(5, None),
        server(10, Some(true)),
        server(11, Some(true)),
        server(12, None),
        server(13, Some(false)),
    ];
    assert_eq!(found, ['.', 'P', '.', '.', 'F', '.', 'r']);
}
