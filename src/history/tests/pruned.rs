//! Rollups whose finer rows are pruned keep their numbers.

use super::*;
use crate::units::OverTime;

const HOUR: i64 = 3600;

fn counter(at: i64, number: f64) -> Sample {
    sample("rain_today", at, number, Unit::Millimetre)
}

/// Returns a file with hourly observations of three days, a level and a counter.
fn three_days() -> Fixture {
    let fixture = Fixture::new();
    let samples = (0..72).flat_map(|n| {
        let (at, number) = (START + n * HOUR, n as f64);
        [level(at, number), counter(at, number)]
    });
    fixture.writer().write([&Entry::Samples(samples.collect())].into_iter()).unwrap();
    fixture
}

fn execute(fixture: &Fixture, sql: &str) {
    Connection::open(&fixture.path).unwrap().execute_batch(sql).unwrap();
}

/// Returns count, sum and latest number of the day, and its total.
fn day(fixture: &Fixture, field: &str, at: i64) -> (i64, f64, f64, Option<f64>) {
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

/// Opens a file in a time zone and writes samples; returns the number of rows that changed.
fn write_in(fixture: &Fixture, zone: &str, samples: Vec<Sample>) -> u64 {
    let zone = TimeZone::get(zone).unwrap();
    let mut writer = Writer::open(&fixture.path, &zone, &[], || {}).unwrap();
    writer.mend_days().unwrap();
    writer.write([&Entry::Samples(samples)].into_iter()).unwrap()
}

/// Returns start, count, sum and latest number of all days of a field.
fn days(fixture: &Fixture, field: &str) -> Vec<(i64, i64, f64, f64)> {
    let sql = "SELECT at, count, sum, last FROM day JOIN series ON series = id \
               WHERE field = ? ORDER BY at";
    let connection = Connection::open(&fixture.path).unwrap();
    let mut select = connection.prepare(sql).unwrap();
    let rows =
        select.query_map([field], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn observation_of_a_kept_day_is_not_counted_in_a_day_of_the_present_zone() {
    let last = START + 71 * HOUR;
    let again = |number| vec![level(last, number), counter(last, number)];
    for pruned in [
        "DELETE FROM raw; DELETE FROM quarter".to_owned(),
        format!("DELETE FROM raw; DELETE FROM quarter WHERE at < {START} + 60 * 3600"),
    ] {
        for zone in ["Asia/Kathmandu", "America/Los_Angeles", "Australia/Lord_Howe"] {
            let fixture = three_days();
            execute(&fixture, &pruned);
            let before = days(&fixture, "level");
            assert_eq!(write_in(&fixture, zone, again(71.0)), 0, "{zone} {pruned}");
            assert_eq!(days(&fixture, "level"), before, "{zone}");
            // A correction changes the day that has the observation.
            let mut expected = before;
            (expected[2].2, expected[2].3) = (expected[2].2 + 9.0, 80.0);
            for written in [2, 0] {
                assert_eq!(write_in(&fixture, zone, again(80.0)), written, "{zone}");
                assert_eq!(days(&fixture, "level"), expected, "{zone}");
            }
            assert_eq!(day(&fixture, "rain_today", START + 2 * DAY).3, Some(24.0 + 9.0));
        }
    }
}

#[test]
fn observations_after_a_kept_day_are_in_one_day_each_wherever_the_zone_goes() {
    let fixture = three_days();
    let last = START + 71 * HOUR;
    let pruned = last - 2 * HOUR;
    execute(
        &fixture,
        &format!("DELETE FROM raw WHERE at < {pruned}; DELETE FROM quarter WHERE at < {pruned}"),
    );
    let all = |fixture: &Fixture| {
        let days = days(fixture, "level").into_iter();
        days.fold((0, 0.0), |(count, sum), day| (count + day.1, sum + day.2))
    };
    let (count, sum) = all(&fixture);
    // In the quarter of the latest observation of the kept day, and after it, still on the same day of UTC.
    let later = |minute: i64| level(last + minute * 60, 1000.0);
    for (n, zone, minute) in
        [(1, "Asia/Kathmandu", 5), (2, "Asia/Kathmandu", 40), (3, "UTC", 45), (4, "UTC", 55)]
    {
        assert_eq!(write_in(&fixture, zone, vec![later(minute)]), 1);
        assert_eq!(all(&fixture), (count + n, sum + 1000.0 * n as f64), "{zone} {minute}");
    }
    for zone in ["America/Los_Angeles", "Asia/Kolkata", "UTC"] {
        assert_eq!(write_in(&fixture, zone, vec![later(5)]), 0);
        assert_eq!(all(&fixture), (count + 4, sum + 4000.0), "{zone}");
    }
}

#[test]
fn observation_of_a_quarter_that_is_pruned_and_begun_again_is_not_counted_again() {
    let fixture = three_days();
    let last = START + 71 * HOUR;
    execute(&fixture, "DELETE FROM raw; DELETE FROM quarter");
    assert_eq!(write_in(&fixture, "UTC", vec![level(last + 300, 1.0)]), 1);
    let before = days(&fixture, "level");
    assert_eq!(write_in(&fixture, "UTC", vec![level(last, 71.0)]), 0);
    assert_eq!(days(&fixture, "level"), before);
}

#[test]
fn change_of_the_aggregation_moves_the_border_of_a_kept_day_without_a_loss() {
    let fixture = three_days();
    let end = START + DAY;
    // Quarters of an hour around midnight.
    let around = (-1..4).map(|n| level(end + n * 300, 1.0)).collect();
    write_in(&fixture, "UTC", around);
    let pruned = end - 2 * HOUR;
    execute(
        &fixture,
        &format!("DELETE FROM raw WHERE at < {pruned}; DELETE FROM quarter WHERE at < {pruned}"),
    );
    let all = |fixture: &Fixture| {
        let days = days(fixture, "level").into_iter();
        days.fold((0, 0.0), |(count, sum), day| (count + day.1, sum + day.2))
    };
    let (count, sum) = all(&fixture);
    for (n, over_time) in (1..).zip([OverTime::Sum, OverTime::Mean, OverTime::Sum]) {
        let next = Sample { over_time, ..level(START + 3 * DAY + n * HOUR, 0.0) };
        assert_eq!(write_in(&fixture, "UTC", vec![next]), 1);
        assert_eq!(all(&fixture), (count + n, sum), "{over_time}");
    }
}

#[test]
fn kept_day_may_last_longer_than_25_hours() {
    // The clocks are set back by two hours, and by three.
    for (zone, start, hours) in [
        ("Antarctica/Troll", "2026-10-24T22:00:00Z", 26),
        ("Antarctica/Casey", "2023-03-08T13:00:00Z", 27),
    ] {
        let fixture = Fixture::new();
        let start = start.parse::<Timestamp>().unwrap().as_second();
        let hourly: Vec<Sample> = (0..hours).map(|n| level(start + n * HOUR, n as f64)).collect();
        let latest = hourly.last().unwrap().clone();
        write_in(&fixture, zone, hourly);
        let before = days(&fixture, "level");
        assert_eq!((before.len(), before[0].0, before[0].1), (1, start, hours), "{zone}");
        execute(&fixture, "DELETE FROM raw; DELETE FROM quarter");
        assert_eq!(write_in(&fixture, "Asia/Kolkata", vec![latest]), 0, "{zone}");
        assert_eq!(days(&fixture, "level"), before, "{zone}");
    }
}
