//! File for records that wait for the database.
//!
//! Records are appended and removed in their order. Each append is synced, so they survive a power cut. A record whose
//! removal was lost is written to the database again, which changes nothing there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};

use crate::board::{DatedBy, Event, Finite, Sample};
use crate::history::database::{self, DatabaseKind};
use crate::history::entry::{Entry, StoredEvent};
use crate::history::error::StoreError;
use crate::units::Unit;
use crate::wall_clock;

/// `application_id` of the file: `PUMS` in ASCII.
const APPLICATION: i32 = 0x5055_4d53;

const KIND: DatabaseKind = DatabaseKind { application: APPLICATION, latest: 1 };

/// Longest wait for a lock of another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE record (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        instance TEXT NOT NULL,
        content TEXT NOT NULL
    ) STRICT;
";

/// Records that are removed at once if the file has reached its limit.
const DROPPED_AT_ONCE: i64 = 1_000;

/// A record of the file.
#[derive(Debug, PartialEq)]
pub(super) struct Spooled {
    pub(super) id: i64,
    /// Random name of the process that made it.
    pub(super) instance: String,
    /// `None` if a later version of the program has written it.
    pub(super) entry: Option<Entry>,
}

/// File for records that wait for the database.
pub(super) struct Spool {
    path: PathBuf,
    connection: Connection,
    max_bytes: i64,
    count: u64,
}

impl Spool {
    /// Opens the file, or creates it. Replaces a damaged one, which is renamed.
    ///
    /// # Errors
    /// The file cannot be opened, or is of another program or of a later version.
    pub(super) fn open(path: &Path, max_bytes: u64) -> Result<Spool, StoreError> {
        let checked = open(path).and_then(|connection| {
            database::verify(&connection)?;
            Ok(connection)
        });
        let connection = match checked {
            Err(error) if error.is_damage() => {
                let aside = database::set_aside(path, wall_clock::now())
                    .map_err(|error| StoreError::File(path.to_owned(), error))?;
                log::error!(
                    "the spool {} is damaged ({error}); it was set aside as {}, and a new one is created",
                    path.display(),
                    aside.display()
                );
                open(path)?
            }
            other => other?,
        };
        let count: i64 =
            connection.query_row("SELECT count(*) FROM record", [], |row| row.get(0))?;
        let max_bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
        let count = count.unsigned_abs();
        Ok(Spool { path: path.to_owned(), connection, max_bytes, count })
    }

