//! Installations and removals that end in the middle.

use std::fs;

use super::{LIST, Make, texts, tree};

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
