//! Tests of the lock: names, holders, damage, and who may take it.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::io::Errno;

use super::holder::MAX_TEXT;
use super::*;

fn fixture() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    (folder, path)
}

#[test]
fn second_claim_names_the_first_and_succeeds_after_it() {
    let (folder, path) = fixture();
    let (first, second) = (DataLock::of_database(&path), DataLock::of_database(&path));
    assert!(!first.is_ours());
    assert_eq!(first.claim(), Claim::Ours);
    assert_eq!(first.claim(), Claim::Ours, "it has it already");
    let Claim::Held(holder) = second.claim() else { panic!("two hold the lock") };
    assert_eq!(holder.pid, Some(std::process::id()));
    assert!(holder.started.is_some());
    assert!(holder.to_string().contains(&holder.brief()), "{holder}");
    assert_eq!((first.is_ours(), second.is_ours()), (true, false));
    let mode = folder.path().join("pumphouse.db.lock").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(first);
    assert_eq!(second.claim(), Claim::Ours);
    assert!(second.is_ours());
    assert!(DataLock::none().is_ours());
}

#[test]
fn every_name_of_a_database_has_the_same_lock() {
    let (folder, path) = fixture();
    let [link, chain, beside] =
        ["link.db", "chain.db", "beside"].map(|name| folder.path().join(name));
    symlink("pumphouse.db", &link).unwrap();
    symlink("link.db", &chain).unwrap();
    symlink(".", &beside).unwrap();
    for exists in [false, true] {
        if exists {
            fs::write(&path, "").unwrap();
        }
        let first = DataLock::of_database(&path);
        assert_eq!(first.claim(), Claim::Ours);
        for name in [&link, &chain, &beside.join("pumphouse.db")] {
            let claim = DataLock::of_database(name).claim();
            assert!(matches!(claim, Claim::Held(_)), "{} {exists}", name.display());
        }
    }
}

#[test]
fn content_decides_nothing_and_is_bounded() {
    let (folder, path) = fixture();
    let file = folder.path().join("pumphouse.db.lock");
    let (first, second) = (DataLock::of_database(&path), DataLock::of_database(&path));
    fs::write(&file, "pid 1\nstarted 2020-01-01T00:00:00Z\n").unwrap();
    assert_eq!(first.claim(), Claim::Ours, "a content without a lock");
    for (content, expected) in [
        (b"".to_vec(), "an unknown process"),
        (b"\xff\xfe\0\0garbage".to_vec(), "an unknown process"),
        (b"pid -1\nstarted never\n".to_vec(), "an unknown process"),
        (
            b"pid 7\nstarted 2026-01-31T16:00:00Z".to_vec(),
            "process 7, started 2026-01-31T16:00:00Z",
        ),
        (b"pid 7\ncommand a\x1b[2Jb".to_vec(), "process 7: a"),
        (vec![b'x'; 64 << 20], "an unknown process"),
        ([b"pid 7\ncommand ", &vec![b'y'; 1 << 20][..]].concat(), "process 7: yyyy"),
    ] {
        fs::write(&file, content).unwrap();
        let Claim::Held(holder) = second.claim() else { panic!("two hold the lock") };
        let text = holder.to_string();
        assert!(text.starts_with(expected), "{text}");
        assert!(text.len() < 2 * MAX_TEXT && !text.contains('\x1b'), "{text}");
    }
}

#[test]
fn lack_of_descriptors_takes_no_lock_from_another_process() {
    let (_folder, path) = fixture();
    let (first, second) = (DataLock::of_database(&path), DataLock::of_database(&path));
    assert_eq!(first.claim(), Claim::Ours);
    let held = second.claim();
    assert!(matches!(held, Claim::Held(_)));
    let attempt = |lock: &DataLock, errno: Errno| {
        lock.state.lock().unwrap().conclude(&path, Err(ClaimError::Unusable(errno.into())))
    };
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
        assert_eq!(attempt(&second, errno), held, "{errno}");
    }
    assert!(matches!(attempt(&second, Errno::NOLCK), Claim::Unlocked(_)));
    // Without a known holder, a shortage keeps no history back.
    assert!(matches!(attempt(&DataLock::of_database(&path), Errno::MFILE), Claim::Unlocked(_)));
}

