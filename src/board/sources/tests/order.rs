//! Choice between two observations.

use super::*;
use crate::board::Corrects;

/// Time of the first answer of a sequence.
const START: i64 = 100_000;

fn info_with_trend(over_time: Vec<(std::sync::Arc<str>, crate::units::OverTime)>) -> SourceInfo {
    SourceInfo {
        trends: vec![TrendSettings::of_fields(vec!["level".into()])],
        stale_after: Duration::from_secs(3 * 3600),
        over_time,
        ..info("tank")
    }
}

/// Sends answers, a minute apart: the time of each observation in seconds after [`START`]; its level is that
/// number. Returns what is shown after each.
fn answers(sources: &mut Sources, observed: &[i64]) -> Vec<i64> {
    let shown = |(poll, &observed): (i64, &i64)| {
        let now = START + poll * 60;
        let tank = report(sources, "tank", now, reading(START + observed, observed as f64));
        let (_, number) = shown(&tank);
        assert_eq!(tank.error, None);
        assert_eq!(tank.reading.unwrap().fetched_at, t(now));
        number.unwrap() as i64
    };
    (0..).zip(observed).map(shown).collect()
}

#[test]
fn older_answer_is_passed_over_until_three_consistent_ones_are_believed() {
    // `A` is ahead of our clock by two hours and `B` is not, nor is `C`, which is later.
    const A: i64 = 7200;
    const A2: i64 = 7300;
    const B: i64 = -600;
    const C: i64 = -500;
    for (observed, expected) in [
        // The held observation was in the future.
        (&[A, B, B, B, B][..], &[A, A, A, B, B][..]),
        (&[A, B, C, C, C], &[A, A, A, C, C]),
        (&[A, C, B, B, B], &[A, A, A, A, B]),
        // Answers that alternate never flip.
        (&[A, B, A, B, A, B, A, B], &[A; 8]),
        (&[A, B, B, A, B, B, A, B, B], &[A; 9]),
        // An observation that is in the future itself ends a row.
        (&[A2, B, B, A, B, B], &[A2; 6]),
        // What is no longer believed is not shown again, but a later observation is.
        (&[A, B, B, B, A, A, C, A, A2], &[A, A, A, B, B, B, C, C, A2]),
        // The held observation was not in the future, and is fresh: it stays, whatever is sent.
        (&[-10, B, B, B, B, B], &[-10; 6]),
        (&[-10, -400, -300, -200, -100, -50], &[-10; 6]),
        (&[-10, -400, -10, -300, -5, -200], &[-10, -10, -10, -10, -5, -5]),
    ] {
        assert_eq!(answers(&mut sources(), observed), expected, "{observed:?}");
    }
}

#[test]
fn device_whose_clock_was_set_back_is_believed_once_its_reading_is_stale() {
    // Minutes of the observations, one poll each five minutes. The clock is set back by an hour at poll 3.
    let mut sources = sources();
    let mut levels = Vec::new();
    for poll in 0..9_i64 {
        let now = poll * 300;
        let clock = if poll < 3 { now } else { now - 3600 };
        // The device measures every ten minutes.
        let observed = clock.div_euclid(600) * 600;
        let tank = report(&mut sources, "tank", now, reading(observed, poll as f64));
        levels.push((shown(&tank).1.unwrap() as i64, tank.state));
    }
    use State::{Fresh, Stale};
    // The reading of poll 2 is of 600 s, and stale at 1500 s. The third stamp since is that of poll 6.
    assert_eq!(levels[3..5], [(2, Fresh), (2, Fresh)]);
    assert_eq!(levels[5..8], [(2, Stale), (6, Stale), (7, Stale)]);
    assert_eq!(levels[8].0, 8);
    // The same frozen older answer, however often, is not believed.
    let mut sources = super::sources();
    report(&mut sources, "tank", 0, reading(0, 50.0));
    for poll in 1..20 {
        let tank = report(&mut sources, "tank", poll * 300, reading(-600, 7.0));
        assert_eq!(shown(&tank), (0, Some(50.0)), "{poll}");
    }
}

