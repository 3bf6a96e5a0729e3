//! `make install` and `make uninstall`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::server::BINARY;

/// Folder of the program that is installed.
fn built() -> &'static Path {
    Path::new(BINARY).parent().unwrap()
}

/// A run of make in the source folder, with programs that are replaced by scripts.
struct Make {
    programs: TempDir,
    path: String,
    built: PathBuf,
}

impl Make {
    /// Returns a run by a user with this id, without Cargo.
    fn by_user(id: &str) -> Make {
        let programs = tempfile::tempdir().unwrap();
        // The folders of a bare system, without those that rustup and Cargo use.
        let make = Make {
            path: format!("{}:/usr/bin:/bin", programs.path().display()),
            programs,
            built: built().to_owned(),
        };
        make.replace("id", &format!("echo {id}"));
        make
    }

    /// Replaces a program by a script.
    fn replace(&self, name: &str, script: &str) {
        write_script(&self.programs.path().join(name), script);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = Command::new("make")
            .arg("-s")
            .arg(format!("BUILT={}", self.built.display()))
            .arg("CARGO=test-cargo")
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("PATH", &self.path)
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL")
            .env_remove("PREFIX")
            .env_remove("DESTDIR")
            .output()
            .unwrap();
        eprintln!("{}", texts(&output));
        output
    }

    /// Runs make, which succeeds, and returns all that it prints.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", texts(&output));
        texts(&output)
    }
}

fn write_script(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn texts(output: &Output) -> String {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{stdout}{stderr}")
}

/// Returns the paths of all files below a folder, and with a slash behind them those of all folders.
fn tree(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                found.insert(format!("{name}/"));
                folders.push(path);
            } else {
                found.insert(name);
            }
        }
    }
    found
}

#[test]
fn uninstall_removes_what_install_has_made_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    // Present before, and therefore kept, although empty.
    fs::create_dir_all(root.path().join("share/man")).unwrap();
    let before = tree(root.path());
    let make = Make::by_user("0");
    let prefix = format!("PREFIX={}", root.path().display());
    make.succeed(&["install", &prefix]);

    let installed = tree(root.path());
    let list = fs::read_to_string(root.path().join("share/pumphouse-web/installed-files")).unwrap();
    let listed: BTreeSet<String> = list.lines().map(str::to_owned).collect();
    assert_eq!(listed.len(), list.lines().count(), "a file is listed twice: {list}");
    assert_eq!(listed, installed.difference(&before).cloned().collect());
    for (file, mode) in [
        ("bin/pumphouse-web", 0o755),
        ("share/pumphouse-web/pumphouse.toml", 0o644),
        ("share/pumphouse-web/supervisord.conf", 0o644),
        ("share/pumphouse-web/sources/json.toml", 0o644),
        ("share/pumphouse-web/shell/gate.sh", 0o755),
        ("share/pumphouse-web/systemd/pumphouse-web.service", 0o644),
        ("share/doc/pumphouse-web/README.md", 0o644),
        ("share/doc/pumphouse-web/certs/README.md", 0o644),
        ("share/man/man1/pumphouse-web.1", 0o644),
        ("share/bash-completion/completions/pumphouse-web", 0o644),
        ("share/zsh/site-functions/_pumphouse-web", 0o644),
        ("share/fish/vendor_completions.d/pumphouse-web.fish", 0o644),
    ] {
        assert!(listed.contains(file), "{file} is not installed: {list}");
        let metadata = fs::metadata(root.path().join(file)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
        assert!(metadata.len() > 0, "{file} is empty");
    }
    let same =
        fs::read(BINARY).unwrap() == fs::read(root.path().join("bin/pumphouse-web")).unwrap();
    assert!(same, "another program is installed");

    // A newer version lacks a file of the older one.
    let old = root.path().join("share/pumphouse-web/old.conf");
    fs::write(&old, "").unwrap();
    let list_path = root.path().join("share/pumphouse-web/installed-files");
    fs::write(&list_path, format!("{list}share/pumphouse-web/old.conf\n")).unwrap();
    make.succeed(&["install", &prefix]);
    assert_eq!(tree(root.path()), installed, "an update leaves the same files");

    let own = root.path().join("share/pumphouse-web/mine.toml");
    fs::write(&own, "").unwrap();
    make.succeed(&["uninstall", &prefix]);
    let left: BTreeSet<String> = tree(root.path()).difference(&before).cloned().collect();
    let expected = ["share/pumphouse-web/", "share/pumphouse-web/mine.toml"];
    assert_eq!(left, expected.map(str::to_owned).into());

    let again = make.run(&["uninstall", &prefix]);
    assert!(!again.status.success());
    assert!(texts(&again).contains("nothing is installed there"), "{}", texts(&again));
}

