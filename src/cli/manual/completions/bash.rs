//! Completions for bash 4.4 and later, without the package bash-completion.

use std::fmt::Write as _;

use super::words::{flag_value, forms, identifier, path};
use crate::cli::manual::command::{Command, PROGRAM, Value, value_of};

/// Finds the command, the option before the cursor, and the word to complete. Readline splits
/// `--config=FILE` at the equals sign.
const BEGIN: &str = r#"    local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' words='' files='' i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$command/${COMP_WORDS[i]}" in
            COMMANDS) command="$command/${COMP_WORDS[i]}" ;;
        esac
    done
    if [[ $current == = ]]; then
        current=''
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
"#;

/// Offers the words or the files that begin with the word to complete.
const END: &str = r#"    if [[ -n $files ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen "$files" -- "$current")
    fi
    if [[ -n $words ]]; then
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$current")
    fi
"#;

pub(super) fn render(program: &Command<'_>) -> String {
    let function = format!("_{}", identifier());
    let tree = program.tree();
    let commands: Vec<String> = tree.iter().skip(1).map(path).collect();
    let mut out = format!("# bash completion for {PROGRAM}\n{function}() {{\n");
    out.push_str(&BEGIN.replace("COMMANDS", &commands.join(" | ")));
    // Writing to a string does not fail.
    let _ = write_cases(&mut out, &tree);
    out.push_str(END);
    let _ = writeln!(out, "}}\ncomplete -F {function} {PROGRAM}");
    out
}

fn write_cases(out: &mut String, tree: &[Command<'_>]) -> std::fmt::Result {
    out.push_str("    case \"$command $option\" in\n");
    for command in tree {
        for flag in command.flags() {
            let Some(value) = flag_value(flag) else { continue };
            let path = path(command);
            let patterns: Vec<String> =
                forms(flag).iter().map(|form| format!("'{path} {form}'")).collect();
            let patterns = patterns.join(" | ");
            writeln!(out, "        {patterns}) {} ;;", offer(&value))?;
        }
    }
    out.push_str("        *)\n            case \"$command\" in\n");
    for command in tree {
        let children: Vec<&str> =
            command.children().filter_map(|c| c.path.last().copied()).collect();
        let options: Vec<String> = command.flags().flat_map(forms).collect();
        writeln!(out, "                '{}')", path(command))?;
        writeln!(out, "                    if [[ $current == -* ]]; then")?;
        writeln!(out, "                        words='{}'", options.join(" "))?;
        writeln!(out, "                    else")?;
        let mut offers: Vec<String> =
            command.positionals().map(|positional| offer(&value_of(positional.name))).collect();
        if !children.is_empty() {
            offers.push(format!("words='{}'", children.join(" ")));
        }
        if offers.is_empty() {
            // Nothing but options can follow.
            offers.push(format!("words='{}'", options.join(" ")));
        }
        for offer in offers {
            writeln!(out, "                        {offer}")?;
        }
        writeln!(out, "                    fi")?;
        writeln!(out, "                    ;;")?;
    }
    out.push_str("            esac\n            ;;\n    esac\n");
    Ok(())
}

/// Returns the statement that offers a value.
fn offer(value: &Value<'_>) -> String {
    match value {
        Value::File => "files=-f".to_owned(),
        Value::Folder => "files=-d".to_owned(),
        Value::Choice(words) => format!("words='{}'", words.join(" ")),
        Value::Text => ":".to_owned(),
    }
}
