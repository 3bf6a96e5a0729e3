//! Tables of the file, and opening it.
//!
//! | table | one row for each |
//! | --- | --- |
//! | `state` | state of a rule on a subject; `source` is empty for the server |
//! | `incident` | incident; `fired_at` and `ended_at` are in milliseconds since 1970, the rest is JSON |
//! | `silence` | alert that is silenced; `until` is RFC 3339 |
//! | `notice` | notice that is not known to be sent |

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::history::StoreError;
use crate::private_file;

/// `application_id` of the file (<https://www.sqlite.org/pragma.html#pragma_application_id>): `PUMA` in ASCII.
const APPLICATION: i32 = 0x5055_4d41;

/// Schema version of this program.
pub(super) const VERSION: i32 = 1;

/// Longest wait for a lock of another program.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for a reader, which is a worker that serves a request.
const READ_BUSY_TIMEOUT: Duration = Duration::from_millis(250);

/// Size to which the write-ahead log is cut after a checkpoint.
const MAX_WAL_BYTES: i64 = 256 * 1024;

/// Pages of the write-ahead log after which it is copied into the file.
const CHECKPOINT_PAGES: i64 = 64;

/// Page cache of a connection.
const CACHE_KIB: i64 = 256;

const TABLES: &str = "
    CREATE TABLE state (
        alert TEXT NOT NULL,
        source TEXT NOT NULL,
        fingerprint INTEGER NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (alert, source)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE incident (
        id INTEGER PRIMARY KEY,
        alert TEXT NOT NULL,
        fired_at INTEGER NOT NULL,
        ended_at INTEGER,
        content TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incident_of_alert ON incident (alert, fired_at, id);
    CREATE INDEX incident_ended ON incident (ended_at, id);
    CREATE INDEX incident_of_alert_ended ON incident (alert, ended_at, id);
    CREATE TABLE silence (
        alert TEXT PRIMARY KEY,
        until TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE notice (
        channel TEXT NOT NULL,
        incident INTEGER NOT NULL,
        kind TEXT NOT NULL,
        number INTEGER NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (channel, incident, kind, number)
    ) STRICT, WITHOUT ROWID;
";

/// Opens the file for writing, and creates it if it does not exist.
///
/// A new file has mode 0600. SQLite creates the write-ahead log and its index with the mode of the file.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    private_file::create(path).map_err(|error| StoreError::File(path.to_owned(), error))?;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let version = schema_version(&connection, path)?;
    // WAL: readers do not block the writer. FULL: a commit is synced to the disk, so it survives a power cut.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", MAX_WAL_BYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    if version == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Opens the file for reading.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(READ_BUSY_TIMEOUT)?;
    match schema_version(&connection, path)? {
        0 => Err(StoreError::Damaged(format!("{} contains no alerts", path.display()))),
        _ => Ok(connection),
    }
}

/// Returns the schema version of the file: 0 if it is new. Rejects a file of another program.
fn schema_version(connection: &Connection, path: &Path) -> Result<i32, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, found) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION, 1..=VERSION) => Ok(found),
        (APPLICATION, i32::MIN..=0) => {
            Err(StoreError::Damaged(format!("{} has no schema version", path.display())))
        }
        (APPLICATION, _) => {
            Err(StoreError::NewerVersion { path: path.to_owned(), found, supported: VERSION })
        }
        _ => Err(StoreError::Foreign(path.to_owned())),
    }
}
