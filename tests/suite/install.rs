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

/// Returns the absolute paths below `folder` that the man page names, and the documents that it names.
fn named_in_the_man_page(folder: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let page = Command::new(BINARY).arg("man").output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    let fonts = ["\\fB", "\\fI", "\\fR", "\\"];
    let page = fonts.iter().fold(page, |page, font| page.replace(font, ""));
    let words: BTreeSet<String> = page
        .split([' ', '\n', '"'])
        .map(|it| it.trim_matches(|it: char| !"/_".contains(it) && !it.is_alphanumeric()))
        .map(str::to_owned)
        .collect();
    let is_document = |it: &&String| it.ends_with(".md") && it.starts_with(char::is_uppercase);
    let documents = words.iter().filter(is_document).cloned().collect();
    let paths = words.into_iter().filter(|it| it.starts_with(folder)).collect();
    (paths, documents)
}

#[test]
fn files_named_in_the_man_page_are_installed_and_packaged() {
    let root = tempfile::tempdir().unwrap();
    Make::new().succeed(&["install", &format!("DESTDIR={}", root.path().display())]);
    let (paths, documents) = named_in_the_man_page("/usr/local/");
    assert!(paths.len() > 1 && documents.len() > 3, "{paths:?}, {documents:?}");
    for path in paths {
        assert!(root.path().join(&path[1..]).is_dir(), "{path} is not installed");
    }
    let manifest = include_str!("../../Cargo.toml");
    let (paths, _) = named_in_the_man_page("/usr/share/");
    assert!(paths.len() > 1, "{paths:?}");
    for path in paths {
        assert!(manifest.contains(&format!("\"{}\"", &path[1..])), "{path} is not packaged");
    }
    for document in documents {
        let installed = root.path().join("usr/local/share/doc/pumphouse-web").join(&document);
        assert!(installed.is_file(), "{document} is not installed");
        let packaged = format!("[\"{document}\", \"usr/share/doc/pumphouse-web/\", \"644\"]");
        assert!(manifest.contains(&packaged), "{document} is not packaged");
    }
    let page = Command::new(BINARY).arg("man").output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    let is_literal =
        page.lines().any(|line| line.trim_start_matches("\\fB").starts_with("PREFIX/"));
    assert!(!is_literal, "{page}");
}

#[test]
fn install_builds_first_unless_rights_are_borrowed_or_cargo_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let prefix = format!("PREFIX={}", root.path().display());
    let lenders: [&[_]; 4] =
        [&[], &[("SUDO_UID", "1000")], &[("DOAS_USER", "anna")], &[("PKEXEC_UID", "1000")]];
    for lender in lenders {
        let make = Make { lender, ..Make::new() };
        // Without Cargo, as on a machine that gets a program of another.
        make.succeed(&["install", &prefix]);
        // Root in a container has no other user's program to install.
        let ran = make.add_cargo("echo cargo 1.999.0");
        make.succeed(&["install", &prefix]);
        let arguments = fs::read_to_string(&ran).unwrap_or_default();
        assert_eq!(arguments.starts_with("build"), lender.is_empty(), "{lender:?}: {arguments}");

        let unbuilt = Make { built: root.path().join("none"), ..make };
        let refused = unbuilt.run(&["install", &prefix]);
        assert!(!refused.status.success());
        let printed = texts(&refused);
        assert!(printed.contains("run `make build` first, without sudo"), "{printed}");
    }
    let without_cargo = Make { built: root.path().join("none"), ..Make::new() };
    let refused = without_cargo.run(&["install", &prefix]);
    assert!(texts(&refused).contains("cargo is missing"), "{}", texts(&refused));
}

#[test]
fn install_of_a_program_older_than_its_sources_warns() {
    let root = tempfile::tempdir().unwrap();
    let prefix = format!("PREFIX={}/of user", root.path().display());
    let make = Make { built: root.path().join("built"), ..Make::by_sudo() };
    fs::create_dir(&make.built).unwrap();
    let program = make.built.join("pumphouse-web");
    let source = root.path().join("a source.rs");
    for path in [&program, &source] {
        write_script(path, "echo pumphouse-web 0.0.1");
    }
    // As Cargo writes it.
    let escaped = source.display().to_string().replace(' ', "\\ ");
    let list = format!("{}: /none/first.rs {escaped} /none/last.rs\n", program.display());
    fs::write(make.built.join("pumphouse-web.d"), list).unwrap();
    let built_at = fs::metadata(&program).unwrap().modified().unwrap();
    for (age, is_warned) in [(-1, false), (0, false), (1, true)] {
        let hour = std::time::Duration::from_secs(3600);
        let time = match age {
            -1 => built_at - hour,
            0 => built_at,
            _ => built_at + hour,
        };
        fs::File::open(&source).unwrap().set_modified(time).unwrap();
        let printed = make.succeed(&["install", &prefix]);
        let warning = format!("warning: {} is newer than {}", source.display(), program.display());
        assert_eq!(printed.contains(&warning), is_warned, "{age}: {printed}");
        assert!(!is_warned || printed.contains("run `make build`, without sudo"), "{printed}");
    }
}

