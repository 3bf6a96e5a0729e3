//! Builds before an installation and a package: by whom, with which toolchain, and of which sources.

use std::fs;

use super::{Make, texts, write_script};

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
