//! Commands whose standard output or standard error is closed or full.

use std::fs::File;
use std::process::{Command, Stdio};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::command_line::described;
use crate::server::BINARY;

/// Runs a command with this standard output. Returns its exit code and its errors.
fn run_to(stdout: Stdio, command: &mut Command) -> (Option<i32>, String) {
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Returns a pipe whose reader has gone.
pub fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Returns an output that no byte fits in.
pub fn full_disk() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// Command lines that print much or little, and whose success depends on nothing else.
fn printing() -> Vec<Vec<String>> {
    let mut lines: Vec<Vec<String>> = Vec::new();
    for command in described() {
        lines.push([&command.path[..], &["--help".to_owned()]].concat());
    }
    let others = ["version", "--version", "man", "completions bash", "completions zsh"];
    let others = others.iter().chain(&["completions fish", "token new"]);
    lines.extend(others.map(|line| line.split(' ').map(str::to_owned).collect()));
    lines
}

#[test]
fn full_standard_output_is_1_with_a_message() {
    for words in printing() {
        let (code, printed) = run_to(full_disk(), Command::new(BINARY).args(&words));
        assert_eq!(code, Some(1), "{words:?}: {printed}");
        assert!(printed.contains("cannot write to standard output: No space left"), "{printed}");
        assert!(!printed.contains("panicked"), "{words:?}: {printed}");
    }
}

#[test]
fn check_to_a_full_standard_output_is_1_with_one_message() {
    let upstream = Upstream::answering(r#"{"level": 1}"#);
    let folder = tempfile::tempdir().unwrap();
    let source = Source::json("tank", &upstream.url()).value("level", "/level", "%");
    Config::new().open().source(source).write(folder.path());
    for words in [&["check"][..], &["check", "--poll"]] {
        let mut command = Command::new(BINARY);
        let (code, printed) = run_to(full_disk(), command.args(words).current_dir(folder.path()));
        assert_eq!(code, Some(1), "{words:?}: {printed}");
        assert_eq!(printed.matches("cannot write").count(), 1, "{words:?}: {printed}");
    }
}

#[test]
fn closed_pipe_at_standard_output_is_0_without_a_message() {
    for words in printing() {
        let (code, printed) = run_to(closed_pipe(), Command::new(BINARY).args(&words));
        assert_eq!(code, Some(0), "{words:?}: {printed}");
        assert!(!printed.contains("pumphouse-web:"), "{words:?}: {printed}");
    }
}

#[test]
fn standard_error_that_is_closed_or_full_changes_no_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    for (line, code) in [
        ("chekc", 2),
        ("", 2),
        ("serve --pol", 2),
        ("check", 1),
        ("serve", 1),
        ("doctor --admin 127.0.0.1:1 --listen 127.0.0.1:1 --timeout 100ms", 1),
        ("probe --url http://127.0.0.1:1", 1),
        ("token new", 0),
        ("--help", 0),
    ] {
        for stream in [full_disk(), closed_pipe()] {
            let words = line.split(' ').filter(|word| !word.is_empty());
            let mut command = Command::new(BINARY);
            let command = command.args(words).current_dir(folder.path());
            let status = command.stdout(Stdio::null()).stderr(stream).status().unwrap();
            assert_eq!(status.code(), Some(code), "{line}");
        }
    }
    // Not open at all.
    let script = format!("'{BINARY}' chekc 2>&- >&-");
    let status = Command::new("sh").args(["-c", &script]).status().unwrap();
    assert_eq!(status.code(), Some(2));
}
