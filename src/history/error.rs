//! Errors of the history: of operations on the file, of reads, and for clients.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::data_lock::Holder;
use crate::kernel::file_size;
use crate::postgres::PostgresError;

/// Error of an operation on the file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite returned an error: disk full, permission denied, database locked.
    #[error("{}", explain(.0))]
    Database(#[from] rusqlite::Error),
    /// The file is not a database, or is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The file belongs to another program.
    #[error("{0} is a database of another program")]
    Foreign(PathBuf),
    /// The file was written by a later version of this program.
    #[error(
        "{path} has schema version {found}, and this program supports versions up to {supported}"
    )]
    NewerVersion {
        /// Path of the file.
        path: PathBuf,
        /// Schema version of the file.
        found: i32,
        /// Latest schema version of this program.
        supported: i32,
    },
    /// Another program has locked the file for too long.
    #[error("another program has locked the database")]
    Locked,
    /// The shared database could not be reached, or returned an error.
    #[error("the database: {0}")]
    Server(Box<PostgresError>),
    /// A copy of the file was requested, and the rows are in a database that replicas share.
    #[error("the history is in PostgreSQL: back it up with pg_dump")]
    NotAFile,
    /// The file could not be created, renamed or read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
}

impl StoreError {
    /// Returns the code of an error that SQLite returned.
    pub(super) fn sqlite_error_code(&self) -> Option<ErrorCode> {
        match self {
            StoreError::Database(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    /// Returns true if the shared database refuses a value, which it would refuse again.
    pub(super) fn is_refusal(&self) -> bool {
        let StoreError::Server(error) = self else { return false };
        let PostgresError::Server(error) = &**error else { return false };
        // Classes of data exceptions and of violated constraints.
        error.sqlstate.starts_with("22") || error.sqlstate.starts_with("23")
    }

    /// Returns true if the file is damaged, so that a new one has to replace it.
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Damaged(_) => true,
            _ => matches!(
                self.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
        }
    }
}

/// Returns SQLite's message, preceded by an explanation of common error codes.
fn explain(error: &rusqlite::Error) -> String {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has locked the database"
        }
        Some(ErrorCode::ReadOnly) => "the file is read-only",
        Some(ErrorCode::CannotOpen) => "the file cannot be opened",
        Some(ErrorCode::SystemIoFailure) => match file_size::limit() {
            None => "input/output error of the disk",
            Some(limit) => {
                return format!(
                    "input/output error of the disk, or a file would exceed {limit} bytes, the limit of \
                     `ulimit -f` or LimitFSIZE= ({error})"
                );
            }
        },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "the file is damaged",
        _ => return error.to_string(),
    };
    format!("{hint} ({error})")
}

impl From<PostgresError> for StoreError {
    fn from(error: PostgresError) -> StoreError {
        StoreError::Server(Box::new(error))
    }
}

/// Error of a read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No reader became free in time.
    #[error("the history is busy")]
    Busy,
    /// The shared database does not answer.
    #[error("the database does not answer")]
    Away,
    /// The file could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Error of a read for clients. The cause is logged and not sent to them.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The configuration has no history.
    #[error("no history is recorded")]
    Off,
    /// Another process records the history.
    #[error("another process records the history")]
    Held(Arc<Holder>),
    /// The file is not open, or not yet.
    #[error("the history is not open")]
    Closed,
    /// No reader became free in time.
    #[error("the history is busy")]
    Busy,
    /// The shared database does not answer.
    #[error("the database of the history does not answer")]
    Away,
    /// The file could not be read.
    #[error("the history cannot be read")]
    Unreadable,
}

impl From<StoreError> for HistoryError {
    fn from(_: StoreError) -> HistoryError {
        HistoryError::Unreadable
    }
}
