//! Totals over time: those of rollups equal those of the observations, whatever happens.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::units::OverTime;

/// A series whose observations a reference computes the totals of.
#[derive(Debug, Clone, Copy)]
struct Kind {
    field: &'static str,
    unit: Unit,
    over_time: OverTime,
    /// Period of an amount, seconds.
    period: Option<i64>,
}

const KINDS: [Kind; 4] = [
    Kind { field: "rain", unit: Unit::Millimetre, over_time: OverTime::Sum, period: Some(3600) },
    Kind { field: "drips", unit: Unit::Litre, over_time: OverTime::Sum, period: None },
    Kind {
        field: "rain_today",
        unit: Unit::Millimetre,
        over_time: OverTime::Increase,
        period: None,
    },
    Kind {
        field: "wind_direction",
        unit: Unit::Degree,
        over_time: OverTime::Circular,
        period: None,
    },
];

/// Number and, for a direction, wind speed in metres per second.
type Numbers = (f64, Option<f64>);

/// Returns the samples of an observation.
fn observed(kind: Kind, at: i64, (number, speed): Numbers) -> Vec<Sample> {
    let mut direction = sample(kind.field, at, number, kind.unit);
    direction.over_time = kind.over_time;
    direction.period = kind.period.map(|period| Duration::from_secs(period.unsigned_abs()));
    let speed = speed.filter(|_| kind.over_time == OverTime::Circular);
    let speed = speed.map(|speed| sample("wind_speed", at, speed, Unit::MetrePerSecond));
    std::iter::once(direction).chain(speed).collect()
}

/// Returns the total of the observations with `from < at <= to` (amounts) or `from <= at < to`, computed from
/// all of them.
fn expected(kind: Kind, all: &BTreeMap<i64, Numbers>, from: i64, to: i64) -> Option<f64> {
    let is_sum = kind.over_time == OverTime::Sum;
    let inside = |at: i64| if is_sum { from < at && at <= to } else { from <= at && at < to };
    let mut before: Option<(i64, f64)> = None;
    let (mut amount, mut east, mut north) = (0.0, 0.0, 0.0);
    for (&at, &(number, speed)) in all {
        if inside(at) {
            amount += match (kind.over_time, before) {
                (OverTime::Sum, Some((time, _))) => {
                    let share =
                        kind.period.map_or(1.0, |period| (at - time) as f64 / period as f64);
                    number * share.min(1.0)
                }
                (OverTime::Sum, None) => number,
                (_, Some((_, earlier))) if number >= 0.9 * earlier => number - earlier,
                (_, Some(_)) => number,
                (_, None) => 0.0,
            };
            let weight = speed.unwrap_or(1.0);
            east += weight * number.to_radians().sin();
            north += weight * number.to_radians().cos();
        }
        before = Some((at, number));
    }
    match kind.over_time {
        OverTime::Circular => {
            (east.hypot(north) > 1e-6).then(|| east.atan2(north).to_degrees().rem_euclid(360.0))
        }
        _ => Some(amount),
    }
}

fn is_close(kind: Kind, one: f64, other: f64) -> bool {
    let distance = (one - other).abs();
    let turn = if kind.over_time == OverTime::Circular { 360.0 - distance } else { f64::MAX };
    distance.min(turn) < 1e-4
}

