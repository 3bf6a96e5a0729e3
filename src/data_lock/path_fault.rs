//! Faults of the history's path: `check` refuses them, and a server reports them instead of the error of SQLite,
//! which names neither the folder nor a remedy.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::file_error::Shown;
use crate::shell::quoted;

/// Returns the reason why no database can be at a path, and the remedy.
pub fn path_fault(path: &Path) -> Option<String> {
    if path.is_dir() {
        let file = path.join("pumphouse.db");
        return Some(format!(
            "{} is a folder; write the path of a file in it, such as \"{}\"",
            Shown(path),
            file.display()
        ));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty())?;
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => {
            return Some(format!(
                "{} is no folder, so {} cannot be in it",
                Shown(folder),
                path.display()
            ));
        }
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
        // Another error does not show that no file can be there.
        Err(_) => return None,
    }
    Some(format!(
        "the folder {} does not exist, so {} cannot be stored; make it: mkdir -p {}",
        Shown(folder),
        path.display(),
        quoted(folder)
    ))
}
