use super::*;
use crate::config::{self, Kind};
use crate::units::Unit;

/// Returns the keys of a source with one value `x`, by the lines of its table.
fn keys(lines: &str) -> Json {
    let unit = if lines.contains("circular") { "deg" } else { "in" };
    let text = format!(
        "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n\
         observed_at = {{ pointer = \"/t\", format = \"local\", timezone = \"Europe/Vienna\" }}\n\
         [source.values.x]\npointer = \"/x\"\nunit = \"{unit}\"\n{lines}\n"
    );
    let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
    match config.sources[0].kind.clone() {
        Kind::Json(keys) => *keys,
        kind => panic!("{kind:?}"),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_769_879_760 + second).unwrap()
}

/// Returns the receipt of a response, later than all observations but those of a clock that is ahead.
fn received() -> Received {
    Received { at: at(3600), stale_after: Duration::from_secs(86_400) }
}

fn absolute(second: i64) -> Observed {
    Observed::absolute(at(second))
}

fn aged(second: i64) -> Observed {
    Observed {
        stamp: Stamp::Age { resolution: std::time::Duration::from_secs(60) },
        ..absolute(second)
    }
}

fn fetched(second: i64) -> Observed {
    Observed::fetched(at(second))
}

/// Settles observations one after the other, and returns each number, or the note for its absence.
fn settled(lines: &str, observations: &[(Observed, f64)]) -> Vec<Result<f64, String>> {
    let keys = keys(lines);
    let mut settling = Settling::default();
    let settle = |&(observed, number): &(Observed, f64)| {
        let value = Value { unit: keys.values[0].unit, ..Value::number(number, Unit::Inch) };
        let reading = Reading { observed, values: vec![("x".into(), value)] };
        let value = settling.settle(&keys, reading, received()).values.remove(0).1;
        match value.datum {
            Some(Datum::Number(number)) => Ok(number.get()),
            _ => Err(value.note.unwrap().to_string()),
        }
    };
    observations.iter().map(settle).collect()
}

#[test]
fn median_is_of_the_latest_observations() {
    let numbers = [10.0, 90.0, 11.0, 12.0, 13.0, 14.0];
    // Two observations have no median but the latest.
    let medians = [10.0, 90.0, 11.0, 12.0, 12.0, 13.0];
    let observations: Vec<_> =
        numbers.iter().enumerate().map(|(n, number)| (absolute(n as i64), *number)).collect();
    let expected: Vec<_> = medians.iter().map(|median| Ok(*median)).collect();
    assert_eq!(settled("filter = \"median 3\"", &observations), expected);
}

#[test]
fn same_observation_enters_a_median_once() {
    for observed in [absolute as fn(i64) -> Observed, aged] {
        let seen = settled(
            "filter = \"median 3\"",
            &[
                (observed(0), 10.0),
                (observed(600), 11.0),
                (observed(1200), 90.0),
                (observed(1200), 90.0),
                (observed(1200), 90.0),
                (observed(1800), 12.0),
            ],
        );
        assert_eq!(seen, [10.0, 11.0, 11.0, 11.0, 11.0, 12.0].map(Ok));
    }
    // An age of minutes drifts by seconds.
    let seen = settled(
        "filter = \"median 3\"",
        &[(aged(0), 10.0), (aged(600), 90.0), (aged(630), 90.0), (aged(645), 90.0)],
    );
    assert_eq!(seen, [10.0, 90.0, 90.0, 90.0].map(Ok));
    // The same stamp with another number is a correction.
    let seen = settled(
        "filter = \"median 3\"",
        &[
            (absolute(0), 10.0),
            (absolute(600), 11.0),
            (absolute(1200), 9.0),
            (absolute(1200), 90.0),
        ],
    );
    assert_eq!(seen, [10.0, 11.0, 10.0, 11.0].map(Ok));
    // Without a time, each response is an observation.
    let seen = settled(
        "filter = \"median 3\"",
        &[(fetched(0), 10.0), (fetched(60), 90.0), (fetched(120), 90.0)],
    );
    assert_eq!(seen, [10.0, 90.0, 90.0].map(Ok));
}

