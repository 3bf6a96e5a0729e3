//! Rows: observations are read back in every tier, unit and time zone.

use super::*;

on_both_stores!(
    observations_are_read_back_in_every_tier,
    late_observation_is_added_to_its_quarter,
    earlier_rows_are_converted_after_a_change_of_units,
    rows_of_another_quantity_are_read_separately,
    days_are_recomputed_when_the_time_zone_changes,
);

/// Returns time, least, most, sum and latest, and the number of observations.
fn numbers(bucket: &Bucket) -> (i64, [f64; 4], u64) {
    (bucket.at, [bucket.min, bucket.max, bucket.sum, bucket.last], bucket.count)
}

fn observations_are_read_back_in_every_tier(store: Store) {
    let fixture = Fixture::of(store);
    let samples: Vec<Sample> =
        (0..3 * 288).map(|n| level(START + n * 300, (n % 288) as f64)).collect();
    let entry = Entry::Samples(samples);
    let mut writer = fixture.either_writer();
    assert_eq!(writer.write([&entry]).unwrap(), 3 * 288);
    assert_eq!(writer.write([&entry]).unwrap(), 0, "already stored");
    let history = fixture.history();
    let day = 24 * 3600;
    let raw = points(&history, window("level", START, START + 3600, Step::Auto));
    assert_eq!(raw.len(), 12);
    assert_eq!(raw[3], Bucket::single(START + 900, 3.0));
    let quarters = points(&history, window("level", START, START + 3 * day, Step::Auto));
    assert_eq!(quarters.len(), 3 * 96);
    assert_eq!(numbers(&quarters[1]), (START + 900, [3.0, 5.0, 12.0, 5.0], 3));
    let hours = points(&history, window("level", START, START + day, Step::Seconds(3600)));
    assert_eq!((hours.len(), hours[1].count, hours[1].min, hours[1].last), (24, 12, 12.0, 23.0));
    let days = points(&history, window("level", START, START + 3 * day, Step::Seconds(day)));
    assert_eq!(days.len(), 3);
    assert_eq!((days[2].min, days[2].max, days[2].mean()), (0.0, 287.0, 143.5));
    let ten_minutes = points(&history, window("level", START, START + day, Step::Seconds(600)));
    assert_eq!((ten_minutes.len(), ten_minutes[0].count), (144, 2));
    let all = points(&history, window("level", START, START + 3 * day, Step::Raw));
    assert_eq!(all.len(), 3 * 288);
    let none = history.points(window("nothing", 0, START, Step::Raw)).unwrap();
    assert!(none.is_none());
}

fn late_observation_is_added_to_its_quarter(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    for (at, value) in [(600, 6.0), (0, 2.0), (300, 4.0)] {
        writer.write([&Entry::Samples(vec![level(START + at, value)])]).unwrap();
    }
    let quarter =
        points(&fixture.history(), window("level", START, START + 900, Step::Seconds(QUARTER)));
    let numbers: Vec<_> = quarter.iter().map(numbers).collect();
    assert_eq!(numbers, [(START, [2.0, 6.0, 12.0, 6.0], 3)]);
}

fn earlier_rows_are_converted_after_a_change_of_units(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let inches = (0..20).map(|n| sample("depth", START + n * 300, 10.0, Unit::Inch));
    let centimetres = (20..40).map(|n| sample("depth", START + n * 300, 25.0, Unit::Centimetre));
    for samples in [inches.collect(), centimetres.collect()] {
        writer.write([&Entry::Samples(samples)]).unwrap();
    }
    let history = fixture.history();
    let window = window("depth", START, START + 40 * 300, Step::Raw);
    let points = history.points(window).unwrap().unwrap();
    assert_eq!(points.unit(), Some(Unit::Centimetre), "the unit of the latest observation");
    let depths: Vec<f64> = points.map(|point| point.unwrap().last).collect();
    assert_eq!(depths.len(), 40);
    assert_eq!((depths[0], depths[39]), (25.4, 25.0));
}

#[test]
fn unit_of_points_is_that_of_the_latest_observation() {
    use Unit::{Celsius, Fahrenheit, Litre, UsGallon};
    for (before, after, recorded, converted) in [
        (Celsius, Fahrenheit, 20.0, 68.0),
        (Fahrenheit, Celsius, 68.0, 20.0),
        (UsGallon, Litre, 100.0, 379.0),
        (Litre, UsGallon, 379.0, 100.0),
    ] {
        let fixture = Fixture::new();
        let mut writer = fixture.either_writer();
        // Both on one day, so `last_at` of the day's rows decides.
        for (n, unit) in [(0, before), (1, after)] {
            let sample =
                sample("level", START + n * 300, if n == 0 { recorded } else { 1.0 }, unit);
            writer.write([&Entry::Samples(vec![sample])]).unwrap();
        }
        let window = window("level", START, START + 600, Step::Raw);
        let points = || fixture.history().points(window.clone()).unwrap().unwrap();
        assert_eq!(points().unit(), Some(after), "{before} to {after}");
        let values = |points: Points| points.map(|point| point.unwrap().last).collect::<Vec<_>>();
        assert_eq!(values(points()), [converted, 1.0], "{before} to {after}");
        assert_eq!(values(points().in_unit(Some(before)))[0], recorded);
    }
}

fn rows_of_another_quantity_are_read_separately(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    for (n, unit) in [Unit::Percent, Unit::Inch, Unit::Centimetre].into_iter().enumerate() {
        let sample = sample("level", START + n as i64 * 300, 10.0, unit);
        writer.write([&Entry::Samples(vec![sample])]).unwrap();
    }
    let window = window("level", START, START + 900, Step::Seconds(900));
    let mut points = fixture.history().points(window).unwrap().unwrap();
    let lengths: Vec<Bucket> = points.by_ref().map(Result::unwrap).collect();
    assert_eq!((points.unit(), lengths.len()), (Some(Unit::Centimetre), 1));
    assert_eq!((lengths[0].min, lengths[0].max, lengths[0].count), (10.0, 25.4, 2));
    let mut points = points.next_quantity().expect("the level");
    let levels: Vec<Bucket> = points.by_ref().map(Result::unwrap).collect();
    assert_eq!((points.unit(), levels.len()), (Some(Unit::Percent), 1));
    assert_eq!((levels[0].last, levels[0].count), (10.0, 1));
    assert!(points.next_quantity().is_none());
}

fn days_are_recomputed_when_the_time_zone_changes(store: Store) {
    let fixture = Fixture::of(store);
    let samples = (0..96).map(|n| level(START + n * 1800, n as f64)).collect();
    fixture.either_writer().write([&Entry::Samples(samples)]).unwrap();
    let days = |zone: &str| {
        let zone = TimeZone::get(zone).unwrap();
        drop(fixture.writer_in(&zone));
        let history = fixture.history_in(&zone);
        let step = Step::Seconds(86_400);
        points(&history, window("level", START - 86_400, START + 3 * 86_400, step))
    };
    assert_eq!(days("UTC").iter().map(|day| day.count).collect::<Vec<_>>(), [48, 48]);
    // UTC-7: the first seven hours belong to the day before.
    let pacific = days("America/Los_Angeles");
    assert_eq!(pacific.iter().map(|day| day.count).collect::<Vec<_>>(), [14, 48, 34]);
    assert_eq!(pacific[1].at, START + 7 * 3600);
    assert_eq!(days("UTC").iter().map(|day| day.count).collect::<Vec<_>>(), [48, 48]);
}
