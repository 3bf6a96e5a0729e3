//! Completions for zsh: a function for each command, by `_arguments`.

use std::fmt::Write as _;

use argh::{FlagInfo, Optionality};

use super::words::{flag_value, forms, path, quote};
use crate::cli::manual::command::{Command, PROGRAM, Value, value_of};

pub(super) fn render(program: &Command<'_>) -> String {
    let mut out = format!("#compdef {PROGRAM}\n");
    for command in program.tree() {
        // Writing to a string does not fail.
        let _ = write_function(&mut out, &command);
    }
    // Loaded from a folder of $fpath, the file is the body of the function; otherwise it is sourced.
    let function = function_of(program);
    let _ = write!(
        out,
        "\nif [[ $funcstack[1] == {function} ]]; then\n    {function} \"$@\"\nelse\n    compdef \
         {function} {PROGRAM}\nfi\n"
    );
    out
}

fn write_function(out: &mut String, command: &Command<'_>) -> std::fmt::Result {
    writeln!(out, "\n{}() {{", function_of(command))?;
    let mut specs: Vec<String> = command.flags().map(option_spec).collect();
    for positional in command.positionals() {
        let marks = match positional.optionality {
            Optionality::Required => ":",
            Optionality::Optional => "::",
            Optionality::Repeating | Optionality::Greedy => "*:",
        };
        let action = action(&value_of(positional.name));
        specs.push(quoted(&format!("{marks}{}:{action}", escape(positional.name))));
    }
    if command.info.commands.is_empty() {
        writeln!(out, "    _arguments -s -S \\\n        {}", specs.join(" \\\n        "))?;
        return writeln!(out, "}}");
    }
    specs.push("': :->command'".to_owned());
    specs.push("'*:: :->arguments'".to_owned());
    writeln!(out, "    local context state state_descr line\n    typeset -A opt_args")?;
    writeln!(out, "    _arguments -C -S \\\n        {} && return", specs.join(" \\\n        "))?;
    writeln!(out, "    case $state in\n        command)\n            local -a commands=(")?;
    for child in command.children() {
        let name = child.path.last().copied().unwrap_or_default();
        let entry = format!("{name}:{}", child.summary());
        writeln!(out, "                {}", quoted(&entry))?;
    }
    writeln!(
        out,
        "            )\n            _describe -t commands command commands\n            ;;"
    )?;
    writeln!(out, "        arguments)\n            case $line[1] in")?;
    for child in command.children() {
        let name = child.path.last().copied().unwrap_or_default();
        writeln!(out, "                {name}) {} ;;", function_of(&child))?;
    }
    // The words behind `help` are those of a command.
    writeln!(out, "                help) {} ;;", function_of(command))?;
    writeln!(out, "            esac\n            ;;\n    esac\n}}")
}

/// Returns the specification of an option for `_arguments`.
fn option_spec(flag: &FlagInfo<'_>) -> String {
    let repeats = flag.optionality == Optionality::Repeating;
    let value = flag_value(flag);
    let forms = forms(flag);
    let described = |form: &str| {
        let (equals, value) = match &value {
            Some(value) => ("=", format!(":value:{}", action(value))),
            None => ("", String::new()),
        };
        format!("{form}{equals}[{}]{value}", escape(flag.description))
    };
    let exclusive = match (repeats, forms.len()) {
        (true, _) => "*".to_owned(),
        (false, 1) => String::new(),
        (false, _) => format!("({})", forms.join(" ")),
    };
    forms
        .iter()
        .map(|form| quoted(&format!("{exclusive}{}", described(form))))
        .collect::<Vec<_>>()
        .join(" \\\n        ")
}

/// Returns what completes a value.
fn action(value: &Value<'_>) -> String {
    match value {
        Value::File => "_files".to_owned(),
        Value::Folder => "_files -/".to_owned(),
        Value::Choice(words) => format!("({})", words.join(" ")),
        Value::Text => " ".to_owned(),
    }
}

/// Escapes what has a meaning in a specification.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '[' | ']' | ':' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn quoted(text: &str) -> String {
    quote(text, r"'\''")
}

/// Returns the name of a command's function. That of the program is the name of the file, by which zsh
/// loads it.
fn function_of(command: &Command<'_>) -> String {
    format!("_{PROGRAM}{}", path(command).replace('/', "_"))
}
