//! The files of the Debian package agree with the sources. `make package-test` installs it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const CHANGELOG: &str = include_str!("../../packaging/debian/changelog");
const OWN: &str = include_str!("../../packaging/debian/package.conf");
const POSTINST: &str = include_str!("../../packaging/debian/postinst");
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

/// Runs the script in a folder, with functions in place of the programs that change the system.
#[test]
fn postinst_uses_the_group_of_a_user_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    let stubs = "getent() { :; }\n\
                 id() { [ \"$*\" = '-gn pumphouse' ] && echo daemons; }\n\
                 install() { echo \"install $*\"; }\n\
                 adduser() { echo adduser; }\n\
                 deb_stub() { :; }\n";
    let script = POSTINST
        .replace("/etc/pumphouse", &format!("{root}/etc/pumphouse"))
        .replace("/var/lib/pumphouse", &format!("{root}/var/lib/pumphouse"))
        .replace("/run/systemd/system", &format!("{root}/run/systemd/system"))
        .replace("deb-systemd-helper", "deb_stub")
        .replace("deb-systemd-invoke", "deb_stub");
    let file = folder.path().join("postinst");
    fs::write(&file, format!("{stubs}{script}")).unwrap();
    let ran = Command::new("sh").arg(&file).arg("configure").output().unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for made in ["etc/pumphouse", "var/lib/pumphouse"] {
        let line = format!("install -d -m 750 -o pumphouse -g daemons {root}/{made}");
        assert!(printed.lines().any(|it| it == line), "no {line:?} in {printed}");
    }
    assert!(!printed.contains("adduser"), "{printed}");
}

/// systemd gives a folder of `StateDirectory=` its mode at each start, by default one that all users can enter.
#[test]
fn unit_keeps_the_folder_of_the_data_as_closed_as_the_package_makes_it() {
    assert_eq!(values(UNIT, "StateDirectory"), ["pumphouse"]);
    assert_eq!(values(UNIT, "StateDirectoryMode"), ["0750"]);
    assert!(POSTINST.contains("install -d -m 750 "), "{POSTINST}");
}
