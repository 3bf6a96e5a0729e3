//! Files of the first version: their rollups are recomputed, and renamed fields move.

use super::*;
use crate::history::schema;
use crate::units::OverTime;

/// A field as the first version recorded it.
struct Recorded {
    field: &'static str,
    unit: Unit,
    /// Time and number of each observation.
    rows: Vec<(i64, f64)>,
}

const HOUR: i64 = 3600;

/// Returns two days of a weather station of kind `ambient`, every ten minutes.
fn station() -> Vec<Recorded> {
    let times = || (0..288).map(|n| START + n * 600);
    let field = |field, unit, number: fn(i64) -> f64| {
        let rows = times().map(|at| (at, number((at - START) / 600))).collect();
        Recorded { field, unit, rows }
    };
    vec![
        field("temperature", Unit::Celsius, |n| (n % 40) as f64),
        field("wind_speed", Unit::KilometrePerHour, |n| (n % 7) as f64),
        field("wind_direction", Unit::Degree, |n| ((n * 50) % 360) as f64),
        field("rain", Unit::Inch, |n| if n % 5 == 0 { 0.5 } else { 0.0 }),
        // Reset at midnight, between two observations of a quarter of an hour.
        field("rain_daily", Unit::Inch, |n| ((n - 1).rem_euclid(144) / 3) as f64 / 100.0),
    ]
}

