//! Place of the lock's file: beside the database, where its symbolic links end.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

/// Maximum number of symbolic links that are followed to a database that does not exist yet.
const MAX_LINKS: usize = 8;

/// Returns the path of the lock of a database.
pub fn lock_path(database: &Path) -> PathBuf {
    let mut name = resolve(database).into_os_string();
    name.push(".lock");
    name.into()
}

/// Returns a warning if a database has a second name that is no symbolic link: a process that opens it by that
/// name takes another lock.
pub fn second_name(database: &Path) -> Option<String> {
    let path = resolve(database);
    let metadata = fs::metadata(&path).ok()?;
    let cause = if metadata.is_file() && metadata.nlink() > 1 {
        "has a second name (a hard link): remove one of the two"
    } else {
        let folder = path.parent()?;
        (mount(&path)? != mount(folder)?)
            .then_some("is a mount of its own: mount its folder instead")?
    };
    Some(format!(
        "the history {} {cause}; a server that opens it by another name has another lock, and both would \
         record it",
        database.display()
    ))
}

/// Returns the number of the mount that a path is in; `None` on kernels before 5.8, which do not report it.
fn mount(path: &Path) -> Option<u64> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    StatxFlags::from_bits_retain(found.stx_mask)
        .contains(StatxFlags::MNT_ID)
        .then_some(found.stx_mnt_id)
}

/// Returns the path of a database with its symbolic links resolved, also if it does not exist yet.
pub(super) fn resolve(path: &Path) -> PathBuf {
    let parent = |path: &Path| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if let Ok(real) = fs::canonicalize(&path) {
            return real;
        }
        match fs::read_link(&path) {
            Ok(target) => path = parent(&path).join(target),
            Err(_) => break,
        }
    }
    match (fs::canonicalize(parent(&path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}
