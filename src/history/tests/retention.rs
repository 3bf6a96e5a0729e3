//! Retention: the rows that are pruned, and the tiers from which windows are read afterwards.

use super::*;

on_both_stores!(first_day_is_read_once_retention_has_left_nothing_finer_of_it,);

#[test]
fn old_rows_are_pruned_tier_by_tier() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let samples = (0..20_000).map(|n| level(START + n * 300, 1.0)).collect();
    writer.write([&Entry::Samples(samples)]).unwrap();
    let end = START + 20_000 * 300;
    let day = Duration::from_secs(24 * 3600);
    let keep = Retention { raw: Some(7 * day), quarters: Some(30 * day), days: None };
    let mut rounds = 1;
    while !writer.prune(&keep, moment(end)).unwrap() {
        rounds += 1;
    }
    assert!(rounds > 2, "each round deletes a bounded number of rows");
    let sizes = fixture.history().check().unwrap();
    let size = |table: &str| sizes.iter().find(|(name, _)| *name == table).unwrap().1;
    assert_eq!((size("raw"), size("quarter"), size("day")), (7 * 288, 30 * 96, 70));
}

#[test]
fn window_older_than_a_tier_is_read_from_the_next_one() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let samples = (0..288 * 40).map(|n| level(START + n * 300, 1.0)).collect();
    writer.write([&Entry::Samples(samples)]).unwrap();
    let (day, history) = (24 * 3600, fixture.history());
    let plan = |from: i64, step| {
        let window = window("level", START + from, START + from + day, step);
        let points = history.points(window).unwrap().unwrap();
        (points.plan().tier, points.plan().step, points.count())
    };
    let ten_minutes = Step::Seconds(600);
    assert_eq!(plan(0, ten_minutes), (Tier::Raw, Some(600), 144), "no rows were deleted");
    assert_eq!(plan(-day, ten_minutes), (Tier::Raw, Some(600), 0), "before the first observation");
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    let keep = Retention { raw: days(10), quarters: days(20), days: None };
    while !writer.prune(&keep, moment(START + 40 * day)).unwrap() {}
    assert_eq!(plan(35 * day, ten_minutes), (Tier::Raw, Some(600), 144));
    assert_eq!(plan(25 * day, ten_minutes), (Tier::Quarter, None, 96));
    assert_eq!(plan(25 * day, Step::Auto), (Tier::Quarter, None, 96));
    assert_eq!(plan(5 * day, ten_minutes), (Tier::Day, None, 1));
    assert_eq!(plan(5 * day, Step::Seconds(3600)), (Tier::Day, None, 1));
    assert_eq!(plan(5 * day, Step::Raw).2, 0, "`raw` is never replaced by another tier");
    // A series in another unit, whose observations were all deleted, does not affect the plan.
    let inches = Entry::Samples(vec![sample("level", START - 90 * day, 1.0, Unit::Inch)]);
    let percent = Entry::Samples(vec![level(START + 40 * day, 1.0)]);
    writer.write([&inches, &percent]).unwrap();
    while !writer.prune(&keep, moment(START + 40 * day)).unwrap() {}
    assert_eq!(plan(35 * day, ten_minutes), (Tier::Raw, Some(600), 144));
    assert_eq!(plan(25 * day, ten_minutes), (Tier::Quarter, None, 96));
}

#[test]
fn clock_that_is_years_ahead_deletes_only_as_many_days_as_it_records() {
    const DAY: i64 = 24 * 3600;
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let hourly = |from: i64, hours: i64| {
        Entry::Samples((0..hours).map(|n| level(from + n * 3600, 1.0)).collect())
    };
    writer.write([&hourly(START, 60 * 24)]).unwrap();
    let keep = Duration::from_secs(60 * DAY.unsigned_abs());
    let keep = Retention { raw: Some(keep), quarters: Some(keep), days: Some(keep) };
    let size = |table: &str| {
        let sizes = fixture.history().check().unwrap();
        sizes.into_iter().find(|(name, _)| *name == table).unwrap().1
    };
    let mut prune = |at: i64| while !writer.prune(&keep, moment(at)).unwrap() {};
    // While no observation is recorded by the wrong clock, no row is deleted.
    let ahead = START + 3650 * DAY;
    for hours in [0, 1, 2, 100] {
        prune(ahead + hours * 3600);
        assert_eq!((size("raw"), size("day")), (60 * 24, 60));
    }
    // Two days that are recorded by the wrong clock replace the two oldest days.
    let mut writer = fixture.writer();
    writer.write([&hourly(ahead, 2 * 24)]).unwrap();
    while !writer.prune(&keep, moment(ahead + 2 * DAY)).unwrap() {}
    assert_eq!((size("raw"), size("quarter"), size("day")), (60 * 24, 60 * 24, 60));
}

fn first_day_is_read_once_retention_has_left_nothing_finer_of_it(store: Store) {
    let fixture = Fixture::of(store);
    let mut writer = fixture.either_writer();
    let samples = (0..288 * 3).map(|n| level(START + n * 300, 1.0)).collect();
    writer.write([&Entry::Samples(samples)]).unwrap();
    // Two hours more than the first day, of this zone.
    let pruned = START + 26 * 3600;
    let sql =
        format!("DELETE FROM raw WHERE at < {pruned}; DELETE FROM quarter WHERE at < {pruned}");
    fixture.execute(&sql);
    let day = window("level", START, START + 86_400, Step::Seconds(3600));
    let found = points(&fixture.history(), day);
    assert_eq!(found.iter().map(|point| point.count).collect::<Vec<_>>(), [288]);
}
