//! `make install` and `make uninstall`.

mod documents;
mod interrupted;
mod messages;
mod toolchain;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::server::BINARY;

/// List of what is installed.
const LIST: &str = "share/pumphouse-web/installed-files";

/// Folder of the program that is installed.
fn built() -> &'static Path {
    Path::new(BINARY).parent().unwrap()
}

/// A run of make in the source folder, with programs that are replaced by scripts.
struct Make {
    programs: TempDir,
    path: String,
    built: PathBuf,
    /// Variables that the program sets that lends rights.
    lender: &'static [(&'static str, &'static str)],
}

impl Make {
    /// Returns a run without Cargo.
    fn new() -> Make {
        let programs = tempfile::tempdir().unwrap();
        // The folders of a bare system, without those that rustup and Cargo use.
        Make {
            path: format!("{}:/usr/bin:/bin", programs.path().display()),
            programs,
            built: built().to_owned(),
            lender: &[],
        }
    }

    /// Returns a run by sudo.
    fn by_sudo() -> Make {
        Make { lender: &[("SUDO_UID", "1000")], ..Make::new() }
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
            .env("HOME", self.programs.path())
            .env_remove("MAKEFLAGS")
            .env_remove("MAKELEVEL")
            .env_remove("PREFIX")
            .env_remove("DESTDIR")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("SUDO_UID")
            .env_remove("DOAS_USER")
            .env_remove("PKEXEC_UID")
            .envs(self.lender.iter().copied())
            .output()
            .unwrap();
        eprintln!("{}", texts(&output));
        output
    }

    /// Adds a Cargo that writes its arguments to the file that this returns, unless it is asked for its
    /// version.
    fn add_cargo(&self, version: &str) -> PathBuf {
        let ran = self.programs.path().join("cargo-ran");
        let script = format!(
            "if [ \"$1\" = --version ]; then {version}; else echo \"$@\" >>'{}'; fi",
            ran.display()
        );
        self.replace("test-cargo", &script);
        ran
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
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            // A symbolic link to a folder is listed as a file.
            if entry.file_type().unwrap().is_dir() {
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
    let make = Make::new();
    let prefix = format!("PREFIX={}", root.path().display());
    make.succeed(&["install", &prefix]);

    let installed = tree(root.path());
    let list = fs::read_to_string(root.path().join(LIST)).unwrap();
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
    let list_path = root.path().join(LIST);
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
    let make = Make::new();
    let printed = make.succeed(&["install", &destdir]);
    assert!(root.path().join("usr/local/bin/pumphouse-web").is_file());
    assert!(!printed.contains("next:"), "a staged program is not run: {printed}");
    make.succeed(&["uninstall", &destdir]);
    assert_eq!(tree(root.path()), BTreeSet::new());
}
