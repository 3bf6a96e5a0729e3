//! Folders by their descriptors.
//!
//! Root runs `init` for folders of other users, who can replace anything in them by a link at any moment.
//! So a path is walked folder by folder without following a link, and files are created, moved and given
//! to their owner below a descriptor, never by a path.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

/// Owner of files and folders, if it is another than the user that runs this program.
pub(super) type Owner = Option<(u32, u32)>;

/// Mode of a new folder until it has its owner.
const PRIVATE: Mode = Mode::RWXU;

/// Returns the owner of what root creates in a folder: the folder's.
///
/// # Errors
/// The folder cannot be examined.
pub(super) fn owner(folder: BorrowedFd<'_>) -> io::Result<Owner> {
    let stat = rustix::fs::fstat(folder)?;
    let is_root = rustix::process::geteuid().is_root();
    Ok((is_root && stat.st_uid != 0).then_some((stat.st_uid, stat.st_gid)))
}

/// Opens a folder in another one. A link is an error.
///
/// # Errors
/// It is no folder, or cannot be read.
pub(super) fn open(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    open_with(parent, name, OFlags::RDONLY)
}

fn open_with(parent: BorrowedFd<'_>, name: &OsStr, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP | Errno::NOTDIR => {
            io::Error::new(io::ErrorKind::NotADirectory, "it is no folder but a file or a link")
        }
        error => error.into(),
    })
}

/// Creates a folder in another one, and gives it to its owner.
///
/// # Errors
/// It exists, or cannot be created.
pub(super) fn create(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    mode: u32,
    owner: Owner,
) -> io::Result<OwnedFd> {
    rustix::fs::mkdirat(parent, name, PRIVATE)?;
    let adopted = open(parent, name).and_then(|folder| adopt(folder, mode, owner));
    if adopted.is_err() {
        // Removes an empty folder only.
        let _ = rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
    }
    // A power cut must not undo it.
    if let Ok(readable) = open(parent, OsStr::new(".")) {
        rustix::fs::fsync(readable)?;
    }
    adopted
}

/// Sets mode and owner of a folder that was created now.
///
/// # Errors
/// It is another one: the owner of its parent may have replaced it.
fn adopt(folder: OwnedFd, mode: u32, owner: Owner) -> io::Result<OwnedFd> {
    // One that root has just created is root's and empty. Another one like it has nothing to protect.
    let is_own = rustix::fs::fstat(&folder)?.st_uid == rustix::process::geteuid().as_raw();
    if !is_own || !is_empty(folder.as_fd())? {
        return Err(io::Error::other("it was replaced while it was created"));
    }
    if let Some((user, group)) = owner {
        rustix::fs::fchown(&folder, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    // After the owner, and whatever the umask.
    rustix::fs::fchmod(&folder, Mode::from_raw_mode(mode))?;
    Ok(folder)
}

fn is_empty(folder: BorrowedFd<'_>) -> io::Result<bool> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Folders that this run has created, each with the folder that contains it. Removed when dropped, unless
/// they have content.
#[derive(Debug, Default)]
pub(super) struct Created(Vec<(OwnedFd, OsString)>);

impl Created {
    /// Adds a folder.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn add(&mut self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        self.0.push((parent.try_clone_to_owned()?, name.to_owned()));
        Ok(())
    }

    /// Keeps the folders.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        for (parent, name) in self.0.iter().rev() {
            let _ = rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR);
        }
    }
}

