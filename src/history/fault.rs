//! Kinds of faults for which the history is not written, for programs: `doctor` chooses its advice by them.

use std::io;

use rusqlite::ErrorCode;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::error::StoreError;
use crate::data_lock::WriteFault;

/// Kind of a fault. Later versions may add kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum FaultKind {
    /// No file can be at the path: it is a folder or a device, or its folder does not exist.
    NoPlace,
    /// The server's user must not write the file or its folder.
    NoRights,
    /// The file system or the file is read-only.
    ReadOnly,
    /// The disk or the user's quota is full.
    DiskFull,
    /// The disk returned an input/output error, or the file would exceed the limit of the size of files.
    DiskError,
    /// Observations arrive faster than the disk writes them.
    TooSlow,
    /// Another process of this program records the history.
    Held,
    /// Another program has locked the database.
    Locked,
    /// The file is damaged.
    Damaged,
    /// The file is a database of another program.
    Foreign,
    /// The file was written by a later version of this program.
    NewerVersion,
    /// The shared database does not answer, or returned an error.
    Store,
    /// The clock of the machine is earlier than the latest record.
    Clock,
    /// Any other error.
    Other,
}

impl FaultKind {
    /// Returns the name of the kind.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<&WriteFault> for FaultKind {
    fn from(fault: &WriteFault) -> FaultKind {
        match fault {
            WriteFault::NoRights { .. } => FaultKind::NoRights,
            WriteFault::ReadOnly { .. } => FaultKind::ReadOnly,
        }
    }
}

impl From<&StoreError> for FaultKind {
    fn from(error: &StoreError) -> FaultKind {
        match error {
            StoreError::Server(_) | StoreError::NotAFile => FaultKind::Store,
            StoreError::Database(error) => of_sqlite(error.sqlite_error_code()),
            StoreError::Damaged(_) => FaultKind::Damaged,
            StoreError::Foreign(_) => FaultKind::Foreign,
            StoreError::NewerVersion { .. } => FaultKind::NewerVersion,
            StoreError::Locked => FaultKind::Locked,
            StoreError::File(_, error) => of_io(error.kind()),
        }
    }
}

fn of_sqlite(code: Option<ErrorCode>) -> FaultKind {
    match code {
        Some(ErrorCode::PermissionDenied) => FaultKind::NoRights,
        Some(ErrorCode::ReadOnly) => FaultKind::ReadOnly,
        Some(ErrorCode::DiskFull) => FaultKind::DiskFull,
        Some(ErrorCode::SystemIoFailure) => FaultKind::DiskError,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => FaultKind::Locked,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => FaultKind::Damaged,
        _ => FaultKind::Other,
    }
}

fn of_io(kind: io::ErrorKind) -> FaultKind {
    match kind {
        io::ErrorKind::PermissionDenied => FaultKind::NoRights,
        io::ErrorKind::ReadOnlyFilesystem => FaultKind::ReadOnly,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FaultKind::DiskFull,
        _ => FaultKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn kind_follows_the_error_of_sqlite_or_of_the_system() {
        let sqlite = |code| {
            StoreError::Database(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
        };
        let file = |kind: io::ErrorKind| StoreError::File("p.db".into(), kind.into());
        for (error, expected) in [
            (sqlite(ffi::SQLITE_FULL), FaultKind::DiskFull),
            (sqlite(ffi::SQLITE_IOERR_WRITE), FaultKind::DiskError),
            (sqlite(ffi::SQLITE_READONLY_DBMOVED), FaultKind::ReadOnly),
            (sqlite(ffi::SQLITE_BUSY), FaultKind::Locked),
            (sqlite(ffi::SQLITE_NOTADB), FaultKind::Damaged),
            (sqlite(ffi::SQLITE_CANTOPEN), FaultKind::Other),
            (file(io::ErrorKind::PermissionDenied), FaultKind::NoRights),
            (file(io::ErrorKind::ReadOnlyFilesystem), FaultKind::ReadOnly),
            (file(io::ErrorKind::QuotaExceeded), FaultKind::DiskFull),
            (file(io::ErrorKind::NotFound), FaultKind::Other),
            (StoreError::Foreign("p.db".into()), FaultKind::Foreign),
        ] {
            assert_eq!(FaultKind::from(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn name_of_each_kind_is_in_kebab_case_and_read_again() {
        for &kind in FaultKind::VARIANTS {
            let name = kind.as_str();
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
            assert_eq!(name.parse(), Ok(kind));
        }
        assert_eq!(FaultKind::NewerVersion.as_str(), "newer-version");
    }
}
