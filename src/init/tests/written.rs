//! Files and folders that a run leaves: owners, modes, and none after a failure.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::{Script, placed, request, run, written_config};
use crate::config::Kind;
use crate::init::layout::is_executable_by_all;
use crate::init::names::{CERTIFICATE, CONFIGURATION, KEY};
use crate::init::{InitError, Options, Request, TankKind, url};

#[test]
fn secrets_are_in_files_of_their_own_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        user: Some("anna".to_owned()),
        tank: Some(TankKind::PtDevices),
        device: Some("201".to_owned()),
        timezone: Some("America/Denver".to_owned()),
        ..placed()
    };
    let mut dialog = Script::pipe(&["correct horse", "t0ken"]);
    let written = run(request(folder.path(), options), &mut dialog).unwrap();
    let config = written_config(folder.path());
    let Kind::PtDevices(tank) = &config.sources[1].kind else { panic!() };
    assert_eq!((tank.token.expose(), &*tank.device), ("t0ken", "201"));
    for path in &written.paths {
        let text = fs::read_to_string(path).unwrap();
        let is_secret = ["t0ken", "$argon2id$", "PRIVATE KEY"].iter().any(|it| text.contains(it));
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if is_secret { 0o600 } else { 0o644 }, "{}", path.display());
        assert!(!text.contains("correct horse"), "{}", path.display());
    }
}

/// Wrong or missing answers: each ends with an error and without a file.
#[test]
fn failure_writes_nothing() {
    let user = || Options { user: Some("anna".to_owned()), ..placed() };
    let cases: [(Options, Script, &str); 11] = [
        (Options::default(), Script::pipe(&[]), "--place LAT,LON is needed"),
        (Options::default(), Script::terminal(&[]), "the input ended before the answer to \"Place"),
        (Options::default(), Script::terminal(&["x", "x", "x", "1,1"]), "after 3 tries"),
        (Options { open: true, ..user() }, Script::pipe(&[]), "give one of them"),
        (
            user(),
            Script::pipe(&[]),
            "the input ended before the answer to \"Password of anna\", line 1 of standard input",
        ),
        (
            user(),
            Script::pipe(&[""]),
            "wrong answer to \"Password of anna\", line 1 of standard input: the password is empty",
        ),
        (
            Options { tank: Some(TankKind::PtLevel), ..user() },
            Script::pipe(&["secret", "www.mypt.in/s/4711"]),
            "wrong answer to \"Link of the PTLevel share page (empty: later)\", line 2 of standard input",
        ),
        // `cat password link` without a line feed at the end of the first.
        (
            Options { tank: Some(TankKind::PtLevel), ..user() },
            Script::pipe(&["secrethttps://www.mypt.in/s/4711"]),
            "the link seems to be in the same line",
        ),
        (
            Options { listen: vec!["0.0.0.0:1".parse().unwrap()], ..placed() },
            Script::pipe(&[]),
            "say who may read",
        ),
        (
            Options { height: "58".parse().ok(), ..placed() },
            Script::pipe(&[]),
            "--height belongs to --tank ptlevel",
        ),
        (
            Options { tank: Some(TankKind::PtLevel), height: "5 gal".parse().ok(), ..placed() },
            Script::pipe(&[]),
            "--height: 5 gal cannot be converted to in",
        ),
    ];
    for (options, mut dialog, part) in cases {
        let folder = tempfile::tempdir().unwrap();
        let error = run(request(folder.path(), options), &mut dialog).unwrap_err().to_string();
        assert!(error.contains(part), "{part} is not in {error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{part}");
    }
}

#[test]
fn second_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { open: true, ..placed() };
    run(request(folder.path(), options()), &mut Script::pipe(&[])).unwrap();
    let contents = || {
        let names = [CONFIGURATION, CERTIFICATE, KEY];
        names.map(|name| fs::read(folder.path().join(name)).unwrap())
    };
    let before = contents();
    // Before any question.
    let error = run(request(folder.path(), Options::default()), &mut Script::terminal(&[]));
    let error = error.unwrap_err().to_string();
    for name in [CONFIGURATION, CERTIFICATE, KEY] {
        assert!(error.contains(name), "{error}");
    }
    assert_eq!(contents(), before);
}

