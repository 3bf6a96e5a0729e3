//! Files in folders that others change at the same time.

use std::mem::MaybeUninit;
use std::os::unix::fs::{MetadataExt as _, symlink};

use hostile::folder::entries;
use rustix::fs::inotify;

use super::*;

fn plan() -> Vec<PlannedFile> {
    let file = |path, mode, content: &str| PlannedFile { path, mode, content: content.to_owned() };
    vec![
        file(names::KEY, SECRET, "key"),
        file(names::CERTIFICATE, PLAIN, "cert"),
        file(names::CONFIGURATION, PLAIN, "config"),
    ]
}

fn paths() -> Vec<&'static str> {
    plan().iter().map(|file| file.path).collect()
}

fn opened(folder: &Path) -> OwnedFd {
    File::open(folder).unwrap().into()
}

fn write_into(path: &Path, owner: Owner) -> Result<(), FilesError> {
    write(Target { folder: opened(path).as_fd(), path }, &plan(), owner)
}

#[test]
fn files_have_their_content_and_mode() {
    let folder = tempfile::tempdir().unwrap();
    write_into(folder.path(), None).unwrap();
    for file in plan() {
        let path = folder.path().join(file.path);
        assert_eq!(fs::read_to_string(&path).unwrap(), file.content);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, file.mode, "{}", file.path);
    }
    assert_eq!(entries(folder.path()), ["certs", "pumphouse.toml"]);
}

#[test]
fn file_that_exists_prevents_all() {
    for existing in ["certs/key.pem", "pumphouse.toml"] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("certs")).unwrap();
        // A link to nothing counts, too.
        symlink("/nowhere", folder.path().join(existing)).unwrap();
        let error = write_into(folder.path(), None).unwrap_err();
        assert!(error.to_string().contains(existing), "{error}");
        let others = plan().iter().filter(|file| folder.path().join(file.path).exists()).count();
        assert_eq!(others, 0);
        assert!(!folder.path().join(STAGING).exists());
    }
}

/// A file that another program creates between the check and the move.
#[test]
fn file_that_appears_meanwhile_is_kept_and_the_others_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let opened = opened(path);
    let target = Target { folder: opened.as_fd(), path };
    let mut staging = Staging::create(target, &paths()).unwrap();
    fs::write(path.join("pumphouse.toml"), "of another").unwrap();
    let mut placed = Placed::default();
    let failed = stage_and_place(target, &mut staging, &plan(), None, &mut placed);
    assert!(matches!(failed, Err(FilesError::Exist(_))), "{failed:?}");
    drop((placed, staging));
    assert_eq!(entries(path), ["pumphouse.toml"]);
    assert_eq!(fs::read_to_string(path.join("pumphouse.toml")).unwrap(), "of another");
}

/// A kill at each step leaves complete files only, and a second run names them.
#[test]
fn interrupted_run_is_reported_with_the_command_to_begin_again() {
    for moved in 0..=plan().len() {
        let folder = tempfile::tempdir().unwrap();
        let opened = opened(folder.path());
        let target = Target { folder: opened.as_fd(), path: folder.path() };
        let mut staging = Staging::create(target, &paths()).unwrap();
        let mut placed = Placed::default();
        let moving = &plan()[..moved];
        stage_and_place(target, &mut staging, moving, None, &mut placed).unwrap();
        placed.keep();
        std::mem::forget(staging);

        let error = write_into(folder.path(), None).unwrap_err().to_string();
        for file in &plan()[..moved] {
            assert!(error.contains(file.path), "{error}");
            let path = folder.path().join(file.path);
            assert_eq!(fs::read_to_string(path).unwrap(), file.content);
        }
        let (_, command) = error.split_once("To begin again: ").unwrap();
        let run = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(run.success(), "{command}");
        write_into(folder.path(), None).unwrap();
    }
}

/// A kill while a complete run removes its staging folder.
#[test]
fn run_interrupted_while_it_removes_its_staging_folder_is_not_reported_as_without_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let opened = opened(folder.path());
    let target = Target { folder: opened.as_fd(), path: folder.path() };
    let mut staging = Staging::create(target, &paths()).unwrap();
    // A folder that the run does not know keeps the staging folder in place, as a kill before rmdir(2) does.
    fs::create_dir(at(STAGING).join("blocked")).unwrap();
    let mut placed = Placed::default();
    stage_and_place(target, &mut staging, &plan(), None, &mut placed).unwrap();
    placed.keep();
    let names = staging.names.clone();
    drop(staging);
    assert_eq!(names.first().map(String::as_str), Some(LIST), "it is removed last");
    let error = write_into(folder.path(), None).unwrap_err().to_string();
    assert!(!error.contains("no file is in place"), "{error}");
    assert!(error.contains("repeat this command"), "{error}");
    let (_, command) = error.split_once("in place: ").unwrap();
    let run = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(run.success(), "{command}");
    let error = write_into(folder.path(), None).unwrap_err();
    assert!(matches!(&error, FilesError::Exist(files) if files.len() == plan().len()), "{error}");
}

