//! The table of commands, as the renderers see it.

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};

use super::context;
use super::text::{self, Block};
use crate::order;

/// Name of the program.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_NAME");

/// A command with the path that leads to it.
#[derive(Debug, Clone)]
pub(crate) struct Command<'a> {
    /// Names below the program: none for the program itself, `["history", "check"]`.
    pub(crate) path: Vec<&'a str>,
    pub(crate) info: &'a CommandInfoWithArgs,
}

/// Kind of a value, which decides what a shell completes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    File,
    Folder,
    /// One of a few words.
    Choice(Vec<&'a str>),
    Text,
}

impl<'a> Command<'a> {
    /// Returns the program itself.
    pub(crate) fn program(info: &'a CommandInfoWithArgs) -> Command<'a> {
        Command { path: Vec::new(), info }
    }

    /// Returns the commands directly below.
    pub(crate) fn children(&self) -> impl Iterator<Item = Command<'a>> {
        self.info.commands.iter().map(|child| {
            let mut path = self.path.clone();
            path.push(child.name);
            Command { path, info: &child.command }
        })
    }

    /// Returns the command and all below it, each before its children.
    pub(crate) fn tree(&self) -> Vec<Command<'a>> {
        let below = self.children().flat_map(|child| child.tree());
        std::iter::once(self.clone()).chain(below).collect()
    }

    /// Returns the command as it is typed: `pumphouse-web history check`.
    pub(crate) fn name(&self) -> String {
        [&[PROGRAM], &self.path[..]].concat().join(" ")
    }

    /// Returns the first sentence of the description, without its period.
    pub(super) fn summary(&self) -> &'a str {
        let text = self.info.description;
        text.split_once(". ").map_or(text, |(sentence, _)| sentence).trim_end_matches('.')
    }

    /// Returns the options that are shown.
    pub(super) fn flags(&self) -> impl Iterator<Item = &'a FlagInfo<'static>> {
        self.info.flags.iter().filter(|flag| !flag.hidden)
    }

    /// Returns the arguments that are shown.
    pub(super) fn positionals(&self) -> impl Iterator<Item = &'a PositionalInfo<'static>> {
        self.info.positionals.iter().filter(|positional| !positional.hidden)
    }

    /// Returns the examples: for each, what it does and the commands.
    pub(super) fn examples(&self) -> impl Iterator<Item = (String, Vec<String>)> {
        let name = self.name();
        self.info.examples.iter().map(move |example| {
            let example = example.replace("{command_name}", &name);
            let (text, commands) = example.split_once('\n').unwrap_or(("", &example));
            (text.trim().to_owned(), commands.lines().map(example_line).collect())
        })
    }

    /// Returns the paragraphs of the notes.
    pub(super) fn notes(&self) -> Vec<Block> {
        self.info.notes.iter().flat_map(|note| text::blocks(note)).collect()
    }

    /// Returns the exit codes, with those that all commands have.
    pub(super) fn exit_codes(&self) -> Vec<(i32, &'a str)> {
        let own = self.info.error_codes.iter().map(|code| (code.code, code.description));
        let mut codes: Vec<_> = own.collect();
        for common in context::EXIT_CODES {
            if codes.iter().all(|(code, _)| *code != common.0) {
                codes.push(common);
            }
        }
        order::sort_by_key(&mut codes, |(code, _)| *code);
        codes
    }

    /// Returns the environment variables that the command's texts name; all of them for the program.
    pub(super) fn environment(&self) -> Vec<(&'static str, &'static str)> {
        let info = self.info;
        let options = info.flags.iter().map(|flag| flag.description);
        let arguments = info.positionals.iter().map(|positional| positional.description);
        let texts = options.chain(arguments).chain(info.notes.iter().copied());
        let texts: String = texts.chain([info.description]).collect::<Vec<_>>().join(" ");
        let is_named = |name: &str| self.path.is_empty() || texts.contains(name);
        context::ENVIRONMENT.iter().copied().filter(|(name, _)| is_named(name)).collect()
    }

    /// Returns the lines that show how to call the command, each an alternative.
    pub(super) fn usage(&self) -> String {
        let mut parts = vec![self.name()];
        let is_required = |flag: &&FlagInfo<'_>| flag.optionality == Optionality::Required;
        parts.extend(self.flags().filter(is_required).map(flag_with_value));
        if self.flags().any(|flag| !is_required(&flag) && flag.long != "--help") {
            parts.push("[OPTIONS]".to_owned());
        }
        parts.extend(self.positionals().map(|positional| match positional.optionality {
            Optionality::Required => positional.name.to_owned(),
            Optionality::Optional => format!("[{}]", positional.name),
            Optionality::Repeating | Optionality::Greedy => format!("[{}...]", positional.name),
        }));
        if !self.info.commands.is_empty() {
            parts.push("COMMAND [...]".to_owned());
        }
        parts.join(" ")
    }
}

/// Returns a line of an example. A line that continues a command is indented.
fn example_line(line: &str) -> String {
    let line = line.trim();
    if line.starts_with("$ ") { line.to_owned() } else { format!("      {line}") }
}

/// Returns the command with this path, or the last one on the way to it.
pub(crate) fn find<'a>(table: &'a CommandInfoWithArgs, path: &[String]) -> Command<'a> {
    path.iter().fold(Command::program(table), |command, name| {
        let child = command.children().find(|child| child.path.last() == Some(&&**name));
        child.unwrap_or(command)
    })
}

/// Returns an option with the name of its value: `--config FILE`.
pub(crate) fn flag_with_value(flag: &FlagInfo<'_>) -> String {
    match flag.kind {
        FlagInfoKind::Switch => flag.long.to_owned(),
        FlagInfoKind::Option { arg_name } => format!("{} {arg_name}", flag.long),
    }
}

/// Returns the one-letter form of an option. argh does not list that of `--help`.
pub(crate) fn short(flag: &FlagInfo<'_>) -> Option<char> {
    flag.short.or((flag.long == "--help").then_some('h'))
}

/// Returns the kind of a value from its name.
pub(crate) fn value_of(name: &str) -> Value<'_> {
    match name {
        "FILE" | "COPY" => Value::File,
        "DIR" => Value::Folder,
        _ if name.contains('|') => Value::Choice(name.split('|').collect()),
        _ => Value::Text,
    }
}
