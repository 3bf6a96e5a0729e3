//! Answers that repeat an observation.

use super::*;

fn fetched(at: i64) -> Observed {
    Observed::fetched(t(at))
}

/// Returns an observation whose age was `age` seconds at `at`, exact to a minute.
fn aged(at: i64, age: u64) -> Observed {
    Observed::aged(t(at), Duration::from_secs(age), Duration::from_secs(60))
}

#[test]
fn stamp_in_the_future_counts_from_its_first_sight_and_turns_stale() {
    // Ahead by five hours, and far beyond any clock.
    for ahead in [18_000, 2_000_000_000] {
        let mut sources = sources();
        for at in (0..STALE_AFTER).step_by(300) {
            let tank = report(&mut sources, "tank", at, reading(ahead, 50.0));
            assert_eq!((tank.state, shown(&tank).0), (State::Fresh, 0), "{at}");
            assert!(tank.reading.unwrap().observed.inferred);
        }
        assert_eq!(recorded(&mut sources), [(0, 50.0)]);
        let stale = report(&mut sources, "tank", STALE_AFTER, reading(ahead, 50.0));
        assert_eq!((stale.state, shown(&stale).0), (State::Stale, 0));
        assert_eq!(events(&mut sources), [EventKind::Stale]);
        // A restart makes it no younger.
        let mut sources = restarted(&sources, m(2000));
        for at in [2001, 2300] {
            let tank = report(&mut sources, "tank", at, reading(ahead, 50.0));
            assert_eq!((tank.state, shown(&tank).0), (State::Stale, 0));
        }
        assert_eq!(sources.take_changes(), []);
        // Another stamp is another observation.
        let new = report(&mut sources, "tank", 2600, reading(ahead + 60, 51.0));
        assert_eq!((new.state, shown(&new)), (State::Fresh, (2600, Some(51.0))));
        assert_eq!(recorded(&mut sources), [(2600, 51.0)]);
    }
}

#[test]
fn equal_stamp_with_other_values_is_a_correction() {
    // The stamp of the observation, in the past or in the future, and the time that is shown.
    for (stamp, at) in [(50, 50), (18_000, 100)] {
        let mut sources = sources();
        report(&mut sources, "tank", 100, reading(stamp, 50.0));
        let corrected = report(&mut sources, "tank", 400, reading(stamp, 51.0));
        assert_eq!(shown(&corrected), (at, Some(51.0)));
        assert_eq!(corrected.reading.unwrap().fetched_at, t(400));
        report(&mut sources, "tank", 700, reading(stamp, 51.0));
        assert_eq!(recorded(&mut sources), [(at, 50.0), (at, 51.0)]);
    }
}

#[test]
fn note_that_changes_is_shown_and_not_recorded() {
    let doubted = Value::number(50.0, Unit::Percent).with_note("doubted");
    let values = vec![("level".into(), doubted.clone())];
    let mut sources = sources();
    report(&mut sources, "tank", 100, reading(50, 50.0));
    recorded(&mut sources);
    let observed = Observed::absolute(t(50));
    let tank = report(&mut sources, "tank", 400, Ok(Polled::Reading(Reading { observed, values })));
    assert_eq!(tank.value("level"), Some(&doubted));
    assert_eq!(recorded(&mut sources), []);
}

#[test]
fn age_within_its_resolution_with_equal_values_is_the_same_observation() {
    // Second answer at 300 s: its age, its level, and what is shown and recorded. The first is 60 s old at 0 s.
    for (age, number, at, records) in [
        // The same age within the resolution, and two seconds for the polls.
        (360, 50.0, -60, false),
        (300, 50.0, -60, false),
        (298, 50.0, -60, false),
        (420, 50.0, -60, false),
        (422, 50.0, -60, false),
        // Another observation.
        (297, 50.0, 3, true),
        (0, 50.0, 300, true),
        // Other values at the same time, or slightly earlier: they have changed since.
        (360, 51.0, -60, true),
        (420, 51.0, -60, true),
        (310, 51.0, -10, true),
        // An older observation is passed over.
        (423, 50.0, -60, false),
    ] {
        let mut sources = sources();
        report(&mut sources, "tank", 0, level(aged(0, 60), 50.0));
        assert_eq!(recorded(&mut sources), [(-60, 50.0)]);
        let tank = report(&mut sources, "tank", 300, level(aged(300, age), number));
        assert_eq!(shown(&tank), (at, Some(number)), "{age} {number}");
        assert_eq!(tank.reading.unwrap().fetched_at, t(300));
        let expected = if records { vec![(at, number)] } else { Vec::new() };
        let mut new = recorded(&mut sources);
        new.retain(|(at, _)| *at >= -60);
        assert_eq!(new, expected, "{age} {number}");
    }
}

#[test]
fn growing_resolution_of_an_age_moves_nothing() {
    // "59 minutes ago", then "1 hour ago" for an hour.
    let mut sources = sources();
    report(&mut sources, "tank", 0, level(aged(0, 59 * 60), 50.0));
    let hour = Duration::from_secs(3600);
    for at in (300..3600).step_by(300) {
        let observed = Observed::aged(t(at), hour, hour);
        let tank = report(&mut sources, "tank", at, level(observed, 50.0));
        assert_eq!(shown(&tank).0, -59 * 60, "{at}");
    }
    assert_eq!(recorded(&mut sources).len(), 1);
}

