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

use rusqlite::Connection;

use crate::history::{DatabaseKind, StoreError};

/// `application_id` of the file: `PUMA` in ASCII.
const APPLICATION: i32 = 0x5055_4d41;

/// Schema version of this program.
pub(super) const VERSION: i32 = 1;

/// The file.
const KIND: DatabaseKind = DatabaseKind { application: APPLICATION, latest: VERSION };

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
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let (mut connection, version) = KIND.open_to_write(path, BUSY_TIMEOUT)?;
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
    Ok(KIND.open_to_read(path, READ_BUSY_TIMEOUT)?.0)
}