#[test]
fn toolchain_that_is_missing_empty_or_old_is_named_with_the_commands() {
    let needed = format!("Rust {} or newer", env!("CARGO_PKG_RUST_VERSION"));
    let packages = "apt-get install rustup gcc libc6-dev make && rustup default stable";
    let cases: [(Option<&str>, bool, &[&str]); 8] = [
        (None, false, &["cargo is missing", &needed, packages]),
        (Some("exit 1"), true, &["cargo does not run", "rustup default stable"]),
        (Some("echo 'cargo 1.85.0 (d73d2caf9 2024-12-31)'"), false, &["1.85.0", &needed, packages]),
        (Some("echo 'cargo 1.9.0'"), false, &["1.9.0", &needed]),
        (Some("echo 'cargo 1.85.0'"), true, &["1.85.0", &needed, "rustup update stable"]),
        (Some("echo 'cargo 1.89.0'"), false, &[]),
        (Some("echo 'cargo 1.100.0-nightly (a 2027-01-01)'"), false, &[]),
        // A stand-in.
        (Some("true"), false, &[]),
    ];
    for (version, has_rustup, wanted) in cases {
        let make = Make::new();
        let ran = version.map(|version| make.add_cargo(version));
        if has_rustup {
            make.replace("rustup", "true");
        }
        let output = make.run(&["build"]);
        let printed = texts(&output);
        assert_eq!(output.status.success(), wanted.is_empty(), "{version:?}: {printed}");
        let is_built = ran.is_some_and(|ran| ran.exists());
        assert_eq!(is_built, wanted.is_empty(), "{version:?}: {printed}");
        for wanted in wanted {
            assert!(printed.contains(wanted), "{version:?}: no {wanted} in {printed}");
        }
    }
}

#[test]
fn package_test_by_sudo_takes_the_package_that_the_user_has_made() {
    let target = tempfile::tempdir().unwrap();
    let target_dir = format!("CARGO_TARGET_DIR={}", target.path().display());
    let make = Make::by_sudo();
    let ran = make.add_cargo("true");
    let refused = make.run(&["package-test", &target_dir]);
    assert!(!refused.status.success());
    let printed = texts(&refused);
    assert!(printed.contains("run `make package` first, without sudo"), "{printed}");

    let packages = target.path().join("debian");
    fs::create_dir(&packages).unwrap();
    fs::write(packages.join("pumphouse-web_1.deb"), "").unwrap();
    let commands = make.succeed(&["-n", "package-test", &target_dir]);
    assert!(commands.contains("tests/package.sh"), "{commands}");
    assert!(commands.contains(packages.to_str().unwrap()), "{commands}");
    assert!(!commands.contains("test-cargo") && !ran.exists(), "{commands}");

    // Root itself makes it, into the same folder.
    let commands = Make::new().succeed(&["-n", "package-test", &target_dir]);
    assert!(commands.contains("test-cargo build"), "{commands}");
    let output = format!("--output \"{}/\"", packages.display());
    assert!(commands.contains(&output), "{commands}");
}

/// List of what is installed.
const LIST: &str = "share/pumphouse-web/installed-files";

/// Outcome of a program that an installation calls.
const ENDS: [&str; 2] = ["exit 1", "kill -KILL $PPID; exit 1"];

/// Replaces programs by ones that end badly at their call number `at`, counted together.
fn interrupt(make: &Make, programs: &[&str], at: usize, end: &str) {
    let count = make.programs.path().join("count");
    fs::write(&count, "").unwrap();
    for program in programs {
        let script = format!(
            "echo >>'{count}'\n[ $(wc -l <'{count}') != {at} ] || {{ {end}; }}\n\
             exec /usr/bin/{program} \"$@\"",
            count = count.display()
        );
        make.replace(program, &script);
    }
}

#[test]
fn interrupted_install_can_be_uninstalled() {
    for end in ENDS {
        for at in [1, 2, 3, 4, 25, usize::MAX] {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("share/man")).unwrap();
            fs::write(root.path().join("share/own"), "").unwrap();
            let before = tree(root.path());
            let prefix = format!("PREFIX={}", root.path().display());
            let make = Make::new();
            interrupt(&make, &["install", "mv"], at, end);
            let installed = make.run(&["install", &prefix]).status.success();
            assert_eq!(installed, at == usize::MAX, "{at}, {end}");
            let left = tree(root.path());
            if end == "exit 1" {
                assert!(!left.iter().any(|path| path.contains("-new")), "{at}: {left:?}");
            }
            let listed = root.path().join(LIST);
            if listed.exists() {
                Make::new().succeed(&["uninstall", &prefix]);
            } else {
                assert!(at <= 2, "{at}, {end}: no list");
                // Nothing but the folder of the list was made; the next run counts it as its own.
                Make::new().succeed(&["install", &prefix]);
                Make::new().succeed(&["uninstall", &prefix]);
            }
            let mut expected = before;
            if !listed.exists() && end != "exit 1" && at <= 2 {
                expected.insert("share/pumphouse-web/".to_owned());
            }
            assert_eq!(tree(root.path()), expected, "{at}, {end}");
        }
    }
}

