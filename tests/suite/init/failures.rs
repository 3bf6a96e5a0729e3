//! Runs of `init` that fail: their messages, and that they leave nothing behind.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use super::{FILES, OPEN, files, init, text};
use crate::server::BINARY;

#[test]
fn init_with_wrong_options_exits_with_2_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["init"][..], "--place LAT,LON is needed"),
        (&["init", "--place", "122.14,37.24"], "did you mean 37.24,122.14?"),
        (&["init", "--place", "here"], "is not LAT,LON"),
        (&["init", "--place", "1,1", "--units", "imperial"], "neither us nor metric"),
        (&["init", "--place", "1,1", "--tank", "nws"], "reads the weather"),
        (&["init", "--place", "1,1", "--open", "--user", "anna"], "give one of them"),
        (&["init", "--place", "1,1", "--listen", "0.0.0.0:6443"], "--open or --user"),
        (&["init", "--place", "1,1", "--height", "58"], "--tank ptlevel"),
        (&["init", "--place", "1,1", "--name", "a b"], "is not a host name"),
        (&["init", "--place", "1,1", "--name", "10.0.0.999"], "ends in a number"),
        (&["init", "--place", "1,1", "--admin-listen", "0.0.0.0:1"], "must be on loopback"),
    ] {
        let failed = init(folder.path(), arguments, "");
        let printed = text(&failed);
        assert_eq!(failed.status.code(), Some(2), "{arguments:?}: {printed}");
        assert!(printed.contains(part), "{part} is not in {printed}");
        assert_eq!(files(folder.path()), [""; 0], "{arguments:?}");
    }
}

/// A folder that this user cannot write is reported before the password is read, which would be lost.
#[test]
fn init_in_a_folder_of_another_user_fails_before_any_question() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    // In the namespace root has no rights beyond those of other users.
    let failed = Command::new("unshare")
        .args(["--user", "--map-user=12345", "--map-group=12345", "--", BINARY])
        .args(["init", "--place", "1,1", "--user", "anna", "--dir"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = text(&failed);
    assert_eq!(failed.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("cannot use the folder /") && !printed.contains("answer"),
        "{printed}"
    );
}

#[test]
fn init_repeats_no_url_with_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["htps://h/x?token=geheim", "https://anna:geheim@h/x", "https://h/${geheim}"] {
        let arguments = ["init", "--place", "1,1", "--tank", "json", "--tank-url", url];
        let failed = init(folder.path(), &arguments, "");
        assert_eq!(failed.status.code(), Some(2), "{}", text(&failed));
        assert!(text(&failed).contains("--tank-url"), "{}", text(&failed));
        assert!(!text(&failed).contains("geheim"), "{}", text(&failed));
    }
}

#[test]
fn init_reports_a_full_standard_output_once_and_keeps_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(BINARY);
    command.args(OPEN).current_dir(folder.path()).stdin(Stdio::null()).stdout(full);
    let ran = command.output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran));
    assert_eq!(text(&ran).matches("cannot write to standard output").count(), 1, "{}", text(&ran));
    assert_eq!(files(folder.path()), FILES);
}

/// strace keeps `check` from reading the configuration that was written.
#[test]
fn init_whose_check_fails_says_that_the_files_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-P", "pumphouse.toml", "-e", "trace=openat"])
        .args(["-e", "inject=openat:error=EIO", BINARY])
        .args(OPEN)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("strace is needed: apt-get install strace");
    let shown = text(&ran);
    assert_eq!(ran.status.code(), Some(1), "{shown}");
    assert!(shown.contains("the files are written, but"), "{shown}");
    assert!(!shown.contains("nothing was written"), "{shown}");
    assert_eq!(files(folder.path()), FILES);
}

/// File systems of a few pages, of which none has room for all files.
#[test]
fn init_on_a_full_disk_writes_nothing() {
    let namespaces = Command::new("unshare").args(["-rm", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "the system allows no namespaces");
        return;
    }
    for pages in [1, 2, 3] {
        let folder = tempfile::tempdir().unwrap();
        let script = "mount -t tmpfs -o size=\"$1\" tmpfs . && cd \"$PWD\" && shift && \"$@\"; code=$?; \
                      find . -mindepth 1; exit $code";
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, "sh", &format!("{}k", 4 * pages), BINARY]);
        let ran = command.args(OPEN).current_dir(folder.path()).stdin(Stdio::null()).output();
        let ran = ran.unwrap();
        let shown = text(&ran);
        assert_eq!(ran.status.code(), Some(1), "{shown}");
        assert!(shown.contains("No space left on device"), "{shown}");
        assert!(shown.contains("nothing was written"), "{shown}");
        assert!(ran.stdout.is_empty(), "{shown}");
    }
}

/// strace kills the process at each of its renames, as `kill -9` or a power cut would.
#[test]
fn init_killed_at_any_file_leaves_whole_files_and_the_next_run_says_how_to_go_on() {
    for file in 1..=FILES.len() {
        let folder = tempfile::tempdir().unwrap();
        let killed = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2,rename,linkat"])
            .args(["-e", &format!("inject=renameat2:signal=KILL:when={file}"), BINARY])
            .args(OPEN)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("strace is needed: apt-get install strace");
        assert!(!killed.status.success(), "{}", text(&killed));
        let again = init(folder.path(), &OPEN, "");
        let printed = text(&again);
        assert_eq!(again.status.code(), Some(1), "{printed}");
        assert!(printed.contains("an earlier `init` was interrupted"), "{printed}");
        for path in FILES.map(|name| folder.path().join(name)).iter().filter(|path| path.exists()) {
            assert!(printed.contains(path.to_str().unwrap()), "{printed}");
            assert!(fs::metadata(path).unwrap().len() > 100, "{}", path.display());
        }
        let (_, command) = printed.trim_end().split_once("To begin again: ").unwrap();
        assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
        assert_eq!(files(folder.path()), [""; 0]);
        assert_eq!(init(folder.path(), &OPEN, "").status.code(), Some(0));
    }
}

/// strace kills the process each time it gives a file or folder to its owner.
#[test]
fn init_of_root_killed_before_a_folder_has_its_owner_leaves_none_of_root() {
    const OWNER: u32 = 4711;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for call in 1.. {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(OWNER), Some(OWNER)).unwrap();
        let ran = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fchown"])
            .args(["-e", &format!("inject=fchown:signal=KILL:when={call}"), BINARY])
            .args(OPEN)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("strace is needed: apt-get install strace");
        if !ran.status.success() {
            let printed = text(&init(folder.path(), &OPEN, ""));
            let (_, command) = printed.trim_end().split_once("To begin again: ").unwrap();
            assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
            assert_eq!(init(folder.path(), &OPEN, "").status.code(), Some(0), "{printed}");
        }
        let certs = fs::metadata(folder.path().join("certs")).unwrap();
        assert_eq!((certs.uid(), certs.mode() & 0o777), (OWNER, 0o755), "killed at call {call}");
        if ran.status.success() {
            // The three files and the folder.
            assert!(call > 4, "{call}");
            return;
        }
    }
}
