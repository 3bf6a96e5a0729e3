//! Observations that count, and the time over which they do.

use super::*;

#[test]
fn hold_is_the_time_between_distinct_observations() {
    let mut bench = Bench::holding(below(300.0, None), 10 * MINUTE);
    assert_eq!(bench.letters(&[(0, 290.0), (9, 290.0)]), "P.");
    // The same observation again, however late.
    bench.now = minute(60);
    assert_eq!(bench.value_seen_later(9, 290.0), None);
    assert_eq!(bench.monitor.state(), Phase::Pending { since: minute(0) });
    let Some(Transition::Fired(incident)) = bench.value(10, 280.0) else { panic!("not fired") };
    assert_eq!((incident.since, incident.fired_at), (minute(0), minute(10)));
    assert_eq!(incident.severity, Severity::Critical);
    assert_eq!(&*incident.condition, "below 300 gal");
    let mut bench = Bench::holding(below(300.0, Some(350.0)), 10 * MINUTE);
    let values = [(0, 290.0), (5, 310.0), (6, 290.0), (15, 290.0), (16, 290.0), (20, 310.0)];
    assert_eq!(bench.letters(&values), "PcP.F.", "within the hysteresis a pending one starts over");
}

#[test]
fn late_observation_is_ignored_and_a_corrected_one_is_not() {
    let mut bench = Bench::of(below(300.0, None));
    assert_eq!(bench.letters(&[(10, 400.0)]), ".");
    bench.now = minute(11);
    assert_eq!(bench.value_seen_later(9, 100.0), None);
    assert!(matches!(bench.value_seen_later(10, 100.0), Some(Transition::Fired(_))));
    assert_eq!(bench.value_seen_later(9, 400.0), None);
    assert!(matches!(bench.value_seen_later(10, 400.0), Some(Transition::Ended(_))));
}

#[test]
fn null_and_stale_values_change_nothing() {
    let mut bench = Bench::holding(below(300.0, None), 10 * MINUTE);
    assert_eq!(bench.letters(&[(0, 290.0)]), "P");
    let before = bench.monitor.state();
    let high = number(900.0);
    bench.now = minute(5);
    let null = bench.sight(minute(5), None);
    let stale = FieldSight { is_stale: true, ..bench.sight(minute(5), Some(&high)) };
    for sight in [null, stale] {
        assert_eq!(bench.observe(&Sight::Field(sight)), None);
        assert_eq!(bench.monitor.state(), before);
    }
    assert_eq!(bench.tick(minute(500)), None);
    assert_eq!(bench.letters(&[(501, 290.0)]), "F", "the clock of `for` is kept");
    assert_eq!(bench.observe(&Sight::Field(null)), None);
    // The value that was stale counts once it is not.
    assert_eq!(bench.letters(&[(505, 900.0)]), "r");
}

#[test]
fn time_of_an_outage_does_not_count() {
    let bench = Bench::holding(below(300.0, None), 20 * MINUTE);
    let mut bench = Bench { stale_after: 15 * MINUTE, ..bench };
    // Fifteen minutes of the first observation count, and then those since the next one.
    assert_eq!(bench.letters(&[(0, 290.0), (501, 290.0), (505, 290.0), (506, 290.0)]), "P..F");
}

#[test]
fn observation_of_the_future_does_not_block_those_that_follow() {
    let mut bench = Bench::of(below(300.0, None));
    bench.now = minute(0);
    assert_eq!(bench.value_seen_later(1_000_000, 400.0), None);
    assert_eq!(bench.letters(&[(1, 290.0), (2, 400.0)]), "Fr");
    let mut bench = Bench::holding(below(300.0, None), 10 * MINUTE);
    assert_eq!(bench.value_seen_later(1_000_000, 290.0), Some(Transition::Pending));
    assert_eq!(bench.letters(&[(1, 290.0), (10, 290.0), (11, 290.0)]), "..F");
}

