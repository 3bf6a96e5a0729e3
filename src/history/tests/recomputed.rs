//! Rollups that are recomputed as a whole, while recording goes on.

use super::*;
use crate::units::OverTime;

const HOUR: i64 = 3600;

fn rise_of_days(fixture: &Fixture, field: &str) -> (i64, f64) {
    let sql = "SELECT CAST(sum(count) AS BIGINT), coalesce(sum(amount), -1) FROM day \
               JOIN series ON series.id = series WHERE field = ?1";
    fixture.rows(sql, params![field], |row| Ok((row.i64(0)?, row.f64(1)?)))[0]
}

#[test]
fn change_of_the_aggregation_of_many_rows_keeps_nothing_from_being_recorded() {
    const ROWS: i64 = 200_000;
    let fixture = Fixture::of(Store::Server);
    let mut writer = fixture.server_writer();
    let days = 0..=ROWS * 60 / DAY;
    let first: Vec<_> =
        days.map(|day| vec![level(START + day * DAY, (day * 1440) as f64)]).collect();
    write_records(&mut writer, &first).1.unwrap();
    fixture.execute(&format!(
        "INSERT INTO raw (series, at, value) SELECT id, {START} + n * 60, n \
         FROM series, generate_series(0, {ROWS} - 1) AS n ON CONFLICT DO NOTHING"
    ));
    let changed = |n: i64| {
        let changed = level(START + (ROWS + n) * 60, (ROWS + n) as f64);
        let other = sample("depth", START + (ROWS + n) * 60, 1.0, Unit::Inch);
        vec![vec![Sample { over_time: OverTime::Increase, ..changed }], vec![other]]
    };
    assert_eq!(write_records(&mut writer, &changed(0)).1.unwrap(), 2);
    // It is not done yet, also if the program ends meanwhile.
    assert!(writer.has_recomputation());
    writer.recompute(&|| true).unwrap_err();
    assert_eq!(rise_of_days(&fixture, "level").1, -1.0);
    assert!(!writer.has_recomputation(), "it is tried again later");

    let mut writer = fixture.server_writer();
    assert_eq!(write_records(&mut writer, &changed(1)).1.unwrap(), 2);
    recompute(&mut writer).unwrap();
    assert_eq!(rise_of_days(&fixture, "level"), (ROWS + 2, (ROWS + 1) as f64));
    assert_eq!(write_records(&mut writer, &changed(2)).1.unwrap(), 2);
    assert!(!writer.has_recomputation());
    assert_eq!(rise_of_days(&fixture, "level"), (ROWS + 3, (ROWS + 2) as f64));
}

#[test]
fn quarters_that_were_dropped_before_their_observations_are_computed_again() {
    let fixture = Fixture::of(Store::Server);
    let mut writer = fixture.server_writer();
    let hourly = |from: i64| {
        (0..48).map(move |n| vec![level(from + n * HOUR, (n % 24) as f64)]).collect::<Vec<_>>()
    };
    let later = START + 60 * DAY;
    write_records(&mut writer, &hourly(START)).1.unwrap();
    write_records(&mut writer, &hourly(later)).1.unwrap();
    fixture.execute("DROP TABLE quarter_2026_03");
    let changed = Sample { over_time: OverTime::Increase, ..level(later + 48 * HOUR, 0.0) };
    write_records(&mut writer, &[vec![changed]]).1.unwrap();
    recompute(&mut writer).unwrap();
    assert_eq!(rise_of_days(&fixture, "level"), (97, 4.0 * 23.0));
    assert_eq!(fixture.integer("SELECT CAST(sum(count) AS BIGINT) FROM quarter"), 97);
}

#[test]
fn days_of_replicas_in_two_zones_are_those_of_the_last_one_after_a_restart() {
    let zones = ["UTC", "America/Los_Angeles"].map(|zone| TimeZone::get(zone).unwrap());
    let days = |fixture: &Fixture| {
        let sql = "SELECT at, count, sum, last FROM day ORDER BY at";
        fixture.rows(sql, &[], |row| {
            Ok((row.i64(0)?, row.i64(1)?, row.f64(2)? as i64, row.f64(3)? as i64))
        })
    };
    let observed = |n: i64| [Entry::Samples(vec![level(START + n * HOUR, n as f64)])];
    let fixture = Fixture::of(Store::Server);
    let mut writers = [fixture.writer_in(&zones[0]), fixture.writer_in(&zones[1])];
    let expected = Fixture::of(Store::Server);
    let mut writer = expected.writer_in(&zones[1]);
    for n in 0..96 {
        writers[n as usize / 5 % 2].write(&observed(n)).unwrap();
        writer.write(&observed(n)).unwrap();
    }
    assert_ne!(days(&fixture), days(&expected));
    drop(fixture.writer_in(&zones[1]));
    assert_eq!(days(&fixture), days(&expected));
}

#[test]
fn observations_are_recorded_before_the_days_are_those_of_a_new_zone() {
    let fixture = Fixture::of(Store::Server);
    let Some(Place::Server(ServerPlace { access, .. })) = fixture.settings().place else {
        panic!()
    };
    let samples = |from: i64| (from..from + 48).map(|n| vec![level(START + n * HOUR, 1.0)]);
    let mut before = fixture.server_writer();
    write_records(&mut before, &samples(0).collect::<Vec<_>>()).1.unwrap();
    let mut writer = ServerWriter::new(access, &TimeZone::get("America/Los_Angeles").unwrap());
    assert_eq!(write_records(&mut writer, &samples(48).collect::<Vec<_>>()).1.unwrap(), 48);
    assert!(writer.has_recomputation());
    recompute(&mut writer).unwrap();
    let counts = fixture.rows("SELECT count FROM day ORDER BY at", &[], |row| row.i64(0));
    assert_eq!(counts, [7, 24, 24, 24, 17]);
}
