//! The files of the Debian package agree with the sources. `make package-test` installs it.

use std::collections::BTreeSet;

const CHANGELOG: &str = include_str!("../../packaging/debian/changelog");
const OWN: &str = include_str!("../../packaging/debian/package.conf");
const UNIT: &str = include_str!("../../examples/systemd/pumphouse-web.service");

fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let prefix = format!("{key}=");
    text.lines().filter_map(|line| line.strip_prefix(&*prefix)).collect()
}

#[test]
fn package_has_the_version_of_the_program() {
    let wanted = format!("pumphouse-web ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(CHANGELOG.starts_with(&wanted), "{CHANGELOG}");
}

#[test]
fn package_changes_the_path_of_the_program_in_the_unit_only() {
    let [command] = values(UNIT, "ExecStart")[..] else { panic!("{UNIT}") };
    // The empty one removes the example's.
    let packaged = command.replace("/usr/local/bin", "/usr/bin");
    assert_eq!(values(OWN, "ExecStart"), ["", &packaged]);
    let (_, configuration) = packaged.split_once("--config ").unwrap();
    assert_eq!(values(OWN, "ConditionPathExists"), [configuration]);
    let lines = OWN.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    let keys: BTreeSet<&str> = lines.filter_map(|line| line.split('=').next()).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["ConditionPathExists", "ExecStart"]);
}