#[test]
fn evidence_follows_each_observation_and_that_of_the_fire_stays() {
    let mut bench = Bench::of(below(300.0, None));
    assert_eq!(bench.letters(&[(0, 290.0), (10, 280.0)]), "F.");
    let incident = bench.monitor.incident().unwrap().clone();
    assert_eq!(incident.evidence.value, Some(number(280.0)));
    assert_eq!(incident.at_fire.value, Some(number(290.0)));
    let Some(Transition::Ended(ended)) = bench.value(20, 400.0) else { panic!("not ended") };
    assert_eq!((ended.id, ended.evidence.value.clone()), (incident.id, Some(number(400.0))));
}

#[test]
fn acknowledgement_is_taken_once_and_kept_by_a_restart() {
    let mut bench = Bench::of(below(300.0, None));
    assert!(!bench.monitor.acknowledge("ada".into(), minute(0)), "nothing fires");
    assert_eq!(bench.letters(&[(0, 290.0)]), "F");
    assert!(bench.monitor.acknowledge("ada".into(), minute(1)));
    assert!(!bench.monitor.acknowledge("bob".into(), minute(2)));
    bench.restart();
    let known = bench.monitor.incident().unwrap().acknowledged.clone().unwrap();
    assert_eq!((&*known.by, known.at), ("ada", minute(1)));
    assert_eq!(bench.letters(&[(0, 290.0), (3, 290.0)]), "..", "the same incident continues");
}

#[test]
fn withdrawn_rule_ends_its_state() {
    let mut bench = Bench::holding(below(300.0, None), 10 * MINUTE);
    assert_eq!(bench.monitor.withdraw(minute(0)), None);
    bench.letters(&[(0, 290.0)]);
    assert_eq!(bench.monitor.withdraw(minute(1)), Some(Transition::Cleared));
    bench.letters(&[(2, 290.0), (20, 290.0)]);
    let withdrawn = bench.monitor.withdraw(minute(21));
    assert_eq!(letter(withdrawn.as_ref()), 'w');
    assert_eq!(bench.monitor.withdraw(minute(22)), None);
}

#[test]
fn setting_of_the_clock_moves_what_it_dated() {
    let hour = SignedDuration::from_hours(1);
    let mut bench = Bench::of(below(300.0, None));
    bench.letters(&[(0, 290.0)]);
    bench.monitor.redate(hour);
    let incident = bench.monitor.incident().unwrap();
    assert_eq!((incident.since, incident.fired_at), (minute(0), minute(60)));
    // Times of observations that this machine gave move too, so `for` is not passed at once.
    let mut bench = Bench::holding(below(300.0, None), 10 * MINUTE);
    let value = number(290.0);
    let by_machine = |bench: &mut Bench, at: i64| {
        bench.now = minute(at);
        let sight = FieldSight { is_by_machine: true, ..bench.sight(minute(at), Some(&value)) };
        letter(bench.observe(&Sight::Field(sight)).as_ref())
    };
    assert_eq!(by_machine(&mut bench, 0), 'P');
    bench.monitor.redate(hour);
    assert_eq!(by_machine(&mut bench, 65), '.');
    assert_eq!(by_machine(&mut bench, 70), 'F');
    bench.monitor.redate(SignedDuration::MIN);
    bench.monitor.redate(SignedDuration::MAX);
}

#[test]
fn garbage_is_no_saved_state_and_unknown_members_are_ignored() {
    for text in ["", "null", "[1]", "{", r#"{"pending":{}}"#, r#"{"latest":"yesterday"}"#] {
        assert!(Monitor::restore(text).is_err(), "{text}");
    }
    assert_eq!(Monitor::restore(r#"{"later":{"a":1}}"#), Ok(Monitor::new()));
    assert_eq!(Monitor::new().saved(), None);
    let mut bench = Bench::of(below(300.0, None));
    bench.letters(&[(0, 400.1), (1, 400.3), (2, 290.000_000_000_000_1)]);
    let saved = bench.monitor.saved().unwrap();
    assert_eq!(Monitor::restore(&saved).as_ref(), Ok(&bench.monitor), "{saved}");
}
