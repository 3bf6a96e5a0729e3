//! Steps of the wall clock of this machine.

use super::*;

#[test]
fn clock_set_back_makes_no_reading_younger() {
    // The clock is set back by a year, 20 s after the poll. Without a correction, the reading would be fresh
    // for a year.
    const YEAR: i64 = 365 * 86_400;
    let back = |monotonic: i64| time_point(t(monotonic - YEAR), monotonic);
    let mut sources = sources();
    report(&mut sources, "tank", 10, reading(0, 50.0));
    sources.take_changes();
    assert!(!sources.expire(m(29)));
    assert!(sources.expire(back(30)), "corrected times are published");
    let last = view(&sources, "tank").reading.unwrap();
    assert_eq!((last.observed.at, last.fetched_at), (t(-YEAR), t(10 - YEAR)));
    assert_eq!(sources.next_due(), Some(t(STALE_AFTER - YEAR)));
    assert!(!sources.expire(back(STALE_AFTER - 1)), "corrected once");
    assert_eq!(view(&sources, "tank").state, State::Fresh);
    assert!(sources.expire(back(STALE_AFTER)));
    assert_eq!(view(&sources, "tank").state, State::Stale);
    let changes = sources.take_changes();
    let stale = |change: &&Change| matches!(change, Change::Happened(event) if event.kind == EventKind::Stale);
    assert_eq!(changes.iter().filter(stale).count(), 1, "{changes:?}");
}

#[test]
fn stale_source_stays_stale_when_the_clock_is_set_back() {
    let mut sources = sources();
    report(&mut sources, "tank", 10, reading(0, 50.0));
    assert!(sources.expire(m(5000)));
    // The times were right when the source was polled, 4,990 s before.
    assert!(sources.expire(time_point(t(20), 5000)));
    assert_eq!(view(&sources, "tank").state, State::Stale);
}

#[test]
fn source_that_is_stale_by_a_clock_ahead_is_fresh_after_its_correction() {
    let mut sources = sources();
    report(&mut sources, "tank", 10, reading(0, 50.0));
    assert!(sources.expire(time_point(t(5000), 15)));
    assert_eq!(view(&sources, "tank").state, State::Stale);
    assert!(sources.expire(m(20)));
    let tank = view(&sources, "tank");
    assert_eq!(tank.state, State::Fresh);
    assert_eq!(tank.reading.unwrap().observed.at, t(0), "the times of the reading were right");
}

#[test]
fn reading_fetched_by_a_clock_ahead_ages_from_its_fetch() {
    // The poll is at 10 s, and our clock shows 5,010 s.
    for (observed, inferred, expected) in [(0, false, 0), (5010, true, 10)] {
        let mut sources = sources();
        let outcome = Ok(Polled::Reading(Reading {
            observed: Observed { inferred, ..Observed::absolute(t(observed)) },
            values: vec![("level".into(), Value::number(50.0, Unit::Percent))],
        }));
        report_at(&mut sources, "tank", time_point(t(5010), 10), outcome);
        assert!(sources.expire(m(20)));
        let tank = view(&sources, "tank");
        assert_eq!(tank.state, State::Fresh);
        let last = tank.reading.unwrap();
        assert_eq!((last.observed.at, last.fetched_at), (t(expected), t(10)), "{observed}");
        assert_eq!(last.stale_at, t(expected + STALE_AFTER));
    }
}

#[test]
fn steps_within_the_tolerance_and_a_suspended_machine_correct_nothing() {
    let mut sources = sources();
    report(&mut sources, "tank", 10, reading(0, 50.0));
    let before = view(&sources, "tank").reading.unwrap();
    // The clock is set back by two seconds; then the machine is suspended for an hour, which both clocks count.
    for now in [time_point(t(28), 30), time_point(t(30), 30), time_point(t(3630), 3630)] {
        let _ = sources.expire(now);
        let last = view(&sources, "tank").reading.unwrap();
        assert_eq!((last.observed, last.fetched_at), (before.observed, before.fetched_at));
    }
    assert_eq!(view(&sources, "tank").state, State::Stale);
}

#[test]
fn report_from_before_a_step_back_is_dated_by_the_new_setting() {
    let mut sources = sources();
    let report = Report {
        source: "tank".into(),
        at: time_point(t(5000), 5),
        outcome: failure(ErrorKind::Timeout),
        next_poll_at: t(5300),
    };
    assert!(sources.apply(report, m(10)));
    let tank = view(&sources, "tank");
    assert_eq!((tank.error.unwrap().since, tank.next_poll_at), (t(5), Some(t(305))));
}

/// A year, in seconds.
const YEAR: i64 = 365 * 86_400;

/// Returns the time `seconds` after the start by the time since boot, by a wall clock that was set by `step`.
fn stepped(seconds: i64, step: i64) -> TimePoint {
    time_point(t(seconds + step), seconds)
}

