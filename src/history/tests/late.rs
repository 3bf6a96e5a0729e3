//! Records that are written after newer ones, as of a spool that was not drained for some time.

use std::sync::atomic::{AtomicBool, Ordering};

use hostile::cluster::Relay;
use hostile::postgres::Postgres;

use super::*;
use crate::postgres::Target;

/// Number of round trips that connecting and a transaction take, and more.
const FEW: usize = 60;

fn counter(at: i64, number: f64) -> Sample {
    sample("rain_today", at, number, Unit::Millimetre)
}

#[test]
fn late_records_take_few_round_trips_and_hold_up_no_other_writer() {
    const RECORDS: i64 = 1_000;
    let fixture = Fixture::of(Store::Server);
    let mut other = fixture.server_writer();
    let newer = |n: i64| vec![vec![counter(START + (RECORDS + n) * 60, (RECORDS + n) as f64)]];
    assert_eq!(write_records(&mut other, &newer(0)).1.unwrap(), 1);

    let port = Postgres::shared().port();
    let relay = Relay::delayed(port, Duration::from_millis(2));
    let url = fixture.server.as_ref().unwrap().0.url.clone();
    let url = url.replace(&format!(":{port}/"), &format!(":{}/", relay.port()));
    let access = Access::new(Target::parse(&url).unwrap(), "late".into()).unwrap();
    let mut late = ServerWriter::new(access, &TimeZone::UTC);
    let records: Vec<Vec<Sample>> =
        (0..RECORDS).map(|n| vec![counter(START + n * 60, n as f64)]).collect();
    let is_written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (written, rows) = write_records(&mut late, &records);
            is_written.store(true, Ordering::Relaxed);
            assert_eq!((written, rows.unwrap()), (RECORDS as usize, RECORDS as u64));
        });
        let mut count = 1;
        while !is_written.load(Ordering::Relaxed) || count < 10 {
            assert_eq!(write_records(&mut other, &newer(count)).1.unwrap(), 1);
            count += 1;
        }
        let rise = (RECORDS + count - 1) as f64;
        for table in ["quarter", "day"] {
            let sql = format!("SELECT CAST(sum(count) AS BIGINT), sum(amount) FROM {table}");
            let all = fixture.rows(&sql, &[], |row| Ok((row.i64(0)?, row.f64(1)?)));
            assert_eq!(all, [(RECORDS + count, rise)], "{table}");
        }
    });
    assert!(relay.turns() < FEW, "{} round trips", relay.turns());

    // The same records again, as after an answer that was lost.
    let before = relay.turns();
    assert_eq!(write_records(&mut late, &records).1.unwrap(), 0);
    assert!(relay.turns() - before < FEW, "{} round trips", relay.turns() - before);
}

#[test]
fn late_records_have_the_rollups_of_records_in_their_order() {
    let minute = |n: i64| {
        let at = START + 22 * 3600 + n * 450;
        let rain = sample("rain", at, (n % 7) as f64, Unit::Millimetre);
        let direction = sample("wind_direction", at, (n * 37 % 360) as f64, Unit::Degree);
        let speed = sample("wind_speed", at, (n % 5) as f64, Unit::MetrePerSecond);
        let rain = Sample { period: Some(Duration::from_secs(600)), ..rain };
        vec![level(at, (n * 13 % 50) as f64), counter(at, (n % 40) as f64), rain, direction, speed]
    };
    let rollups = |order: &[i64]| {
        let fixture = Fixture::of(Store::Server);
        let mut writer = fixture.server_writer();
        for numbers in order.chunks(40) {
            let records: Vec<_> = numbers.iter().map(|n| minute(*n)).collect();
            write_records(&mut writer, &records).1.unwrap();
        }
        ["quarter", "day"].map(|table| {
            let sql = format!(
                "SELECT field, at, count, min, max, last, last_at, sum, coalesce(amount, 0), \
                 coalesce(east, 0), coalesce(north, 0), coalesce(weight, 0) \
                 FROM {table} JOIN series ON series.id = series ORDER BY field, at"
            );
            fixture.rows(&sql, &[], |row| {
                let rounded = |column| Ok::<_, StoreError>((row.f64(column)? * 1e6).round() as i64);
                let mut numbers = vec![row.i64(1)?, row.i64(2)?, row.i64(6)?];
                for column in [3, 4, 5, 7, 8, 9, 10, 11] {
                    numbers.push(rounded(column)?);
                }
                Ok((row.string(0)?, numbers))
            })
        })
    };
    let ordered: Vec<i64> = (0..80).collect();
    let expected = rollups(&ordered);
    assert_eq!((expected[0].len(), expected[1].len()), (4 * 40 + 41, 5 * 2));
    // Those that are late begin the series, are between others, and are of a day without a row.
    let evens = (0..80).filter(|n| n % 2 == 0);
    let between: Vec<i64> =
        (60..80).chain(0..10).chain(40..50).chain(10..40).chain(50..60).collect();
    let odds: Vec<i64> = evens.clone().chain((0..80).filter(|n| n % 2 == 1)).collect();
    let reversed: Vec<i64> = ordered.iter().rev().copied().chain(evens).collect();
    for order in [between, odds, reversed] {
        assert_eq!(rollups(&order), expected, "{order:?}");
    }
}

#[test]
fn records_before_one_whose_series_is_locked_are_written() {
    let fixture = Fixture::of(Store::Server);
    let mut writer = fixture.server_writer();
    let of = |source: &str, n: i64| Sample { source: source.into(), ..level(START + n, 1.0) };
    write_records(&mut writer, &[vec![of("free", 0)], vec![of("locked", 0)]]).1.unwrap();
    let mut connection = fixture.server.as_ref().unwrap().connect();
    let limits = Limits::all(postgres::fixture::AMPLE);
    let mut transaction = connection.begin(limits);
    let lock = "SELECT id FROM pumphouse.series WHERE source = 'locked' FOR UPDATE";
    let statements = [Statement::plain(lock)];
    transaction.pipeline(&statements, postgres::fixture::deadline()).unwrap();

    let records = ["free", "free", "locked"].map(|source| vec![of(source, 1)]);
    let (written, result) = write_records(&mut writer, &records);
    assert!(result.is_err() && written == 0, "{result:?}");
    let (written, result) = write_records(&mut writer, &records);
    assert!(result.is_err() && written >= 1, "{written} {result:?}");
    drop(transaction);
    let (written, result) = write_records(&mut writer, &records);
    assert_eq!((written, result.unwrap()), (3, 1));
}