#[test]
fn removed_file_is_noticed_by_its_holder() {
    let (folder, path) = fixture();
    let file = folder.path().join("pumphouse.db.lock");
    let (first, second) = (DataLock::of_database(&path), DataLock::of_database(&path));
    assert_eq!(first.claim(), Claim::Ours);
    fs::remove_file(&file).unwrap();
    assert_eq!(first.claim(), Claim::Ours, "it locks the new file");
    assert!(matches!(second.claim(), Claim::Held(_)));
    fs::remove_file(&file).unwrap();
    assert_eq!(second.claim(), Claim::Ours);
    assert!(matches!(first.claim(), Claim::Held(_)), "the second has won");
    assert!(!first.is_ours());
}

/// Returns true if the claims of two processes find the lock unusable, with this in the reason.
fn is_unusable(database: &Path, cause: &str) -> bool {
    (0..2).all(|_| {
        let lock = DataLock::of_database(database);
        let claim = lock.claim();
        let is_unusable = matches!(&claim, Claim::Unlocked(reason) if reason.contains(cause));
        is_unusable && lock.is_ours()
    })
}

#[test]
fn path_that_cannot_be_locked_is_ours_without_the_lock() {
    let (folder, path) = fixture();
    let file = folder.path().join("pumphouse.db.lock");
    fs::create_dir(&file).unwrap();
    assert!(is_unusable(&path, "directory"));
    fs::remove_dir(&file).unwrap();
    // A link is not followed: its target would be truncated.
    fs::write(folder.path().join("victim"), "whole").unwrap();
    symlink("victim", &file).unwrap();
    assert!(is_unusable(&path, "symbolic links"));
    assert_eq!(fs::read(folder.path().join("victim")).unwrap(), b"whole");
    fs::remove_file(&file).unwrap();
    hostile::folder::make_pipe(&file);
    assert!(is_unusable(&path, "not a regular file"), "no wait for a pipe");
    fs::remove_file(&file).unwrap();
    assert_eq!(DataLock::of_database(&path).claim(), Claim::Ours, "it is tried again");
}

#[test]
fn path_where_no_file_can_be_is_no_processes_until_it_can() {
    let (folder, path) = fixture();
    fs::create_dir(&path).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let [missing, below_file] =
        ["none/pumphouse.db", "file/pumphouse.db"].map(|name| folder.path().join(name));
    for (path, cause) in [
        (&path, " is a folder; "),
        (&folder.path().join("."), " is a folder; "),
        (&missing, " does not exist, so "),
        (&below_file, " is no folder, so "),
    ] {
        let lock = DataLock::of_database(path);
        let claim = lock.claim();
        assert!(matches!(&claim, Claim::NoPlace(fault) if fault.contains(cause)), "{claim:?}");
        assert_eq!((lock.is_ours(), lock.has_place()), (false, false), "{}", path.display());
        assert!(!lock_path(path).exists(), "{}", path.display());
    }
    let lock = DataLock::of_database(&missing);
    assert!(matches!(lock.claim(), Claim::NoPlace(_)));
    fs::create_dir(missing.parent().unwrap()).unwrap();
    assert_eq!(lock.claim(), Claim::Ours);
    assert!(lock.is_ours() && lock.has_place());
    fs::remove_dir_all(missing.parent().unwrap()).unwrap();
    assert!(matches!(lock.claim(), Claim::NoPlace(_)), "the folder is gone again");
}