#[test]
fn what_this_machine_dated_moves_with_its_clock_and_stamps_stay() {
    let minute = Duration::from_secs(60);
    for step in [YEAR, -YEAR, 3600, -3600, 3, -3] {
        // Stated by the upstream at 100 s, and the time that is shown after the step.
        for (observed, expected) in [
            (Observed::fetched(t(100)), 100 + step),
            (Observed::aged(t(100), minute, minute), 40 + step),
            // Ahead of our clock by ten years, so its time was read from our clock.
            (Observed::absolute(t(10 * YEAR)), 100 + step),
            // Ten seconds old when it was seen. It keeps its age where it would be in the future.
            (Observed::absolute(t(90)), if 100 + step < 90 { 90 + step } else { 90 }),
        ] {
            let mut sources = sources();
            report(&mut sources, "tank", 100, level(observed, 50.0));
            report(&mut sources, "weather", 100, failure(ErrorKind::Timeout));
            sources.take_changes();
            assert!(sources.expire(stepped(110, step)), "published at once");
            let tank = view(&sources, "tank");
            assert_eq!(shown(&tank).0, expected, "{step} {observed:?}");
            let last = tank.reading.unwrap();
            assert_eq!(seconds(last.fetched_at), 100 + step);
            assert_eq!(seconds(last.stale_at), expected + STALE_AFTER);
            assert_eq!(tank.next_poll_at, Some(t(400 + step)));
            assert_eq!(view(&sources, "weather").error.unwrap().since, t(100 + step));
            assert_eq!(sources.stepped(), SignedDuration::from_secs(step));
            let changes = sources.take_changes();
            let [Change::ClockStepped(by), Change::Happened(event), ..] = &changes[..] else {
                panic!("{changes:?}")
            };
            assert_eq!((by.as_secs(), event.kind), (step, EventKind::ClockStepped));
            let direction = if step > 0 { "forward by " } else { "back by " };
            assert!(event.detail.starts_with(direction), "{event:?}");
            assert_eq!(event.at, t(110 + step));
            // And back: everything is as before.
            assert!(sources.expire(m(120)));
            let tank = view(&sources, "tank");
            let original = observed.at.min(t(100));
            assert_eq!(tank.reading.as_ref().unwrap().observed.at, original, "{step} {observed:?}");
            assert_eq!(seconds(tank.reading.unwrap().fetched_at), 100);
            assert_eq!(tank.next_poll_at, Some(t(400)));
        }
    }
}

#[test]
fn machine_that_boots_in_1970_has_right_times_once_its_clock_is_set() {
    // The start of these tests is the present; the machine boots at 1970, and knows it after 100 s.
    let epoch = -t(0).as_second();
    let booted = |seconds: i64| stepped(seconds, epoch);
    let mut sources = Sources::new(vec![info("tank"), info("weather")], true, booted(0));
    let stamped = report_at(&mut sources, "tank", booted(20), reading(10, 50.0));
    report_at(&mut sources, "weather", booted(20), level(Observed::fetched(booted(20).wall), 7.0));
    assert_eq!(stamped.reading.as_ref().unwrap().observed.at, booted(20).wall);
    let note = |view: &SourceView| view.value("level").unwrap().note.clone();
    assert!(note(&stamped).unwrap().contains("in the future"));
    sources.take_changes();

    assert!(sources.expire(m(100)));
    let tank = view(&sources, "tank");
    assert_eq!(shown(&tank).0, 10, "the sensor's own stamp");
    assert_eq!((note(&tank), tank.reading.unwrap().observed.inferred), (None, false));
    assert_eq!(tank.next_poll_at, Some(t(320)));
    assert_eq!(shown(&view(&sources, "weather")).0, 20);
    assert_eq!(recorded(&mut sources), [], "the same observations");
    report(&mut sources, "tank", 101, reading(10, 50.0));
    assert_eq!(recorded(&mut sources), []);
    report(&mut sources, "tank", 400, reading(310, 51.0));
    assert_eq!(recorded(&mut sources), [(310, 51.0)]);
}

#[test]
fn report_from_before_a_step_has_the_times_of_the_new_setting() {
    let epoch = -t(0).as_second();
    for (observed, expected) in [
        (Observed::fetched(stepped(20, epoch).wall), 20),
        (Observed::aged(stepped(20, epoch).wall, Duration::from_secs(5), Duration::ZERO), 15),
        (Observed::absolute(t(3)), 3),
    ] {
        let mut sources = Sources::new(vec![info("tank")], true, stepped(0, epoch));
        let at = stepped(20, epoch);
        let next_poll_at = at.wall + SignedDuration::from_secs(300);
        let outcome = level(observed, 50.0);
        let report = Report { source: "tank".into(), at, outcome, next_poll_at };
        assert!(sources.apply(report, m(21)));
        let tank = view(&sources, "tank");
        assert_eq!(shown(&tank).0, expected, "{observed:?}");
        assert_eq!(tank.next_poll_at, Some(t(320)));
        assert_eq!(tank.reading.unwrap().fetched_at, t(20));
    }
}

