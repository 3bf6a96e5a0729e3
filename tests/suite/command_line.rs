//! Command lines: help, mistakes, and the configuration that they name.

use std::process::{Command, Output, Stdio};

use crate::server::BINARY;

/// Runs the program with its output on pipes.
fn run(words: &[&str]) -> Output {
    Command::new(BINARY)
        .args(words)
        .env_remove("PUMPHOUSE_CONFIG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A section of a help text: its lines, which are indented.
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

/// Returns all commands, from their help.
pub fn described() -> Vec<Described> {
    let mut found = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(path) = waiting.pop() {
        let mut words: Vec<&str> = path.iter().map(String::as_str).collect();
        words.push("--help");
        let help = stdout(&run(&words));
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
        let path: Vec<&str> = command.path.iter().map(String::as_str).collect();
        for words in [
            [&path[..], &["-h"]].concat(),
            [&["help"], &path[..]].concat(),
            [&path[..], &["help"]].concat(),
            // A mistake elsewhere does not withhold the help.
            [&path[..], &["--no-such-option", "--help"]].concat(),
        ] {
            let output = run(&words);
            assert_eq!(output.status.code(), Some(0), "{words:?}: {}", stderr(&output));
            assert_eq!(stdout(&output), command.help, "{words:?}");
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
        let output = run(words);
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(0), expected.clone()),
            "{words:?}"
        );
    }
}

#[test]
fn mistaken_command_line_is_2_and_one_line_with_the_nearest_name() {
    let cases: &[(&str, &str, &str)] = &[
        // Commands.
        ("chekc", "unknown command \"chekc\"; did you mean \"check\"?", ""),
        ("Serve", "unknown command \"Serve\"; did you mean \"serve\"?", ""),
        ("serv", "unknown command \"serv\"; did you mean \"serve\"?", ""),
        ("docter", "unknown command \"docter\"; did you mean \"doctor\"?", ""),
        ("hash_password", "unknown command \"hash_password\"; did you mean \"hash-password\"?", ""),
        ("histroy check", "unknown command \"histroy\"; did you mean \"history\"?", ""),
        ("backup copy.db", "unknown command \"backup\"; did you mean \"history backup\"?", ""),
        ("new", "unknown command \"new\"; did you mean \"token new\"?", ""),
        ("xyzzy", "unknown command \"xyzzy\"", ""),
        (
            "history chekc",
            "unknown command \"chekc\" of history; did you mean \"check\"?",
            "history",
        ),
        ("history", "history needs a command: check or backup", "history"),
        ("token", "token needs a command: new", "token"),
        ("help chekc", "unknown command \"chekc\"; did you mean \"check\"?", ""),
        (
            "help history chek",
            "unknown command \"chek\" of history; did you mean \"check\"?",
            "history",
        ),
        (
            "tank.toml",
            "unknown command \"tank.toml\"; to serve by this file: pumphouse-web serve tank.toml",
            "",
        ),
        // Options.
        ("check --pol", "unknown option \"--pol\" for check; did you mean \"--poll\"?", "check"),
        ("check -poll", "unknown option \"-poll\" for check; did you mean \"--poll\"?", "check"),
        (
            "serve -config x",
            "unknown option \"-config\" for serve; did you mean \"--config\"?",
            "serve",
        ),
        (
            "serve --conf=x",
            "unknown option \"--conf\" for serve; did you mean \"--config\"?",
            "serve",
        ),
        (
            "serve --log_format json",
            "unknown option \"--log_format\" for serve; did you mean \"--log-format\"?",
            "serve",
        ),
        ("serve -c x", "unknown option \"-c\" for serve; did you mean \"--config\"?", "serve"),
        ("serve --zzz", "unknown option \"--zzz\" for serve", "serve"),
        (
            "history check --confg x",
            "unknown option \"--confg\" for history check; did you mean \"--config\"?",
            "history check",
        ),
        ("--hlep", "unknown option \"--hlep\"; did you mean \"--help\"?", ""),
        ("--help=serve", "option \"--help\" takes no value", ""),
        ("-version", "unknown option \"-version\"; did you mean \"--version\"?", ""),
        ("--lsten 1", "unknown option \"--lsten\"; did you mean \"--listen\"?", ""),
        (
            "--config x serve",
            "option \"--config\" belongs behind the command: pumphouse-web serve --config x",
            "",
        ),
        (
            "--config=x check --poll",
            "option \"--config=x\" belongs behind the command: pumphouse-web check --config=x --poll",
            "",
        ),
        (
            "--poll",
            "option \"--poll\" belongs behind a command, as in: pumphouse-web check --poll",
            "",
        ),
        // Values.
        ("serve --config", "option \"--config FILE\" lacks its value", "serve"),
        (
            "check --config --poll",
            "option \"--config FILE\" lacks its value before --poll",
            "check",
        ),
        // A mistyped option is no value of the one before it.
        (
            "init --title --opne",
            "option \"--title TITLE\" lacks its value before --opne; did you mean \"--open\"?",
            "init",
        ),
        (
            "init --user --supervisrd",
            "option \"--user NAME\" lacks its value before --supervisrd; did you mean \
             \"--supervisord\"?",
            "init",
        ),
        (
            "watch --exec --dry-rn=yes",
            "option \"--exec COMMAND\" lacks its value before --dry-rn=yes; did you mean \
             \"--dry-run\"?",
            "watch",
        ),
        (
            "init --title --zzz",
            "option \"--title TITLE\" lacks its value before --zzz; if that is the value, write \
             --title=--zzz",
            "init",
        ),
        ("check --config -- a", "option \"--config FILE\" lacks its value before --", "check"),
        ("check --poll=1", "option \"--poll\" takes no value, such as \"1\"", "check"),
        ("check --config a --config b", "option \"--config\" is given twice", "check"),
        ("check a --config b", "two configuration files are given, a and --config b…", "check"),
        ("serve --listen 6443", "--listen 6443: \"6443\" is not an address to listen on…", "serve"),
        ("serve --listen=6443", "--listen 6443: \"6443\" is not an address to listen on…", "serve"),
        ("demo --log-format xml", "--log-format xml: \"xml\" is not a log format…", "demo"),
        ("doctor --timeout soon", "--timeout soon: not a duration such as 2s or 500ms", "doctor"),
        ("doctor --timeout 0s", "--timeout 0s: the duration must be longer than zero", "doctor"),
        ("token new --scope x", "--scope x: no scope; expected read…", "token new"),
        ("completions tcsh", "tcsh: no completions for this shell; expected bash…", "completions"),
        // Arguments.
        ("check a b", "unexpected argument \"b\" for check", "check"),
        (
            "check a poll",
            "unexpected argument \"poll\" for check; did you mean \"--poll\"?",
            "check",
        ),
        ("demo now", "unexpected argument \"now\" for demo", "demo"),
        ("completions", "completions is missing bash|zsh|fish", "completions"),
        ("history backup", "history backup is missing COPY", "history backup"),
        ("export", "export is missing --from TIME and --to TIME", "export"),
        ("export --from 0", "export is missing --to TIME", "export"),
        // Contradictions that the command itself finds.
        ("cert --renew --force", "--renew keeps the key and --force replaces it…", "cert"),
    ];
    for (line, message, path) in cases {
        let output = run(&line.split(' ').collect::<Vec<_>>());
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{line}: {printed}");
        assert_eq!(stdout(&output), "", "{line}");
        let lines: Vec<&str> = printed.lines().collect();
        let [first, second] = lines[..] else { panic!("{line}: {printed}") };
        let is_as_expected = match message.strip_suffix('…') {
            Some(begin) => first.starts_with(&format!("pumphouse-web: {begin}")),
            None => first == format!("pumphouse-web: {message}"),
        };
        assert!(is_as_expected, "{line}: {printed}");
        let name = ["pumphouse-web", path].join(" ");
        assert_eq!(second, format!("see `{} --help`", name.trim_end()), "{line}");
    }
}

#[test]
fn command_line_without_a_command_prints_the_usage_on_stderr() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let printed = stderr(&output);
    for wanted in
        ["Usage: pumphouse-web", "\n  serve ", "no command given", "`pumphouse-web --help`"]
    {
        assert!(printed.contains(wanted), "{wanted} is not in {printed}");
    }
}