#[test]
fn program_in_a_private_folder_is_not_executable_by_all() {
    assert!(is_executable_by_all(Path::new("/bin/sh")));
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("program");
    fs::write(&binary, "").unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(!is_executable_by_all(&binary));
}

#[test]
fn configuration_with_a_secret_in_a_url_is_for_its_owner_only() {
    for (address, mode) in [
        ("http://h/tank", 0o644),
        ("http://h/tank?token=abc", 0o600),
        ("http://h/share/4711abcd", 0o600),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            tank: Some(TankKind::Json),
            tank_url: url(address).ok(),
            pointer: Some("/level".to_owned()),
            open: true,
            ..placed()
        };
        let written = run(request(folder.path(), options), &mut Script::pipe(&[])).unwrap();
        let found = fs::metadata(folder.path().join(CONFIGURATION)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{address}");
        let is_explained = written.remarks.iter().any(|remark| remark.contains("mode 0600"));
        assert_eq!(is_explained, mode == 0o600, "{address}");
    }
}

#[test]
fn folder_of_the_history_that_the_server_may_not_write_is_reported_by_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (owner_of_state, is_reported) in [(4711, false), (0, true), (4712, true)] {
        let root = tempfile::tempdir().unwrap();
        let [folder, state] = ["site", "state"].map(|name| root.path().join(name));
        for (path, owner) in [(&folder, 4711), (&state, owner_of_state)] {
            fs::create_dir(path).unwrap();
            std::os::unix::fs::chown(path, Some(owner), Some(4711)).unwrap();
        }
        let request = Request { dir: Some(folder), state: Some(state.clone()), options: placed() };
        let written = run(request, &mut Script::pipe(&[])).unwrap();
        let command = format!("chown 4711: {}", state.display());
        let reported = written.remarks.iter().any(|remark| remark.ends_with(&command));
        assert_eq!(reported, is_reported, "{owner_of_state}: {:?}", written.remarks);
    }
}

/// A missing folder of the history is created; after a failure neither it nor that of the files remains.
#[test]
fn missing_folders_are_created_and_removed_after_a_failure() {
    let root = tempfile::tempdir().unwrap();
    let request = |options| Request {
        dir: Some(root.path().join("etc/site")),
        state: Some(root.path().join("var/lib/site")),
        options,
    };
    // Found out after the folders are created: no file of supervisord can name a quotation mark.
    let unsafe_path = Request { dir: Some(root.path().join("a\"b")), ..request(placed()) };
    let unsafe_path = Request {
        options: Options { supervisord: true, ..unsafe_path.options.clone() },
        ..unsafe_path
    };
    assert!(matches!(run(unsafe_path, &mut Script::pipe(&[])), Err(InitError::UnsafePath(_))));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);

    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(root.path(), Some(4711), Some(4712)).unwrap();
    }
    let expected = fs::metadata(root.path()).unwrap().uid();
    let options = Options { supervisord: true, tank: Some(TankKind::PtLevel), ..placed() };
    run(request(options), &mut Script::pipe(&[])).unwrap();
    for (path, mode) in [("etc/site", 0o755), ("var/lib/site", 0o750), ("etc/site/certs", 0o755)] {
        let found = fs::metadata(root.path().join(path)).unwrap();
        assert_eq!((found.uid(), found.permissions().mode() & 0o777), (expected, mode), "{path}");
    }
    // The command for the missing secret writes it for the same owner, from any working directory.
    let text = fs::read_to_string(root.path().join("etc/site").join(CONFIGURATION)).unwrap();
    let command = text.lines().find(|line| line.contains("tank-link") && line.starts_with("#   "));
    let mut shell = std::process::Command::new("sh")
        .args(["-c", command.unwrap().trim_start_matches('#')])
        .current_dir("/")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    io::Write::write_all(&mut shell.stdin.take().unwrap(), b"https://h/s/1\n").unwrap();
    assert!(shell.wait().unwrap().success(), "{command:?}");
    let link = root.path().join("etc/site/tank-link");
    assert_eq!(fs::read_to_string(&link).unwrap(), "https://h/s/1\n");
    let found = fs::metadata(&link).unwrap();
    assert_eq!((found.uid(), found.permissions().mode() & 0o777), (expected, 0o600));
}