#[test]
fn step_is_null_until_the_next_observation_confirms_it() {
    let awaits = |step: &str| Err(format!("a step of {step} in awaits confirmation"));
    let seen = settled(
        "max_step = 2",
        &[
            (absolute(0), 10.0),
            (absolute(60), 12.0),
            // A spike.
            (absolute(120), 50.3),
            (absolute(180), 12.5),
            // A new level. The same response again confirms nothing.
            (absolute(240), 40.0),
            (absolute(240), 40.0),
            (absolute(300), 41.0),
            (absolute(360), 41.5),
            // Two steps in a row confirm neither.
            (absolute(420), 10.0),
            (absolute(480), 70.0),
            (absolute(540), 71.0),
        ],
    );
    assert_eq!(
        seen,
        [
            Ok(10.0),
            Ok(12.0),
            awaits("38.3"),
            Ok(12.5),
            awaits("27.5"),
            awaits("27.5"),
            Ok(41.0),
            Ok(41.5),
            awaits("-31.5"),
            awaits("28.5"),
            Ok(71.0),
        ]
    );
}

#[test]
fn answers_of_two_caches_by_turns_confirm_no_step() {
    let seen = settled(
        "max_step = 2",
        &[(absolute(0), 10.0), (absolute(60), 50.0), (absolute(0), 10.0), (absolute(60), 50.0)],
    );
    assert!(seen[1].is_err() && seen[3].is_err(), "{seen:?}");
    assert_eq!((&seen[0], &seen[2]), (&Ok(10.0), &Ok(10.0)));
}

#[test]
fn older_answer_of_a_cache_neither_enters_a_median_nor_confirms_a_step() {
    // A cache answers with a spike from before, again and again; it is recorded as it is.
    let seen = settled(
        "filter = \"median 3\"",
        &[
            (absolute(0), 90.0),
            (absolute(60), 10.0),
            (absolute(120), 11.0),
            (absolute(180), 12.0),
            (absolute(0), 90.0),
            (absolute(180), 12.0),
            (absolute(0), 90.0),
            (absolute(180), 12.0),
        ],
    );
    assert_eq!(seen[3..], [11.0, 90.0, 11.0, 90.0, 11.0].map(Ok));
    let seen = settled(
        "max_step = 2",
        &[(absolute(60), 10.0), (absolute(120), 50.0), (absolute(30), 50.0), (absolute(120), 50.0)],
    );
    assert!(seen[1].is_err() && seen[3].is_err(), "{seen:?}");
}

#[test]
fn upstream_whose_clock_was_set_back_is_filtered_again() {
    let ahead = 86_400;
    let seen = settled(
        "filter = \"median 3\"",
        &[
            (absolute(ahead), 10.0),
            (absolute(ahead + 60), 11.0),
            (absolute(120), 12.0),
            (absolute(180), 13.0),
            (absolute(240), 14.0),
            (absolute(300), 90.0),
            (absolute(360), 15.0),
        ],
    );
    assert_eq!(seen[4..], [11.0, 14.0, 15.0].map(Ok));
}

#[test]
fn jitter_of_an_age_confirms_no_step() {
    let aged = |second| Observed {
        stamp: Stamp::Age { resolution: std::time::Duration::from_secs(1) },
        ..absolute(second)
    };
    let seen = settled(
        "max_step = 2",
        &[
            (aged(0), 10.0),
            (aged(600), 40.0),
            (aged(602), 40.0),
            (aged(599), 40.0),
            (aged(660), 40.0),
        ],
    );
    assert!(seen[1..4].iter().all(Result::is_err), "{seen:?}");
    assert_eq!(seen[4], Ok(40.0));
}

#[test]
fn identical_number_without_a_time_confirms_a_step_when_it_persists() {
    let seen = settled(
        "max_step = 2",
        &[
            (fetched(0), 10.0),
            (fetched(60), 40.0),
            (fetched(120), 40.0),
            (fetched(180), 40.0),
            (fetched(240), 70.0),
            (fetched(300), 70.5),
        ],
    );
    let is_shown: Vec<_> = seen.iter().map(Result::is_ok).collect();
    assert_eq!(is_shown, [true, false, false, true, false, true], "{seen:?}");
}

