//! The one connection that writes: whole batches, each in a transaction.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::bucket::{Calendar, DAY, QUARTER};
use super::error::StoreError;
use super::schema;
use crate::board::{Change, Event, Sample};

/// How long rows are kept; `None`: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Single observations.
    pub raw: Option<Duration>,
    /// Quarters of an hour.
    pub quarters: Option<Duration>,
    /// Days.
    pub days: Option<Duration>,
}

/// Rows deleted in one go, so that a shortened retention never holds a flush up for long.
const DELETED_AT_ONCE: i64 = 5_000;

/// Events are few, and are kept for as long as days are; but not more than these.
const MOST_EVENTS: i64 = 100_000;

/// Something to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Entry {
    /// What a source told in one answer.
    Samples(Vec<Sample>),
    /// An event with its number.
    Event(i64, Event),
}

impl Entry {
    /// How many rows it makes.
    pub(super) fn rows(&self) -> u64 {
        match self {
            Entry::Samples(samples) => samples.len() as u64,
            Entry::Event(..) => 1,
        }
    }
}

/// Memory for pages while a file is filled.
const FILL_CACHE_KIB: i64 = 64 * 1024;

/// Writes what was learnt before into a file that nobody else writes to now, and makes the file
/// if there is none. Tells how many rows that made.
///
/// # Errors
/// When the file cannot be written; nothing of it all is in it then.
pub fn import(
    path: &Path,
    zone: &TimeZone,
    changes: impl IntoIterator<Item = Change>,
) -> Result<u64, StoreError> {
    let mut writer = Writer::open(path, zone)?;
    // Much at once is best held in memory until it is sorted.
    writer.connection.pragma_update(None, "cache_size", -FILL_CACHE_KIB)?;
    let mut number = writer.latest_event()?;
    let entries = changes.into_iter().map(|change| match change {
        Change::Observed(samples) => Entry::Samples(samples),
        Change::Happened(event) => {
            number += 1;
            Entry::Event(number, event)
        }
    });
    let entries: Vec<Entry> = entries.collect();
    writer.write(entries.iter())
}

/// The writer of a file.
pub(super) struct Writer {
    connection: Connection,
    calendar: Calendar,
    series: HashMap<(Arc<str>, Arc<str>, &'static str), i64>,
}

impl Writer {
    /// Opens the file, or makes it. Days are those of that zone.
    pub(super) fn open(path: &Path, zone: &TimeZone) -> Result<Writer, StoreError> {
        let connection = schema::open_to_write(path)?;
        let calendar = Calendar::new(zone.clone());
        let mut writer = Writer { connection, calendar, series: HashMap::new() };
        writer.adopt_zone(zone)?;
        Ok(writer)
    }

    /// Looks through the whole file for damage, which may take long, and calls `sign` meanwhile.
    pub(super) fn verify(&mut self, sign: impl Fn() + Send + 'static) -> Result<(), StoreError> {
        schema::verify_with(&mut self.connection, sign)
    }

    /// The number of the latest event.
    pub(super) fn latest_event(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM event";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Writes all or nothing, and tells how many rows that made. An observation that is there
    /// already is not counted again.
    pub(super) fn write<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e Entry>,
    ) -> Result<u64, StoreError> {
        let written = self.write_in_one(entries);
        if written.is_err() {
            // Ids that were given in the transaction are gone with it.
            self.series.clear();
        }
        written
    }

    fn write_in_one<'e>(
        &mut self,
        entries: impl Iterator<Item = &'e Entry>,
    ) -> Result<u64, StoreError> {
        let transaction = self.connection.transaction()?;
        let mut rows = 0;
        for entry in entries {
            match entry {
                Entry::Samples(samples) => {
                    for sample in samples {
                        rows += add(&transaction, &mut self.series, &mut self.calendar, sample)?;
                    }
                }
                Entry::Event(id, event) => {
                    let mut insert = transaction.prepare_cached(
                        "INSERT INTO event (id, at, kind, source, detail) VALUES (?, ?, ?, ?, ?) \
                         ON CONFLICT DO NOTHING",
                    )?;
                    let (at, source) = (event.at.as_second(), event.source.as_deref());
                    let row = params![id, at, event.kind.as_str(), source, &*event.detail];
                    rows += insert.execute(row)? as u64;
                }
            }
        }
        transaction.commit()?;
        Ok(rows)
    }

