//! Tables of the file, and their migrations.
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

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Transaction};

use super::database::{DatabaseKind, verify};
use super::error::StoreError;

/// `application_id` of the file: `PUMP` in ASCII.
const APPLICATION: i32 = 0x5055_4d50;

/// The file.
const KIND: DatabaseKind = DatabaseKind { application: APPLICATION, latest: VERSION };

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
pub(super) fn open_to_write(
    path: &Path,
    beat: impl Fn() + Send + 'static,
    upgrade: impl FnOnce(&Transaction<'_>, i32) -> Result<(), StoreError>,
) -> Result<Connection, StoreError> {
    let (mut connection, version) = KIND.open_to_write(path, BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
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
    let (connection, version) = KIND.open_to_read(path, BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if version == 1 {
        connection.execute_batch(FIRST_VERSION_VIEWS)?;
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

/// Returns true if a file has the tables of this version, and no reader has to pretend it.
pub(super) fn is_current(connection: &Connection) -> Result<bool, StoreError> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(version == VERSION)
}

/// Page cache of a connection.
const CACHE_KIB: i64 = 256;

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