/// Opens the folder at an absolute path without links, and creates missing ones with this mode.
///
/// New folders belong to `owner`, or else to the owner of the nearest folder that exists.
///
/// # Errors
/// A part is no folder, or cannot be opened or created: its path and the reason.
pub(super) fn open_or_create(
    path: &Path,
    mode: u32,
    owner_of_new: Owner,
    created: &mut Created,
) -> Result<OwnedFd, (PathBuf, io::Error)> {
    let mut walked = PathBuf::from("/");
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
    let mut folder = root.map_err(|error| (walked.clone(), error.into()))?;
    for component in path.components() {
        let name = match component {
            Component::RootDir | Component::CurDir => continue,
            Component::Normal(name) => name,
            Component::ParentDir | Component::Prefix(_) => {
                let error = "it has \"..\" behind a folder that does not exist";
                return Err((path.to_owned(), io::Error::other(error)));
            }
        };
        walked.push(name);
        // Folders on the way need not be readable.
        folder = match open_with(folder.as_fd(), name, OFlags::PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_below(folder.as_fd(), name, mode, owner_of_new, created)
            }
            opened => opened,
        }
        .map_err(|error| (walked.clone(), error))?;
    }
    open(folder.as_fd(), OsStr::new(".")).map_err(|error| (walked, error))
}

fn create_below(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    mode: u32,
    owner_of_new: Owner,
    created: &mut Created,
) -> io::Result<OwnedFd> {
    let owner = owner_of_new.map_or_else(|| owner(parent), |owner| Ok(Some(owner)))?;
    let folder = create(parent, name, mode, owner)?;
    created.add(parent, name)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    /// A user that exists nowhere.
    const USER: (u32, u32) = (4711, 4712);

    fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    fn opened(path: &Path) -> OwnedFd {
        open_or_create(path, 0o755, None, &mut Created::default()).unwrap()
    }

    #[test]
    fn new_folders_have_the_owner_of_the_nearest_one_that_exists() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        if is_root() {
            std::os::unix::fs::chown(&root, Some(USER.0), Some(USER.1)).unwrap();
        }
        let expected = fs::metadata(&root).unwrap();
        let mut created = Created::default();
        let path = root.join("a/b");
        let folder = open_or_create(&path, 0o750, None, &mut created).unwrap();
        for path in [root.join("a"), path.clone()] {
            let found = fs::metadata(&path).unwrap();
            assert_eq!((found.uid(), found.gid()), (expected.uid(), expected.gid()));
            assert_eq!(found.mode() & 0o777, 0o750, "{}", path.display());
        }
        let owner = owner(folder.as_fd()).unwrap();
        assert_eq!(owner, is_root().then_some(USER));
        drop(created);
        assert!(!root.join("a").exists());

        let mut created = Created::default();
        open_or_create(&path, 0o750, None, &mut created).unwrap();
        created.keep();
        assert!(path.is_dir());
    }

    #[test]
    fn folder_of_the_own_user_has_no_other_owner() {
        let root = tempfile::tempdir().unwrap();
        let folder = opened(&root.path().canonicalize().unwrap());
        assert_eq!(owner(folder.as_fd()).unwrap(), None);
        // That of root is not given to anyone either.
        assert_eq!(owner(opened(Path::new("/usr")).as_fd()).unwrap(), None);
    }

    #[test]
    fn link_on_the_way_is_not_followed() {
        let (root, victim) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = root.path().canonicalize().unwrap();
        fs::create_dir(victim.path().join("inner")).unwrap();
        symlink(victim.path(), root.join("link")).unwrap();
        for path in ["link", "link/inner", "link/new"] {
            let mut created = Created::default();
            let failed = open_or_create(&root.join(path), 0o755, None, &mut created);
            let (at, error) = failed.unwrap_err();
            assert_eq!(at, root.join("link"), "{path}");
            assert!(error.to_string().contains("a link"), "{error}");
        }
        assert!(!victim.path().join("new").exists());
    }

    /// The owner of the parent moves another folder to the place of the new one.
    #[test]
    fn folder_that_replaces_a_new_one_keeps_its_owner_and_mode() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::write(root.join("secret"), "").unwrap();
        let before = fs::metadata(&root).unwrap();
        let failed = adopt(opened(&root), 0o777, is_root().then_some(USER));
        assert!(failed.unwrap_err().to_string().contains("replaced"));
        let after = fs::metadata(&root).unwrap();
        assert_eq!((after.uid(), after.mode()), (before.uid(), before.mode()));
    }
}
