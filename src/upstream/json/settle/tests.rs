use jiff::Timestamp;

use super::*;
use crate::config::{self, Kind};

/// Returns the keys of a source with one value `x`, by the lines of its table.
fn keys(lines: &str) -> Json {
    let text = format!(
        "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n\
         observed_at = {{ pointer = \"/t\", format = \"local\", timezone = \"Europe/Vienna\" }}\n\
         [source.values.x]\npointer = \"/x\"\nunit = \"in\"\n{lines}\n"
    );
    let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
    match config.sources.into_iter().next().unwrap().kind {
        Kind::Json(keys) => *keys,
        kind => panic!("{kind:?}"),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_769_879_760 + second).unwrap()
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
        let value = Value::number(number, crate::units::Unit::Inch);
        let reading = Reading { observed, values: vec![("x".into(), value)] };
        let value = settling.settle(&keys, reading).values.remove(0).1;
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
        settling.settle(&keys, reading).values.remove(0).1
    };
    let number = |number| Value::number(number, crate::units::Unit::Inch);
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
        settling.settle(&keys, Reading { observed, values: Vec::new() }).observed.at.to_string()
    };
    // 02:30 in Vienna, first and second.
    let (first, second) = ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z");
    assert_eq!(settle(first, true), first);
    assert_eq!(settle(second, true), first, "the sensor still states 02:30");
    assert_eq!(settle("2026-10-25T01:31:00Z", true), "2026-10-25T01:31:00Z");
    assert_eq!(settle(second, true), second, "another time has been between");
    assert_eq!(settle("2026-10-25T03:30:00Z", false), "2026-10-25T03:30:00Z");
}
