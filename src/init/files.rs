//! Writes the files: all of them, or none, and never over an existing one.
//!
//! ```text
//! check that none exists ─► staging folder ─► write and sync each file there ─► move each to its place
//!                           (the mark of an    (no partial file is ever in     (never over another;
//!                            unfinished run)    its place)                      the configuration last)
//! ```
//! The staging folder is removed at the end. After `kill -9` it remains, with a list of the files; a
//! second run reads that and says which of them are in place and how to begin again.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::iter;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::next_steps::quoted;

/// Folder with the files of a run that has not ended.
const STAGING: &str = ".pumphouse-init";

/// List of the files, in the staging folder.
const LIST: &str = "files";

/// Mode of a secret: only its owner may read it.
pub(super) const SECRET: u32 = 0o600;
/// Mode of a file without secrets.
pub(super) const PLAIN: u32 = 0o644;
const FOLDER: u32 = 0o755;
const STAGING_MODE: u32 = 0o700;

/// A file to write.
#[derive(Debug, Clone)]
pub(super) struct PlannedFile {
    /// Path relative to the folder, with at most one folder of its own.
    pub path: &'static str,
    /// Mode bits.
    pub mode: u32,
    /// Content.
    pub content: String,
}

/// Owner of the files, if it is another than the user that runs this program.
pub(super) type Owner = Option<(u32, u32)>;

/// Reason why no file was written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Files exist.
    #[error(
        "{} already: {}; nothing was written, since `init` never overwrites. Move {} away, or name \
         another folder by --dir",
        if .0.len() == 1 { "this file exists" } else { "these files exist" },
        listed(.0),
        if .0.len() == 1 { "it" } else { "them" }
    )]
    Exist(Vec<PathBuf>),
    /// An earlier run was interrupted, or another one runs.
    #[error(
        "an earlier `init` was interrupted, or another one runs now: {} exists, and {}. To begin \
         again: rm -rf {}",
        staging.display(),
        if written.is_empty() { "no file is in place".to_owned() } else { format!("of its files are in place: {}", listed(written)) },
        shell_words(staging, written)
    )]
    Interrupted {
        /// The staging folder.
        staging: PathBuf,
        /// Its files that are in place.
        written: Vec<PathBuf>,
    },
    /// A file or folder cannot be written. Files that were in place already are removed again.
    #[error("cannot {action} {}: {error}; nothing was written", path.display())]
    Io {
        /// Verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Reason.
        error: io::Error,
    },
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

fn shell_words(staging: &Path, written: &[PathBuf]) -> String {
    let paths = iter::once(staging).chain(written.iter().map(PathBuf::as_path));
    paths.map(quoted).collect::<Vec<_>>().join(" ")
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.to_owned();
    move |error| FilesError::Io { action, path, error }
}

/// Checks that none of the files exists in `folder`, and that no run was interrupted there.
///
/// # Errors
/// One of those cases.
pub(super) fn check_absent(folder: &Path, paths: &[&str]) -> Result<(), FilesError> {
    let staging = folder.join(STAGING);
    // A link to nothing exists, too.
    let exists = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
    if exists(&staging) {
        let list = fs::read_to_string(staging.join(LIST)).unwrap_or_default();
        let written = list.lines().map(|name| folder.join(name)).filter(exists).collect();
        return Err(FilesError::Interrupted { staging, written });
    }
    let existing: Vec<PathBuf> =
        paths.iter().map(|path| folder.join(path)).filter(exists).collect();
    if existing.is_empty() { Ok(()) } else { Err(FilesError::Exist(existing)) }
}

/// Returns the owner of the files: that of the folder, if root runs this for another user.
pub(super) fn owner(folder: &Path) -> Owner {
    let folder = fs::metadata(folder).ok()?;
    let is_root = rustix::process::geteuid().is_root();
    (is_root && folder.uid() != 0).then(|| (folder.uid(), folder.gid()))
}

/// Writes all files into `folder`, which exists, in their order.
///
/// # Errors
/// A file exists, or cannot be written. Then none of them remains.
pub(super) fn write(folder: &Path, files: &[PlannedFile], owner: Owner) -> Result<(), FilesError> {
    let paths: Vec<&str> = files.iter().map(|file| file.path).collect();
    check_absent(folder, &paths)?;
    let staging = Staging::create(folder, &paths)?;
    let mut placed = Placed::default();
    let written = stage_and_place(folder, &staging, files, owner, &mut placed);
    if written.is_ok() {
        placed.keep();
    }
    written
}

fn stage_and_place(
    folder: &Path,
    staging: &Staging,
    files: &[PlannedFile],
    owner: Owner,
    placed: &mut Placed,
) -> Result<(), FilesError> {
    let mut staged = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let path = staging.0.join(number.to_string());
        write_file(&path, file, owner).map_err(io_error("write", &folder.join(file.path)))?;
        staged.push(path);
    }
    for (from, file) in staged.into_iter().zip(files) {
        let to = folder.join(file.path);
        let parent = to.parent().unwrap_or(folder);
        placed.create_folder(parent, owner).map_err(io_error("create", parent))?;
        TempPath::try_from_path(from)
            .and_then(|from| from.persist_noclobber(&to).map_err(|failed| failed.error))
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => FilesError::Exist(vec![to.clone()]),
                _ => io_error("write", &to)(error),
            })?;
        placed.files.push(to.clone());
        sync_folder(parent).map_err(io_error("write", &to))?;
    }
    Ok(())
}

