//! Retention and partitions of the database.

use super::*;

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn days(days: i64) -> Option<Duration> {
    Some(Duration::from_secs((days * DAY).unsigned_abs()))
}

/// A hundred days, hourly.
const DAYS: i64 = 100;
const END: i64 = START + DAYS * DAY;

fn recorded() -> (Fixture, ServerWriter) {
    let fixture = Fixture::of(Store::Server);
    let mut writer = fixture.server_writer();
    let hourly: Vec<_> = (0..DAYS * 24).map(|n| vec![level(START + n * 3600, 1.0)]).collect();
    write_records(&mut writer, &hourly).1.unwrap();
    (fixture, writer)
}

/// Returns the first time of each tier.
fn first(fixture: &Fixture) -> [i64; 3] {
    ["raw", "quarter", "day"].map(|table| fixture.integer(&format!("SELECT min(at) FROM {table}")))
}

fn prune(writer: &mut ServerWriter, keep: &Retention, now: i64) {
    while !writer.prune(keep, moment(now)).unwrap() {}
}

#[test]
fn old_months_are_dropped_and_old_days_deleted_by_one_replica_an_hour() {
    let (fixture, mut writer) = recorded();
    let keep = Retention { raw: days(40), quarters: days(70), days: days(90) };
    prune(&mut writer, &FOREVER, END);
    assert_eq!(first(&fixture), [START; 3]);
    // Another replica has done it within the hour.
    prune(&mut fixture.server_writer(), &keep, END);
    assert_eq!(first(&fixture), [START; 3]);
    let again = || fixture.execute("UPDATE meta SET value = '7' WHERE key = 'pruned'");
    again();
    prune(&mut writer, &keep, END);
    let (may, april) = (second("2026-05-01T00:00:00Z"), second("2026-04-01T00:00:00Z"));
    assert_eq!(first(&fixture), [may, april, END - 90 * DAY]);
    // By a clock that is years ahead, there are as many recorded days as before.
    again();
    prune(&mut writer, &keep, END + 3650 * DAY);
    assert_eq!(first(&fixture), [may, april, END - 90 * DAY]);
    // Partitions are there for the observations to come.
    let partition = "SELECT count(*) FROM pg_class WHERE relname = 'raw_2036_06'";
    assert_eq!(fixture.integer(partition), 1);
}

#[test]
fn days_and_events_are_deleted_in_parts() {
    let fixture = Fixture::of(Store::Server);
    let mut writer = fixture.server_writer();
    write_records(&mut writer, &[vec![level(START, 1.0)]]).1.unwrap();
    fixture.execute(&format!(
        "INSERT INTO day SELECT n, {START} - (n % 500 + 1) * 86400, 1, 1, 1, 1, {START}, 1 \
         FROM generate_series(1000, 15999) AS n; \
         INSERT INTO event (at, kind, detail, instance, number) \
         SELECT {START}, 'stale', '', 'x', n FROM generate_series(1, 100010) AS n"
    ));
    let keep = Retention { days: days(1), ..FOREVER };
    assert!(!writer.prune(&keep, moment(START + DAY)).unwrap(), "some are left");
    assert!(writer.prune(&keep, moment(START + DAY)).unwrap());
    assert_eq!(fixture.integer("SELECT count(*) FROM day"), 1);
    assert_eq!(fixture.integer("SELECT count(*) FROM event"), 100_000);
}

#[test]
fn partition_that_is_read_for_long_keeps_no_other_row() {
    let (fixture, mut writer) = recorded();
    let keep = Retention { raw: days(40), quarters: days(40), days: days(90) };
    let mut connection = fixture.server.as_ref().unwrap().connect();
    let mut dump = connection.begin(Limits::all(postgres::fixture::AMPLE));
    let lock = [Statement::plain("LOCK TABLE pumphouse.raw_2026_03 IN ACCESS SHARE MODE")];
    dump.pipeline(&lock, postgres::fixture::deadline()).unwrap();
    writer.prune(&keep, moment(END)).unwrap_err();
    let (may, april) = (second("2026-05-01T00:00:00Z"), second("2026-04-01T00:00:00Z"));
    assert_eq!(first(&fixture), [START, may, END - 90 * DAY]);
    let left = format!("SELECT count(*) FROM raw WHERE at >= {april} AND at < {may}");
    assert_eq!(fixture.integer(&left), 0);
}

#[test]
fn partition_of_several_months_is_dropped_once_all_of_them_are_old() {
    let fixture = Fixture::of(Store::Server);
    let (march, june) = (second("2026-03-01T00:00:00Z"), second("2026-06-01T00:00:00Z"));
    fixture.server_writer();
    // As an operator has joined them.
    for table in ["raw", "quarter"] {
        fixture.execute(&format!(
            "CREATE TABLE {table}_2026_03 (LIKE {table} INCLUDING ALL); ALTER TABLE {table} \
             ATTACH PARTITION {table}_2026_03 FOR VALUES FROM ({march}) TO ({june})"
        ));
    }
    let mut writer = fixture.server_writer();
    let hourly: Vec<_> = (0..DAYS * 24).map(|n| vec![level(START + n * 3600, 1.0)]).collect();
    write_records(&mut writer, &hourly).1.unwrap();
    let prune_again = |writer: &mut ServerWriter, keep: i64| {
        fixture.execute("DELETE FROM meta WHERE key = 'pruned'");
        let keep = Retention { raw: days(keep), quarters: days(keep), days: None };
        prune(writer, &keep, END);
    };
    prune_again(&mut writer, 40);
    assert_eq!(first(&fixture), [START; 3]);
    prune_again(&mut writer, 16);
    assert_eq!(first(&fixture), [june, june, START]);
}

#[test]
fn observation_of_a_month_whose_partition_was_archived_is_recorded() {
    let (fixture, _) = recorded();
    fixture.execute(
        "ALTER TABLE raw DETACH PARTITION raw_2026_03; \
         ALTER TABLE quarter DETACH PARTITION quarter_2026_03",
    );
    let records = [START + 60, START + 40 * DAY + 60].map(|at| vec![level(at, 2.0)]);
    let mut writer = fixture.server_writer();
    let (written, result) = write_records(&mut writer, &records);
    assert!(result.is_ok() && written == 2, "{result:?}");
    assert_eq!(write_records(&mut fixture.server_writer(), &records).1.unwrap(), 0);
    let late = format!("SELECT count(*) FROM raw WHERE at = {START} + 40 * {DAY} + 60");
    assert_eq!(fixture.integer(&late), 1);
    let partition = "SELECT count(*) FROM pg_class WHERE relname = 'raw_2026_03_2'";
    assert_eq!(fixture.integer(partition), 1);
}
