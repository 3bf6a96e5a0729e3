//! Commands that README names: CI runs each, and the tools behind them find their programs.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use hostile::config::Config;
use hostile::program;
use hostile::target::Target;

use crate::server::BINARY;

const README: &str = include_str!("../../README.md");
const CI: &str = include_str!("../../.ci/run");
const TARGETS: &str = include_str!("../targets.sh");

/// Returns the make targets that a text names at the start of a line, or in backquotes.
fn named(text: &str) -> BTreeSet<&str> {
    let begins = |line: &str| line.trim_start_matches(['`', ' ']).starts_with("make ");
    let pieces = text.lines().flat_map(|line| line.split('`')).filter(|piece| begins(piece));
    pieces.filter_map(|piece| piece.split_whitespace().nth(1)).collect()
}

/// Returns the make targets that a script runs.
fn run(script: &str) -> BTreeSet<&str> {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    let behind = lines.flat_map(|line| line.split("make ").skip(1));
    behind.filter_map(|rest| rest.split_whitespace().next()).collect()
}

#[test]
fn make_targets_named_in_readme_run_by_ci() {
    let named = named(README);
    assert!(named.contains("soak") && named.contains("run"), "{named:?}");
    let run: BTreeSet<&str> = run(CI).union(&run(TARGETS)).copied().collect();
    let missing: Vec<_> = named.difference(&run).collect();
    assert!(missing.is_empty(), "neither .ci/run nor tests/targets.sh runs {missing:?}");
}

/// Returns the path of the binary relative to the working folder, through `src`, so that it is valid in
/// that folder only.
fn relative_binary() -> PathBuf {
    let folder = std::env::current_dir().unwrap();
    let up = folder.components().filter(|part| matches!(part, Component::Normal(_)));
    let up: PathBuf = up.map(|_| Component::ParentDir).collect();
    Path::new("src/..").join(up).join(Path::new(BINARY).strip_prefix("/").unwrap())
}

#[test]
fn target_of_relative_path_started_in_another_folder_serves() {
    let target = Target::start(&relative_binary(), Config::https()).unwrap();
    assert!(target.admin_page("/healthz").unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn program_that_does_not_exist_error_names_its_path() {
    let path = Path::new("target/no-such-program");
    let missing = Target::start(path, Config::https()).err().unwrap().to_string();
    assert!(missing.contains("target/no-such-program"), "{missing}");
    let unstarted = program::spawn(&mut Command::new(path)).err().unwrap().to_string();
    assert!(unstarted.contains("cannot start target/no-such-program in ."), "{unstarted}");
}

#[test]
fn program_that_fails_error_has_its_standard_error() {
    let mut failing = Command::new("sh");
    failing.args(["-c", "echo no such luck >&2; exit 3"]);
    let failed = program::run(&mut failing, "").err().unwrap().to_string();
    assert!(failed.contains("no such luck") && failed.contains('3'), "{failed}");
}