#[test]
fn word_that_is_not_utf8_is_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;
    let word = std::ffi::OsStr::from_bytes(b"pump\xff.toml");
    let output = Command::new(BINARY).arg("check").arg(word).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("is not UTF-8"), "{}", stderr(&output));
}

#[test]
fn hidden_characters_of_a_mistyped_word_are_escaped() {
    let output = run(&["check\u{1b}[2J"]);
    assert!(stderr(&output).contains(r"\u{1b}[2J"), "{}", stderr(&output));
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
        let output = Command::new(BINARY).args(words).current_dir(folder.path()).output().unwrap();
        let printed = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {printed}");
        let begin = format!("pumphouse-web: {file}: cannot read the configuration");
        assert!(printed.starts_with(&begin), "{words:?}: {printed}");
    }
}

/// Every value that is one of a few words, in another case than `--help` writes it.
#[test]
fn listed_values_are_read_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let mut read = 0;
    for command in described() {
        let name = command.path.join(" ");
        let lists = command.options.iter().filter_map(|(option, value)| {
            value.as_deref().filter(|value| value.contains('|')).map(|list| (option, list))
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
                let mut words: Vec<&str> = command.path.iter().map(String::as_str).collect();
                words.extend(required);
                words.extend([option.as_str(), &upper]);
                let output =
                    Command::new(BINARY).args(&words).current_dir(folder.path()).output().unwrap();
                assert_ne!(output.status.code(), Some(2), "{words:?}: {}", stderr(&output));
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
        let mut command = Command::new(BINARY);
        command.args(words).current_dir(folder.path()).env_remove("PUMPHOUSE_CONFIG");
        command.envs(variable.map(|value| ("PUMPHOUSE_CONFIG", value)));
        let printed = stderr(&command.output().unwrap());
        let begin = format!("pumphouse-web: {file}: cannot read the configuration");
        assert!(printed.starts_with(&begin), "{variable:?} {words:?}: {printed}");
    }
    // A demo has no file: commands beside the server have defaults.
    for variable in [None, Some("")] {
        let mut command = Command::new(BINARY);
        command.args(["probe", "--admin", "http://127.0.0.1:1", "--url", "http://127.0.0.1:1"]);
        command.current_dir(folder.path()).env_remove("PUMPHOUSE_CONFIG");
        command.envs(variable.map(|value| ("PUMPHOUSE_CONFIG", value)));
        let printed = stderr(&command.output().unwrap());
        assert!(printed.contains("not healthy"), "{variable:?}: {printed}");
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
        let name = command.path.join(" ");
        read.push(name.clone());
        // The file of `history backup` is the copy.
        if name == "history backup" {
            continue;
        }
        assert!(command.help.contains("[FILE]"), "{}", command.help);
        let required = match &*name {
            "export" => &["--from", "2026-01-01", "--to", "2026-01-02"][..],
            "watch" => &["--exec", "true"],
            _ => &[],
        };
        let missing = "no-such-folder/a.toml";
        for form in [&[missing][..], &["--config", missing], &["--config", missing, missing]] {
            let output = Command::new(BINARY)
                .args(&command.path)
                .args(required)
                .args(form)
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let printed = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{name} {form:?}: {printed}");
            assert!(printed.contains(missing), "{name} {form:?}: {printed}");
        }
        let output = Command::new(BINARY)
            .args(&command.path)
            .args(required)
            .args(["a.toml", "--config", "b.toml"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
    }
    for name in ["serve", "check", "doctor", "export", "history check", "history backup"] {
        assert!(read.iter().any(|read| read == name), "{name} is not in {read:?}");
    }
}
