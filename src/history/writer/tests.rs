//! Transactions that are rolled back, and bounded deletions.

use rusqlite::ErrorCode;

use super::*;
use crate::board::{Finite, Sample};

fn samples(field: &str, number: i64) -> Entry {
    let sample = |at| {
        Sample::new(
            "tank".into(),
            field.into(),
            Timestamp::from_second(1_773_014_400 + at).expect("a second of 2026"),
            Finite::new(1.0).expect("1 is finite"),
            None,
        )
    };
    Entry::Samples((0..number).map(sample).collect())
}

#[test]
fn prune_of_many_series_deletes_a_bounded_number_of_rows_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let mut writer = Writer::open(&path, &TimeZone::UTC, &[], || {}).unwrap();
    let entries: Vec<Entry> = (0..10).map(|n| samples(&format!("f{n}"), 30)).collect();
    writer.write(entries.iter()).unwrap();
    // All are older than a day, and of an earlier day than the latest one.
    let next = Timestamp::from_second(1_773_014_400 + 3 * 86_400).expect("a second of 2026");
    let late = Sample::new("tank".into(), "f0".into(), next, Finite::new(1.0).unwrap(), None);
    writer.write([Entry::Samples(vec![late])].iter()).unwrap();
    let keep = Retention { raw: Some(Duration::from_secs(86_400)), ..Retention::default() };
    let rows = |writer: &Writer| -> i64 {
        writer.connection.query_row("SELECT count(*) FROM raw", [], |row| row.get(0)).unwrap()
    };
    for left in [201, 101, 1] {
        assert!(!writer.prune_at_most(100, &keep, next).unwrap());
        assert_eq!(rows(&writer), left);
    }
    assert!(writer.prune_at_most(100, &keep, next).unwrap());
    assert_eq!(rows(&writer), 1);
}

#[test]
fn series_of_a_transaction_that_was_rolled_back_gets_a_new_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let mut writer = Writer::open(&path, &TimeZone::UTC, &[], || {}).unwrap();
    let pages: i64 =
        writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let most = |writer: &Writer, pages: i64| {
        let limited = format!("PRAGMA max_page_count = {pages}");
        writer.connection.query_row(&limited, [], |_| Ok(())).unwrap();
    };
    // The disk is full in the middle of a batch whose first row is of a new series.
    most(&writer, pages + 2);
    let error = writer.write([samples("level", 10_000)].iter()).unwrap_err();
    let StoreError::Database(error) = error else { panic!("{error}") };
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DiskFull));
    most(&writer, 1 << 20);
    // Another series gets the id that was rolled back.
    writer.write([samples("depth", 3)].iter()).unwrap();
    writer.write([samples("level", 5)].iter()).unwrap();
    let rows = |field| {
        let sql = "SELECT count(*) FROM raw JOIN series ON series = id WHERE field = ?";
        writer.connection.query_row(sql, [field], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((rows("depth"), rows("level")), (3, 5));
}
