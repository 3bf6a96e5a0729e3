//! Tables of the file and their migrations; opening, checking and renaming of the file.
//!
//! | table | one row for each |
//! | --- | --- |
//! | `series` | field of a source in one unit |
//! | `raw` | observation |
//! | `quarter` | quarter of an hour, by UTC |
//! | `day` | day of the site's calendar |
//! | `event` | event of a source or of the program |
//! | `meta` | property of the file: the time zone of its days |
//!
//! The rows of a series are adjacent (`WITHOUT ROWID`), so a window reads one range of pages.
//!
//! `application_id` identifies the file as one of this program, and `user_version` is the schema version. A
//! file with another id or a later version is rejected before it is written to.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;
use crate::private_file;

/// `application_id` of the file (<https://www.sqlite.org/pragma.html#pragma_application_id>): `PUMP` in ASCII.
const APPLICATION: i32 = 0x5055_4d50;

/// Longest wait for a lock of another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Migration from each schema version to the next; the first one creates the tables.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        field TEXT NOT NULL,
        unit TEXT NOT NULL,
        UNIQUE (source, field, unit)
    ) STRICT;
    CREATE TABLE raw (
        series INTEGER NOT NULL,
        at INTEGER NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (series, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE quarter (
        series INTEGER NOT NULL,
        at INTEGER NOT NULL,
        min REAL NOT NULL,
        max REAL NOT NULL,
        sum REAL NOT NULL,
        last REAL NOT NULL,
        last_at INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (series, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE day (
        series INTEGER NOT NULL,
        at INTEGER NOT NULL,
        min REAL NOT NULL,
        max REAL NOT NULL,
        sum REAL NOT NULL,
        last REAL NOT NULL,
        last_at INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (series, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        source TEXT,
        detail TEXT NOT NULL
    ) STRICT;
    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Schema version of this program.
const VERSION: i32 = MIGRATIONS.len() as i32;

/// Opens the file for writing, creates it if it does not exist, and migrates it to the current schema.
///
/// A new file has mode 0600. SQLite creates the write-ahead log and its index with the mode of the
/// file.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    private_file::create(path).map_err(|error| StoreError::File(path.to_owned(), error))?;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let version = schema_version(&connection, path)?;
    // WAL: readers and the writer do not block each other. FULL: a commit is synced to the disk, so
    // it survives a power cut.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    migrate(&mut connection, version, &MIGRATIONS)?;
    Ok(connection)
}

/// Migrates a file from `version` by the remaining steps, each in a separate transaction.
fn migrate(connection: &mut Connection, version: i32, steps: &[&str]) -> Result<(), StoreError> {
    for (done, step) in (0..).zip(steps).skip(usize::try_from(version).unwrap_or(0)) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", done + 1)?;
        transaction.commit()?;
        if version > 0 {
            log::info!("migrated the history from schema version {done} to {}", done + 1);
        }
    }
    Ok(())
}

/// Opens the file for reading.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if schema_version(&connection, path)? == 0 {
        return Err(StoreError::Damaged(format!("{} contains no history", path.display())));
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

/// Page cache of a connection.
const CACHE_KIB: i64 = 256;

/// Returns the schema version of the file: 0 if it is new. Rejects a file of another program.
fn schema_version(connection: &Connection, path: &Path) -> Result<i32, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, found) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION, 1..=VERSION) => Ok(found),
        (APPLICATION, 0 | i32::MIN..0) => {
            Err(StoreError::Damaged(format!("{} has no schema version", path.display())))
        }
        (APPLICATION, _) => {
            Err(StoreError::NewerVersion { path: path.to_owned(), found, supported: VERSION })
        }
        _ => Err(StoreError::Foreign(path.to_owned())),
    }
}

/// Checks the whole file for damage.
pub(super) fn verify(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // The first line names the database, of which there is one.
    match found.lines().next_back() {
        Some("ok") => Ok(()),
        first => {
            Err(StoreError::Damaged(first.unwrap_or("quick_check returned nothing").to_owned()))
        }
    }
}

/// Checks the whole file as [`verify`] does, and calls `beat` meanwhile. A file of years on a slow memory card
/// takes minutes.
pub(super) fn verify_with(
    connection: &mut Connection,
    beat: impl Fn() + Send + 'static,
) -> Result<(), StoreError> {
    // SQLite's virtual machine instructions between two calls.
    const INSTRUCTIONS: i32 = 500;
    let handler = move || {
        beat();
        // True would interrupt the statement.
        false
    };
    connection.progress_handler(INSTRUCTIONS, Some(handler))?;
    let outcome = verify(connection);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    outcome
}

