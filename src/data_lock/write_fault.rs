//! Missing rights to write the history's folder or file, as this process's user.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use crate::file_error::{Shown, user_name};
use crate::shell::quoted;

/// Reason why this process's user cannot write a database. Displayed with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteFault {
    /// The user has no right to write the file or its folder.
    #[error(
        "the user {user} must not write {}; allow it, as root: chown {} {}",
        Shown(path),
        quoted(Path::new(user)),
        quoted(path)
    )]
    NoRights {
        /// The file or its folder.
        path: PathBuf,
        /// Name of the user.
        user: String,
    },
    /// The file system is read-only.
    #[error(
        "{} is on a read-only file system; mount it writable, or write another \"path\" in [history]",
        Shown(path)
    )]
    ReadOnly {
        /// The file or its folder.
        path: PathBuf,
    },
}

/// Returns the reason why this process's user cannot write a database. SQLite's own error names neither the
/// user nor a remedy.
///
/// The folder has to be writable, too: files beside the database are created in it.
pub fn write_fault(path: &Path) -> Option<WriteFault> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let check = |path: &Path, access| match accessat(CWD, path, access, AtFlags::EACCESS) {
        Ok(()) => None,
        Err(error) => explain(error, path, user_name),
    };
    check(folder, Access::WRITE_OK | Access::EXEC_OK)
        .or_else(|| check(path, Access::READ_OK | Access::WRITE_OK))
}

/// Returns the meaning of an error; `None` for one that does not concern rights.
fn explain(error: Errno, path: &Path, user: impl Fn() -> String) -> Option<WriteFault> {
    let path = path.to_owned();
    match error {
        Errno::ACCESS | Errno::PERM => Some(WriteFault::NoRights { path, user: user() }),
        Errno::ROFS => Some(WriteFault::ReadOnly { path }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn fault_names_the_user_and_the_command() {
        for (error, expected) in [
            (
                Errno::ACCESS,
                Some("the user anna must not write /a b; allow it, as root: chown anna '/a b'"),
            ),
            (Errno::ROFS, Some("/a b is on a read-only file system; mount it writable")),
            (Errno::NOENT, None),
        ] {
            let fault = explain(error, Path::new("/a b"), || "anna".to_owned());
            let text = fault.map(|fault| fault.to_string());
            match expected {
                Some(expected) => assert!(text.as_ref().unwrap().starts_with(expected), "{text:?}"),
                None => assert_eq!(text, None),
            }
        }
    }

    #[test]
    fn folder_and_file_are_both_to_be_writable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.db");
        assert_eq!(write_fault(&path), None);
        // Root may write everywhere.
        let is_root = rustix::process::geteuid().is_root();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert_eq!(write_fault(&path).is_none(), is_root);
        fs::remove_file(&path).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).unwrap();
        assert_eq!(write_fault(&path).is_none(), is_root);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    }
}