/// Compares all points of a window with the reference.
fn check(
    kind: Kind,
    all: &BTreeMap<i64, Numbers>,
    history: &History,
    from: i64,
    to: i64,
    step: Step,
) {
    let found = history.points(window(kind.field, from, to, step)).unwrap().unwrap();
    assert_eq!(found.over_time(), kind.over_time);
    let plan = found.plan();
    let zone = history.zone().clone();
    let length = plan.step.unwrap_or_else(|| match plan.tier {
        Tier::Raw => panic!("a step was requested"),
        Tier::Quarter => QUARTER,
        Tier::Day => DAY,
    });
    let mut calendar = Calendar::new(zone);
    let is_sum = kind.over_time == OverTime::Sum;
    let position = |at: i64| if is_sum { at - 1 } else { at };
    let steps = found.map(Result::unwrap).collect::<Vec<_>>();
    let mut count = 0;
    for point in &steps {
        let after = (1..).map(|minute| point.at + minute * 60);
        let next = after.into_iter().find(|&at| calendar.step(at, length) != point.at).unwrap();
        let (begin, end) = (point.at.max(from), next.min(to));
        assert_eq!(point.is_partial, begin > point.at || end < next, "{kind:?} {point:?}");
        let inside = all.keys().filter(|&&at| (begin..end).contains(&position(at))).count();
        assert_eq!(point.count, inside as u64, "{kind:?} {step:?} {point:?}");
        count += inside;
        match (point.value(kind.over_time), expected(kind, all, begin, end)) {
            (Some(found), Some(expected)) => assert!(
                is_close(kind, found, expected),
                "{kind:?} {step:?} {}: {found} and not {expected}",
                point.at
            ),
            (found, expected) => assert_eq!(found, expected, "{kind:?} {step:?} {point:?}"),
        }
    }
    let inside = all.keys().filter(|&&at| (from..to).contains(&position(at))).count();
    assert_eq!(count, inside, "{kind:?} {step:?}: all observations of the window");
}

const ZONES: [&str; 5] =
    ["UTC", "America/Los_Angeles", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"];

/// Returns observations of three days around a change of the clocks, with duplicate times as corrections.
fn observations() -> impl Strategy<Value = Vec<(i64, Numbers)>> {
    // Multiples of a minute, so that many times are borders of steps.
    let time = (0..3 * 24 * 60_i64).prop_map(|minute| minute * 60);
    let number = prop_oneof![Just(0.0), (0..3600_i32).prop_map(|tenths| f64::from(tenths) / 10.0)];
    let speed = prop_oneof![Just(None), Just(Some(0.0)), (1..40_u8).prop_map(|n| Some(n.into()))];
    proptest::collection::vec((time, (number, speed)), 1..120)
}

/// Data of a test: observations, their kind, the time zone, the size of batches, and a window.
type Recorded = (Vec<(i64, Numbers)>, Kind, &'static str, usize, (i64, i64));

fn recorded() -> impl Strategy<Value = Recorded> {
    (
        observations(),
        proptest::sample::select(&KINDS[..]),
        proptest::sample::select(&ZONES[..]),
        1..40_usize,
        (0..4 * 24 * 60_i64, 1..4 * 24 * 60_i64),
    )
}

fn check_totals(store: Store, (rows, kind, zone, batch, (from, length)): Recorded) {
    // 2026-03-07T00:00:00Z; the clocks go forward in Los Angeles on the 8th. Lord Howe: 4 to 6 April.
    let start = if zone == "Australia/Lord_Howe" { 1_775_174_400 } else { 1_772_841_600 };
    let fixture = Fixture::of(store);
    let zone = TimeZone::get(zone).unwrap();
    let mut writer = fixture.writer_in(&zone);
    let mut all = BTreeMap::new();
    for rows in rows.chunks(batch) {
        let entries = rows.iter().map(|&(at, numbers)| {
            // A speed that was recorded stays with the direction if a correction has none.
            let known: Option<Numbers> = all.get(&(start + at)).copied();
            let speed = numbers.1.or(known.and_then(|(_, speed)| speed));
            all.insert(start + at, (numbers.0, speed));
            Entry::Samples(observed(kind, start + at, numbers))
        });
        let entries: Vec<Entry> = entries.collect();
        writer.write(entries.iter()).unwrap();
    }
    let history = fixture.history_in(&zone);
    let (day, whole) = (24 * 3600, (start - 2 * 24 * 3600, start + 6 * 24 * 3600));
    let cut = (start + from * 60 - 37, start + (from + length) * 60 + 11);
    for step in [60, 420, 900, 3600, 5400, day, 2 * day] {
        check(kind, &all, &history, whole.0, whole.1, Step::Seconds(step));
        check(kind, &all, &history, cut.0, cut.1, Step::Seconds(step));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn totals_of_any_step_equal_those_of_the_observations(recorded in recorded()) {
        check_totals(Store::File, recorded);
    }
}

proptest! {
    // Each takes a database of its own.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn totals_of_any_step_equal_those_of_the_observations_on_postgres(recorded in recorded()) {
        check_totals(Store::Server, recorded);
    }
}