#[test]
fn older_answer_goes_to_the_history_once_and_makes_no_event() {
    let mut sources = sources();
    for (poll, stamp) in (0..).zip([-10, -600, -10, -600, -10, -900]) {
        let now = poll * 60;
        report(&mut sources, "tank", now, reading(stamp, stamp as f64));
        if poll == 0 {
            report(&mut sources, "tank", 1, failure(ErrorKind::Timeout));
        }
    }
    let changes = sources.take_changes();
    let kinds = changes.iter().filter_map(|change| match change {
        Change::Happened(event) => Some(event.kind),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [EventKind::ErrorBegan, EventKind::ErrorEnded]);
    let samples = changes.iter().flat_map(|change| match change {
        Change::Observed(samples) => samples.clone(),
        _ => Vec::new(),
    });
    let samples: Vec<(i64, DatedBy)> =
        samples.map(|sample| (seconds(sample.at), sample.dated_by)).collect();
    let by_sensor = |at| (at, DatedBy::Sensor);
    assert_eq!(samples, [-10, -600, -900].map(by_sensor));
}

#[test]
fn sample_states_which_clock_dated_it() {
    let mut sources = sources();
    let minute = Duration::from_secs(60);
    let observed = [
        Observed::absolute(t(-10)),
        Observed::aged(t(60), minute, Duration::ZERO),
        Observed::absolute(t(9000)),
        Observed::fetched(t(180)),
    ];
    for (poll, observed) in (0..).zip(observed) {
        report(&mut sources, "tank", poll * 60, level(observed, poll as f64));
    }
    let changes = sources.take_changes();
    let dated = changes.iter().flat_map(|change| match change {
        Change::Observed(samples) => {
            samples.iter().map(|sample| (sample.dated_by, sample.stated)).collect()
        }
        _ => Vec::new(),
    });
    let machine = |stated| (DatedBy::Machine, stated);
    let expected = [(DatedBy::Sensor, None), machine(None), machine(Some(t(9000))), machine(None)];
    assert_eq!(dated.collect::<Vec<_>>(), expected);
}

#[test]
fn not_modified_after_an_older_answer_repeats_that_answer() {
    let unchanged = || Ok(Polled::Unchanged);
    let mut sources = sources();
    report(&mut sources, "tank", 0, reading(9000, 50.0));
    for (at, outcome, expected) in [
        (60, reading(-60, 7.0), 50.0),
        (120, unchanged(), 50.0),
        (180, failure(ErrorKind::Timeout), 50.0),
        (240, unchanged(), 7.0),
        (300, unchanged(), 7.0),
    ] {
        let tank = report(&mut sources, "tank", at, outcome);
        assert_eq!(shown(&tank).1, Some(expected), "{at}");
    }
}

/// The case "goes_back": seven observations, then one of two hours ago, then the latest again.
#[test]
fn older_answer_moves_no_trend() {
    let mut sources = Sources::new(vec![info_with_trend(Vec::new())], true, m(0));
    let observed = [-240, -200, -160, -120, -80, -40, 0, -120, 0];
    for (poll, minute) in (0..).zip(observed) {
        let number = 68.0 - minute as f64 / 20.0;
        let tank = report(&mut sources, "tank", START + poll, reading(START + minute * 60, number));
        if poll >= 6 {
            assert_eq!(super::number(&tank, "level"), Some(68.0));
            assert_eq!(super::number(&tank, "level_rate"), Some(-3.0));
            assert_eq!(super::number(&tank, "level_change_1h"), Some(-3.0));
        }
    }
}

/// The case "rain_reset": a daily counter that is reset at midnight.
#[test]
fn reset_of_a_counter_is_no_fall() {
    let over_time = vec![("level".into(), crate::units::OverTime::Increase)];
    let rain = [(-130, 24.0), (-100, 24.6), (-70, 25.0), (-40, 25.0), (-10, 0.0), (0, 0.2)];
    for (over_time, change) in [(over_time, 0.2), (Vec::new(), -24.8)] {
        let mut sources = Sources::new(vec![info_with_trend(over_time)], true, m(0));
        for (poll, (minute, number)) in (0..).zip(rain) {
            report(&mut sources, "tank", START + poll, reading(START + minute * 60, number));
        }
        let tank = view(&sources, "tank");
        assert_eq!(super::number(&tank, "level_change_1h"), Some(change));
        assert_eq!(super::number(&tank, "level_rate").unwrap() >= 0.0, change > 0.0);
    }
}

#[test]
fn correction_moves_the_trend() {
    let mut sources = Sources::new(vec![info_with_trend(Vec::new())], true, m(0));
    for minute in [-90, -60, -30, 0] {
        report(&mut sources, "tank", START + minute * 60, reading(START + minute * 60, 50.0));
    }
    let wrong = report(&mut sources, "tank", START + 60, reading(START, 80.0));
    assert_eq!(super::number(&wrong, "level_change_1h"), Some(30.0));
    let right = report(&mut sources, "tank", START + 120, reading(START, 50.0));
    assert_eq!(super::number(&right, "level_change_1h"), Some(0.0));
    assert_eq!(super::number(&right, "level_rate"), Some(0.0));
}

#[test]
fn change_of_unit_after_a_clock_that_was_ahead_restarts_the_trend() {
    let mut sources = Sources::new(vec![info_with_trend(Vec::new())], true, m(0));
    for minute in [-180, -120, -60] {
        // A year ahead.
        let stamp = START + minute * 60 + 365 * 86_400;
        report(&mut sources, "tank", START + minute * 60, reading(stamp, 50.0));
    }
    // The clock is right again, and the level is in another unit.
    let mut tank = view(&sources, "tank");
    for minute in [-40, -30, -20, 0, 30, 60] {
        let at = START + minute * 60;
        let values = vec![("level".into(), Value::number(2.0 + minute as f64 / 60.0, Unit::Metre))];
        let observed = Observed::absolute(t(at));
        tank = report(&mut sources, "tank", at, Ok(Polled::Reading(Reading { observed, values })));
    }
    assert_eq!(tank.value("level").unwrap().unit, Some(Unit::Metre));
    assert_eq!(super::number(&tank, "level_change_1h"), Some(1.0));
    assert_eq!(tank.value("level_change_1h").unwrap().unit, Some(Unit::Metre));
    // Recorded samples of both units: those of the latest unit count.
    let sample = |minute: i64, number: f64, unit| {
        let number = Finite::new(number).unwrap();
        Sample::new("tank".into(), "level".into(), t(START + minute * 60), number, Some(unit))
    };
    let past = [
        sample(-300, 50.0, Unit::Percent),
        sample(-60, 1.0, Unit::Metre),
        sample(0, 2.0, Unit::Metre),
    ];
    sources.backfill(&past, m(START + 3600));
    let tank = view(&sources, "tank");
    assert_eq!(super::number(&tank, "level_change_1h"), Some(1.0));
}

#[test]
fn trend_of_tiny_numbers_keeps_their_digits() {
    let mut sources = Sources::new(vec![info_with_trend(Vec::new())], true, m(0));
    let unit = Unit::from_recorded("bales").unwrap();
    let mut tank = view(&sources, "tank");
    for minute in [-90, -60, -30, 0] {
        let at = START + minute * 60;
        let values = vec![("level".into(), Value::number(0.00005 + minute as f64 * 1e-7, unit))];
        let observed = Observed::absolute(t(at));
        tank = report(&mut sources, "tank", at, Ok(Polled::Reading(Reading { observed, values })));
    }
    assert_eq!(super::number(&tank, "level_change_1h"), Some(0.000006));
    assert_eq!(super::number(&tank, "level_rate"), Some(0.000006));
}

#[test]
fn station_whose_clock_was_ahead_by_hours_is_shown_after_its_correction() {
    // A stamp each five minutes. The clock is an hour ahead until minute 60, and right then.
    let mut sources = sources();
    for minute in (0..=180).step_by(5) {
        let now = minute * 60;
        let stamp = if minute < 60 { now + 3600 } else { now };
        let tank = report(&mut sources, "tank", now + 7, reading(stamp, minute as f64));
        // Three answers in a row are believed.
        if !(60..70).contains(&minute) {
            assert_eq!(shown(&tank).1, Some(minute as f64), "{minute}");
        }
    }
}

/// An answer of a reading and of the value "own", which has its own time.
fn with_own(time: i64, level: f64, own: (i64, f64)) -> Result<Polled, PollError> {
    let own_value =
        Value { observed: Some(Observed::absolute(t(own.0))), ..Value::number(own.1, Unit::Volt) };
    let values =
        vec![("level".into(), Value::number(level, Unit::Percent)), ("own".into(), own_value)];
    Ok(Polled::Reading(Reading { observed: Observed::absolute(t(time)), values }))
}

#[test]
fn values_with_their_own_times_are_judged_by_them_in_an_older_answer() {
    // The times and numbers of the value "own" in an older answer; what is recorded of it, and what is shown.
    for (own, is_recorded, expected) in [
        ((40, 4.0), true, 5.0),
        ((95, 6.0), true, 6.0),
        // The later answer may have corrected it.
        ((90, 7.0), false, 5.0),
    ] {
        let mut sources = sources();
        report(&mut sources, "tank", 100, with_own(100, 50.0, (90, 5.0)));
        sources.take_changes();
        let tank = report(&mut sources, "tank", 110, with_own(50, 45.0, own));
        assert_eq!(shown(&tank), (100, Some(50.0)));
        assert_eq!(number(&tank, "own"), Some(expected), "{own:?}");
        let mut rows = vec![(50, 45.0)];
        rows.extend(is_recorded.then_some(own));
        assert_eq!(recorded(&mut sources), rows, "{own:?}");
    }
}

#[test]
fn only_the_latest_answer_of_this_process_corrects_the_history() {
    let corrects = |sources: &mut Sources| -> Vec<(i64, Corrects)> {
        let changes = sources.take_changes().into_iter();
        let samples = changes.flat_map(|change| match change {
            Change::Observed(samples) => samples,
            _ => Vec::new(),
        });
        samples.map(|sample| (seconds(sample.at), sample.corrects)).collect()
    };
    let mut before = sources();
    report(&mut before, "tank", 100, reading(90, 50.0));
    assert_eq!(corrects(&mut before), [(90, Corrects::Any)]);
    report(&mut before, "tank", 110, reading(60, 40.0));
    assert_eq!(corrects(&mut before), [(60, Corrects::Nothing)]);
    let mut after = restored(&before, m(200));
    assert_eq!(corrects(&mut after), [(90, Corrects::Nothing)]);
    report(&mut after, "tank", 210, reading(90, 51.0));
    assert_eq!(corrects(&mut after), [(90, Corrects::Any)], "a correction");
}

#[test]
fn first_answer_by_another_configuration_is_believed() {
    let with = |configuration| SourceInfo { configuration, ..info("tank") };
    for (configuration, is_believed) in [(1, false), (2, true)] {
        for is_restarted in [false, true] {
            for ahead in [0, 9000] {
                let mut sources = sources();
                report(&mut sources, "tank", 1000, with_own(1000, 50.0, (1000 + ahead, 5.0)));
                report(&mut sources, "tank", 1000, with_own(1000 + ahead, 50.0, (1000, 5.0)));
                if is_restarted {
                    let saved = saved_readings(&sources);
                    sources = Sources::new(vec![with(configuration)], true, m(1010));
                    sources.restore(saved, m(1010));
                } else {
                    sources.renew(vec![with(configuration)], m(1010));
                }
                let first = report(&mut sources, "tank", 1020, with_own(900, 40.0, (800, 4.0)));
                assert_eq!(shown(&first) == (900, Some(40.0)), is_believed);
                assert_eq!(number(&first, "own") == Some(4.0), is_believed);
                // Only the first.
                let second = report(&mut sources, "tank", 1030, with_own(700, 30.0, (700, 3.0)));
                assert_ne!(number(&second, "level"), Some(30.0));
            }
        }
    }
}
