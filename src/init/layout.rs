//! The folders of a run, and the program.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::InitError;
use super::folder::Owner;
use super::names::CONFIGURATION;

/// Returns the absolute path of a folder that may not exist yet. Links are followed as far as it exists.
///
/// # Errors
/// It is a file, or cannot be entered.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, InitError> {
    let error = |error| InitError::Folder { path: path.to_owned(), error };
    let absolute = std::path::absolute(path).map_err(error)?;
    for existing in absolute.ancestors() {
        match existing.canonicalize() {
            Err(failed) if failed.kind() == io::ErrorKind::NotFound => {}
            Err(failed) => return Err(error(failed)),
            Ok(found) if !found.is_dir() => return Err(error(io::ErrorKind::NotADirectory.into())),
            Ok(found) => {
                let missing = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
                return Ok(found.join(missing).components().collect());
            }
        }
    }
    Err(error(io::ErrorKind::NotFound.into()))
}

/// Returns true if every user may run a program: they can pass all of its folders.
pub(super) fn is_executable_by_all(binary: &Path) -> bool {
    const BY_OTHERS: u32 = 0o001;
    let is_passable = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & BY_OTHERS != 0)
    };
    binary.ancestors().all(is_passable)
}

/// Checks that files can be made in a folder, if it exists: before the questions, whose answers would be lost.
///
/// # Errors
/// They cannot.
pub(super) fn check_writable(folder: &Path) -> Result<(), InitError> {
    let access =
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match access {
        Err(error) if error != rustix::io::Errno::NOENT => {
            Err(InitError::Folder { path: folder.to_owned(), error: error.into() })
        }
        _ => Ok(()),
    }
}

/// Folders of this run, all absolute.
#[derive(Debug)]
pub(super) struct Layout {
    /// Folder of the configuration.
    pub folder: PathBuf,
    /// Folder of the history.
    pub state: PathBuf,
    /// This program.
    pub binary: PathBuf,
    /// True if the server runs in the folder: its paths are relative then, so that it can be moved.
    pub is_relative: bool,
}

impl Layout {
    /// Returns the folders, with this program.
    ///
    /// # Errors
    /// A path is not UTF-8.
    pub(super) fn new(folder: PathBuf, state: Option<PathBuf>) -> Result<Layout, InitError> {
        let is_relative = state.is_none() && std::env::current_dir().is_ok_and(|it| it == folder);
        let state = state.unwrap_or_else(|| folder.clone());
        if let Some(path) = [&folder, &state].into_iter().find(|path| path.to_str().is_none()) {
            return Err(InitError::NotUtf8(path.clone()));
        }
        // A name to be found by PATH, if the system does not know the path.
        let binary = std::env::current_exe().unwrap_or_else(|_| "pumphouse-web".into());
        Ok(Layout { folder, state, binary, is_relative })
    }

    /// Returns the path of the configuration.
    pub(super) fn configuration(&self) -> PathBuf {
        if self.is_relative { CONFIGURATION.into() } else { self.folder.join(CONFIGURATION) }
    }

    /// Returns the user and the group that the server runs as.
    pub(super) fn account(&self, owner: Owner) -> (u32, u32) {
        let own = || (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        owner.unwrap_or_else(own)
    }

    /// Returns true if the server runs as root.
    pub(super) fn runs_as_root(&self, owner: Owner) -> bool {
        self.account(owner).0 == 0
    }
}
