//! Faults of the history's path, which `serve` reports as a history that cannot be written.

use std::path::Path;

use crate::data_lock::{find_holder, second_name};
use crate::file_error::Shown;
use crate::shell::quoted;

/// Returns notes on the lock of a database: another process has it, or it may be missed.
pub(super) fn notes(path: &Path) -> Vec<String> {
    let holder = find_holder(path).map(|holder| {
        format!(
            "{}: another process records this history: {holder}; a second server serves without it",
            path.display()
        )
    });
    holder.into_iter().chain(second_name(path)).collect()
}

/// Returns the reason why no database can be at a path.
pub(super) fn fault(path: &Path) -> Option<String> {
    if path.is_dir() {
        let file = path.join("pumphouse.db");
        return Some(format!(
            "{} is a folder; write the path of a file in it, such as \"{}\"",
            Shown(path),
            file.display()
        ));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    if folder.is_dir() {
        return None;
    }
    if folder.exists() {
        return Some(format!(
            "{} is no folder, so {} cannot be in it",
            Shown(folder),
            path.display()
        ));
    }
    Some(format!(
        "the folder {} does not exist, so {} cannot be stored; make it: mkdir -p {}",
        Shown(folder),
        path.display(),
        quoted(folder)
    ))
}