/// Writes a file with its final mode and owner, and waits until the disk has it.
fn write_file(path: &Path, file: &PlannedFile, owner: Owner) -> io::Result<()> {
    let mut open = File::options();
    let mut opened = open.write(true).create_new(true).mode(SECRET).open(path)?;
    opened.write_all(file.content.as_bytes())?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(&opened, Some(user), Some(group))?;
    }
    // After the owner, and whatever the umask.
    opened.set_permissions(Permissions::from_mode(file.mode))?;
    opened.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The staging folder, removed when dropped.
struct Staging(PathBuf);

impl Staging {
    /// Creates the folder with the list of files. Of two runs at the same time only one creates it.
    fn create(folder: &Path, paths: &[&str]) -> Result<Staging, FilesError> {
        let path = folder.join(STAGING);
        match DirBuilder::new().mode(STAGING_MODE).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(FilesError::Interrupted { staging: path, written: Vec::new() });
            }
            created => created.map_err(io_error("write into", folder))?,
        }
        let staging = Staging(path);
        let list = staging.0.join(LIST);
        let write = || -> io::Result<()> {
            let mut file = File::create_new(&list)?;
            file.write_all(paths.join("\n").as_bytes())?;
            file.sync_all()?;
            sync_folder(folder)
        };
        write().map_err(io_error("write", &list))?;
        Ok(staging)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is reported by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Files and folders of this run that are in place, removed when dropped.
#[derive(Default)]
struct Placed {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Placed {
    fn create_folder(&mut self, path: &Path, owner: Owner) -> io::Result<()> {
        match DirBuilder::new().mode(FOLDER).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            created => {
                created?;
                self.folders.push(path.to_owned());
                if let Some((user, group)) = owner {
                    std::os::unix::fs::chown(path, Some(user), Some(group))?;
                }
                sync_folder(path.parent().unwrap_or(path))
            }
        }
    }

    fn keep(mut self) {
        self.files.clear();
        self.folders.clear();
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Vec<PlannedFile> {
        let file =
            |path, mode, content: &str| PlannedFile { path, mode, content: content.to_owned() };
        vec![
            file("certs/key.pem", SECRET, "key"),
            file("certs/cert.pem", PLAIN, "cert"),
            file("pumphouse.toml", PLAIN, "config"),
        ]
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_have_their_content_and_mode() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &plan(), None).unwrap();
        for file in plan() {
            let path = folder.path().join(file.path);
            assert_eq!(fs::read_to_string(&path).unwrap(), file.content);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, file.mode, "{}", file.path);
        }
        assert_eq!(names(folder.path()), ["certs", "pumphouse.toml"]);
    }

    #[test]
    fn file_that_exists_prevents_all() {
        for existing in ["certs/key.pem", "pumphouse.toml"] {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("certs")).unwrap();
            // A link to nothing counts, too.
            std::os::unix::fs::symlink("/nowhere", folder.path().join(existing)).unwrap();
            let error = write(folder.path(), &plan(), None).unwrap_err();
            assert!(error.to_string().contains(existing), "{error}");
            let others =
                plan().iter().filter(|file| folder.path().join(file.path).exists()).count();
            assert_eq!(others, 0);
            assert!(!folder.path().join(STAGING).exists());
        }
    }

    /// A file that another program creates between the check and the move.
    #[test]
    fn file_that_appears_meanwhile_is_kept_and_the_others_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<&str> = plan().iter().map(|file| file.path).collect();
        let staging = Staging::create(folder.path(), &paths).unwrap();
        fs::write(folder.path().join("pumphouse.toml"), "of another").unwrap();
        let mut placed = Placed::default();
        let failed = stage_and_place(folder.path(), &staging, &plan(), None, &mut placed);
        assert!(matches!(failed, Err(FilesError::Exist(_))), "{failed:?}");
        drop((placed, staging));
        assert_eq!(names(folder.path()), ["pumphouse.toml"]);
        assert_eq!(fs::read_to_string(folder.path().join("pumphouse.toml")).unwrap(), "of another");
    }

    /// A kill at each step leaves complete files only, and a second run names them.
    #[test]
    fn interrupted_run_is_reported_with_the_command_to_begin_again() {
        for moved in 0..=plan().len() {
            let folder = tempfile::tempdir().unwrap();
            let paths: Vec<&str> = plan().iter().map(|file| file.path).collect();
            let staging = Staging::create(folder.path(), &paths).unwrap();
            let mut placed = Placed::default();
            stage_and_place(folder.path(), &staging, &plan()[..moved], None, &mut placed).unwrap();
            placed.keep();
            std::mem::forget(staging);

            let error = write(folder.path(), &plan(), None).unwrap_err().to_string();
            for file in &plan()[..moved] {
                assert!(error.contains(file.path), "{error}");
                let path = folder.path().join(file.path);
                assert_eq!(fs::read_to_string(path).unwrap(), file.content);
            }
            let (_, command) = error.split_once("To begin again: ").unwrap();
            let run = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
            assert!(run.success(), "{command}");
            write(folder.path(), &plan(), None).unwrap();
        }
    }

    #[test]
    fn folder_that_cannot_be_written_is_named() {
        let error = write(Path::new("/proc/self"), &plan(), None).unwrap_err().to_string();
        assert!(error.contains("cannot write into /proc/self"), "{error}");
        assert!(error.contains("nothing was written"), "{error}");
    }
}