#[test]
fn install_into_destdir_and_uninstall_leave_it_empty() {
    let root = tempfile::tempdir().unwrap();
    let destdir = format!("DESTDIR={}", root.path().display());
    let make = Make::by_user("0");
    let printed = make.succeed(&["install", &destdir]);
    assert!(root.path().join("usr/local/bin/pumphouse-web").is_file());
    assert!(!printed.contains("next:"), "a staged program is not run: {printed}");
    make.succeed(&["uninstall", &destdir]);
    assert_eq!(tree(root.path()), BTreeSet::new());
}

#[test]
fn install_by_root_builds_nothing_and_needs_no_cargo() {
    let root = tempfile::tempdir().unwrap();
    let prefix = format!("PREFIX={}", root.path().display());
    let make = Make::by_user("0");
    make.succeed(&["install", &prefix]);

    // A Cargo that root has is not run either.
    let marker = root.path().join("cargo-ran");
    make.replace("test-cargo", &format!("echo \"$@\" >'{}'", marker.display()));
    make.succeed(&["install", &prefix]);
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());

    let unbuilt = Make { built: root.path().join("none"), ..make };
    let refused = unbuilt.run(&["install", &prefix]);
    assert!(!refused.status.success());
    let printed = texts(&refused);
    assert!(printed.contains("run `make build` first, without sudo"), "{printed}");
    assert!(!marker.exists());
}

#[test]
fn install_by_a_user_builds_first_where_there_is_cargo() {
    let root = tempfile::tempdir().unwrap();
    let prefix = format!("PREFIX={}", root.path().display());
    let make = Make::by_user("1000");
    make.succeed(&["install", &prefix]);

    let marker = root.path().join("cargo-ran");
    make.replace("test-cargo", &format!("echo \"$@\" >'{}'", marker.display()));
    make.succeed(&["install", &prefix]);
    assert!(fs::read_to_string(&marker).unwrap().starts_with("build"));
}

#[test]
fn install_ends_with_the_next_command() {
    let root = tempfile::tempdir().unwrap();
    let prefix = format!("PREFIX={}", root.path().display());
    let mut make = Make::by_user("0");
    let printed = make.succeed(&["install", &prefix]);
    let bin = root.path().join("bin").display().to_string();
    assert!(printed.contains(&format!("export PATH=\"{bin}:$PATH\"")), "{printed}");
    assert_eq!(printed.lines().last(), Some("next: pumphouse-web init"));

    make.path = format!("{}:{bin}", make.path);
    let printed = make.succeed(&["install", &prefix]);
    assert!(!printed.contains("PATH"), "{printed}");
    assert_eq!(printed.lines().last(), Some("next: pumphouse-web init"));
}

#[test]
fn install_into_a_folder_that_cannot_be_written_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    let prefix = format!("PREFIX={}/file/local", root.path().display());
    let refused = Make::by_user("1000").run(&["install", &prefix]);
    assert!(!refused.status.success());
    let printed = texts(&refused);
    assert!(printed.contains("run `sudo make install`"), "{printed}");
    assert!(printed.contains("`make install PREFIX=~/.local`"), "{printed}");
}

#[test]
fn install_of_a_program_for_another_machine_leaves_out_what_it_would_print() {
    let root = tempfile::tempdir().unwrap();
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    write_script(&other.join("pumphouse-web"), "echo cannot execute >&2; exit 126");
    let make = Make { built: other, ..Make::by_user("0") };
    let printed = make.succeed(&["install", &format!("PREFIX={}", root.path().display())]);
    assert!(printed.contains("does not run on this machine"), "{printed}");
    assert!(root.path().join("bin/pumphouse-web").is_file());
    assert!(!root.path().join("share/man").exists());
}
