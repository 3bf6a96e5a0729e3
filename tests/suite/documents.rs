//! Documents that name tests, files and symbols: each of them exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Root of the repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the texts between backticks.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Expands `a::{b, c}` to `a::b` and `a::c`.
fn expand(path: &str) -> Vec<String> {
    match path.split_once('{') {
        Some((prefix, names)) => names
            .trim_end_matches('}')
            .split(',')
            .map(|name| format!("{prefix}{}", name.trim()))
            .collect(),
        None => vec![path.to_owned()],
    }
}

/// Returns the file of a module below `folder`, if it has one.
fn module_file(folder: &str, module: &[&str]) -> Option<PathBuf> {
    let stem = Path::new(ROOT).join(folder).join(module.join("/"));
    [stem.with_extension("rs"), stem.join("mod.rs")].into_iter().find(|path| path.is_file())
}

/// Returns an error unless a path names a test, or a module or folder with tests.
fn find_test(path: &str) -> Result<(), String> {
    let parts: Vec<&str> = path.split("::").collect();
    let found = ["tests/suite", "src"].into_iter().any(|folder| {
        (1..=parts.len()).any(|length| {
            let (module, rest) = parts.split_at(length);
            module_file(folder, module).is_some_and(|file| {
                let source = fs::read_to_string(file).unwrap();
                match rest {
                    // A module stands for the tests in it and below it.
                    [] | ["*" | "tests"] => has_tests(folder, module, &source),
                    ["tests", name] | [name] => has_function(&source, name),
                    _ => false,
                }
            })
        })
    });
    if found { Ok(()) } else { Err(format!("`{path}` names no test")) }
}

fn has_function(source: &str, name: &str) -> bool {
    source.contains(&format!("fn {name}("))
}

fn has_tests(folder: &str, module: &[&str], source: &str) -> bool {
    let below = Path::new(ROOT).join(folder).join(module.join("/"));
    source.contains("#[test]")
        // A macro of the history's tests, which writes `#[test]`.
        || source.contains("on_both_stores!(")
        || source.contains("mod tests")
        || sources(&below).iter().any(|path| fs::read_to_string(path).unwrap().contains("#[test]"))
}

/// Returns the Rust files below a folder; none if there is no such folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_test_named_in_invariants_exists() {
    let document = read("tests/INVARIANTS.md");
    let is_row = |line: &&str| {
        line.starts_with("| ") && !line.starts_with("| invariant |") && !line.starts_with("| ---")
    };
    let rows: Vec<&str> = document.lines().filter(is_row).collect();
    assert!(rows.len() > 80, "the tables have {} rows", rows.len());
    let mut faults = BTreeSet::new();
    for row in rows {
        let tests = row.trim_end_matches('|').rsplit_once('|').map_or("", |(_, tests)| tests);
        let named: Vec<&str> = code_spans(tests)
            .filter(|span| !span.starts_with("make ") && !span.contains('/') && *span != "fuzz")
            .collect();
        if named.is_empty() && !row.contains("`fuzz`") {
            faults.insert(format!("no test is named in: {row}"));
        }
        for path in named.into_iter().flat_map(expand) {
            faults.extend(find_test(&path).err());
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_test_named_in_security_exists() {
    let document = read("SECURITY.md");
    let is_test = |span: &&str| span.contains("::") && *span != "suite::";
    let faults: BTreeSet<String> = document
        .lines()
        .flat_map(code_spans)
        .filter(is_test)
        .flat_map(|span| expand(span.trim_start_matches("suite::")))
        .filter_map(|path| find_test(&path).err())
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn missing_test_is_reported() {
    assert!(find_test("documents::missing_test_is_reported").is_ok());
    assert!(find_test("documents::no_such_test").is_err());
    assert!(find_test("engine::no_such_module").is_err());
    assert!(find_test("no_such_file::*").is_err());
}

#[test]
fn measured_rows_of_readme_are_in_the_tables_of_benches() {
    let tables = read("benches/RESULTS.md") + &read("benches/ATTACK.md");
    let readme = read("README.md");
    let is_measured = |line: &&str| line.ends_with("| reached |") || line.ends_with("| missed |");
    let rows: Vec<&str> = readme.lines().filter(is_measured).collect();
    assert!(rows.len() >= 6, "README.md has {} measured rows", rows.len());
    for row in rows {
        assert!(tables.lines().any(|line| line == row), "not in benches: {row}");
    }
}

/// Returns the targets of the links of a Markdown text that lie in the repository.
fn local_links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let paths = targets.map(|(target, _)| target.split('#').next().unwrap_or_default());
    paths.filter(|path| !path.is_empty() && !path.contains(':'))
}

#[test]
fn links_of_documents_lead_to_files() {
    let documents =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "benches/README.md"];
    for document in documents {
        let text = read(document);
        for link in local_links(&text) {
            let path = Path::new(ROOT).join(document).with_file_name(link);
            assert!(path.exists(), "{document} links to {link}, which does not exist");
        }
    }
}

/// Returns true if a source file defines `symbol`: `function`, `Type` or `Type::method`.
fn defines(source: &str, symbol: &str) -> bool {
    let name = symbol.rsplit("::").next().unwrap_or_default();
    ["fn", "struct", "enum", "trait", "type", "const", "static", "mod", "macro_rules!"].iter().any(
        |keyword| {
            let definition = format!("{keyword} {name}");
            source.match_indices(&definition).any(|(at, text)| {
                let next = source[at + text.len()..].chars().next();
                !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
            })
        },
    )
}

/// Returns an error for each path of a document that does not exist, and for each symbol that the file
/// named before it on the same line does not define.
fn missing_paths_and_symbols(document: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for line in document.lines() {
        let mut file: Option<&str> = None;
        for span in code_spans(line) {
            let is_path = ["src/", "tests/", "examples/", "benches/"]
                .iter()
                .any(|folder| span.starts_with(folder));
            if is_path {
                if Path::new(ROOT).join(span).exists() {
                    file = Some(span).filter(|span| span.ends_with(".rs"));
                } else {
                    missing.push(format!("{span} does not exist"));
                }
            } else if let Some(path) = file
                && span.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
                && !defines(&read(path), span)
            {
                missing.push(format!("{path} does not define {span}"));
            }
        }
    }
    missing
}

#[test]
fn paths_and_symbols_of_architecture_exist() {
    let document = read("ARCHITECTURE.md");
    let missing = missing_paths_and_symbols(&document);
    assert!(missing.is_empty(), "{missing:#?}");
    let files = document.lines().flat_map(code_spans).filter(|span| span.ends_with(".rs"));
    assert!(files.count() >= 20, "ARCHITECTURE.md lists few files");
}

#[test]
fn missing_path_and_symbol_are_reported() {
    let file = "tests/suite/documents.rs";
    assert!(missing_paths_and_symbols(&format!("`{file}`: `defines`, `ROOT`")).is_empty());
    assert_eq!(missing_paths_and_symbols(&format!("`{file}`: `define`")).len(), 1);
    assert_eq!(missing_paths_and_symbols("`src/no_such_file.rs`: `defines`").len(), 1);
}

#[test]
fn architecture_is_short() {
    let words = read("ARCHITECTURE.md").split_whitespace().count();
    assert!(words <= 2000, "ARCHITECTURE.md has {words} words; move the depth into module heads");
}
