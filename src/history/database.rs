//! SQLite files of this program: opening, checking, and renaming of damaged ones.
//!
//! `application_id` identifies a file as one of this program, and `user_version` is its schema version
//! (<https://www.sqlite.org/pragma.html#pragma_application_id>). A file with another id or a later version is rejected
//! before it is written to.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;
use crate::private_file;

/// Kind of a file.
pub(crate) struct DatabaseKind {
    /// Its `application_id`.
    pub(crate) application: i32,
    /// Its latest schema version.
    pub(crate) latest: i32,
}

impl DatabaseKind {
    /// Opens a file for writing, and creates it if it does not exist. Returns its schema version: 0 if it is new.
    ///
    /// A new file has mode 0600. SQLite creates the write-ahead log and its index with the mode of the file.
    ///
    /// # Errors
    /// The file cannot be opened, is of another program or of a later version, or is damaged.
    pub(crate) fn open_to_write(
        &self,
        path: &Path,
        busy_timeout: Duration,
    ) -> Result<(Connection, i32), StoreError> {
        private_file::create(path).map_err(|error| StoreError::File(path.to_owned(), error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        self.open(path, flags, busy_timeout)
    }

    /// Opens a file for reading. Returns its schema version.
    ///
    /// # Errors
    /// The file cannot be opened, is of another program or of a later version, or is damaged or empty.
    pub(crate) fn open_to_read(
        &self,
        path: &Path,
        busy_timeout: Duration,
    ) -> Result<(Connection, i32), StoreError> {
        let opened = self.open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy_timeout)?;
        match opened.1 {
            0 => Err(StoreError::Damaged(format!("{} contains no tables", path.display()))),
            _ => Ok(opened),
        }
    }

    fn open(
        &self,
        path: &Path,
        flags: OpenFlags,
        busy_timeout: Duration,
    ) -> Result<(Connection, i32), StoreError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy_timeout)?;
        let version = self.version(&connection, path)?;
        Ok((connection, version))
    }

    /// Returns the schema version of a file: 0 if it is new.
    fn version(&self, connection: &Connection, path: &Path) -> Result<i32, StoreError> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let (application, found) = (pragma("application_id")?, pragma("user_version")?);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let &DatabaseKind { application: own, latest } = self;
        match (application, found) {
            (0, 0) if tables == 0 => Ok(0),
            _ if application != own => Err(StoreError::Foreign(path.to_owned())),
            (_, ..=0) => {
                Err(StoreError::Damaged(format!("{} has no schema version", path.display())))
            }
            (_, found) if found > latest => {
                Err(StoreError::NewerVersion { path: path.to_owned(), found, supported: latest })
            }
            (_, found) => Ok(found),
        }
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
    use super::*;

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
}
