//! Days that are kept when the time zone or the aggregation changes, since their quarters are pruned.

use super::pruned::{counter, day, three_days};
use super::*;
use crate::units::OverTime;

on_both_stores!(
    observation_of_a_kept_day_is_not_counted_in_a_day_of_the_present_zone,
    observations_after_a_kept_day_are_in_one_day_each_wherever_the_zone_goes,
    observation_of_a_quarter_that_is_pruned_and_begun_again_is_not_counted_again,
    change_of_the_aggregation_moves_the_border_of_a_kept_day_without_a_loss,
    kept_day_may_last_longer_than_25_hours,
    day_of_the_calendar_does_not_begin_before_a_kept_one_of_the_same_time,
    correction_recomputes_a_day_without_the_quarters_of_a_kept_day,
    day_that_reaches_into_a_kept_one_is_kept,
    rise_counts_from_the_latest_number_even_if_only_an_earlier_one_has_a_row,
);

const HOUR: i64 = 3600;

/// Opens a store in a time zone and writes samples; returns the number of rows that changed.
fn write_in(fixture: &Fixture, zone: &str, samples: Vec<Sample>) -> u64 {
    let zone = TimeZone::get(zone).unwrap();
    let mut writer = fixture.writer_in(&zone);
    writer.write([&Entry::Samples(samples)]).unwrap()
}

/// Returns start, count, sum and latest number of all days of a field.
fn days(fixture: &Fixture, field: &str) -> Vec<(i64, i64, f64, f64)> {
    let sql = "SELECT at, count, sum, last FROM day JOIN series ON series = id \
               WHERE field = ?1 ORDER BY at";
    fixture
        .rows(sql, params![field], |row| Ok((row.i64(0)?, row.i64(1)?, row.f64(2)?, row.f64(3)?)))
}

/// Returns the number of observations of all days, and their sum.
fn whole(fixture: &Fixture, field: &str) -> (i64, f64) {
    let days = days(fixture, field).into_iter();
    days.fold((0, 0.0), |(count, sum), day| (count + day.1, sum + day.2))
}

