//! Copies the file while the recorder writes to it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::error::StoreError;

/// Copies the file to `to`, which must not exist. The copy appears under that name once it is
/// complete.
///
/// All pages are copied in one step, that is in one read transaction. Copied in several steps, the
/// backup would restart at each write of another connection
/// (<https://www.sqlite.org/backup.html>). Writers are not blocked; only the write-ahead log cannot be
/// reset meanwhile. The copy has mode 0600, regardless of the mode of the original.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let file_error = |error: io::Error| StoreError::File(to.to_owned(), error);
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let partial = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".partial")
        .tempfile_in(&folder)
        .map_err(file_error)?
        .into_temp_path();
    let mut copy = Connection::open(&partial)?;
    let backup = Backup::new(from, &mut copy)?;
    let step = backup.step(-1)?;
    drop(backup);
    if step != StepResult::Done {
        return Err(StoreError::Locked);
    }
    copy.close().map_err(|(_, error)| error)?;
    partial.persist_noclobber(to).map_err(|error| file_error(error.error))?;
    // Syncs the folder, so that the new name survives a power cut.
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(file_error)
}
