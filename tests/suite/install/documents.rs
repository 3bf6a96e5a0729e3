//! Documents and examples that the man page and the files of `init` name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Make, texts};
use crate::server::BINARY;

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
    let manifest = include_str!("../../../Cargo.toml");
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

/// Returns the absolute paths of documents and examples that a text names.
fn named_in(text: &str, root: &Path) -> BTreeSet<String> {
    let below = format!("{}/share/", root.display());
    let words = text.split([' ', '\n', '"', ';', '(', ')', ',']);
    words.filter(|word| word.starts_with(&below)).map(str::to_owned).collect()
}

/// The files of `init` name the examples by their paths on this machine.
#[test]
fn examples_named_by_init_are_those_that_are_installed() {
    let root = tempfile::tempdir().unwrap();
    Make::new().succeed(&["install", &format!("PREFIX={}", root.path().display())]);
    let kinds = ["none", "ptlevel", "ptdevices", "json"];
    for kind in kinds {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(root.path().join("bin/pumphouse-web"))
            .args(["init", "--place", "47.37,8.54", "--tank", kind, "--supervisord", "--systemd"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", texts(&made));
        for (file, least) in
            [("pumphouse.toml", 4), ("pumphouse-web.conf", 1), ("pumphouse-web.service", 1)]
        {
            let text = fs::read_to_string(folder.path().join(file)).unwrap();
            assert!(!text.contains("in the project's folder"), "{kind}: {text}");
            let named = named_in(&text, root.path());
            assert!(named.len() >= least, "{kind}, {file}: {named:?} in {text}");
            for path in named {
                assert!(Path::new(&path).exists(), "{kind}, {file}: {path} is not installed");
            }
        }
    }
}
