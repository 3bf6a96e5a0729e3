//! The text of `--help`.

use super::command::{Command, flag_with_value, short};
use super::text::{Block, list, wrap};

/// Indent of what belongs to a heading.
const INDENT: usize = 2;

/// Returns the help of a command.
pub(crate) fn render(command: &Command<'_>) -> String {
    let mut out = "Usage: ".to_owned();
    wrap(&mut out, &command.usage(), "Usage: ".len());
    out.push('\n');
    wrap(&mut out, command.info.description, 0);

    let arguments = command
        .positionals()
        .map(|positional| (positional.name.to_owned(), positional.description.to_owned()));
    list(&mut out, "Arguments", &arguments.collect::<Vec<_>>());
    let commands = command.children().map(|child| {
        (child.path.last().copied().unwrap_or_default().to_owned(), child.summary().to_owned())
    });
    list(&mut out, "Commands", &commands.collect::<Vec<_>>());
    let options = command.flags().map(|flag| {
        let letter = short(flag).map_or(String::new(), |letter| format!("-{letter}, "));
        (letter + &flag_with_value(flag), flag.description.to_owned())
    });
    list(&mut out, "Options", &options.collect::<Vec<_>>());

    let examples: Vec<_> = command.examples().collect();
    if !examples.is_empty() {
        out.push_str("\nExamples:\n");
    }
    for (text, commands) in examples {
        if !text.is_empty() {
            wrap(&mut out, &format!("{text}:"), INDENT);
        }
        for line in commands {
            out.push_str(&format!("    {line}\n"));
        }
    }
    let notes = command.notes();
    if !notes.is_empty() {
        out.push_str("\nNotes:\n");
    }
    for (index, block) in notes.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        match block {
            Block::Paragraph(text) => wrap(&mut out, text, INDENT),
            Block::Literal(lines) => {
                lines.iter().for_each(|line| out.push_str(&format!("    {line}\n")));
            }
        }
    }
    let codes =
        command.exit_codes().into_iter().map(|(code, text)| (code.to_string(), text.to_owned()));
    list(&mut out, "Exit codes", &codes.collect::<Vec<_>>());
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    list(
        &mut out,
        "Environment",
        &command.environment().into_iter().map(owned).collect::<Vec<_>>(),
    );
    if !command.info.commands.is_empty() {
        let name = command.name();
        out.push_str(&format!("\n`{name} COMMAND --help` describes a command.\n"));
    }
    out
}
