//! Corrected and late values, changes of the unit and of the aggregation, and windows that cut steps.

use super::*;
use crate::units::OverTime;

on_both_stores!(
    corrected_value_replaces_the_recorded_one_in_every_tier,
    correction_of_a_rollup_without_all_its_observations_is_conservative,
    unit_is_that_of_the_latest_record_even_after_a_clock_that_was_ahead,
    change_of_the_aggregation_recomputes_the_rollups,
    period_of_a_field_applies_to_what_was_recorded_without_one,
    amount_is_that_of_the_day_and_the_quarter_that_end_at_its_stamp,
    window_that_cuts_steps_has_nothing_from_outside_of_it,
    refused_values_of_one_field_do_not_block_the_others,
    restored_or_older_answer_undoes_no_correction_but_fills_a_gap,
    correction_of_one_number_replaces_no_other,
);

const HOUR: i64 = 3600;

fn write(writer: &mut EitherWriter, samples: Vec<Sample>) -> u64 {
    writer.write([&Entry::Samples(samples)]).unwrap()
}

/// Returns least, most, sum, latest and number of each point.
fn numbers(fixture: &Fixture, field: &str, step: Step) -> Vec<(f64, f64, f64, f64, u64)> {
    let all = points(&fixture.history(), window(field, START - DAY, START + 9 * DAY, step));
    all.iter().map(|point| (point.min, point.max, point.sum, point.last, point.count)).collect()
}

/// Returns the values of the points of a window of two days.
fn values(fixture: &Fixture, field: &str, step: Step) -> Vec<Option<f64>> {
    let points = fixture.history().points(window(field, START - DAY, START + DAY, step));
    let points = points.unwrap().unwrap();
    let over_time = points.over_time();
    points.map(|point| point.unwrap().value(over_time)).collect()
}

fn corrected_value_replaces_the_recorded_one_in_every_tier(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let rows = [1.0, 9.0, 5.0];
    write(&mut writer, (0..).zip(rows).map(|(n, value)| level(START + n * 300, value)).collect());
    assert_eq!(write(&mut writer, vec![level(START + 300, 2.0)]), 1);
    assert_eq!(write(&mut writer, vec![level(START + 300, 2.0)]), 0, "the same value again");
    assert_eq!(write(&mut writer, vec![level(START + 600, 4.0)]), 1, "the latest value");
    for step in [Step::Seconds(QUARTER), Step::Seconds(DAY)] {
        assert_eq!(numbers(&fixture, "level", step), [(1.0, 4.0, 7.0, 4.0, 3)], "{step:?}");
    }
}

fn correction_of_a_rollup_without_all_its_observations_is_conservative(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let counter = |at, number| sample("rain_today", at, number, Unit::Millimetre);
    for n in 0..3_u8 {
        let at = START + i64::from(n) * 300;
        write(&mut writer, vec![level(at, f64::from(n) + 1.0), counter(at, f64::from(n))]);
    }
    fixture.execute(&format!("DELETE FROM raw WHERE at < {}", START + 300));
    write(&mut writer, vec![level(START + 600, 7.0), counter(START + 300, 1.5)]);
    for step in [Step::Seconds(QUARTER), Step::Seconds(DAY)] {
        assert_eq!(numbers(&fixture, "level", step), [(1.0, 7.0, 10.0, 7.0, 3)], "{step:?}");
        assert_eq!(values(&fixture, "rain_today", step), [Some(2.0)], "{step:?}");
    }
    // A late observation of the time that has been deleted in part.
    write(&mut writer, vec![counter(START + 450, 1.75)]);
    for step in [Step::Seconds(QUARTER), Step::Seconds(DAY)] {
        assert_eq!(values(&fixture, "rain_today", step), [Some(2.0)], "{step:?}");
        assert_eq!(numbers(&fixture, "rain_today", step)[0].4, 4);
    }
}

fn unit_is_that_of_the_latest_record_even_after_a_clock_that_was_ahead(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let unit = |fixture: &Fixture| {
        let window = window("level", START, START + DAY, Step::Raw);
        fixture.history().points(window).unwrap().unwrap().unit()
    };
    write(&mut writer, vec![level(START + 3650 * DAY, 50.0)]);
    for (at, recorded) in
        [(START, Unit::Inch), (START + 60, Unit::Percent), (START + 120, Unit::Centimetre)]
    {
        write(&mut writer, vec![sample("level", at, 1.0, recorded)]);
        assert_eq!(unit(&fixture), Some(recorded));
        // Also after a restart.
        drop(writer);
        assert_eq!(unit(&fixture), Some(recorded));
        writer = fixture.either_writer();
    }
}

