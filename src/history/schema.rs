//! Tables of the file and their migrations; opening, checking and renaming of the file.
//!
//! | table | one row for each |
//! | --- | --- |
//! | `series` | field of a source in one unit; the largest `recorded` of a field is that of its present unit |
//! | `raw` | observation; `qualifier` is the period of an amount or the wind speed of a direction |
//! | `quarter` | quarter of an hour, by UTC |
//! | `day` | day of the site's calendar |
//! | `event` | event of a source or of the program |
//! | `meta` | property of the file: see [`meta`](super::meta) |
//!
//! The rows of a series are adjacent (`WITHOUT ROWID`), so a window reads one range of pages.
//!
//! Rollups have a total: `amount`, or the vector `east`, `north` with the sum of its `weight`s. It is null if
//! the series needs none, or if it is not known: see [`observation`](super::observation).
//!
//! `application_id` identifies the file as one of this program, and `user_version` is the schema version. A
//! file with another id or a later version is rejected before it is written to.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, Transaction};

use super::error::StoreError;
use crate::private_file;

/// `application_id` of the file (<https://www.sqlite.org/pragma.html#pragma_application_id>): `PUMP` in ASCII.
const APPLICATION: i32 = 0x5055_4d50;

/// Longest wait for a lock of another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Migration from each schema version to the next; the first one creates the tables.
const MIGRATIONS: [&str; 2] = [
    "
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
    ",
    // Totals over time. `upgrade` computes them.
    "
    ALTER TABLE series ADD COLUMN over_time TEXT NOT NULL DEFAULT '';
    ALTER TABLE series ADD COLUMN period REAL;
    ALTER TABLE series ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE raw ADD COLUMN qualifier REAL;
    ALTER TABLE quarter ADD COLUMN amount REAL;
    ALTER TABLE quarter ADD COLUMN east REAL;
    ALTER TABLE quarter ADD COLUMN north REAL;
    ALTER TABLE quarter ADD COLUMN weight REAL;
    ALTER TABLE day ADD COLUMN amount REAL;
    ALTER TABLE day ADD COLUMN east REAL;
    ALTER TABLE day ADD COLUMN north REAL;
    ALTER TABLE day ADD COLUMN weight REAL;
    ",
];

/// Views by which a reader sees a file of the first version as one of this version, before the program that
/// writes it has migrated it. The names of temporary views take precedence over those of tables.
const FIRST_VERSION_VIEWS: &str = "
    CREATE TEMP VIEW series AS SELECT id, source, field, unit, '' AS over_time, NULL AS period,
        (SELECT last_at FROM main.day AS latest WHERE latest.series = id
         ORDER BY at DESC LIMIT 1) AS recorded FROM main.series;
    CREATE TEMP VIEW raw AS SELECT series, at, value, NULL AS qualifier FROM main.raw;
    CREATE TEMP VIEW quarter AS SELECT series, at, min, max, sum, last, last_at, count,
        NULL AS amount, NULL AS east, NULL AS north, NULL AS weight FROM main.quarter;
    CREATE TEMP VIEW day AS SELECT series, at, min, max, sum, last, last_at, count,
        NULL AS amount, NULL AS east, NULL AS north, NULL AS weight FROM main.day;
";

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 64;

/// Schema version of this program.
const VERSION: i32 = MIGRATIONS.len() as i32;

/// Creates a file of the first version.
#[cfg(test)]
pub(super) fn create_first_version(path: &Path) -> Connection {
    let mut connection = Connection::open(path).unwrap();
    migrate(&mut connection, 0, &MIGRATIONS[..1], |_, _| Ok(())).unwrap();
    connection
}

/// Opens the file for writing, creates it if it does not exist, and migrates it to the current schema.
/// Calls `beat` during long statements.
///
/// All steps of a migration and `upgrade`, which gets the version before them, are one transaction: if the
/// process dies or the disk is full, the file stays as it was.
///
/// A new file has mode 0600. SQLite creates the write-ahead log and its index with the mode of the
/// file.
pub(super) fn open_to_write(
    path: &Path,
    beat: impl Fn() + Send + 'static,
    upgrade: impl FnOnce(&Transaction<'_>, i32) -> Result<(), StoreError>,
) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    private_file::create(path).map_err(|error| StoreError::File(path.to_owned(), error))?;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let version = schema_version(&connection, path)?;
    beat_during_statements(&mut connection, beat)?;
    // WAL: readers and the writer do not block each other. FULL: a commit is synced to the disk, so
    // it survives a power cut.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    migrate(&mut connection, version, &MIGRATIONS, upgrade)?;
    Ok(connection)
}

