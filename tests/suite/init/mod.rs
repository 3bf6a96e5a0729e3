//! `pumphouse-web init`: exit codes, standard input, a real terminal, `kill -9`, and that the files work.

mod failures;
mod supervisors;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hostile::upstream::Upstream;

use crate::server::{BINARY, run, text};
use crate::terminal::{Terminal, wait_until_hidden};

const FILES: [&str; 3] = ["certs/cert.pem", "certs/key.pem", "pumphouse.toml"];

/// Options that need no answer.
const OPEN: [&str; 8] =
    ["init", "--place", "37.31,-122.2", "--tank", "none", "--units", "us", "--open"];

/// Runs `init` in a folder with this standard input.
fn init(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(BINARY)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads no input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Returns all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let found = Command::new("find").args([".", "!", "-type", "d"]).current_dir(folder).output();
    let mut files: Vec<String> = String::from_utf8(found.unwrap().stdout)
        .unwrap()
        .lines()
        .map(|it| it[2..].to_owned())
        .collect();
    files.sort();
    files
}

#[test]
fn init_without_a_network_writes_files_that_pass_check() {
    let folder = tempfile::tempdir().unwrap();
    let made = init(folder.path(), &OPEN, "");
    let printed = text(&made);
    assert_eq!(made.status.code(), Some(0), "{printed}");
    assert_eq!(files(folder.path()), FILES);
    for part in [
        "pumphouse.toml is valid",
        "polled weather",
        "Next:",
        " serve",
        ":6443/",
        "warning: a source",
    ] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
    let checked = run(&["check"], folder.path());
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(!text(&checked).contains("note:"), "{}", text(&checked));

    let again = init(folder.path(), &OPEN, "");
    assert_eq!(again.status.code(), Some(1));
    for file in FILES {
        assert!(text(&again).contains(file), "{}", text(&again));
    }
}

#[test]
fn init_with_an_upstream_that_answers_has_no_warning() {
    let upstream = Upstream::answering(r#"{"tank":{"level":81}}"#);
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = OPEN.to_vec();
    arguments[4] = "json";
    let url = upstream.url();
    arguments.extend([
        "--tank-url",
        &url,
        "--pointer",
        "/tank/level",
        "--title",
        "Well \"7\" \\ é",
    ]);
    let made = init(folder.path(), &arguments, "");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    assert!(text(&made).contains("level  81 %"), "{}", text(&made));
}

#[test]
fn init_reads_secrets_from_standard_input_only() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "init",
        "--place",
        "47.37,8.54",
        "--user",
        "anna",
        "--tank",
        "ptlevel",
        "--height",
        "147cm",
        "--capacity",
        "5300L",
        "--dir",
        "new/a tank",
    ];
    let ended = init(folder.path(), &arguments, "");
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended));
    assert!(text(&ended).contains("the input ended"), "{}", text(&ended));
    assert_eq!(files(folder.path()), [""; 0]);

    let made = init(folder.path(), &arguments, "correct horse\nhttps://127.0.0.1:1/s/4711abcdef\n");
    let printed = text(&made);
    assert_eq!(made.status.code(), Some(0), "{printed}");
    assert!(!printed.contains("4711abcdef") && !printed.contains("correct horse"), "{printed}");
    let folder = folder.path().join("new/a tank");
    for secret in ["certs/key.pem", "password-hash", "tank-link"] {
        let mode = fs::metadata(folder.join(secret)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    // From another folder, as a script of the operator does.
    let configuration = folder.join("pumphouse.toml");
    let checked = run(&["check", configuration.to_str().unwrap()], Path::new("/"));
    assert!(checked.status.success(), "{}", text(&checked));
    assert!(text(&checked).contains("user anna, scopes: read, poll"), "{}", text(&checked));
}

/// The questions on a pseudo-terminal, with the answers typed in advance.
#[test]
fn init_on_a_terminal_asks_and_hides_the_password() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let name = other.path().join("terminal");
    let command = format!("tty >{}; exec {BINARY} init", name.display());
    let mut terminal = Terminal::start(&command, folder.path());
    let mut all = String::new();
    for (question, reply) in [
        ("37.24,-122.14: ", "-122.14,37.24"),
        ("37.24,-122.14: ", "37.24,-122.14"),
        ("Units, us or metric [us]: ", ""),
        ("Time zone", "America/Los_Angeles"),
        ("Tank: none, ptlevel", "none"),
        ("Who may read", "user"),
        ("Name to sign in with: ", "anna"),
        ("Password of anna: ", "correct horse"),
        ("Repeat the password: ", "correct horse"),
        ("Supervisor", "none"),
    ] {
        all += &terminal.wait_for(question);
        if question.contains("assword") {
            wait_until_hidden(&name);
        }
        terminal.send(&format!("{reply}\n"));
    }
    let (code, rest) = terminal.finish();
    all += &rest;
    assert_eq!(code, Some(0), "{all}");
    assert!(all.contains("did you mean 37.24,-122.14?") && all.contains("user anna"), "{all}");
    assert!(!all.contains("correct horse"), "{all}");
    assert!(all.contains("Next:"), "{all}");
}

/// The options of a script, which may run on a terminal.
#[test]
fn init_with_all_options_asks_nothing_on_a_terminal() {
    for more in ["--open", "--open --supervisord", "--systemd"] {
        let folder = tempfile::tempdir().unwrap();
        let command =
            format!("exec {BINARY} init --place 47.37,8.54 --tank none --units METRIC {more}");
        let ran = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("script is needed: apt-get install bsdutils");
        let shown = text(&ran);
        assert_eq!(ran.status.code(), Some(0), "{shown}");
        assert!(shown.starts_with("Written:"), "{shown}");
        assert!(files(folder.path()).contains(&"pumphouse.toml".to_owned()), "{shown}");
    }
}

/// The example of `--help`, with files whose last line has no line feed.
#[test]
fn init_example_of_help_passes_the_password_and_the_link() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("password"), "correct horse").unwrap();
    fs::write(folder.path().join("link"), "https://127.0.0.1:1/s/4711abcdef").unwrap();
    let help = text(&run(&["init", "--help"], folder.path()));
    let command = help.lines().find_map(|line| line.trim().strip_prefix("$ printf"));
    let command = command.unwrap_or_else(|| panic!("no example in {help}"));
    let path = format!(
        "{}:{}",
        Path::new(BINARY).parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let made = Command::new("sh")
        .args(["-c", &format!("printf{command}")])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(made.status.code(), Some(0), "{command}: {}", text(&made));
    assert!(text(&made).contains("user anna"), "{}", text(&made));
    let link = fs::read_to_string(folder.path().join("tank-link")).unwrap();
    assert_eq!(link, "https://127.0.0.1:1/s/4711abcdef\n");
}

#[test]
fn init_names_the_configuration_if_another_one_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(BINARY);
    command.args(OPEN).current_dir(folder.path()).env("PUMPHOUSE_CONFIG", "/srv/other.toml");
    let made = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    assert!(text(&made).contains(" serve --config pumphouse.toml\n"), "{}", text(&made));
}