#[test]
fn direction_has_its_step_and_its_median_over_north() {
    let seen = settled(
        "over_time = \"circular\"\nmax_step = 30",
        &[
            (absolute(0), 350.0),
            (absolute(60), 10.0),
            (absolute(120), 340.0),
            (absolute(180), 200.0),
        ],
    );
    assert_eq!(seen[..3], [350.0, 10.0, 340.0].map(Ok));
    assert_eq!(seen[3], Err("a step of -140 deg awaits confirmation".to_owned()));
    let seen = settled(
        "over_time = \"circular\"\nfilter = \"median 3\"",
        &[
            (absolute(0), 350.0),
            (absolute(60), 10.0),
            (absolute(120), 355.0),
            (absolute(180), 180.0),
        ],
    );
    assert_eq!(seen[2..], [355.0, 10.0].map(Ok));
}

#[test]
fn unconfirmed_step_enters_no_median() {
    let seen = settled(
        "max_step = 2\nfilter = \"median 3\"",
        &[(absolute(0), 10.0), (absolute(60), 90.0), (absolute(120), 11.0), (absolute(180), 12.0)],
    );
    assert_eq!((&seen[0], &seen[2], &seen[3]), (&Ok(10.0), &Ok(11.0), &Ok(11.0)));
    assert!(seen[1].is_err());
}

#[test]
fn missing_number_changes_nothing() {
    let keys = keys("max_step = 2");
    let mut settling = Settling::default();
    let mut settle = |second, value: Value| {
        let reading = Reading { observed: absolute(second), values: vec![("x".into(), value)] };
        settling.settle(&keys, reading, received()).values.remove(0).1
    };
    let number = |number| Value::number(number, Unit::Inch);
    assert!(settle(0, number(10.0)).datum.is_some());
    assert!(settle(60, number(40.0)).datum.is_none());
    let missing = Value::missing(None, "sent as null");
    assert_eq!(settle(120, missing.clone()), missing);
    assert!(settle(180, number(41.0)).datum.is_some(), "the next number confirms the step");
}

#[test]
fn unchanged_local_time_stays_when_the_clocks_show_it_again() {
    let keys = keys("");
    let mut settling = Settling::default();
    let mut settle = |at: &str, inferred| {
        let observed = Observed { inferred, ..Observed::absolute(at.parse().unwrap()) };
        settling
            .settle(&keys, Reading { observed, values: Vec::new() }, received())
            .observed
            .at
            .to_string()
    };
    // 02:30 in Vienna, first and second.
    let (first, second) = ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z");
    assert_eq!(settle(first, true), first);
    assert_eq!(settle(second, true), first, "the sensor still states 02:30");
    assert_eq!(settle("2026-10-25T01:31:00Z", true), "2026-10-25T01:31:00Z");
    assert_eq!(settle(second, true), second, "another time has been between");
    assert_eq!(settle("2026-10-25T03:30:00Z", false), "2026-10-25T03:30:00Z");
}

#[test]
fn reading_has_the_latest_time_of_its_values_that_is_not_in_the_future() {
    let text = "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n\
                [source.values.x]\npointer = \"/x\"\nunit = \"in\"\n\
                observed_at = { pointer = \"/t\", format = \"unix\" }\n\
                [source.values.y]\npointer = \"/y\"\nunit = \"in\"\n\
                observed_at = { pointer = \"/u\", format = \"unix\" }\n";
    let config = config::parse("p".as_ref(), text, &|_| None).unwrap();
    let Kind::Json(keys) = &config.sources[0].kind else { panic!("the kind is json") };
    // Times of two values in seconds after the response, and that of the reading.
    for (x, y, expected) in
        [(-60, -30, -30), (86_400, -30, -30), (2, -30, 2), (86_400, 3600, 86_400)]
    {
        let value = |time| Value {
            observed: Some(absolute(time)),
            ..Value::number(1.0, crate::units::Unit::Inch)
        };
        let values = vec![("x".into(), value(x)), ("y".into(), value(y))];
        let reading = Reading { observed: fetched(0), values };
        let received = Received { at: at(0), ..received() };
        let settled = Settling::default().settle(keys, reading, received);
        assert_eq!(settled.observed, absolute(expected), "{x} {y}");
    }
}
