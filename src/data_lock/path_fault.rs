//! Faults of the history's path: `check` refuses them, and a server reports them instead of the error of SQLite,
//! which names neither the folder nor a remedy.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::file_error::Shown;
use crate::shell::quoted;

/// Longest name of a file or folder, bytes: `NAME_MAX` of Linux.
const MAX_NAME: usize = 255;

/// Bytes that the longest name beside the database adds to its own, such as
/// `.damaged-20260131T160000Z-12-wal`.
const MAX_SUFFIX: usize = 32;

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
    if path.exists() && !path.is_file() {
        return Some(format!(
            "{} is no regular file, but a device, a pipe or a socket; write the path of a file",
            Shown(path)
        ));
    }
    if let Some(fault) = long_name(path) {
        return Some(fault);
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

/// Returns a fault if a name in the path, or one beside the database, would be longer than file systems allow.
fn long_name(path: &Path) -> Option<String> {
    path.iter().rev().enumerate().find_map(|(index, name)| {
        let max = if index == 0 { MAX_NAME - MAX_SUFFIX } else { MAX_NAME };
        (name.len() > max).then(|| {
            format!(
                "a name of {} bytes in it is longer than {max}; write a shorter one",
                name.len()
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_and_long_name_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let fault = |path: &Path| path_fault(path).unwrap_or_default();
        let in_folder = |length| folder.path().join("n".repeat(length));
        assert!(fault(Path::new("/dev/null")).contains("is no regular file"));
        assert_eq!(path_fault(&in_folder(223)), None);
        assert!(fault(&in_folder(224)).contains("224 bytes in it is longer than 223"));
        assert!(fault(&in_folder(256).join("p.db")).contains("256 bytes in it is longer than 255"));
    }
}
