//! Command lines: help, mistakes, and the configuration that they name.

mod mistakes;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::server::{self, BINARY};

/// The exit code of a command, and its output on pipes.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(Output { status, stdout, stderr }: Output) -> Ended {
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Ended { code: status.code(), stdout, stderr }
    }
}

/// Runs the program with words that name no file.
fn run<S: AsRef<OsStr>>(words: &[S]) -> Ended {
    run_in(Path::new("."), words)
}

fn run_in<S: AsRef<OsStr>>(folder: &Path, words: &[S]) -> Ended {
    server::run(words, folder).into()
}

/// Runs the program with this value of `$PUMPHOUSE_CONFIG`.
fn run_with_variable(folder: &Path, value: Option<&str>, words: &[&str]) -> Ended {
    let mut command = Command::new(BINARY);
    command.args(words).current_dir(folder).env_remove("PUMPHOUSE_CONFIG");
    command.envs(value.map(|value| ("PUMPHOUSE_CONFIG", value))).output().unwrap().into()
}

/// Returns the lines of a section of a help text, which are indented.
fn section<'a>(help: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let begin = format!("{heading}:");
    let lines = help.lines().skip_while(move |line| *line != begin).skip(1);
    lines.take_while(|line| !line.is_empty())
}

/// A command as its `--help` describes it.
pub struct Described {
    /// Names of the command; none for the program.
    pub path: Vec<String>,
    pub help: String,
    /// Long options, each with the name of its value.
    pub options: Vec<(String, Option<String>)>,
    /// Names of the commands below.
    pub commands: Vec<String>,
}

impl Described {
    /// Returns the words that call the command.
    fn words(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }
}

/// Returns all commands, from their help.
pub fn described() -> Vec<Described> {
    let mut found = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let words = [&path[..], &["--help".to_owned()]].concat();
        let help = run(&words).stdout;
        // Continued descriptions are indented further.
        let names = |heading| {
            let lines = section(&help, heading).filter_map(|line| line.strip_prefix("  "));
            lines.filter(|line| !line.starts_with(' ')).map(str::to_owned).collect::<Vec<_>>()
        };
        let first = |line: &String| line.split(' ').next().unwrap().to_owned();
        let commands: Vec<String> = names("Commands").iter().map(first).collect();
        let options = names("Options").iter().map(|line| option(line)).collect();
        waiting
            .extend(commands.iter().map(|name| [&path[..], std::slice::from_ref(name)].concat()));
        found.push(Described { path, options, commands, help });
    }
    assert!(found.len() > 15, "{}", found.len());
    found
}

/// Reads `-V, --version  print…` and `--config FILE  …`.
fn option(line: &str) -> (String, Option<String>) {
    let long = line.find("--").unwrap_or_else(|| panic!("no option in {line}"));
    let mut words = line[long..].split(' ');
    let name = words.next().unwrap().to_owned();
    (name, words.next().filter(|word| !word.is_empty()).map(str::to_owned))
}