    /// Returns the number of records.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends records. Returns the number of the oldest ones that had to be removed, as the file has reached its
    /// limit.
    ///
    /// # Errors
    /// The file cannot be written, and has none of them.
    pub(super) fn append<'e>(
        &mut self,
        instance: &str,
        entries: impl IntoIterator<Item = &'e Entry>,
    ) -> Result<u64, StoreError> {
        let dropped = self.make_room()?;
        let transaction = self.connection.transaction()?;
        let mut appended = 0;
        {
            let sql = "INSERT INTO record (instance, content) VALUES (?, ?)";
            let mut insert = transaction.prepare_cached(sql)?;
            for entry in entries {
                insert.execute(params![instance, to_json(entry).to_string()])?;
                appended += 1;
            }
        }
        transaction.commit()?;
        self.count += appended;
        Ok(dropped)
    }

    fn make_room(&mut self) -> Result<u64, StoreError> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get(0));
        let (pages, free): (i64, i64) = (pragma("page_count")?, pragma("freelist_count")?);
        let size: i64 = pragma("page_size")?;
        if (pages - free).saturating_mul(size) < self.max_bytes {
            return Ok(0);
        }
        let sql = "DELETE FROM record WHERE id IN (SELECT id FROM record ORDER BY id LIMIT ?)";
        let dropped = self.connection.execute(sql, [DROPPED_AT_ONCE])? as u64;
        self.count = self.count.saturating_sub(dropped);
        Ok(dropped)
    }

    /// Returns the first `limit` records.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn first(&self, limit: usize) -> Result<Vec<Spooled>, StoreError> {
        let sql = "SELECT id, instance, content FROM record ORDER BY id LIMIT ?";
        let mut select = self.connection.prepare_cached(sql)?;
        let rows = select.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
        })?;
        let mut records = Vec::new();
        for row in rows {
            let (id, instance, content) = row?;
            let entry = crate::json::from_text(&content).ok();
            let entry = entry.and_then(|content: Value| from_json(id, &content));
            records.push(Spooled { id, instance, entry });
        }
        Ok(records)
    }

    /// Removes the records up to one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn remove_to(&mut self, id: i64) -> Result<(), StoreError> {
        let removed = self.connection.execute("DELETE FROM record WHERE id <= ?", [id])? as u64;
        self.count = self.count.saturating_sub(removed);
        Ok(())
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("path", &self.path).field("count", &self.count).finish()
    }
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let (mut connection, version) = KIND.open_to_write(path, BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    if version == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", KIND.latest)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Returns a record as JSON: `{"samples": [{"source", "field", "at", …}]}` or `{"event": {…}}`.
fn to_json(entry: &Entry) -> Value {
    match entry {
        Entry::Samples(samples) => {
            json!({ "samples": samples.iter().map(sample_to_json).collect::<Vec<_>>() })
        }
        Entry::Event(StoredEvent { id, event }) => json!({ "event": {
            "number": id,
            "at": event.at.as_second(),
            "kind": event.kind.as_str(),
            "source": event.source.as_deref(),
            "detail": &*event.detail,
        } }),
    }
}

fn sample_to_json(sample: &Sample) -> Value {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("source", (*sample.source).into());
    add("field", (*sample.field).into());
    add("at", sample.at.as_second().into());
    add("value", sample.value.get().into());
    add("over_time", sample.over_time.as_str().into());
    if let Some(unit) = sample.unit {
        add("unit", unit.as_str().into());
    }
    if let Some(period) = sample.period {
        add("period", period.as_secs_f64().into());
    }
    if !sample.corrects {
        add("corrects", false.into());
    }
    Value::Object(members)
}

/// Reads a record; `None` if it is not one of this version.
fn from_json(id: i64, content: &Value) -> Option<Entry> {
    if let Some(samples) = content.get("samples") {
        // A sample of a unit that this version does not know costs that one.
        return Some(Entry::Samples(samples.as_array()?.iter().filter_map(sample).collect()));
    }
    let event = content.get("event")?;
    let text = |name: &str| event.get(name)?.as_str();
    let event_number = event.get("number").and_then(Value::as_i64).unwrap_or(id);
    let event = Event {
        at: Timestamp::from_second(event.get("at")?.as_i64()?).ok()?,
        kind: text("kind")?.parse().ok()?,
        source: text("source").map(Into::into),
        detail: text("detail")?.into(),
    };
    Some(Entry::Event(StoredEvent { id: event_number, event }))
}

fn sample(content: &Value) -> Option<Sample> {
    let text = |name: &str| content.get(name)?.as_str();
    let unit = match text("unit") {
        Some(unit) => Some(Unit::from_recorded(unit)?),
        None => None,
    };
    let period = content.get("period").and_then(Value::as_f64);
    Some(Sample {
        source: text("source")?.into(),
        field: text("field")?.into(),
        at: Timestamp::from_second(content.get("at")?.as_i64()?).ok()?,
        dated_by: DatedBy::Sensor,
        stated: None,
        corrects: content.get("corrects").and_then(Value::as_bool).unwrap_or(true),
        value: Finite::new(content.get("value")?.as_f64()?)?,
        unit,
        over_time: text("over_time")?.parse().ok()?,
        period: period.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::EventKind;
    use crate::units::OverTime;

    fn level(at: i64, value: f64) -> Entry {
        let at = Timestamp::from_second(at).unwrap();
        let value = Finite::new(value).unwrap();
        let level = Sample::new("tank".into(), "level".into(), at, value, Some(Unit::Percent));
        let rain = Sample {
            period: Some(Duration::from_secs(3600)),
            corrects: false,
            over_time: OverTime::Sum,
            ..Sample::new("roof".into(), "rain".into(), at, value, None)
        };
        Entry::Samples(vec![level, rain])
    }

    fn event(number: i64) -> Entry {
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        let (kind, source) = (EventKind::Stale, Some("tank".into()));
        let event = Event { at, kind, source, detail: "a \"detail\"".into() };
        Entry::Event(StoredEvent { id: number, event })
    }

    #[test]
    fn records_are_kept_in_their_order_until_they_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.spool.db");
        let entries = [level(1_790_000_000, 0.1), event(7), level(1_790_000_060, -2e-7)];
        let mut spool = Spool::open(&path, u64::MAX).unwrap();
        assert_eq!(spool.append("one", &entries[..2]).unwrap(), 0);
        drop(spool);
        let mut spool = Spool::open(&path, u64::MAX).unwrap();
        spool.append("two", &entries[2..]).unwrap();
        assert_eq!(spool.len(), 3);
        let read = spool.first(2).unwrap();
        let names: Vec<&str> = read.iter().map(|record| &*record.instance).collect();
        assert_eq!(names, ["one", "one"]);
        let found: Vec<&Entry> = read.iter().map(|record| record.entry.as_ref().unwrap()).collect();
        assert_eq!(found, [&entries[0], &entries[1]]);
        spool.remove_to(read[1].id).unwrap();
        let read = spool.first(2).unwrap();
        assert_eq!((read.len(), &*read[0].instance), (1, "two"));
        assert_eq!(read[0].entry.as_ref(), Some(&entries[2]));
        spool.remove_to(read[0].id).unwrap();
        assert!(spool.is_empty());
    }

    #[test]
    fn full_spool_drops_its_oldest_records_and_counts_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.spool.db");
        let mut spool = Spool::open(&path, 256 * 1024).unwrap();
        let mut dropped = 0;
        for batch in 0..50 {
            let entries: Vec<Entry> =
                (0..100).map(|n| level(1_790_000_000 + batch * 100 + n, 1.0)).collect();
            dropped += spool.append("one", &entries).unwrap();
        }
        assert_eq!(spool.len() + dropped, 5_000);
        assert!(dropped > 0 && spool.len() > 500, "{dropped}");
        let first = spool.first(1).unwrap();
        assert_eq!(first[0].id, i64::try_from(dropped).unwrap() + 1, "the oldest ones");
    }

    #[test]
    fn damaged_spool_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.spool.db");
        std::fs::write(&path, vec![7; 8192]).unwrap();
        let spool = Spool::open(&path, u64::MAX).unwrap();
        assert!(spool.is_empty());
        assert_eq!(
            std::fs::read_dir(folder.path())
                .unwrap()
                .filter(|file| {
                    file.as_ref().unwrap().file_name().to_string_lossy().contains("damaged")
                })
                .count(),
            1
        );
    }
}