fn change_of_the_aggregation_recomputes_the_rollups(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let with = |over_time, at, number| {
        let speed = sample("wind_speed", at, 2.0, Unit::MetrePerSecond);
        let value = Sample { over_time, ..sample("vane", at, number, Unit::Degree) };
        vec![speed, value]
    };
    for (n, number) in (0..).zip([350.0, 10.0, 20.0]) {
        write(&mut writer, with(OverTime::Mean, START + n * 300, number));
    }
    for (n, over_time, expected) in [
        (3, OverTime::Circular, 0.0),
        (4, OverTime::Increase, 10.0 + 10.0 + 0.0),
        (5, OverTime::Sum, 380.0),
        (6, OverTime::Max, 350.0),
        (7, OverTime::Mean, 380.0 / 3.0),
        (8, OverTime::Circular, 6.704_953),
    ] {
        // In the next day, so that the first one is changed by the aggregation only.
        write(&mut writer, with(over_time, START + DAY + n * 300, 0.0));
        let found = values(&fixture, "vane", Step::Seconds(DAY));
        // The amount stamped midnight is that of the day before, and the rest of the next day.
        let found: Vec<f64> = found.into_iter().flatten().collect();
        let all: f64 = if over_time == OverTime::Sum { found.iter().sum() } else { found[0] };
        let expected = if over_time == OverTime::Circular { 6.704_953 } else { expected };
        assert!((all - expected).abs() < 1e-5, "{over_time}: {found:?} and not {expected}");
    }
}

#[test]
fn direction_is_weighted_by_a_speed_that_is_recorded_later_or_corrected() {
    let direction = |at, degrees| sample("wind_direction", at, degrees, Unit::Degree);
    let speed = |at, number| sample("wind_speed", at, number, Unit::KilometrePerHour);
    let mean = |fixture: &Fixture| values(fixture, "wind_direction", Step::Seconds(DAY))[0];
    let fixture = Fixture::new();
    let mut writer = fixture.either_writer();
    write(&mut writer, vec![direction(START, 0.0), speed(START, 36.0)]);
    write(&mut writer, vec![direction(START + 60, 90.0)]);
    assert_eq!(mean(&fixture), Some(5.710_593), "1 m/s where the speed is not known");
    write(&mut writer, vec![speed(START + 60, 36.0)]);
    assert_eq!(mean(&fixture), Some(45.0));
    write(&mut writer, vec![speed(START + 60, 0.0)]);
    assert_eq!(mean(&fixture), Some(0.0));
    write(&mut writer, vec![speed(START, 0.0)]);
    assert_eq!(mean(&fixture), None, "calm");
    let all = window("wind_direction", START, START + DAY, Step::Seconds(DAY));
    assert_eq!(points(&fixture.history(), all)[0].note(OverTime::Circular), Some("calm"));
    // The speed is recorded before its direction.
    let fixture = Fixture::new();
    let mut writer = fixture.either_writer();
    write(&mut writer, vec![speed(START, 36.0)]);
    write(&mut writer, vec![speed(START + 60, 12.0)]);
    write(&mut writer, vec![direction(START, 0.0), direction(START + 60, 90.0)]);
    assert_eq!(mean(&fixture), Some(18.434_949));
}

fn period_of_a_field_applies_to_what_was_recorded_without_one(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let rain = |n: i64| sample("rain", START + n * 600, 6.0, Unit::Millimetre);
    write(&mut writer, (1..=7).map(rain).collect());
    assert_eq!(values(&fixture, "rain", Step::Seconds(DAY)), [Some(42.0)]);
    let hourly = Sample { period: Some(Duration::from_secs(3600)), ..rain(8) };
    write(&mut writer, vec![hourly]);
    assert_eq!(values(&fixture, "rain", Step::Seconds(DAY)), [Some(6.0 + 7.0)]);
}

fn amount_is_that_of_the_day_and_the_quarter_that_end_at_its_stamp(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let rain = |at, number| sample("rain", at, number, Unit::Inch);
    // Every quarter of an hour; stamped midnight is the last amount of the day before.
    write(&mut writer, (-3..=96).map(|n| rain(START + n * QUARTER, 0.01)).collect());
    let days = values(&fixture, "rain", Step::Seconds(DAY));
    let days: Vec<_> = days.iter().map(|day| (day.unwrap() * 100.0).round()).collect();
    assert_eq!(days, [4.0, 96.0]);
    let quarters =
        points(&fixture.history(), window("rain", START, START + DAY, Step::Seconds(900)));
    assert_eq!((quarters.len(), quarters[0].at, quarters[0].count), (96, START, 1));
    // Each observation keeps its own time.
    let raw = points(&fixture.history(), window("rain", START, START + DAY, Step::Raw));
    assert_eq!((raw.len(), raw[0].at, raw[95].at), (96, START, START + DAY - QUARTER));
}