/// A kill while it is removed leaves the list as long as there is a file beside it.
#[test]
fn staging_folder_loses_its_list_last() {
    let folder = tempfile::tempdir().unwrap();
    let opened = opened(folder.path());
    let target = Target { folder: opened.as_fd(), path: folder.path() };
    let mut staging = Staging::create(target, &paths()).unwrap();
    for (number, file) in plan().iter().enumerate() {
        staging.write(&number.to_string(), file, None).unwrap();
    }
    let watch =
        inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, folder.path().join(STAGING), inotify::WatchFlags::DELETE).unwrap();
    drop(staging);
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    let mut removed = Vec::new();
    while let Ok(event) = events.next() {
        removed.extend(event.file_name().map(|name| name.to_str().unwrap().to_owned()));
    }
    assert_eq!(removed.len(), 1 + plan().len());
    assert_eq!(removed.last().map(String::as_str), Some(LIST), "{removed:?}");
    assert_eq!(entries(folder.path()), [""; 0]);
}

/// The owner of the folder wrote the list, and root runs the command that names its files.
#[test]
fn list_of_an_interrupted_run_names_files_of_init_only() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path();
    for name in ["key.pem", "cert.pem"] {
        fs::write(outside.join(name), "").unwrap();
    }
    fs::create_dir(folder.path().join(STAGING)).unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    symlink(outside, folder.path().join("certs")).unwrap();
    fs::write(folder.path().join("password-hash"), "").unwrap();
    let absolute = outside.join("key.pem");
    let lines = ["", ".", "..", "../..", "/", "data", "certs", "certs/key.pem", "password-hash"];
    let list = format!("{}\n{}", lines.join("\n"), absolute.display());
    let file = folder.path().join(STAGING).join(LIST);
    fs::write(&file, list).unwrap();
    let Err(FilesError::Interrupted { written, .. }) = check_absent(folder.path(), &[]) else {
        panic!("the run counts as complete");
    };
    assert_eq!(written, [folder.path().join("password-hash")]);

    // Nothing that stands in its place blocks the next run.
    for make in ["mkfifo", "ln -s /dev/zero", "ln -s /etc/passwd", "mkdir"] {
        let status = std::process::Command::new("sh")
            .args(["-c", &format!("rm -rf \"$0\"; {make} \"$0\"")])
            .arg(&file)
            .status();
        assert!(status.unwrap().success(), "{make}");
        let failed = check_absent(folder.path(), &[]).unwrap_err();
        assert!(failed.to_string().contains("no file is in place"), "{make}: {failed}");
    }
}

/// The owner of the folder replaces a folder by a link to one of root's, before or during the run.
#[test]
fn link_in_place_of_a_folder_leads_nothing_elsewhere() {
    let owner = rustix::process::geteuid().is_root().then_some((4711, 4712));
    let victim = tempfile::tempdir().unwrap();
    let unchanged = || {
        let found = fs::metadata(victim.path()).unwrap();
        assert_eq!(found.uid(), rustix::process::geteuid().as_raw());
        assert_eq!(entries(victim.path()), [""; 0]);
    };

    let folder = tempfile::tempdir().unwrap();
    symlink(victim.path(), folder.path().join("certs")).unwrap();
    let failed = write_into(folder.path(), owner).unwrap_err().to_string();
    assert!(failed.contains("certs: it is no folder but a file or a link"), "{failed}");
    assert_eq!(entries(folder.path()), ["certs"]);
    unchanged();

    // The folder itself and the staging folder, once they are open.
    for name in ["folder", "folder/.pumphouse-init"] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("folder");
        fs::create_dir(&path).unwrap();
        let opened = opened(&path);
        let target = Target { folder: opened.as_fd(), path: &path };
        let mut staging = Staging::create(target, &paths()).unwrap();
        fs::rename(root.path().join(name), root.path().join("moved")).unwrap();
        symlink(victim.path(), root.path().join(name)).unwrap();
        let mut placed = Placed::default();
        stage_and_place(target, &mut staging, &plan(), owner, &mut placed).unwrap();
        placed.keep();
        drop(staging);
        unchanged();
        let real = if name == "folder" { root.path().join("moved") } else { path };
        assert_eq!(fs::read_to_string(real.join("certs/key.pem")).unwrap(), "key");
    }
}

#[test]
fn folder_that_cannot_be_written_is_named() {
    let error = write_into(Path::new("/proc/self"), None).unwrap_err().to_string();
    assert!(error.contains("cannot write into /proc/self"), "{error}");
    assert!(error.contains("nothing was written"), "{error}");
}
