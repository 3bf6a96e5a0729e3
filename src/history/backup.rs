//! A copy of the whole file, made while others write to it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::error::StoreError;

/// Copies into a new file, which is there when it is whole and not before.
///
/// All pages are copied in one step, and so in one transaction: in several, each write of
/// another connection would begin the copy anew. Writers are not held up, only the end of their
/// write-ahead log is not reused meanwhile. The copy is a new file, so its mode is 0600, whatever
/// that of the original.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::File(to.to_owned(), error);
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let partial = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".partial")
        .tempfile_in(&folder)
        .map_err(failed)?
        .into_temp_path();
    let mut copy = Connection::open(&partial)?;
    let backup = Backup::new(from, &mut copy)?;
    let step = backup.step(-1)?;
    drop(backup);
    if step != StepResult::Done {
        return Err(StoreError::Locked);
    }
    copy.close().map_err(|(_, error)| error)?;
    partial.persist_noclobber(to).map_err(|error| failed(error.error))?;
    // The new name is to outlast a power cut as the copy does.
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
