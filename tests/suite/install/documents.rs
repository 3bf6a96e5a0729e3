//! Documents and examples that the man page and the files of `init` name.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Make, texts, tree};
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

/// Returns the relative targets of the links of a document, without their fragments.
fn links(text: &str) -> BTreeSet<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = targets.filter_map(|(target, _)| target.split('#').next());
    targets.filter(|it| !it.is_empty() && !it.contains("://")).collect()
}

/// Returns true if the manifest packages `path`, relative to the folder of the documents.
fn is_packaged(manifest: &str, path: &str) -> bool {
    const FOLDER: &str = "usr/share/doc/pumphouse-web/";
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(it, name)| (it, name));
    let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let pattern = name.rsplit_once('.').map(|(_, ending)| format!("*.{ending}"));
    let sources = [Some(name), pattern.as_deref(), Some("*")].into_iter().flatten();
    let mut entries =
        sources.map(|source| format!("[\"{below}{source}\", \"{FOLDER}{below}\", \"644\"]"));
    entries.any(|entry| manifest.contains(&entry))
        || manifest.contains(&format!("\"{FOLDER}{path}/\""))
}

#[test]
fn links_of_documents_lead_to_files_that_are_installed_and_packaged() {
    let root = tempfile::tempdir().unwrap();
    Make::new().succeed(&["install", &format!("PREFIX={}", root.path().display())]);
    let manifest = include_str!("../../../Cargo.toml");
    let documents = root.path().join("share/doc/pumphouse-web");
    let (mut read, mut followed) = (0, 0);
    for path in tree(&documents).iter().filter(|path| path.ends_with(".md")) {
        let text = fs::read_to_string(documents.join(path)).unwrap();
        let folder = path.rsplit_once('/').map_or(String::new(), |(it, _)| format!("{it}/"));
        assert!(is_packaged(manifest, path), "{path} is not packaged");
        for link in links(&text) {
            let target = format!("{folder}{link}");
            assert!(documents.join(&target).exists(), "{path}: {link} is not installed");
            assert!(is_packaged(manifest, &target), "{path}: {link} is not packaged");
            followed += 1;
        }
        read += 1;
    }
    assert!(read > 5 && followed > 25, "{read} documents, {followed} links");
}

#[test]
fn examples_name_the_program_where_it_is_installed() {
    const EXAMPLES: [&str; 4] = [
        "cluster/supervisord.conf",
        "supervisord.conf",
        "supervisord-fcgi.conf",
        "systemd/pumphouse-web.service",
    ];
    let (own, staged) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let prefix = own.path().join("a&b|c");
    Make::new().succeed(&["install", &format!("PREFIX={}", prefix.display())]);
    Make::new().succeed(&["install", &format!("DESTDIR={}", staged.path().display())]);
    for example in EXAMPLES {
        let read = |folder: &Path| fs::read_to_string(folder.join(example)).unwrap();
        let source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"));
        let program = format!("{}/bin/pumphouse-web", prefix.display());
        assert_eq!(
            read(&prefix.join("share/pumphouse-web")),
            source.replace("/usr/local/bin/pumphouse-web", &program)
        );
        assert_eq!(read(&staged.path().join("usr/local/share/pumphouse-web")), source);
    }
}

/// The package has what `make package` installs into a folder, with the examples beside the documents.
#[test]
fn examples_of_the_package_name_the_program_in_usr_bin() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("package");
    let make = Make::new();
    make.add_cargo("echo cargo 1.999.0");
    make.succeed(&["package", "CARGO_DEB=/bin/true", &format!("PACKAGE_ROOT={}", root.display())]);
    let manifest = include_str!("../../../Cargo.toml");
    let source = "{ source = \"target/package/usr/share/**/*\", dest = \"usr/share/\" }";
    assert!(manifest.contains(source), "the package has no files of that folder");
    let share = root.join("usr/share");
    let named = |name: &str| -> BTreeSet<String> {
        // A folder has no text.
        let text = |path: &str| fs::read(share.join(path)).unwrap_or_default();
        let has = |path: &str| String::from_utf8_lossy(&text(path)).contains(name);
        let files = tree(&share).into_iter();
        files.filter(|path| path.contains("/examples/") && has(path)).collect()
    };
    let examples = [
        "cluster/supervisord.conf",
        "supervisord-fcgi.conf",
        "supervisord.conf",
        "systemd/pumphouse-web.service",
    ];
    let examples = examples.map(|name| format!("doc/pumphouse-web/examples/{name}"));
    assert_eq!(named("/usr/bin/pumphouse-web"), examples.into());
    assert_eq!(named("/usr/local/bin"), BTreeSet::new());
    let modes = ["pumphouse.sh", "gate.sh"].map(|name| {
        let path = share.join("doc/pumphouse-web/examples/shell").join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    });
    assert_eq!(modes, [0o644, 0o755], "of a file that others read, and of a program");
}