/// Writes a file as the first version did.
fn first_version(path: &std::path::Path, fields: &[Recorded]) -> Connection {
    let connection = schema::create_first_version(path);
    connection.execute("INSERT INTO meta VALUES ('timezone', 'UTC')", []).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    for (id, Recorded { field, unit, rows }) in (1..).zip(fields) {
        let series = "INSERT INTO series VALUES (?, 'tank', ?, ?)";
        connection.execute(series, rusqlite::params![id, field, unit.as_str()]).unwrap();
        for &(at, value) in rows {
            let raw = "INSERT INTO raw VALUES (?, ?, ?)";
            connection.execute(raw, rusqlite::params![id, at, value]).unwrap();
            for (table, length) in [("quarter", QUARTER), ("day", DAY)] {
                let upsert = format!(
                    "INSERT INTO {table} (series, at, min, max, sum, last, last_at, count) \
                     VALUES (?1, ?2, ?3, ?3, ?3, ?3, ?4, 1) ON CONFLICT DO UPDATE SET \
                     min = min(min, excluded.min), max = max(max, excluded.max), \
                     sum = sum + excluded.sum, last = excluded.last, \
                     last_at = excluded.last_at, count = count + 1"
                );
                let start = at.div_euclid(length) * length;
                connection.execute(&upsert, rusqlite::params![id, start, value, at]).unwrap();
            }
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    connection
}

/// Returns the renamed fields of the station.
fn ambient() -> Vec<SourceFields> {
    let renamed = |old, new, is_rate| RenamedSeries { old, new, is_rate };
    let renamed =
        vec![renamed("rain", "rain_rate", true), renamed("rain_daily", "rain_today", false)];
    vec![SourceFields { source: "tank".into(), renamed }]
}

fn open(path: &std::path::Path, sources: &[SourceFields]) -> Writer {
    Writer::open(path, &TimeZone::UTC, sources, || {}).unwrap()
}

/// Returns the points of a field with its unit.
fn read(fixture: &Fixture, field: &str, step: i64) -> (Option<Unit>, OverTime, Vec<Bucket>) {
    let window = window(field, START - DAY, START + 3 * DAY, Step::Seconds(step));
    let points = fixture.history().points(window).unwrap().expect(field);
    (points.unit(), points.over_time(), points.map(Result::unwrap).collect())
}

fn fields(fixture: &Fixture) -> Vec<String> {
    fixture.history().fields().unwrap().into_iter().map(|(_, field)| field).collect()
}

/// Returns a file with the same observations, written by this version.
fn written_anew(fields: &[Recorded]) -> Fixture {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let mut entries = Vec::new();
    for n in 0..fields[0].rows.len() {
        let samples = fields.iter().map(|Recorded { field, unit, rows }| {
            let (field, unit) = match *field {
                "rain" => ("rain_rate", Unit::InchPerHour),
                "rain_daily" => ("rain_today", Unit::Inch),
                field => (field, *unit),
            };
            sample(field, rows[n].0, rows[n].1, unit)
        });
        entries.push(Entry::Samples(samples.collect()));
    }
    writer.write(entries.iter()).unwrap();
    fixture
}

fn is_close(one: &Bucket, other: &Bucket, over_time: OverTime) -> bool {
    let numbers = |bucket: &Bucket| {
        let value = bucket.value(over_time).unwrap_or(f64::MAX);
        [bucket.min, bucket.max, bucket.sum, bucket.last, value, bucket.at as f64]
    };
    let (one_numbers, other_numbers) = (numbers(one), numbers(other));
    let pairs = one_numbers.iter().zip(&other_numbers);
    one.count == other.count && pairs.into_iter().all(|(one, other)| (one - other).abs() < 1e-6)
}

#[test]
fn migrated_rollups_equal_those_written_anew() {
    let fixture = Fixture::new();
    drop(first_version(&fixture.path, &station()));
    drop(open(&fixture.path, &ambient()));
    let anew = written_anew(&station());
    let names = ["rain_rate", "rain_today", "temperature", "wind_direction", "wind_speed"];
    assert_eq!(fields(&fixture), names);
    for field in names {
        for step in [QUARTER, HOUR, DAY] {
            let (unit, over_time, found) = read(&fixture, field, step);
            let (expected_unit, expected_over_time, expected) = read(&anew, field, step);
            assert_eq!((unit, over_time), (expected_unit, expected_over_time), "{field}");
            assert_eq!(found.len(), expected.len(), "{field} {step}");
            for (found, expected) in found.iter().zip(&expected) {
                assert!(is_close(found, expected, over_time), "{field}: {found:?} {expected:?}");
            }
        }
    }
    let day = read(&fixture, "rain_today", DAY).2[1];
    assert_eq!(day.value(OverTime::Increase).map(|rise| (rise * 100.0).round()), Some(47.0));
    fixture.history().check().unwrap();
}

#[test]
fn rollups_without_single_observations_keep_their_numbers_and_what_they_determine() {
    let fixture = Fixture::new();
    let old = first_version(&fixture.path, &station());
    let whole = read(&written_anew(&station()), "rain_today", DAY).2;
    // Retention has deleted the observations of 36 hours, in the middle of a quarter, and the quarters of
    // one day.
    let until = START + 36 * HOUR + 450;
    old.execute("DELETE FROM raw WHERE at < ?", [until]).unwrap();
    old.execute("DELETE FROM quarter WHERE at < ?", [START + DAY]).unwrap();
    drop(old);
    drop(open(&fixture.path, &ambient()));
    let (.., days) = read(&fixture, "rain_today", DAY);
    assert_eq!(days.len(), 2);
    for (found, expected) in days.iter().zip(&whole) {
        assert!(is_close(found, expected, OverTime::Increase), "{found:?} {expected:?}");
    }
    let (.., days) = read(&fixture, "wind_direction", DAY);
    for day in &days {
        assert_eq!((day.count, day.value(OverTime::Circular)), (144, None));
        assert_eq!(
            day.note(OverTime::Circular),
            Some("the single observations are no longer stored")
        );
    }
    let (.., quarters) = read(&fixture, "wind_direction", QUARTER);
    let is_lost = |quarter: &&Bucket| {
        quarter.note(OverTime::Circular) == Some("the single observations are no longer stored")
    };
    let lost = quarters.iter().filter(is_lost).count();
    assert_eq!((quarters.len(), lost), (96, 49), "12 hours and the quarter that was cut");
    fixture.history().check().unwrap();
}

#[test]
fn renamed_series_moves_once_and_never_one_of_the_new_meaning() {
    let open_meteo = || {
        let renamed = RenamedSeries { old: "pressure", new: "station_pressure", is_rate: false };
        vec![SourceFields { source: "tank".into(), renamed: vec![renamed] }]
    };
    let pressure = |at, number| sample("pressure", at, number, Unit::Hectopascal);
    let last = |fixture: &Fixture, field: &str| {
        let window = window(field, START - DAY, START + 9 * DAY, Step::Raw);
        let points = fixture.history().points(window).unwrap();
        points.map(|points| points.map(|point| point.unwrap().last).collect::<Vec<_>>())
    };
    let recorded = || {
        let rows = vec![(START, 930.0), (START + 600, 931.0)];
        [Recorded { field: "pressure", unit: Unit::Hectopascal, rows }]
    };
    // The source is configured when the file is migrated.
    let fixture = Fixture::new();
    drop(first_version(&fixture.path, &recorded()));
    for round in 0..3 {
        let mut writer = open(&fixture.path, &open_meteo());
        let entry = Entry::Samples(vec![pressure(START + DAY + round, 1013.0)]);
        writer.write([&entry]).unwrap();
        assert_eq!(last(&fixture, "station_pressure"), Some(vec![930.0, 931.0]));
        assert_eq!(last(&fixture, "pressure").map(|all| all.len()), Some(1 + round as usize));
    }
    // The source is configured later: what was recorded meanwhile is of no source of this kind.
    let fixture = Fixture::new();
    drop(first_version(&fixture.path, &recorded()));
    drop(open(&fixture.path, &[]));
    assert_eq!(last(&fixture, "station_pressure"), None);
    drop(open(&fixture.path, &open_meteo()));
    assert_eq!(last(&fixture, "station_pressure"), Some(vec![930.0, 931.0]));
    // It was of another kind, and its pressure was that at sea level.
    let fixture = Fixture::new();
    drop(first_version(&fixture.path, &recorded()));
    drop(open(&fixture.path, &[SourceFields { source: "tank".into(), renamed: Vec::new() }]));
    drop(open(&fixture.path, &open_meteo()));
    assert_eq!(last(&fixture, "station_pressure"), None);
    // A file of this version has the new meaning from its beginning.
    let fixture = Fixture::new();
    let entry = Entry::Samples(vec![pressure(START, 1013.0)]);
    fixture.writer().write([&entry]).unwrap();
    drop(open(&fixture.path, &open_meteo()));
    assert_eq!(last(&fixture, "pressure"), Some(vec![1013.0]));
}

#[test]
fn renamed_series_is_merged_with_one_of_its_new_name() {
    let fixture = Fixture::new();
    let rows = |from: i64, number| (from..from + 6).map(|n| (START + n * 600, number)).collect();
    let old = Recorded { field: "rain_daily", unit: Unit::Inch, rows: rows(0, 1.0) };
    // The last observation of the old name and the first of the new one are the same.
    let new = Recorded { field: "rain_today", unit: Unit::Inch, rows: rows(5, 2.0) };
    drop(first_version(&fixture.path, &[old, new]));
    drop(open(&fixture.path, &ambient()));
    assert_eq!(fields(&fixture), ["rain_today"]);
    let all = points(&fixture.history(), window("rain_today", START, START + DAY, Step::Raw));
    let numbers: Vec<f64> = all.iter().map(|point| point.last).collect();
    assert_eq!(numbers, [vec![1.0; 5], vec![2.0; 6]].concat());
    let (.., days) = read(&fixture, "rain_today", DAY);
    let day = (days[0].count, days[0].sum, days[0].value(OverTime::Increase));
    assert_eq!((days.len(), day), (1, (11, 17.0, Some(1.0))));
}

#[test]
fn numbers_that_are_not_true_block_nothing() {
    let fixture = Fixture::new();
    let mut bad: Vec<(i64, f64)> = (0..288).map(|n| (START + n * 600, 20.0)).collect();
    bad[10].1 = 1.7e308;
    bad[12].1 = 1.7e308;
    bad[200].1 = -1.7e308;
    let bad = Recorded { field: "temperature", unit: Unit::Celsius, rows: bad };
    let good = Recorded {
        field: "humidity",
        unit: Unit::Percent,
        rows: (0..288).map(|n| (START + n * 600, 50.0)).collect(),
    };
    let old = first_version(&fixture.path, &[bad, good]);
    let infinite: f64 = old.query_row("SELECT max(sum) FROM day", [], |row| row.get(0)).unwrap();
    assert!(infinite.is_infinite());
    // The observations of the second day have been deleted.
    old.execute("DELETE FROM raw WHERE at >= ?", [START + DAY]).unwrap();
    drop(old);
    // A reader of the file that is not migrated yet leaves out what is not finite.
    let (.., days) = read(&fixture, "temperature", DAY);
    assert!(days.iter().all(|day| day.mean().is_finite()), "{days:?}");
    let zone = TimeZone::get("America/Los_Angeles").unwrap();
    drop(Writer::open(&fixture.path, &zone, &[], || {}).unwrap());
    drop(open(&fixture.path, &[]));
    let (.., days) = read(&fixture, "temperature", DAY);
    let days: Vec<_> = days.iter().map(|day| (day.at, day.count, day.max, day.mean())).collect();
    // The quarter with the impossible number had no other observation left.
    assert_eq!(days[0], (START, 142, 20.0, 20.0));
    assert!(days[1].1 >= 141 && days[1].3 == 20.0, "{days:?}");
    assert_eq!(read(&fixture, "humidity", DAY).2.iter().map(|day| day.count).sum::<u64>(), 288);
    fixture.history().check().unwrap();
}

#[test]
fn file_of_the_first_version_can_be_read_before_it_is_migrated() {
    let fixture = Fixture::new();
    drop(first_version(&fixture.path, &station()));
    let (unit, over_time, hours) = read(&fixture, "temperature", HOUR);
    assert_eq!((unit, over_time, hours.len()), (Some(Unit::Celsius), OverTime::Mean, 48));
    let (.., minutes) = read(&fixture, "rain_daily", 600);
    assert_eq!(minutes[4].value(OverTime::Increase), Some(0.01));
    let (.., days) = read(&fixture, "wind_direction", DAY);
    assert_eq!((days.len(), days[0].value(OverTime::Circular)), (2, None));
    fixture.history().check().unwrap();
}

#[test]
fn migration_that_fails_changes_nothing_and_is_tried_again() {
    let fixture = Fixture::new();
    let old = first_version(&fixture.path, &station());
    // Fails in the middle, as on a full disk: when the days of the last series are written.
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON day WHEN new.series = 5
                  BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    old.execute_batch(refuse).unwrap();
    let state = |connection: &Connection| {
        let sql = "SELECT (SELECT user_version FROM pragma_user_version), (SELECT total(sum) FROM quarter), \
                   (SELECT group_concat(field) FROM series), (SELECT count(*) FROM day)";
        let row = |row: &rusqlite::Row<'_>| {
            Ok((
                row.get::<_, i32>(0)?,
                row.get::<_, f64>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, i64>(3)?,
            ))
        };
        connection.query_row(sql, [], row).unwrap()
    };
    let before = state(&old);
    assert_eq!(before.0, 1);
    let settings = Settings { sources: ambient(), ..fixture.settings() };
    let (prepared, sender, history) = prepare(settings);
    let recorder = prepared.start(Box::new(|_| false)).unwrap();
    wait_until("the recorder has tried", || history.health().error.is_some());
    let error = history.health().error.clone().unwrap();
    assert!(error.message.contains("the disk is full"), "{error:?}");
    sender.send(Change::Observed(vec![level(START, 7.0)]));
    drop(recorder);
    assert_eq!(state(&old), before);
    old.execute_batch("DROP TRIGGER full").unwrap();
    drop(old);
    drop(open(&fixture.path, &ambient()));
    let (.., days) = read(&fixture, "rain_today", DAY);
    assert_eq!(days.len(), 2);
}
