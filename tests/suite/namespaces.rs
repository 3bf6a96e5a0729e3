//! Tests that need a network and system files of their own, such as `/etc/resolv.conf`.
//!
//! Such a test has two halves. The outer half calls [`run_inside`], which runs the inner half, an
//! ignored test of this same program, in new user, mount and network namespaces.

use std::process::{Command, Output};

const INSIDE: &str = "PUMPHOUSE_TEST_INSIDE_NAMESPACES";

/// Brings up the loopback interface with a second IPv6 address and puts the files in place.
const SCRIPT: &str = r#"
set -e
ip link set lo up
ip addr add 2001:db8::1/128 dev lo nodad
for file in "$1"/*; do [ -e "$file" ] && mount --bind "$file" "/etc/$(basename "$file")"; done
shift
exec "$@"
"#;

/// Runs the ignored test `inner`, with these files (name, content) in `/etc`, and asserts that it
/// succeeds. Where the system allows no namespaces the test is skipped, except in CI.
pub fn run_inside(inner: &str, files: &[(&str, &str)]) {
    let namespaces = Command::new("unshare").args(["-rmn", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        skip(inner);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let inside = Command::new("unshare")
        .args(["-rmn", "sh", "-c", SCRIPT, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", inner, "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert_passed(&inside);
}

/// Runs the ignored test `inner` in the root that the script at `setup` makes, in new mount, network and
/// process namespaces, and asserts that it succeeds. The inner test finds the script's folder in
/// `PUMPHOUSE_TEST_FOLDER`. Users are real, so it needs root; without it is skipped, except in CI.
pub fn run_in_root(inner: &str, setup: &str) {
    let options = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let namespaces = Command::new("unshare").args(options).args(["--", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        skip(inner);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let inside = Command::new("unshare")
        .args(options)
        .args(["--", "sh", setup])
        .arg(folder.path())
        .arg(env!("CARGO_MANIFEST_DIR"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", inner, "--ignored", "--nocapture"])
        .env(INSIDE, "1")
        .env("PUMPHOUSE_TEST_FOLDER", folder.path())
        .output()
        .unwrap();
    assert_passed(&inside);
}

/// Reports that a test is skipped, since this system allows no namespaces.
fn skip(inner: &str) {
    assert!(std::env::var_os("CI").is_none(), "the system allows no namespaces");
    hostile::skip::report(&format!("{inner}, as this system allows no namespaces"));
}

fn assert_passed(inside: &Output) {
    let output = [&*inside.stdout, &*inside.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(inside.status.success() && output.contains("1 passed"), "{output}");
}

/// Returns true if the calling test was started by [`run_inside`] or [`run_in_root`].
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}