/// Migrates a file from `version` by the remaining steps and `upgrade`, in one transaction.
fn migrate(
    connection: &mut Connection,
    version: i32,
    steps: &[&str],
    upgrade: impl FnOnce(&Transaction<'_>, i32) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let latest = i32::try_from(steps.len()).unwrap_or(i32::MAX);
    if version >= latest {
        return Ok(());
    }
    if version > 0 {
        log::info!("migrating the history from schema version {version} to {latest}");
        // A damaged file is set aside unchanged.
        verify(connection)?;
    }
    let transaction = connection.transaction()?;
    for step in steps.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", latest)?;
    upgrade(&transaction, version)?;
    transaction.commit()?;
    if version > 0 {
        log::info!("migrated the history to schema version {latest}");
    }
    Ok(())
}

/// Calls `beat` during all statements of a connection: a migration, a check of a file of years or a
/// recomputation takes minutes on a slow memory card. A statement that hangs in the kernel does not call it.
fn beat_during_statements(
    connection: &mut Connection,
    beat: impl Fn() + Send + 'static,
) -> Result<(), StoreError> {
    /// SQLite's virtual machine instructions between two calls. The instruction that checks a table takes
    /// long, so checks count few.
    const INSTRUCTIONS: i32 = 500;
    let handler = move || {
        beat();
        // True would interrupt the statement.
        false
    };
    Ok(connection.progress_handler(INSTRUCTIONS, Some(handler))?)
}

/// Opens the file for reading.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    match schema_version(&connection, path)? {
        0 => return Err(StoreError::Damaged(format!("{} contains no history", path.display()))),
        1 => connection.execute_batch(FIRST_VERSION_VIEWS)?,
        _ => {}
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
pub(crate) fn verify(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // The first line names the database, of which there is one.
    match found.lines().next_back() {
        Some("ok") => Ok(()),
        first => {
            Err(StoreError::Damaged(first.unwrap_or("quick_check returned nothing").to_owned()))
        }
    }
}

/// Renames the file, its write-ahead log and its index; returns the new path of the file.
///
/// The log is renamed first. If a crash left it without its file, SQLite would replay it into the next file.
pub(crate) fn set_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
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

    fn open(folder: &tempfile::TempDir, beat: impl Fn() + Send + 'static) -> Connection {
        open_to_write(&folder.path().join("pumphouse.db"), beat, |_, _| Ok(())).unwrap()
    }

    /// Returns a file of this version with one row.
    fn with_a_row(folder: &tempfile::TempDir) -> Connection {
        let connection = open(folder, || {});
        connection.execute("INSERT INTO raw (series, at, value) VALUES (1, 2, 3.5)", []).unwrap();
        connection
    }

    fn version(connection: &Connection) -> i32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    /// Returns the steps to this version, and further ones.
    fn steps(further: &[&'static str]) -> Vec<&'static str> {
        MIGRATIONS.iter().chain(further).copied().collect()
    }

    #[test]
    fn file_of_an_old_version_is_migrated_by_the_remaining_steps() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = with_a_row(&folder);
        let next = "ALTER TABLE raw ADD COLUMN quality INTEGER NOT NULL DEFAULT 7";
        let after = "UPDATE raw SET quality = quality + 1";
        let mut upgraded = Vec::new();
        migrate(&mut connection, VERSION, &steps(&[next, after]), |_, from| {
            upgraded.push(from);
            Ok(())
        })
        .unwrap();
        assert_eq!((version(&connection), upgraded), (VERSION + 2, vec![VERSION]));
        let row = connection.query_row("SELECT value, quality FROM raw", [], |row| {
            Ok((row.get::<_, f64>(0)?, row.get::<_, i64>(1)?))
        });
        assert_eq!(row.unwrap(), (3.5, 8), "each step ran once");
        drop(connection);
        // This program does not support that version, and rejects the file.
        let path = folder.path().join("pumphouse.db");
        let error = open_to_write(&path, || {}, |_, _| Ok(())).unwrap_err();
        assert!(matches!(error, StoreError::NewerVersion { found: 4, .. }), "{error}");
    }

    #[test]
    fn migration_that_fails_leaves_the_version_before_it() {
        let next = "ALTER TABLE raw ADD COLUMN quality INTEGER";
        let failed = || Err(StoreError::Damaged("no".to_owned()));
        for (step, outcome) in [(next, failed()), ("CREATE TABLE raw (x)", Ok(()))] {
            let folder = tempfile::tempdir().unwrap();
            let mut connection = with_a_row(&folder);
            assert!(
                migrate(&mut connection, VERSION, &steps(&[next, step]), |_, _| outcome).is_err()
            );
            drop(connection);
            let connection = open(&folder, || {});
            assert_eq!(version(&connection), VERSION);
            let columns = "SELECT count(*) FROM pragma_table_info('raw')";
            let columns: i64 = connection.query_row(columns, [], |row| row.get(0)).unwrap();
            assert_eq!(columns, 4, "the failed step is rolled back");
        }
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
    fn long_statement_sends_heartbeats() {
        let folder = tempfile::tempdir().unwrap();
        let beats = Arc::new(AtomicU64::new(0));
        let counted = beats.clone();
        let connection = open(&folder, move || _ = counted.fetch_add(1, Ordering::Relaxed));
        let rows = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 100000) \
                    INSERT INTO raw SELECT 2, n, n, NULL FROM n";
        connection.execute(rows, []).unwrap();
        beats.store(0, Ordering::Relaxed);
        verify(&connection).unwrap();
        let count = beats.load(Ordering::Relaxed);
        assert!(count > 5, "{count} heartbeats for a check of 100,000 rows");
    }
}
