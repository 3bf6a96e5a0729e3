//! Names and values as they are written in every script.

use argh::{FlagInfo, FlagInfoKind};

use crate::cli::manual::command::{Command, PROGRAM, Value, short, value_of};

/// Name of the program in names of shell functions.
pub(super) fn identifier() -> String {
    PROGRAM.replace('-', "_")
}

/// Returns the path of a command as the scripts write it: `/history/check`, and nothing for the program.
pub(super) fn path(command: &Command<'_>) -> String {
    command.path.iter().map(|name| format!("/{name}")).collect()
}

/// Returns the forms of an option as they are typed.
pub(super) fn forms(flag: &FlagInfo<'_>) -> Vec<String> {
    let letter = short(flag).map(|letter| format!("-{letter}"));
    [flag.long.to_owned()].into_iter().chain(letter).collect()
}

/// Returns the kind of an option's value, if it takes one.
pub(super) fn flag_value<'a>(flag: &'a FlagInfo<'_>) -> Option<Value<'a>> {
    match flag.kind {
        FlagInfoKind::Switch => None,
        FlagInfoKind::Option { arg_name } => Some(value_of(arg_name)),
    }
}

/// Quotes a text for a shell that takes everything between apostrophes as it is.
pub(super) fn quote(text: &str, apostrophe: &str) -> String {
    format!("'{}'", text.replace('\'', apostrophe))
}