    /// Deletes some of what is older than it has to be; true when nothing is left to delete.
    ///
    /// Older by the clock, which may be years ahead, and by the days that were recorded since,
    /// of which a clock that is wrong makes no more than one that is right. So what is kept
    /// for a year is at least a year of days on which something was recorded.
    pub(super) fn prune(&mut self, keep: &Retention, now: Timestamp) -> Result<bool, StoreError> {
        let all = self.all_series()?;
        let transaction = self.connection.transaction()?;
        let mut done = true;
        for (table, keep) in [("raw", keep.raw), ("quarter", keep.quarters), ("day", keep.days)] {
            let Some(keep) = keep else { continue };
            let Ok(by_clock) = now.checked_sub(keep) else { continue };
            let Some(by_days) = first_of_last_days(&transaction, keep)? else { continue };
            let before = by_clock.as_second().min(by_days);
            let sql = format!(
                "DELETE FROM {table} WHERE (series, at) IN (SELECT series, at FROM {table} \
                 WHERE series = ? AND at < ? ORDER BY at LIMIT ?)"
            );
            let mut delete = transaction.prepare_cached(&sql)?;
            for series in &all {
                let gone = delete.execute(params![series, before, DELETED_AT_ONCE])?;
                done &= (gone as i64) < DELETED_AT_ONCE;
            }
        }
        let sql = "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?";
        transaction.execute(sql, [MOST_EVENTS])?;
        transaction.commit()?;
        Ok(done)
    }

