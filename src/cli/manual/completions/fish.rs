//! Completions for fish.

use std::fmt::Write as _;

use super::words::{flag_value, identifier, path, quote};
use crate::cli::manual::command::{Command, PROGRAM, Value, short, value_of};

pub(super) fn render(program: &Command<'_>) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_script(&mut out, program);
    out
}

fn write_script(out: &mut String, program: &Command<'_>) -> std::fmt::Result {
    let test = format!("__{}_is", identifier());
    let tree = program.tree();
    let commands: Vec<String> = tree.iter().skip(1).map(|command| quoted(&path(command))).collect();
    writeln!(out, "# fish completion for {PROGRAM}")?;
    writeln!(out, "# Succeeds if the words before the cursor lead to this command.")?;
    writeln!(out, "function {test}")?;
    writeln!(out, "    set -l command ''")?;
    writeln!(out, "    for word in (commandline -opc)[2..]")?;
    writeln!(out, "        if contains -- $command/$word {}", commands.join(" "))?;
    writeln!(out, "            set command $command/$word")?;
    writeln!(out, "        end\n    end")?;
    writeln!(out, "    test \"$command\" = \"$argv[1]\"\nend")?;
    writeln!(out, "complete -c {PROGRAM} -f")?;
    for command in &tree {
        let begin = format!("complete -c {PROGRAM} -n \"{test} '{}'\"", path(command));
        for child in command.children() {
            let name = child.path.last().copied().unwrap_or_default();
            writeln!(out, "{begin} -a {name} -d {}", quoted(child.summary()))?;
        }
        for positional in command.positionals() {
            let completes = complete(&value_of(positional.name));
            writeln!(out, "{begin}{completes} -d {}", quoted(positional.description))?;
        }
        for flag in command.flags() {
            let letter = short(flag).map_or(String::new(), |letter| format!(" -s {letter}"));
            let long = flag.long.trim_start_matches('-');
            let value = match flag_value(flag) {
                Some(value) => format!(" -r{}", complete(&value)),
                None => String::new(),
            };
            writeln!(out, "{begin} -l {long}{letter}{value} -d {}", quoted(flag.description))?;
        }
    }
    Ok(())
}

/// Returns the options of `complete` that offer a value.
fn complete(value: &Value<'_>) -> String {
    match value {
        Value::File => " -F".to_owned(),
        Value::Folder => " -f -a '(__fish_complete_directories)'".to_owned(),
        Value::Choice(words) => format!(" -f -a '{}'", words.join(" ")),
        Value::Text => " -f".to_owned(),
    }
}

/// Quotes a text. A backslash keeps its meaning between apostrophes.
fn quoted(text: &str) -> String {
    quote(&text.replace('\\', r"\\"), r"\'")
}
