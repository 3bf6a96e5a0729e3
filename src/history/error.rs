//! What can go wrong with a file of years.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database says no: disk full, no permission, a lock held by another program.
    #[error("{}", explained(.0))]
    Database(#[from] rusqlite::Error),
    /// The file is no database, or is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The file belongs to some other program.
    #[error("{0} is a database of another program")]
    Foreign(PathBuf),
    /// The file was written by a later version of this program.
    #[error("{path} has schema version {found}, and this program knows versions up to {known}")]
    FromTheFuture {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The latest that is known.
        known: i32,
    },
    /// The file has been locked by another program for too long.
    #[error("another program holds the database")]
    Locked,
    /// The file could not be made, moved or looked at.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
}

impl StoreError {
    /// Whether the file is beyond use, so that a new one has to take its place.
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Damaged(_) => true,
            StoreError::Database(error) => matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ),
            _ => false,
        }
    }
}

/// The database's own words, with what they mean to an operator where they are too terse.
fn explained(error: &rusqlite::Error) -> String {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds the database"
        }
        Some(ErrorCode::ReadOnly) => "the file may not be written",
        Some(ErrorCode::CannotOpen) => "the file cannot be opened",
        Some(ErrorCode::SystemIoFailure) => "the disk fails",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "the file is damaged",
        _ => return error.to_string(),
    };
    format!("{hint} ({error})")
}