    fn all_series(&self) -> Result<Vec<i64>, StoreError> {
        let mut select = self.connection.prepare_cached("SELECT id FROM series")?;
        let ids = select.query_map([], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Makes the days anew, as far back as there are quarters, if they were another zone's.
    fn adopt_zone(&mut self, zone: &TimeZone) -> Result<(), StoreError> {
        let name = zone.iana_name().unwrap_or("UTC");
        let sql = "SELECT value FROM meta WHERE key = 'timezone'";
        let known: Option<String> =
            self.connection.query_row(sql, [], |row| row.get(0)).optional()?;
        if known.as_deref() == Some(name) {
            return Ok(());
        }
        if let Some(known) = known {
            log::info!("the history's days were those of {known}; making them anew for {name}");
        }
        let all = self.all_series()?;
        let transaction = self.connection.transaction()?;
        for series in all {
            rebuild_days(&transaction, &mut self.calendar, series)?;
        }
        let sql = "INSERT INTO meta (key, value) VALUES ('timezone', ?) \
                   ON CONFLICT DO UPDATE SET value = excluded.value";
        transaction.execute(sql, [name])?;
        transaction.commit()?;
        Ok(())
    }
}

/// Adds an observation to its series and to the rollups over it.
fn add(
    transaction: &Transaction<'_>,
    known: &mut HashMap<(Arc<str>, Arc<str>, &'static str), i64>,
    calendar: &mut Calendar,
    sample: &Sample,
) -> Result<u64, StoreError> {
    let unit = sample.unit.map_or("", |unit| unit.as_str());
    let key = (sample.source.clone(), sample.field.clone(), unit);
    let series = match known.get(&key) {
        Some(&series) => series,
        None => {
            let series = series_id(transaction, &sample.source, &sample.field, unit)?;
            known.insert(key, series);
            series
        }
    };
    let (at, value) = (sample.at.as_second(), sample.value.get());
    let mut insert = transaction.prepare_cached(
        "INSERT INTO raw (series, at, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    if insert.execute(params![series, at, value])? == 0 {
        return Ok(0);
    }
    let quarter = at.div_euclid(QUARTER) * QUARTER;
    let (day, _) = calendar.day(at);
    for (table, start) in [("quarter", quarter), ("day", day)] {
        let mut upsert = transaction.prepare_cached(&upsert(table))?;
        upsert.execute(params![series, start, value, value, value, value, at, 1])?;
    }
    Ok(1)
}

/// Adds to a rollup: series, start, min, max, sum, last, when that was, count.
fn upsert(table: &str) -> String {
    format!(
        "INSERT INTO {table} (series, at, min, max, sum, last, last_at, count) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
         min = min(min, excluded.min), max = max(max, excluded.max), \
         sum = sum + excluded.sum, count = count + excluded.count, \
         last = iif(excluded.last_at >= last_at, excluded.last, last), \
         last_at = max(last_at, excluded.last_at)"
    )
}

fn series_id(
    transaction: &Transaction<'_>,
    source: &str,
    field: &str,
    unit: &str,
) -> Result<i64, StoreError> {
    let row = params![source, field, unit];
    transaction.execute(
        "INSERT INTO series (source, field, unit) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        row,
    )?;
    let sql = "SELECT id FROM series WHERE source = ? AND field = ? AND unit = ?";
    Ok(transaction.query_row(sql, row, |row| row.get(0))?)
}

/// The beginning of the first of so many last days on which anything was recorded; `None` when
/// there are not as many.
fn first_of_last_days(
    transaction: &Transaction<'_>,
    keep: Duration,
) -> Result<Option<i64>, StoreError> {
    const DAY: u64 = super::bucket::DAY.unsigned_abs();
    let days = i64::try_from(keep.as_secs().div_ceil(DAY).max(1)).unwrap_or(i64::MAX);
    let sql = "SELECT DISTINCT at FROM day ORDER BY at DESC LIMIT 1 OFFSET ?";
    Ok(transaction.query_row(sql, [days - 1], |row| row.get(0)).optional()?)
}

fn rebuild_days(
    transaction: &Transaction<'_>,
    calendar: &mut Calendar,
    series: i64,
) -> Result<(), StoreError> {
    let sql = "SELECT min(at) FROM quarter WHERE series = ?";
    let first: Option<i64> = transaction.query_row(sql, [series], |row| row.get(0))?;
    let Some(first) = first else { return Ok(()) };
    let (from, _) = calendar.day(first);
    // The other zone's days overlap with ours by less than one.
    let sql = "DELETE FROM day WHERE series = ? AND at > ?";
    transaction.execute(sql, params![series, from - DAY])?;
    let mut select = transaction.prepare(
        "SELECT at, min, max, sum, last, last_at, count FROM quarter WHERE series = ? ORDER BY at",
    )?;
    let mut upsert = transaction.prepare(&upsert("day"))?;
    let mut rows = select.query([series])?;
    while let Some(row) = rows.next()? {
        let (day, _) = calendar.day(row.get(0)?);
        let number = |column| row.get::<_, f64>(column);
        let (last_at, count): (i64, i64) = (row.get(5)?, row.get(6)?);
        let (min, max, sum, last) = (number(1)?, number(2)?, number(3)?, number(4)?);
        upsert.execute(params![series, day, min, max, sum, last, last_at, count])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::ErrorCode;

    use super::*;
    use crate::board::Finite;

    fn samples(field: &str, number: i64) -> Entry {
        let sample = |at| Sample {
            source: "tank".into(),
            field: field.into(),
            at: Timestamp::from_second(1_773_014_400 + at).expect("a second of 2026"),
            value: Finite::new(1.0).expect("1 is finite"),
            unit: None,
        };
        Entry::Samples((0..number).map(sample).collect())
    }

    #[test]
    fn what_was_rolled_back_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let mut writer = Writer::open(&path, &TimeZone::UTC).unwrap();
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
        // The number that it had goes to another series now.
        writer.write([samples("depth", 3)].iter()).unwrap();
        writer.write([samples("level", 5)].iter()).unwrap();
        let rows = |field| {
            let sql = "SELECT count(*) FROM raw JOIN series ON series = id WHERE field = ?";
            writer.connection.query_row(sql, [field], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!((rows("depth"), rows("level")), (3, 5));
    }
}
