//! File for records that wait for the database.
//!
//! Records are appended, and written to the database, in their order. Each append is synced, so they survive a power cut.
//! A record stays in the file for [`KEPT`] after it was written: a standby that is promoted may lack the latest
//! transactions, and then the records are written again. So they are after a restart, which changes nothing in the
//! database. The number of the latest one that was written is in memory, so a disk that has become full, or read-only,
//! does not hold up the next ones.

mod record;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::Value;

use self::record::{from_json, to_json};
use super::recent::KEPT;
use crate::history::database::{self, DatabaseKind};
use crate::history::entry::Entry;
use crate::history::error::StoreError;
use crate::history::meta;
use crate::wall_clock;

/// `application_id` of the file: `PUMS` in ASCII.
const APPLICATION: i32 = 0x5055_4d53;

const KIND: DatabaseKind = DatabaseKind { application: APPLICATION, latest: 1 };

/// Longest wait for a lock of another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// `meta` has [`meta::LATEST`] and [`meta::HELD`], so that a clock which is wrong is noticed while the database is away.
const TABLES: &str = "
    CREATE TABLE record (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        instance TEXT NOT NULL,
        content TEXT NOT NULL
    ) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
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

/// Records that were written to the database and are still in the file.
#[derive(Debug)]
struct WrittenRecords {
    /// Time since boot at which they were written.
    at: Duration,
    /// Id of the last one.
    last: i64,
    count: u64,
}

/// File for records that wait for the database.
pub(super) struct Spool {
    path: PathBuf,
    connection: Connection,
    max_bytes: i64,
    /// Number of records that wait.
    waiting: u64,
    /// Records before those that wait, oldest first.
    written: VecDeque<WrittenRecords>,
    /// Id of the last record that was written to the database; 0 if all wait.
    last_written: i64,
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
        Ok(Spool {
            path: path.to_owned(),
            connection,
            max_bytes: i64::try_from(max_bytes).unwrap_or(i64::MAX),
            waiting: count.unsigned_abs(),
            written: VecDeque::new(),
            last_written: 0,
        })
    }

    /// Returns the number of records that wait.
    pub(super) fn len(&self) -> u64 {
        self.waiting
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Appends records, and stores the time of the latest one. Returns the number of the oldest waiting ones that had to
    /// be removed, as the file has reached its limit.
    ///
    /// # Errors
    /// The file cannot be written, and has none of them.
    pub(super) fn append<'e>(
        &mut self,
        instance: &str,
        entries: impl IntoIterator<Item = &'e Entry>,
        latest: Option<i64>,
    ) -> Result<u64, StoreError> {
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
        if let Some(latest) = latest {
            set(&transaction, meta::LATEST, latest)?;
        }
        let was_full = is_full(&transaction, self.max_bytes)?;
        if was_full {
            transaction.execute("DELETE FROM record WHERE id <= ?", [self.last_written])?;
        }
        let mut dropped = 0;
        while was_full && is_full(&transaction, self.max_bytes)? {
            let sql = "DELETE FROM record WHERE id IN (SELECT id FROM record ORDER BY id LIMIT ?)";
            match transaction.execute(sql, [DROPPED_AT_ONCE])? as u64 {
                0 => break,
                removed => dropped += removed,
            }
        }
        transaction.commit()?;
        if was_full {
            self.written.clear();
        }
        self.waiting = (self.waiting + appended).saturating_sub(dropped);
        Ok(dropped)
    }

    /// Returns the first `limit` records that wait.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn first(&self, limit: usize) -> Result<Vec<Spooled>, StoreError> {
        let sql = "SELECT id, instance, content FROM record WHERE id > ? ORDER BY id LIMIT ?";
        let mut select = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = select.query_map([self.last_written, limit], |row| {
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

    /// Notes that the first `count` records that wait, of which the last is `last`, are in the database.
    pub(super) fn note_written(&mut self, last: i64, count: u64, at: Duration) {
        self.last_written = last;
        self.waiting = self.waiting.saturating_sub(count);
        self.written.push_back(WrittenRecords { at, last, count });
    }

    /// Lets all records of the file wait again, as the database may have lost them.
    pub(super) fn write_again(&mut self) {
        self.waiting += self.written.drain(..).map(|written| written.count).sum::<u64>();
        self.last_written = 0;
    }

    /// Returns true if the file has records that were written to the database long enough ago.
    pub(super) fn has_expired(&self, now: Duration) -> bool {
        self.written.front().is_some_and(|written| now.saturating_sub(written.at) > KEPT)
    }

    /// Removes the records that were written to the database long enough ago.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn remove_expired(&mut self, now: Duration) -> Result<(), StoreError> {
        let is_expired = |written: &&WrittenRecords| now.saturating_sub(written.at) > KEPT;
        let expired = self.written.iter().take_while(is_expired).count();
        if let Some(WrittenRecords { last, .. }) =
            expired.checked_sub(1).map(|at| &self.written[at])
        {
            self.connection.execute("DELETE FROM record WHERE id <= ?", [last])?;
            self.written.drain(..expired);
        }
        Ok(())
    }

    /// Returns a number that was stored at a key.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn number(&self, key: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT value FROM meta WHERE key = ?";
        Ok(self.connection.query_row(sql, [key], |row| row.get(0)).optional()?)
    }

    /// Stores a number at a key.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn set_number(&mut self, key: &str, number: i64) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        set(&transaction, key, number)?;
        Ok(transaction.commit()?)
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").field("path", &self.path).field("waiting", &self.waiting).finish()
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

/// Returns true if the pages that are in use exceed the limit.
fn is_full(transaction: &Transaction<'_>, max_bytes: i64) -> Result<bool, StoreError> {
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (pages, free) = (pragma("page_count")?, pragma("freelist_count")?);
    Ok((pages - free).saturating_mul(pragma("page_size")?) > max_bytes)
}

fn set(transaction: &Transaction<'_>, key: &str, number: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET \
               value = excluded.value";
    transaction.execute(sql, params![key, number])?;
    Ok(())
}

#[cfg(test)]
mod tests;
