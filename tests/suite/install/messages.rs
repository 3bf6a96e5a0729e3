//! Messages of `make install`: the prefix, the next command, and what to do after a failure.

use std::fs;

use super::{Make, texts, write_script};

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