#[test]
fn interrupted_update_keeps_the_old_list_or_has_both() {
    for end in ENDS {
        for at in [2, 3, 4, usize::MAX] {
            let root = tempfile::tempdir().unwrap();
            let before = tree(root.path());
            let prefix = format!("PREFIX={}", root.path().display());
            Make::new().succeed(&["install", &prefix]);
            let list = root.path().join(LIST);
            let old = "share/pumphouse-web/of-an-old-version/a.conf";
            fs::create_dir(root.path().join(old).parent().unwrap()).unwrap();
            fs::write(root.path().join(old), "").unwrap();
            let more = format!("{old}\nshare/pumphouse-web/of-an-old-version/\n");
            fs::write(&list, fs::read_to_string(&list).unwrap() + &more).unwrap();
            let make = Make::new();
            interrupt(&make, &["install", "mv"], at, end);
            make.run(&["install", &prefix]);
            Make::new().succeed(&["uninstall", &prefix]);
            assert_eq!(tree(root.path()), before, "{at}, {end}");
        }
    }
}

#[test]
fn interrupted_uninstall_can_be_completed() {
    let root = tempfile::tempdir().unwrap();
    let before = tree(root.path());
    let prefix = format!("PREFIX={}", root.path().display());
    Make::new().succeed(&["install", &prefix]);
    let make = Make::new();
    interrupt(&make, &["rm", "rmdir"], usize::MAX, "exit 1");
    make.succeed(&["uninstall", &prefix]);
    let calls = fs::read_to_string(make.programs.path().join("count")).unwrap().lines().count();
    for end in ENDS {
        // The last ones remove the list, the folders above it, and the scratch file.
        for at in [1, 2, calls / 2, calls - 4, calls - 3, calls - 2, calls - 1] {
            Make::new().succeed(&["install", &prefix]);
            let make = Make::new();
            interrupt(&make, &["rm", "rmdir"], at, end);
            make.run(&["uninstall", &prefix]);
            let left = tree(root.path());
            if left.contains(LIST) {
                Make::new().succeed(&["uninstall", &prefix]);
                assert_eq!(tree(root.path()), before, "{at}, {end}");
            } else {
                // Empty folders, at most.
                let above = ["share/", "share/pumphouse-web/"].map(str::to_owned);
                assert!(left.is_subset(&above.into()), "{at}, {end}: {left:?}");
                let _ = fs::remove_dir_all(root.path().join("share"));
            }
        }
    }
}

#[test]
fn uninstall_without_the_right_to_remove_says_what_to_do_and_keeps_the_list() {
    let root = tempfile::tempdir().unwrap();
    let prefix = format!("PREFIX={}", root.path().display());
    Make::new().succeed(&["install", &prefix]);
    let make = Make::new();
    make.replace("rm", "case $2 in */bin/*) exit 1 ;; esac\nexec /usr/bin/rm \"$@\"");
    let refused = make.run(&["uninstall", &prefix]);
    assert!(!refused.status.success());
    assert!(texts(&refused).contains("run `sudo make uninstall`"), "{}", texts(&refused));
    assert!(root.path().join(LIST).exists());
}

/// Spellings of one folder, below the home and the working directory of make.
#[test]
fn prefix_is_shown_without_superfluous_slashes_and_with_the_tilde_expanded() {
    let make = Make::new();
    let home = make.programs.path().display();
    let sources = env!("CARGO_MANIFEST_DIR");
    let unique = format!("target/tmp/prefix-{}", std::process::id());
    for (written, shown) in [
        (format!("{sources}/{unique}/"), format!("{sources}/{unique}")),
        (format!("{sources}//{unique}//"), format!("{sources}/{unique}")),
        (unique.clone(), format!("{sources}/{unique}")),
        (format!("~/{unique}/"), format!("{home}/{unique}")),
    ] {
        let prefix = format!("PREFIX={written}");
        let printed = make.succeed(&["install", &prefix]);
        make.succeed(&["uninstall", &prefix]);
        fs::remove_dir_all(&shown).unwrap();
        assert!(printed.contains(&format!("installed in {shown}:")), "{written}: {printed}");
        let advice =
            format!("{shown}/bin is not in PATH; add it: export PATH=\"{shown}/bin:$PATH\"");
        assert!(printed.contains(&advice), "{written}: {printed}");
    }
    let refused = Make::new().run(&["install", "PREFIX=usr", "DESTDIR=/dev/null/none"]);
    assert!(texts(&refused).contains("must be absolute"), "{}", texts(&refused));
}

#[test]
fn install_ends_with_the_next_command() {
    let root = tempfile::tempdir().unwrap();
    let prefix = format!("PREFIX={}", root.path().display());
    let mut make = Make::new();
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
    let refused = Make::new().run(&["install", &prefix]);
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
    let make = Make { built: other, ..Make::new() };
    let printed = make.succeed(&["install", &format!("PREFIX={}", root.path().display())]);
    assert!(printed.contains("does not run on this machine"), "{printed}");
    assert!(root.path().join("bin/pumphouse-web").is_file());
    assert!(!root.path().join("share/man").exists());
}