fn window_that_cuts_steps_has_nothing_from_outside_of_it(store: Store) {
    let fixture = Fixture::of(store);
    // 1 until the window, 2 in it, 3 from its end on.
    let (from, to) = (START + 10 * HOUR + 420, START + 5 * DAY + 3 * HOUR + 240);
    let number = |at: i64| 1.0 + f64::from(u8::from(at >= from)) + f64::from(u8::from(at >= to));
    let times = (0..7 * 24 * 60).map(|minute| START + minute * 60);
    let mut writer = fixture.either_writer();
    write(&mut writer, times.map(|at| level(at, number(at))).collect());
    let count = ((to - from) / 60) as u64;
    for step in
        [420, QUARTER, HOUR, DAY, 2 * DAY].map(Step::Seconds).into_iter().chain([Step::Auto])
    {
        let found = points(&fixture.history(), window("level", from, to, step));
        assert_eq!(found.iter().map(|point| point.count).sum::<u64>(), count, "{step:?}");
        assert!(found.iter().all(|point| (point.min, point.max) == (2.0, 2.0)), "{step:?}");
        let partial: Vec<bool> = found.iter().map(|point| point.is_partial).collect();
        let whole = partial[1..partial.len() - 1].iter().all(|is_partial| !is_partial);
        assert!(partial[0] && partial[partial.len() - 1] && whole, "{step:?}: {partial:?}");
    }
}

#[test]
fn days_of_a_wrong_zone_are_recomputed_when_the_file_is_opened() {
    let fixture = Fixture::new();
    write(
        &mut fixture.either_writer(),
        (0..72).map(|n| level(START + n * HOUR, n as f64)).collect(),
    );
    // Days of another zone, under the name of this one, and the days since then overlap.
    let other = Connection::open(&fixture.path).unwrap();
    other
        .execute_batch(&format!(
            "INSERT INTO day (series, at, min, max, sum, last, last_at, count)
             VALUES (1, {START} - 3600, 0, 22, 253, 22, {START} + 22 * 3600, 23);
             UPDATE day SET min = 23, sum = sum - 253, count = count - 23 WHERE at = {START}"
        ))
        .unwrap();
    drop(other);
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        let other = Connection::open(&fixture.path).unwrap();
        other.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count("day"), 4);
    let (recorder, _, history) = fixture.recorder();
    wait_until("the file is open", || history.version() > 0);
    drop(recorder);
    assert_eq!(count("day"), 3);
    let days = numbers(&fixture, "level", Step::Seconds(DAY));
    assert_eq!(days[0], (0.0, 23.0, 276.0, 23.0, 24));
}

fn refused_values_of_one_field_do_not_block_the_others(store: Store) {
    let fixture = Fixture::of(store);
    write(&mut fixture.either_writer(), vec![level(START, 1.0)]);
    fixture.execute(match fixture.server {
        None => {
            "CREATE TRIGGER refuse BEFORE INSERT ON raw WHEN new.value = 13
             BEGIN SELECT RAISE(ABORT, 'NOT NULL constraint failed'); END"
        }
        Some(_) => "ALTER TABLE raw ADD CONSTRAINT refuse CHECK (value <> 13)",
    });
    let mut writer = fixture.either_writer();
    let bad = sample("depth", START + 60, 13.0, Unit::Inch);
    assert_eq!(write(&mut writer, vec![level(START + 60, 2.0), bad, level(START + 120, 3.0)]), 2);
    assert_eq!(numbers(&fixture, "level", Step::Seconds(DAY)), [(1.0, 3.0, 6.0, 3.0, 3)]);
    assert_eq!(write(&mut writer, vec![level(START + 180, 4.0)]), 1);
}

fn restored_or_older_answer_undoes_no_correction_but_fills_a_gap(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let of = |at, number, corrects| Sample { corrects, ..level(at, number) };
    write(&mut writer, vec![of(START, 5.0, Corrects::Any)]);
    write(&mut writer, vec![of(START, 6.0, Corrects::Any)]);
    let nothing = Corrects::Nothing;
    write(&mut writer, vec![of(START, 5.0, nothing), of(START + 60, 8.0, nothing)]);
    for step in [Step::Raw, Step::Seconds(DAY)] {
        let expected = if step == Step::Raw { vec![Some(6.0), Some(8.0)] } else { vec![Some(7.0)] };
        assert_eq!(values(&fixture, "level", step), expected);
    }
}

fn correction_of_one_number_replaces_no_other(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let only = |number| Corrects::Only(Finite::new(number).unwrap());
    let of = |number, corrects| Sample { corrects, ..level(START, number) };
    write(&mut writer, vec![level(START, 5.0), level(START + 60, 1.0)]);
    for (number, before, rows) in [(6.0, 5.0, 1), (6.0, 5.0, 0), (7.0, 5.0, 0), (7.0, 6.0, 1)] {
        assert_eq!(write(&mut writer, vec![of(number, only(before))]), rows, "{number} {before}");
    }
    assert_eq!(values(&fixture, "level", Step::Raw), [Some(7.0), Some(1.0)]);
    assert_eq!(numbers(&fixture, "level", Step::Seconds(DAY)), [(1.0, 7.0, 8.0, 1.0, 2)]);
}
