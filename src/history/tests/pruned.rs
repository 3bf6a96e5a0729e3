//! Rollups whose finer rows are pruned keep their numbers.

use super::*;

const HOUR: i64 = 3600;

pub(super) fn counter(at: i64, number: f64) -> Sample {
    sample("rain_today", at, number, Unit::Millimetre)
}

/// Returns a file with hourly observations of three days, a level and a counter.
pub(super) fn three_days() -> Fixture {
    let fixture = Fixture::new();
    let samples = (0..72).flat_map(|n| {
        let (at, number) = (START + n * HOUR, n as f64);
        [level(at, number), counter(at, number)]
    });
    fixture.writer().write([&Entry::Samples(samples.collect())].into_iter()).unwrap();
    fixture
}

pub(super) fn execute(fixture: &Fixture, sql: &str) {
    Connection::open(&fixture.path).unwrap().execute_batch(sql).unwrap();
}

/// Returns count, sum and latest number of the day, and its total.
pub(super) fn day(fixture: &Fixture, field: &str, at: i64) -> (i64, f64, f64, Option<f64>) {
    let sql = "SELECT count, sum, last, amount FROM day JOIN series ON series = id \
               WHERE field = ? AND at = ?";
    let connection = Connection::open(&fixture.path).unwrap();
    let row = connection.query_row(sql, rusqlite::params![field, at], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    row.unwrap()
}

#[test]
fn days_without_quarters_keep_their_totals_when_the_time_zone_changes() {
    let fixture = three_days();
    let before = day(&fixture, "rain_today", START);
    assert_eq!(before, (24, 276.0, 23.0, Some(23.0)));
    let end = START + DAY;
    execute(
        &fixture,
        &format!("DELETE FROM raw WHERE at < {end}; DELETE FROM quarter WHERE at < {end}"),
    );
    for zone in ["Asia/Kathmandu", "America/Los_Angeles", "UTC"] {
        let zone = TimeZone::get(zone).unwrap();
        drop(Writer::open(&fixture.path, &zone, &[], || {}).unwrap());
        assert_eq!(day(&fixture, "rain_today", START), before);
    }
    // The other days are those of the present zone again.
    assert_eq!(day(&fixture, "rain_today", end), (24, 852.0, 47.0, Some(24.0)));
}

#[test]
fn day_that_lost_its_first_quarters_is_not_completed_by_those_of_the_next_day() {
    let fixture = three_days();
    let second = START + DAY;
    let before = day(&fixture, "level", second);
    execute(
        &fixture,
        &format!(
            "DELETE FROM raw WHERE at < {second} + 3600;
             DELETE FROM quarter WHERE at < {second} + 3600;
             UPDATE meta SET value = 'Nowhere/Else' WHERE key = 'timezone'"
        ),
    );
    drop(fixture.writer());
    assert_eq!(day(&fixture, "level", second), before);
    assert_eq!(day(&fixture, "level", second + DAY).0, 24);
}

#[test]
fn observation_whose_row_is_pruned_is_not_counted_again() {
    let last = START + 71 * HOUR;
    let second = START + 2 * DAY;
    for pruned in ["DELETE FROM raw", "DELETE FROM raw; DELETE FROM quarter"] {
        let fixture = three_days();
        execute(&fixture, pruned);
        let before = ["level", "rain_today"].map(|field| day(&fixture, field, second));
        for at in [last, last - 5 * HOUR] {
            // Each restart restores the last values.
            let number = ((at - START) / HOUR) as f64;
            let again = Entry::Samples(vec![level(at, number), counter(at, number)]);
            let written = fixture.writer().write([&again].into_iter()).unwrap();
            let after = ["level", "rain_today"].map(|field| day(&fixture, field, second));
            assert_eq!((after, written), (before, 0), "{pruned} {at}");
        }
        // The latest number of a rollup is known, so that it can be corrected, once.
        let corrected = Entry::Samples(vec![level(last, 81.0), counter(last, 81.0)]);
        for written in [2, 0] {
            let rows = fixture.writer().write([&corrected].into_iter()).unwrap();
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
        assert_eq!(fixture.writer().write([&next].into_iter()).unwrap(), 1);
        assert_eq!(day(&fixture, "level", second).0, before[0].0 + 1);
    }
}

#[test]
fn recording_begins_with_the_first_observation_or_with_the_first_rollup_that_is_left() {
    let fixture = Fixture::new();
    let first = START + 5 * HOUR + 17;
    let entry = Entry::Samples(vec![
        level(first, 80.0),
        sample("level", first + HOUR, 12.0, Unit::Millimetre),
        level(START + 3 * DAY, 81.0),
    ]);
    fixture.writer().write([&entry].into_iter()).unwrap();
    let since = || {
        let (from, to) = (START + 3 * DAY, START + 4 * DAY);
        let points = fixture.history().points(window("level", from, to, Step::Auto)).unwrap();
        points.unwrap().recorded_since()
    };
    assert_eq!(since(), Some(first));
    execute(&fixture, &format!("DELETE FROM raw WHERE at < {}", START + DAY));
    assert_eq!(since(), Some(START));
}
