//! Completions, executed by real shells, and the man page, against the real `--help`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::command_line::{Described, described};
use crate::server::run;

/// Returns what the program prints.
fn printed(words: &[&str]) -> String {
    let output = run(words, Path::new("."));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns true if a program can be run. The targets of make install all of them.
fn exists(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("{program} is missing, so its completions are not tested");
    }
    found
}

/// A folder with a file and a folder to complete, and a script.
struct Workplace(TempDir);

impl Workplace {
    fn new(script: &str, text: &str) -> Workplace {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tank.toml"), "").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        fs::write(folder.path().join(script), text).unwrap();
        Workplace(folder)
    }

    /// Runs a shell, and returns the lines that it prints.
    fn lines(&self, command: &mut Command) -> Vec<String> {
        let output = command.current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{:?}", output.status);
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// A line before the cursor, and the words that a shell must and must not offer.
struct Case {
    /// Words behind the program; the last one is completed.
    words: Vec<String>,
    offered: BTreeSet<String>,
    withheld: Vec<&'static str>,
}

impl Case {
    fn new(line: &str, offered: &[&str], withheld: &[&'static str]) -> Case {
        Case {
            words: line.split(' ').map(str::to_owned).collect(),
            offered: offered.iter().map(|word| (*word).to_owned()).collect(),
            withheld: withheld.to_vec(),
        }
    }

    fn line(&self) -> String {
        format!("pumphouse-web {}", self.words.join(" "))
    }

    fn check(&self, offered: &BTreeSet<String>) {
        let line = self.line();
        let missing: Vec<_> = self.offered.difference(offered).collect();
        assert!(missing.is_empty(), "[{line}]: {missing:?} are not in {offered:?}");
        for word in &self.withheld {
            assert!(!offered.contains(*word), "[{line}]: {word} is in {offered:?}");
        }
    }
}

/// Returns cases that each shell must complete: every command, every option of `--help`, and its value.
fn cases(commands: &[Described]) -> Vec<Case> {
    let mut cases = Vec::new();
    for Described { path, options, commands, .. } in commands {
        let begin: String = path.iter().map(|name| format!("{name} ")).collect();
        if !commands.is_empty() {
            let names: Vec<&str> = commands.iter().map(String::as_str).collect();
            cases.push(Case::new(&begin, &names, &["tank.toml"]));
        }
        let names: Vec<&str> = options.iter().map(|(name, _)| name.as_str()).collect();
        cases.push(Case::new(&format!("{begin}--"), &names, &["tank.toml"]));
        for (name, value) in options {
            let Some(value) = value else { continue };
            let line = format!("{begin}{name} ");
            cases.push(match value.as_str() {
                "FILE" => Case::new(&line, &["tank.toml"], &["check"]),
                "DIR" => Case::new(&line, &["folder"], &["tank.toml"]),
                _ if value.contains('|') => {
                    Case::new(&line, &value.split('|').collect::<Vec<_>>(), &["tank.toml"])
                }
                _ => Case::new(&line, &[], &["tank.toml", "check"]),
            });
        }
    }
    cases.extend([
        Case::new("ch", &["check"], &["serve"]),
        Case::new("check ", &["tank.toml"], &["serve"]),
        Case::new("check ta", &["tank.toml"], &["folder"]),
        Case::new("history backup ", &["tank.toml"], &["check"]),
        Case::new("completions ", &["bash", "zsh", "fish"], &["tank.toml"]),
        Case::new("help hi", &["history"], &["tank.toml"]),
        Case::new("help history b", &["backup"], &["check"]),
        Case::new("serve --log-format j", &["json"], &["text"]),
        // The name of a command as a value.
        Case::new("serve --listen check --", &["--no-tls"], &["--poll"]),
    ]);
    assert!(cases.len() > 50);
    cases
}

#[test]
fn bash_completes_commands_options_and_values() {
    let commands = described();
    let place = Workplace::new("script", &printed(&["completions", "bash"]));
    let registered = place
        .lines(Command::new("bash").args(["-c", "source ./script; complete -p pumphouse-web"]));
    assert_eq!(registered.len(), 1, "{registered:?}");
    assert!(registered[0].ends_with(" -F _pumphouse_web pumphouse-web"), "{registered:?}");
    let mut cases = cases(&commands);
    // Readline splits a word at the equals sign.
    cases.push(Case::new("check --config =", &["tank.toml"], &[]));
    cases.push(Case::new("check --config = ta", &["tank.toml"], &["folder"]));
    cases.push(Case::new("serve --log-format = j", &["json"], &["text"]));
    let mut script = "source ./script\nask() {\n    COMP_WORDS=(pumphouse-web \"$@\")\n    \
                      COMP_CWORD=$#\n    _pumphouse_web\n    echo \"${COMPREPLY[*]}\"\n}\n"
        .to_owned();
    for case in &cases {
        let words: Vec<String> = case.words.iter().map(|word| format!("'{word}'")).collect();
        script.push_str(&format!("ask {}\n", words.join(" ")));
    }
    let lines = place.lines(Command::new("bash").args(["-u", "-c", &script]));
    assert_eq!(lines.len(), cases.len());
    for (case, line) in cases.iter().zip(&lines) {
        case.check(&line.split_whitespace().map(str::to_owned).collect());
    }
}

#[test]
fn fish_completes_commands_options_and_values() {
    if !exists("fish") {
        return;
    }
    let commands = described();
    let place = Workplace::new("script", &printed(&["completions", "fish"]));
    let mut cases = cases(&commands);
    cases.push(Case::new("serve --log-format=", &["--log-format=json"], &[]));
    let mut script = "source ./script\n".to_owned();
    for case in &cases {
        script.push_str(&format!("complete -C '{}'\necho END\n", case.line()));
    }
    let home = place.0.path().join("folder");
    let mut fish = Command::new("fish");
    let lines = place.lines(fish.args(["--no-config", "-c", &script]).env("HOME", home));
    let answers: Vec<&[String]> = lines.split(|line| line == "END").collect();
    assert_eq!(answers.len(), cases.len() + 1);
    for (case, answer) in cases.iter().zip(answers) {
        // A description follows a tab; a folder ends with a slash.
        let word =
            |line: &String| line.split('\t').next().unwrap().trim_end_matches('/').to_owned();
        case.check(&answer.iter().map(word).collect());
    }
}

/// Records what the completion system of zsh offers for a line, and ends the shell.
const ZSH_CAPTURE: &str = r#"
PROMPT=
fpath=($PWD $fpath)
autoload -U compinit
compinit -u -D
zstyle ':completion:*' insert-tab false
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits >>offered
    builtin compadd "$@"
}
capture() {
    _main_complete
    print -r -- END >>offered
    compstate[insert]=
    compstate[list]=
    print DO''NE
}
zle -C capture complete-word capture
bindkey '^I' capture
print DO''NE
"#;

#[test]
fn zsh_completes_commands_options_and_values() {
    if !exists("zsh") {
        return;
    }
    let commands = described();
    let place = Workplace::new("_pumphouse-web", &printed(&["completions", "zsh"]));
    fs::write(place.0.path().join("capture"), ZSH_CAPTURE).unwrap();
    let mut cases = cases(&commands);
    cases.push(Case::new("serve --log-format=", &["json"], &["tank.toml"]));
    let mut script = "zmodload zsh/zpty\nzpty shell zsh -f -i\nzpty -w shell 'source ./capture'\n\
                      zpty -r -m shell reply '*DONE*'\n"
        .to_owned();
    for case in &cases {
        script.push_str(&format!(
            "zpty -w -n shell $'\\C-u''{}'$'\\t'\nzpty -r -m shell reply '*DONE*'\n",
            case.line()
        ));
    }
    place.lines(Command::new("zsh").args(["-f", "-c", &script]));
    let offered = fs::read_to_string(place.0.path().join("offered")).unwrap();
    let lines: Vec<&str> = offered.lines().collect();
    let answers: Vec<&[&str]> = lines.split(|line| *line == "END").collect();
    assert_eq!(answers.len(), cases.len() + 1, "{offered}");
    for (case, answer) in cases.iter().zip(answers) {
        let word = |line: &&str| line.trim_end_matches(['=', '/']).to_owned();
        case.check(&answer.iter().map(word).collect());
    }
}

/// Returns the man page as a terminal shows it, with single spaces; it causes no warning.
fn man_page() -> String {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.1");
    fs::write(&page, printed(&["man"])).unwrap();
    let output = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=400n"])
        .arg(&page)
        .output()
        .unwrap();
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && warnings.is_empty(), "{warnings}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('\u{2010}', "-")
}

#[test]
fn man_page_has_every_command_option_example_and_exit_code_of_help() {
    let page = man_page();
    for heading in [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "SIGNALS",
        "EXAMPLES",
        "SEE ALSO",
    ] {
        assert!(page.contains(heading), "no {heading} in the man page");
    }
    for command in described() {
        let mut sections = command.help.split("\n\n");
        let usage = sections.next().unwrap().trim_start_matches("Usage: ");
        let usage = usage.split_whitespace().collect::<Vec<_>>().join(" ");
        if command.commands.is_empty() {
            assert!(page.contains(&usage), "no {usage} in the man page");
        }
        for (name, value) in &command.options {
            let option = [name.as_str(), value.as_deref().unwrap_or_default()].join(" ");
            assert!(page.contains(option.trim_end()), "no {option} in the man page");
        }
        if !command.path.is_empty() && !command.commands.is_empty() {
            continue;
        }
        for part in sections.filter(|part| !part.starts_with("Commands:")) {
            for line in part.lines().filter(|line| line.trim_start().starts_with("$ ")) {
                assert!(page.contains(line.trim()), "no {line} in the man page");
            }
        }
    }
    for code in ["70", "75", "130"] {
        assert!(page.contains(&format!(" {code} ")), "no {code} in the man page");
    }
}

#[test]
fn environment_variables_of_help_are_described() {
    let page = man_page();
    for command in described() {
        let words = command.help.split(|c: char| !c.is_ascii_uppercase() && c != '_' && c != '$');
        for name in words.filter_map(|word| word.strip_prefix('$')).filter(|name| name.len() > 3) {
            let entry = format!("\n  {name} ");
            assert!(command.help.contains(&entry), "{name} is not described in {}", command.help);
            assert!(page.contains(name), "{name} is not in the man page");
        }
    }
    let mut names =
        BTreeSet::from(["NO_COLOR", "TZ", "ALL_PROXY", "SSL_CERT_DIR"].map(str::to_owned));
    names.extend(variables_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
    assert!(names.contains("PUMPHOUSE_CONFIG") && names.contains("NOTIFY_SOCKET"), "{names:?}");
    for name in names {
        assert!(page.contains(&name), "{name} is not in the man page");
    }
}

/// Returns the names of environment variables that are literals in the source.
fn variables_of(folder: &Path) -> BTreeSet<String> {
    const BEGINS: [&str; 7] =
        ["PUMPHOUSE_", "SUPERVISOR_", "RUST_LOG", "NOTIFY_", "WATCHDOG_", "HTTP_PROXY", "NO_PROXY"];
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(variables_of(&path));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let is_name = |word: &&str| {
            BEGINS.iter().any(|begin| word.starts_with(begin))
                && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        };
        names.extend(text.split('"').filter(is_name).map(str::to_owned));
    }
    names
}