#[test]
fn saved_reading_later_than_the_clock_is_stale_until_the_clock_is_set() {
    let epoch = -t(0).as_second();
    let mut before = sources();
    report(&mut before, "tank", 100, reading(90, 50.0));
    report(&mut before, "weather", 100, level(Observed::fetched(t(100)), 7.0));
    // The machine was off for ten minutes, and boots in 1970.
    let mut sources = restarted(&before, stepped(700, epoch));
    for name in ["tank", "weather"] {
        let view = view(&sources, name);
        assert_eq!(view.state, State::Stale);
        let note = view.value("level").unwrap().note.clone().unwrap();
        assert!(note.contains("its age is unknown"), "{note}");
    }
    assert!(!sources.expire(stepped(701, epoch)));
    assert_eq!(sources.next_due(), Some(t(88)), "its age is known from then on");
    assert!(sources.expire(m(702)));
    assert_eq!(events(&mut sources), [EventKind::ClockStepped], "neither stale nor fresh");
    for (name, at) in [("tank", 90), ("weather", 100)] {
        let view = view(&sources, name);
        assert_eq!((view.state, shown(&view).0), (State::Fresh, at), "{name}");
        assert_eq!(view.value("level").unwrap().note, None);
        assert_eq!(view.reading.unwrap().fetched_at, t(100));
    }
    // Meanwhile an observation was fetched by the wrong clock.
    let mut sources = restarted(&before, stepped(700, epoch));
    let age = Duration::from_secs(30);
    let aged = Observed::aged(stepped(705, epoch).wall, age, age);
    let tank = report_at(&mut sources, "tank", stepped(705, epoch), level(aged, 51.0));
    assert_eq!((tank.state, shown(&tank)), (State::Fresh, (675 + epoch, Some(51.0))));
    assert!(sources.expire(m(710)));
    assert_eq!(shown(&view(&sources, "tank")), (675, Some(51.0)));
}

#[test]
fn own_time_of_a_value_moves_with_the_clock_that_gave_it() {
    let minute = Duration::from_secs(60);
    for (observed, expected) in
        [(Observed::aged(t(100), minute, minute), 40 + 3600), (Observed::absolute(t(90)), 90)]
    {
        let level = Value { observed: Some(observed), ..Value::number(50.0, Unit::Percent) };
        let values = vec![("level".into(), level)];
        let mut sources = sources();
        let reading = Reading { observed: Observed::fetched(t(100)), values };
        report(&mut sources, "tank", 100, Ok(Polled::Reading(reading)));
        assert!(sources.expire(stepped(110, 3600)));
        let tank = view(&sources, "tank");
        let own = tank.value("level").unwrap().observed.unwrap();
        assert_eq!(seconds(own.at), expected, "{observed:?}");
    }
}

#[test]
fn reading_of_an_earlier_process_is_dated_by_no_clock_of_this_one() {
    let minute = Duration::from_secs(60);
    for observed in [
        Observed::fetched(t(100)),
        Observed::aged(t(100), minute, minute),
        Observed::absolute(t(9000)),
        Observed::absolute(t(90)),
    ] {
        let mut before = sources();
        report(&mut before, "tank", 100, level(observed, 50.0));
        let samples = |sources: &mut Sources| -> Vec<Sample> {
            let changes = sources.take_changes().into_iter();
            let samples = changes.flat_map(|change| match change {
                Change::Observed(samples) => samples,
                Change::Happened(_) | Change::ClockStepped(_) => Vec::new(),
            });
            samples.collect()
        };
        let fetched = samples(&mut before);
        // This process begins in 1970, and its clock is set later: the saved time was right all along.
        let epoch = -t(0).as_second();
        let mut after = restored(&before, stepped(700, epoch));
        let again = samples(&mut after);
        assert_eq!((again[0].at, again[0].dated_by), (fetched[0].at, DatedBy::Sensor));
        assert!(after.expire(m(720)));
        assert_eq!(shown(&view(&after, "tank")).0, seconds(fetched[0].at), "{observed:?}");
    }
}

#[test]
fn stamp_that_an_earlier_process_saw_in_1970_is_believed_once_the_clock_is_right() {
    let epoch = -t(0).as_second();
    let mut before = Sources::new(vec![info("tank"), info("weather")], true, stepped(0, epoch));
    let at_boot = stepped(20, epoch);
    assert_eq!(shown(&report_at(&mut before, "tank", at_boot, reading(10, 50.0))).0, 20 + epoch);
    // The clock is set while the program is down, or after its start.
    for is_set_later in [false, true] {
        let start = if is_set_later { stepped(100, epoch) } else { m(100) };
        let mut after = restarted(&before, start);
        let _ = after.expire(m(110));
        let tank = view(&after, "tank");
        assert_eq!((shown(&tank), tank.state), ((10, Some(50.0)), State::Fresh), "{is_set_later}");
        assert_eq!(tank.value("level").unwrap().note, None);
        report(&mut after, "tank", 120, reading(10, 50.0));
        assert_eq!(shown(&view(&after, "tank")).0, 10);
        assert_eq!(recorded(&mut after), [], "the same observation");
    }
}