#[test]
fn file_of_another_program_is_neither_changed_nor_locked() {
    let (folder, path) = fixture();
    let file = folder.path().join("pumphouse.db.lock");
    for foreign in ["# This file is generated by Cargo\n", "p", "pi", "pid", "pidgin 1\n", "\0"] {
        fs::write(&file, foreign).unwrap();
        let is_cut = "pid ".starts_with(foreign);
        assert_eq!(is_unusable(&path, "another program"), !is_cut, "{foreign:?}");
        assert_eq!(fs::read_to_string(&file).unwrap() == foreign, !is_cut, "{foreign:?}");
    }
}

#[test]
fn lock_that_root_creates_is_the_database_owners() {
    let (folder, path) = fixture();
    let file = folder.path().join("pumphouse.db.lock");
    let found = || {
        let found = file.metadata().unwrap();
        (found.uid(), found.gid(), found.permissions().mode() & 0o7777)
    };
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let own = (path.metadata().unwrap().uid(), path.metadata().unwrap().gid());
    assert_eq!(DataLock::of_database(&path).claim(), Claim::Ours);
    assert_eq!(found(), (own.0, own.1, 0o640), "the mode of the database");
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let owned = |path: &Path, id: u32| {
        std::os::unix::fs::chown(path, Some(id), Some(id)).unwrap();
    };
    // An existing file of root's, too, as an earlier run may have left it.
    owned(&path, 4711);
    assert_eq!(DataLock::of_database(&path).claim(), Claim::Ours);
    assert_eq!(found(), (4711, 4711, 0o640));
    // Not one with a second name, which may be another file of root's.
    owned(&file, 0);
    fs::hard_link(&file, folder.path().join("other")).unwrap();
    assert_eq!(DataLock::of_database(&path).claim(), Claim::Ours);
    assert_eq!(found(), (0, 0, 0o640));
    // Without a database, the folder's.
    fs::remove_file(&file).unwrap();
    fs::remove_file(&path).unwrap();
    owned(folder.path(), 4712);
    assert_eq!(DataLock::of_database(&path).claim(), Claim::Ours);
    assert_eq!(found(), (4712, 4712, 0o600));
}

#[test]
fn reason_names_the_remedy_for_a_file_of_another_user() {
    let (folder, _) = fixture();
    let file = folder.path().join("pump house.db.lock");
    fs::write(&file, "").unwrap();
    let denied = io::Error::from(io::ErrorKind::PermissionDenied);
    let reason = describe(&file, &denied);
    let remedy = format!("run as root: chown {} '{}'", user_name(), file.display());
    assert!(reason.ends_with(&remedy), "{reason}");
    assert!(!describe(&file, &io::Error::other("no locks")).contains("chown"));
}

#[test]
fn second_name_that_is_no_symbolic_link_is_reported() {
    let (folder, path) = fixture();
    assert_eq!(second_name(&path), None, "it does not exist");
    fs::write(&path, "").unwrap();
    symlink("pumphouse.db", folder.path().join("link.db")).unwrap();
    assert_eq!(second_name(&path), None);
    assert_eq!(second_name(&folder.path().join("link.db")), None);
    fs::hard_link(&path, folder.path().join("hard.db")).unwrap();
    assert!(second_name(&path).is_some_and(|text| text.contains("hard link")));
    // Files that are mounts of their own: procfs is one, and /proc is no folder of its mount.
    assert!(second_name(Path::new("/proc")).is_some_and(|text| text.contains("mount of its own")));
}

#[test]
fn holder_is_found_without_the_lock() {
    let (_folder, path) = fixture();
    assert_eq!(find_holder(&path), None);
    let lock = DataLock::of_database(&path);
    assert_eq!(lock.claim(), Claim::Ours);
    assert_eq!(find_holder(&path).unwrap().pid, Some(std::process::id()));
    drop(lock);
    assert_eq!(find_holder(&path), None, "the file stays, and no process holds it");
}

#[test]
fn pipe_in_place_of_the_lock_names_no_holder_and_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    hostile::folder::make_pipe(&lock_path(&database));
    assert_eq!(find_holder(&database), None);
}
