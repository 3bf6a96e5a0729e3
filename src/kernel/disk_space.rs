//! Space of a file system.

use std::io;
use std::path::Path;

use rustix::fs::statvfs;

/// Space of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Space that this user can fill.
    pub available: u64,
    /// Size of the file system.
    pub total: u64,
}

impl DiskSpace {
    /// Returns that of the file system of a path. A file system that hangs blocks the caller.
    ///
    /// # Errors
    /// The path does not exist, or its file system does not answer.
    pub fn of(path: &Path) -> io::Result<DiskSpace> {
        let found = statvfs(path)?;
        Ok(DiskSpace {
            available: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_of_a_folder_is_a_part_of_its_file_system() {
        let folder = tempfile::tempdir().unwrap();
        let space = DiskSpace::of(folder.path()).unwrap();
        assert!(space.available <= space.total && space.total > 0, "{space:?}");
        assert!(DiskSpace::of(&folder.path().join("none")).is_err());
    }
}