fn observation_of_a_kept_day_is_not_counted_in_a_day_of_the_present_zone(store: Store) {
    let last = START + 71 * HOUR;
    let again = |number| vec![level(last, number), counter(last, number)];
    for pruned in [
        "DELETE FROM raw; DELETE FROM quarter".to_owned(),
        format!("DELETE FROM raw; DELETE FROM quarter WHERE at < {START} + 60 * 3600"),
    ] {
        for zone in ["Asia/Kathmandu", "America/Los_Angeles", "Australia/Lord_Howe"] {
            let fixture = three_days(store);
            fixture.execute(&pruned);
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

fn observations_after_a_kept_day_are_in_one_day_each_wherever_the_zone_goes(store: Store) {
    let fixture = three_days(store);
    let last = START + 71 * HOUR;
    let pruned = last - 2 * HOUR;
    fixture.execute(&format!(
        "DELETE FROM raw WHERE at < {pruned}; DELETE FROM quarter WHERE at < {pruned}"
    ));
    let (count, sum) = whole(&fixture, "level");
    // In the quarter of the latest observation of the kept day, and after it, still on the same day of UTC.
    let later = |minute: i64| level(last + minute * 60, 1000.0);
    for (n, zone, minute) in
        [(1, "Asia/Kathmandu", 5), (2, "Asia/Kathmandu", 40), (3, "UTC", 45), (4, "UTC", 55)]
    {
        assert_eq!(write_in(&fixture, zone, vec![later(minute)]), 1);
        assert_eq!(
            whole(&fixture, "level"),
            (count + n, sum + 1000.0 * n as f64),
            "{zone} {minute}"
        );
    }
    for zone in ["America/Los_Angeles", "Asia/Kolkata", "UTC"] {
        assert_eq!(write_in(&fixture, zone, vec![later(5)]), 0);
        assert_eq!(whole(&fixture, "level"), (count + 4, sum + 4000.0), "{zone}");
    }
}

fn observation_of_a_quarter_that_is_pruned_and_begun_again_is_not_counted_again(store: Store) {
    let fixture = three_days(store);
    let last = START + 71 * HOUR;
    fixture.execute("DELETE FROM raw; DELETE FROM quarter");
    assert_eq!(write_in(&fixture, "UTC", vec![level(last + 300, 1.0)]), 1);
    let before = days(&fixture, "level");
    assert_eq!(write_in(&fixture, "UTC", vec![level(last, 71.0)]), 0);
    assert_eq!(days(&fixture, "level"), before);
}

fn change_of_the_aggregation_moves_the_border_of_a_kept_day_without_a_loss(store: Store) {
    let fixture = three_days(store);
    let end = START + DAY;
    // Quarters of an hour around midnight.
    let around = (-1..4).map(|n| level(end + n * 300, 1.0)).collect();
    write_in(&fixture, "UTC", around);
    let pruned = end - 2 * HOUR;
    fixture.execute(&format!(
        "DELETE FROM raw WHERE at < {pruned}; DELETE FROM quarter WHERE at < {pruned}"
    ));
    let (count, sum) = whole(&fixture, "level");
    for (n, over_time) in (1..).zip([OverTime::Sum, OverTime::Mean, OverTime::Sum]) {
        let next = Sample { over_time, ..level(START + 3 * DAY + n * HOUR, 0.0) };
        assert_eq!(write_in(&fixture, "UTC", vec![next]), 1);
        assert_eq!(whole(&fixture, "level"), (count + n, sum), "{over_time}");
    }
}

fn kept_day_may_last_longer_than_25_hours(store: Store) {
    // The clocks are set back by two hours, and by three.
    for (zone, start, hours) in [
        ("Antarctica/Troll", "2026-10-24T22:00:00Z", 26),
        ("Antarctica/Casey", "2023-03-08T13:00:00Z", 27),
    ] {
        let fixture = Fixture::of(store);
        let start = start.parse::<Timestamp>().unwrap().as_second();
        let hourly: Vec<Sample> = (0..hours).map(|n| level(start + n * HOUR, n as f64)).collect();
        let latest = hourly.last().unwrap().clone();
        write_in(&fixture, zone, hourly);
        let before = days(&fixture, "level");
        assert_eq!((before.len(), before[0].0, before[0].1), (1, start, hours), "{zone}");
        fixture.execute("DELETE FROM raw; DELETE FROM quarter");
        assert_eq!(write_in(&fixture, "Asia/Kolkata", vec![latest]), 0, "{zone}");
        assert_eq!(days(&fixture, "level"), before, "{zone}");
    }
}

fn day_of_the_calendar_does_not_begin_before_a_kept_one_of_the_same_time(store: Store) {
    // Days of Los Angeles begin at 7:00 or 8:00 UTC. The last one is kept; the last hour has its quarters.
    let last = START + 71 * HOUR;
    for is_recomputed in [false, true] {
        let fixture = Fixture::of(store);
        let hourly = (0..72).map(|n| level(START + n * HOUR, n as f64)).collect();
        write_in(&fixture, "America/Los_Angeles", hourly);
        let later = level(last + 1800, 1000.0);
        if is_recomputed {
            // As a day of its own, which is recomputed.
            fixture.execute("DELETE FROM raw; DELETE FROM quarter");
            write_in(&fixture, "Asia/Kathmandu", vec![later.clone()]);
        } else {
            fixture.execute("DELETE FROM raw; DELETE FROM quarter");
        }
        write_in(&fixture, "UTC", vec![later]);
        let expected = (73, (0..72).sum::<i64>() as f64 + 1000.0);
        assert_eq!(whole(&fixture, "level"), expected);
        for hour in [66, 71] {
            let again = level(START + hour * HOUR, hour as f64);
            assert_eq!(write_in(&fixture, "UTC", vec![again]), 0, "{is_recomputed} {hour}");
            assert_eq!(whole(&fixture, "level"), expected, "{is_recomputed} {hour}");
        }
    }
}

fn correction_recomputes_a_day_without_the_quarters_of_a_kept_day(store: Store) {
    let fixture = three_days(store);
    let last = START + 71 * HOUR;
    // The quarters of 19:00 to 23:00 are left of the last day of UTC.
    let pruned = last - 4 * HOUR;
    fixture.execute(&format!(
        "DELETE FROM raw WHERE at < {pruned}; DELETE FROM quarter WHERE at < {pruned}"
    ));
    let later: Vec<Sample> =
        [1.0, 2.0].iter().zip(1..).map(|(&v, n)| level(last + n * 1200, v)).collect();
    assert_eq!(write_in(&fixture, "Asia/Kathmandu", later.clone()), 2);
    assert_eq!(write_in(&fixture, "Asia/Kathmandu", vec![level(last + 1200, 7.0)]), 1);
    let sql = "SELECT min, max, sum FROM day JOIN series ON series = id \
               WHERE field = 'level' ORDER BY at DESC LIMIT 1";
    let rows = fixture.rows(sql, &[], |row| Ok((row.f64(0)?, row.f64(1)?, row.f64(2)?)));
    assert_eq!(rows, [(2.0, 7.0, 9.0)]);
}

fn day_that_reaches_into_a_kept_one_is_kept(store: Store) {
    let fixture = three_days(store);
    let before = whole(&fixture, "level");
    // Days that other software has written: the second one begins before the end of the first.
    fixture.execute(&format!(
        "UPDATE day SET at = at - 20700, count = count + 10, sum = sum + 10 \
             WHERE at = {START} + 86400"
    ));
    write_in(&fixture, "Asia/Kolkata", Vec::new());
    assert_eq!(whole(&fixture, "level"), (before.0 + 10, before.1 + 10.0));
}

fn rise_counts_from_the_latest_number_even_if_only_an_earlier_one_has_a_row(store: Store) {
    let fixture = Fixture::of(store);
    let noon = START + 12 * HOUR;
    write_in(&fixture, "UTC", vec![counter(noon, 10.0), counter(noon + 2 * DAY, 20.0)]);
    fixture.execute("DELETE FROM raw; DELETE FROM quarter");
    // A late observation, of a day that has none.
    assert_eq!(write_in(&fixture, "UTC", vec![counter(noon + DAY, 12.0)]), 1);
    assert_eq!(write_in(&fixture, "UTC", vec![counter(noon + 3 * DAY, 25.0)]), 1);
    assert_eq!(day(&fixture, "rain_today", START + 3 * DAY).3, Some(5.0));
}

#[test]
fn days_of_a_renamed_series_keep_their_totals_when_it_is_merged() {
    let fixture = Fixture::new();
    // Two resets, which the other numbers of the day do not show.
    let rows = [0.0, 10.0, 0.0, 8.0, 0.0, 5.0];
    let rows = (0..).zip(rows).map(|(n, number)| counter(START + n * HOUR, number)).collect();
    write_in(&fixture, "UTC", rows);
    let before = day(&fixture, "rain_today", START);
    assert_eq!(before.3, Some(23.0));
    write_in(&fixture, "UTC", vec![sample("rain_daily", START + 3 * DAY, 1.0, Unit::Millimetre)]);
    fixture.execute(
        "DELETE FROM raw; DELETE FROM quarter;
         INSERT OR REPLACE INTO meta (key, value) VALUES ('earlier_series', '9')",
    );
    let renamed = vec![RenamedSeries { old: "rain_today", new: "rain_daily", is_rate: false }];
    let sources = [SourceFields { source: "tank".into(), renamed }];
    drop(Writer::open(&fixture.path, &TimeZone::UTC, &sources, || {}).unwrap());
    assert_eq!(day(&fixture, "rain_daily", START), before);
}