/// Renames the file, its write-ahead log and its index; returns the new path of the file.
///
/// The log is renamed first. If a crash left it without its file, SQLite would replay it into the next file.
pub(super) fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    const SUFFIXES: [&str; 3] = ["-wal", "-shm", ""];
    // A number distinguishes files that were set aside within the same second.
    let mut names = (1_u64..).map(|number| match number {
        1 => format!(".damaged-{stamp}"),
        number => format!(".damaged-{stamp}-{number}"),
    });
    let is_free =
        |name: &String| SUFFIXES.iter().all(|suffix| !beside(&format!("{name}{suffix}")).exists());
    let name = names.find(is_free).expect("numbers do not run out");
    for suffix in SUFFIXES {
        match std::fs::rename(beside(suffix), beside(&format!("{name}{suffix}"))) {
            Err(error) if suffix.is_empty() || error.kind() != io::ErrorKind::NotFound => {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(beside(&name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Returns a file of the first version with one row.
    fn first_version(folder: &tempfile::TempDir) -> Connection {
        let connection = open_to_write(&folder.path().join("pumphouse.db")).unwrap();
        let sql = "INSERT INTO raw (series, at, value) VALUES (1, 2, 3.5)";
        connection.execute(sql, []).unwrap();
        connection
    }

    fn version(connection: &Connection) -> i32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn file_of_an_old_version_is_migrated_step_by_step() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = first_version(&folder);
        let second = "ALTER TABLE raw ADD COLUMN quality INTEGER NOT NULL DEFAULT 7";
        let third = "UPDATE raw SET quality = quality + 1";
        migrate(&mut connection, 1, &[MIGRATIONS[0], second, third]).unwrap();
        assert_eq!(version(&connection), 3);
        let row = connection.query_row("SELECT value, quality FROM raw", [], |row| {
            Ok((row.get::<_, f64>(0)?, row.get::<_, i64>(1)?))
        });
        assert_eq!(row.unwrap(), (3.5, 8), "each step ran once");
        drop(connection);
        // This program supports version 1 only, and rejects the file.
        let path = folder.path().join("pumphouse.db");
        let error = open_to_write(&path).unwrap_err();
        assert!(matches!(error, StoreError::NewerVersion { found: 3, .. }), "{error}");
    }

    #[test]
    fn migration_that_fails_leaves_the_version_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = first_version(&folder);
        let second = "ALTER TABLE raw ADD COLUMN quality INTEGER; CREATE TABLE raw (x)";
        assert!(migrate(&mut connection, 1, &[MIGRATIONS[0], second]).is_err());
        drop(connection);
        let connection = open_to_write(&folder.path().join("pumphouse.db")).unwrap();
        assert_eq!(version(&connection), 1);
        let columns = "SELECT count(*) FROM pragma_table_info('raw')";
        let columns: i64 = connection.query_row(columns, [], |row| row.get(0)).unwrap();
        assert_eq!(columns, 3, "the failed step is rolled back");
    }

    #[test]
    fn renamed_damaged_file_replaces_no_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let now = "2026-01-31T17:20:00Z".parse().unwrap();
        for content in ["one", "two", "three"] {
            std::fs::write(&path, content).unwrap();
            let log = folder.path().join("pumphouse.db-wal");
            std::fs::write(&log, format!("{content}'s log")).unwrap();
            let aside = set_aside(&path, now).unwrap();
            assert!(!path.exists() && !log.exists());
            assert_eq!(std::fs::read_to_string(&aside).unwrap(), content);
        }
        let names = std::fs::read_dir(folder.path()).unwrap();
        assert_eq!(names.count(), 6, "three files and their logs");
    }

    #[test]
    fn log_is_renamed_even_if_its_file_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pumphouse.db");
        let log = folder.path().join("pumphouse.db-wal");
        std::fs::write(&log, "a log").unwrap();
        // The rename of the file fails, since the file does not exist.
        assert!(set_aside(&path, Timestamp::UNIX_EPOCH).is_err());
        assert!(!log.exists());
    }

    #[test]
    fn long_check_sends_heartbeats() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = first_version(&folder);
        let rows = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 100000) \
                    INSERT INTO raw SELECT 2, n, n FROM n";
        connection.execute(rows, []).unwrap();
        let beats = Arc::new(AtomicU64::new(0));
        let counted = beats.clone();
        let beat = move || _ = counted.fetch_add(1, Ordering::Relaxed);
        verify_with(&mut connection, beat).unwrap();
        let count = beats.load(Ordering::Relaxed);
        assert!(count > 5, "{count} heartbeats for 100,000 rows");
        verify(&connection).unwrap();
        assert_eq!(beats.load(Ordering::Relaxed), count, "the handler is removed");
    }
}
