//! Rollups whose finer rows are pruned keep their numbers.

use super::*;

on_both_stores!(
    days_without_quarters_keep_their_totals_when_the_time_zone_changes,
    day_that_lost_its_first_quarters_is_not_completed_by_those_of_the_next_day,
    observation_whose_row_is_pruned_is_not_counted_again,
    recording_begins_with_the_first_observation_or_with_the_first_rollup_that_is_left,
);

const HOUR: i64 = 3600;

pub(super) fn counter(at: i64, number: f64) -> Sample {
    sample("rain_today", at, number, Unit::Millimetre)
}

/// Returns a store with hourly observations of three days, a level and a counter.
pub(super) fn three_days(store: Store) -> Fixture {
    let fixture = Fixture::of(store);
    let samples = (0..72).flat_map(|n| {
        let (at, number) = (START + n * HOUR, n as f64);
        [level(at, number), counter(at, number)]
    });
    fixture.either_writer().write([&Entry::Samples(samples.collect())]).unwrap();
    fixture
}

/// Returns count, sum and latest number of the day, and its total.
pub(super) fn day(fixture: &Fixture, field: &str, at: i64) -> (i64, f64, f64, Option<f64>) {
    let sql = "SELECT count, sum, last, amount FROM day JOIN series ON series = id \
               WHERE field = ?1 AND at = ?2";
    let rows = fixture.rows(sql, params![field, at], |row| {
        Ok((row.i64(0)?, row.f64(1)?, row.f64(2)?, row.number(3)?))
    });
    rows[0]
}

fn days_without_quarters_keep_their_totals_when_the_time_zone_changes(store: Store) {
    let fixture = three_days(store);
    let before = day(&fixture, "rain_today", START);
    assert_eq!(before, (24, 276.0, 23.0, Some(23.0)));
    let end = START + DAY;
    fixture.execute(&format!(
        "DELETE FROM raw WHERE at < {end}; DELETE FROM quarter WHERE at < {end}"
    ));
    for zone in ["Asia/Kathmandu", "America/Los_Angeles", "UTC"] {
        let zone = TimeZone::get(zone).unwrap();
        drop(fixture.writer_in(&zone));
        assert_eq!(day(&fixture, "rain_today", START), before);
    }
    // The other days are those of the present zone again.
    assert_eq!(day(&fixture, "rain_today", end), (24, 852.0, 47.0, Some(24.0)));
}

fn day_that_lost_its_first_quarters_is_not_completed_by_those_of_the_next_day(store: Store) {
    let fixture = three_days(store);
    let second = START + DAY;
    let before = day(&fixture, "level", second);
    fixture.execute(&format!(
        "DELETE FROM raw WHERE at < {second} + 3600;
             DELETE FROM quarter WHERE at < {second} + 3600;
             UPDATE meta SET value = 'Nowhere/Else' WHERE key = 'timezone'"
    ));
    drop(fixture.either_writer());
    assert_eq!(day(&fixture, "level", second), before);
    assert_eq!(day(&fixture, "level", second + DAY).0, 24);
}

fn observation_whose_row_is_pruned_is_not_counted_again(store: Store) {
    let last = START + 71 * HOUR;
    let second = START + 2 * DAY;
    for pruned in ["DELETE FROM raw", "DELETE FROM raw; DELETE FROM quarter"] {
        let fixture = three_days(store);
        fixture.execute(pruned);
        let before = ["level", "rain_today"].map(|field| day(&fixture, field, second));
        for at in [last, last - 5 * HOUR] {
            // Each restart restores the last values.
            let number = ((at - START) / HOUR) as f64;
            let again = Entry::Samples(vec![level(at, number), counter(at, number)]);
            let written = fixture.either_writer().write([&again]).unwrap();
            let after = ["level", "rain_today"].map(|field| day(&fixture, field, second));
            assert_eq!((after, written), (before, 0), "{pruned} {at}");
        }
        // The latest number of a rollup is known, so that it can be corrected, once.
        let corrected = Entry::Samples(vec![level(last, 81.0), counter(last, 81.0)]);
        for written in [2, 0] {
            let rows = fixture.either_writer().write([&corrected]).unwrap();
            let [level, counter] = ["level", "rain_today"].map(|f| day(&fixture, f, second));
            let (count, sum, _, amount) = before[1];
            assert_eq!(
                (rows, counter),
                (written, (count, sum + 10.0, 81.0, amount.map(|a| a + 10.0))),
                "{pruned}"
            );
            assert_eq!((level.0, level.1, level.2), (count, sum + 10.0, 81.0), "{pruned}");
        }
        // A later observation is new.
        let next = Entry::Samples(vec![level(last + 60, 5.0)]);
        assert_eq!(fixture.either_writer().write([&next]).unwrap(), 1);
        assert_eq!(day(&fixture, "level", second).0, before[0].0 + 1);
    }
}

fn recording_begins_with_the_first_observation_or_with_the_first_rollup_that_is_left(store: Store) {
    let fixture = Fixture::of(store);
    let first = START + 5 * HOUR + 17;
    let entry = Entry::Samples(vec![
        level(first, 80.0),
        sample("level", first + HOUR, 12.0, Unit::Millimetre),
        level(START + 3 * DAY, 81.0),
    ]);
    fixture.either_writer().write([&entry]).unwrap();
    let since = || {
        let (from, to) = (START + 3 * DAY, START + 4 * DAY);
        let points = fixture.history().points(window("level", from, to, Step::Auto)).unwrap();
        points.unwrap().recorded_since()
    };
    assert_eq!(since(), Some(first));
    fixture.execute(&format!("DELETE FROM raw WHERE at < {}", START + DAY));
    assert_eq!(since(), Some(START));
}