#[test]
fn help_of_each_command_has_every_form_and_bounded_lines() {
    for command in described() {
        let path = command.words();
        for words in [
            [&path[..], &["-h"]].concat(),
            [&["help"], &path[..]].concat(),
            [&path[..], &["help"]].concat(),
            // A mistake elsewhere does not withhold the help.
            [&path[..], &["--no-such-option", "--help"]].concat(),
        ] {
            let Ended { code, stdout, stderr } = run(&words);
            assert_eq!(code, Some(0), "{words:?}: {stderr}");
            assert_eq!(stdout, command.help, "{words:?}");
        }
        let name = [&["pumphouse-web"], &path[..]].concat().join(" ");
        assert!(command.help.starts_with(&format!("Usage: {name}")), "{}", command.help);
        assert!(section(&command.help, "Exit codes").count() >= 3, "{}", command.help);
        let examples: Vec<&str> = section(&command.help, "Examples").collect();
        assert!(!examples.is_empty() || !command.commands.is_empty(), "no example of {name}");
        assert!(examples.iter().any(|line| line.contains(&name)) || examples.is_empty(), "{name}");
        // Literal lines, such as commands to be copied, may be longer.
        for line in command.help.lines().filter(|line| !line.starts_with("    ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn version_has_every_form() {
    let expected = format!("pumphouse-web {}\n", env!("CARGO_PKG_VERSION"));
    for words in [&["-V"][..], &["--version"], &["version"], &["serve", "--version"]] {
        let Ended { code, stdout, .. } = run(words);
        assert_eq!((code, stdout), (Some(0), expected.clone()), "{words:?}");
    }
}

#[test]
fn command_line_without_a_command_prints_the_usage_on_stderr() {
    let Ended { code, stdout, stderr } = run::<&str>(&[]);
    assert_eq!((code, &*stdout), (Some(2), ""));
    for wanted in
        ["Usage: pumphouse-web", "\n  serve ", "no command given", "`pumphouse-web --help`"]
    {
        assert!(stderr.contains(wanted), "{wanted} is not in {stderr}");
    }
}

#[test]
fn word_that_is_not_utf8_is_a_usage_error() {
    let Ended { code, stderr, .. } =
        run(&[OsStr::new("check"), OsStr::from_bytes(b"pump\xff.toml")]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("is not UTF-8"), "{stderr}");
}

#[test]
fn hidden_characters_of_a_mistyped_word_are_escaped() {
    let stderr = run(&["check\u{1b}[2J"]).stderr;
    assert!(stderr.contains(r"\u{1b}[2J"), "{stderr}");
}

/// Asserts that a command has failed since it cannot read this configuration.
fn assert_reads(ended: &Ended, file: &str, context: &str) {
    assert_eq!(ended.code, Some(1), "{context}: {}", ended.stderr);
    let begin = format!("pumphouse-web: {file}: cannot read the configuration");
    assert!(ended.stderr.starts_with(&begin), "{context}: {}", ended.stderr);
}

#[test]
fn words_that_look_like_options_or_help_are_values_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    for (words, file) in [
        (&["check", "--", "--poll"][..], "--poll"),
        (&["check", "--config", "help"], "help"),
        (&["check", "--config=--poll"], "--poll"),
        (&["check", "--config=-h"], "-h"),
        (&["check", "--", "help"], "help"),
        (&["check", "--config", "-3.toml"], "-3.toml"),
        (&["check", "--config", "--3.toml"], "--3.toml"),
        (&["check", "--config", "-"], "-"),
    ] {
        assert_reads(&run_in(folder.path(), words), file, &format!("{words:?}"));
    }
}

/// Every value that is one of a few words, in another case than `--help` writes it.
#[test]
fn listed_values_are_read_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let mut read = 0;
    for command in described() {
        let path = command.words();
        let name = path.join(" ");
        let lists = command.options.iter().filter_map(|(option, value)| {
            value.as_deref().filter(|value| value.contains('|')).map(|list| (&**option, list))
        });
        for (option, list) in lists {
            // Each command is given what it fails on later, for a reason other than the value.
            let required = match &*name {
                "export" => &["none.toml", "--from", "2026-01-01", "--to", "2026-01-02"][..],
                "watch" => &["none.toml", "--exec", "true"],
                "serve" => &["none.toml"],
                "demo" => &["--listen", "unix:no-such-folder/socket"],
                "init" => &["--place", "37.24,-122.14", "--dir", "/dev/null/none"],
                "token new" => &[],
                _ => panic!("no case for {name}"),
            };
            for word in list.split('|') {
                let upper = word.to_uppercase();
                let words = [&path[..], required, &[option, &*upper]].concat();
                let Ended { code, stderr, .. } = run_in(folder.path(), &words);
                assert_ne!(code, Some(2), "{words:?}: {stderr}");
                read += 1;
            }
        }
    }
    assert!(read > 10, "{read}");
    assert_eq!(run(&["completions", "Bash"]).stdout, run(&["completions", "bash"]).stdout);
}

#[test]
fn configuration_comes_from_the_command_line_the_environment_or_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (variable, words, file) in [
        (None, &["check"][..], "pumphouse.toml"),
        (Some(""), &["check"], "pumphouse.toml"),
        (Some("of-environment.toml"), &["check"], "of-environment.toml"),
        (Some("of-environment.toml"), &["check", "named.toml"], "named.toml"),
        (Some("of-environment.toml"), &["probe"], "of-environment.toml"),
    ] {
        let ended = run_with_variable(folder.path(), variable, words);
        assert_reads(&ended, file, &format!("{variable:?} {words:?}"));
    }
    // A demo has no file: commands beside the server have defaults.
    let probe = ["probe", "--admin", "http://127.0.0.1:1", "--url", "http://127.0.0.1:1"];
    for variable in [None, Some("")] {
        let stderr = run_with_variable(folder.path(), variable, &probe).stderr;
        assert!(stderr.contains("not healthy"), "{variable:?}: {stderr}");
    }
}

#[test]
fn every_command_that_reads_the_configuration_takes_it_in_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let mut read = Vec::new();
    for command in described() {
        if !command.options.iter().any(|(name, _)| name == "--config") {
            assert!(!command.help.contains("[FILE]"), "{}", command.help);
            continue;
        }
        let path = command.words();
        let name = path.join(" ");
        read.push(name.clone());
        // The file of `history backup` is the copy, and the argument of these commands the name of an alert.
        if ["history backup", "alert ack", "alert silence", "alert unsilence"].contains(&&*name) {
            continue;
        }
        assert!(command.help.contains("[FILE]"), "{}", command.help);
        let required = match &*name {
            "export" => &["--from", "2026-01-01", "--to", "2026-01-02"][..],
            "watch" => &["--exec", "true"],
            "alert test" => &["--channel", "phone"],
            "history copy" => &["--to", "copy.db"],
            _ => &[],
        };
        let missing = "no-such-folder/a.toml";
        let call = |form: &[&str]| run_in(folder.path(), &[&path[..], required, form].concat());
        for form in [&[missing][..], &["--config", missing], &["--config", missing, missing]] {
            let Ended { code, stderr, .. } = call(form);
            assert_eq!(code, Some(1), "{name} {form:?}: {stderr}");
            assert!(stderr.contains(missing), "{name} {form:?}: {stderr}");
        }
        let Ended { code, stderr, .. } = call(&["a.toml", "--config", "b.toml"]);
        assert_eq!(code, Some(2), "{name}: {stderr}");
    }
    for name in
        ["serve", "check", "doctor", "export", "history check", "history backup", "history copy"]
    {
        assert!(read.iter().any(|read| read == name), "{name} is not in {read:?}");
    }
}