#[test]
fn response_without_a_time_is_a_new_observation() {
    let mut sources = sources();
    for at in [0, 300, 600] {
        let tank = report(&mut sources, "tank", at, level(fetched(at), 50.0));
        assert_eq!(shown(&tank).0, at);
    }
    assert_eq!(recorded(&mut sources), [(0, 50.0), (300, 50.0), (600, 50.0)]);
    let changes = report(&mut sources, "tank", 900, Ok(Polled::Unchanged));
    assert_eq!(shown(&changes).0, 600, "not modified");
}

#[test]
fn stated_time_replaces_a_guess() {
    let mut sources = sources();
    report(&mut sources, "tank", 300, level(fetched(300), 50.0));
    let tank = report(&mut sources, "tank", 600, reading(200, 50.0));
    assert_eq!((shown(&tank).0, tank.reading.unwrap().observed.inferred), (200, false));
}

#[test]
fn small_differences_of_our_clock_move_no_time() {
    let mut sources = sources();
    report(&mut sources, "tank", 100, reading(101, 50.0));
    // Our clock was slewed back by two seconds.
    let tank = report_at(&mut sources, "tank", time_point(t(99), 101), reading(102, 50.0));
    let last = tank.reading.unwrap();
    assert_eq!((seconds(last.observed.at), seconds(last.fetched_at)), (100, 100));
}

/// Returns a reading without a time, whose level has one of its own.
fn own_time(at: i64, observed: Observed, number: f64) -> Result<Polled, PollError> {
    let level = Value { observed: Some(observed), ..Value::number(number, Unit::Percent) };
    let values = vec![("level".into(), level), ("battery".into(), Value::number(3.6, Unit::Volt))];
    Ok(Polled::Reading(Reading { observed: fetched(at), values }))
}

#[test]
fn value_with_its_own_time_is_identified_and_ordered_by_it() {
    let stamp = |at| Observed::absolute(t(at));
    // Answers at 0 s, 300 s, … with the level's own time, and the time and level that are shown.
    for answers in [
        // In the future: the same stamp counts from its first sight.
        &[
            (stamp(9000), 50.0, 0, 50.0),
            (stamp(9000), 50.0, 0, 50.0),
            (stamp(9060), 51.0, 600, 51.0),
        ][..],
        // A correction, and an older one, which is passed over.
        &[
            (stamp(-60), 50.0, -60, 50.0),
            (stamp(-60), 51.0, -60, 51.0),
            (stamp(-99), 7.0, -60, 51.0),
        ],
        // An age that jitters, then a new observation.
        &[
            (aged(0, 60), 50.0, -60, 50.0),
            (aged(300, 340), 50.0, -60, 50.0),
            (aged(600, 0), 50.0, 600, 50.0),
        ],
        // A clock that was ahead is believed again after three answers.
        &[
            (stamp(9000), 50.0, 0, 50.0),
            (stamp(10), 7.0, 0, 50.0),
            (stamp(10), 7.0, 0, 50.0),
            (stamp(10), 7.0, 10, 7.0),
        ],
    ] {
        let mut sources = sources();
        let mut expected_records = Vec::new();
        for (poll, &(observed, sent, at, number)) in (0..).zip(answers) {
            let now = poll * 300;
            let tank = report(&mut sources, "tank", now, own_time(now, observed, sent));
            let level = tank.value("level").unwrap();
            let own = level.observed.unwrap();
            assert_eq!((seconds(own.at), shown(&tank).1), (at, Some(number)), "{poll} {answers:?}");
            assert_eq!(own.inferred, level.note.is_some(), "noted if it was in the future");
            assert_eq!(tank.value("battery").unwrap().observed, None);
            assert_eq!(shown(&tank).0, now, "the reading has its own time");
            if !expected_records.contains(&(at, number)) {
                expected_records.push((at, number));
            }
        }
        let mut records = recorded(&mut sources);
        records.retain(|(_, number)| *number != 3.6);
        records.dedup();
        // Passed over values are recorded, too: once, with their own time.
        let older: Vec<(i64, f64)> =
            records.iter().filter(|record| !expected_records.contains(record)).copied().collect();
        assert!(older.len() <= 1 && older.iter().all(|(_, number)| *number == 7.0), "{older:?}");
        records.retain(|record| expected_records.contains(record));
        assert_eq!(records, expected_records, "{answers:?}");
        // A restart forgets none of it.
        let last = answers.last().unwrap();
        let mut sources = restarted(&sources, m(5000));
        let tank = report(&mut sources, "tank", 5001, own_time(5001, last.0, last.1));
        let own = tank.value("level").unwrap().observed.unwrap();
        let is_older = last.1 != last.3;
        assert_eq!(seconds(own.at), last.2, "{answers:?} {is_older}");
    }
}

#[test]
fn own_time_is_kept_while_the_value_is_missing() {
    let mut sources = sources();
    let stamp = Observed::absolute(t(9000));
    report(&mut sources, "tank", 0, own_time(0, stamp, 50.0));
    report(&mut sources, "tank", 300, level(fetched(300), 1.0));
    let tank = report(&mut sources, "tank", 600, own_time(600, stamp, 50.0));
    assert_eq!(seconds(tank.value("level").unwrap().observed.unwrap().at), 0);
}
