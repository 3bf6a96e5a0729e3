//! Messages about words that are not understood, with the nearest word that is.

use argh::FlagInfo;

use super::{find_flag, split_name};
use crate::cli::manual::{Command, PROGRAM, flag_with_value};
use crate::suggestion::nearest;

/// Returns the message about a command that lacks the name of one below it.
pub(super) fn missing_command(command: &Command<'_>) -> String {
    let names: Vec<&str> =
        command.children().filter_map(|child| child.path.last().copied()).collect();
    match command.path.is_empty() {
        true => "no command given".to_owned(),
        false => format!("{} needs a command: {}", command.path.join(" "), names.join(" or ")),
    }
}

/// Returns the message about a word that names no command below `command`.
pub(super) fn unknown_command(command: &Command<'_>, word: &str) -> String {
    let names = command.children().filter_map(|child| child.path.last().copied());
    let begin = match command.path.is_empty() {
        true => format!("unknown command \"{word}\""),
        false => format!("unknown command \"{word}\" of {}", command.path.join(" ")),
    };
    let lowercase = word.to_lowercase();
    if word.ends_with(".toml") || word.contains('/') {
        return format!("{begin}; to serve by this file: {PROGRAM} serve {word}");
    }
    // A command that is called without the one above it.
    let tree = command.tree();
    let below = tree.iter().find(|below| below.path.last() == Some(&&*lowercase));
    if let Some(below) = below {
        return format!("{begin}; did you mean \"{}\"?", below.path.join(" "));
    }
    suggesting(begin, nearest(&lowercase, names))
}

/// Returns the message about an option that the command does not have.
pub(super) fn unknown_option(command: &Command<'_>, name: &str) -> String {
    unknown_option_near(command, name, own_option(command, name))
}

fn unknown_option_near(command: &Command<'_>, name: &str, near: Option<&str>) -> String {
    let message = match command.path.is_empty() {
        true => format!("unknown option \"{name}\""),
        false => format!("unknown option \"{name}\" for {}", command.path.join(" ")),
    };
    suggesting(message, near)
}

fn suggesting(message: String, near: Option<&str>) -> String {
    match near {
        Some(near) => format!("{message}; did you mean \"{near}\"?"),
        None => message,
    }
}

/// Returns the message about an option where a command belongs.
pub(super) fn misplaced_option(command: &Command<'_>, word: &str, after: &[String]) -> String {
    let name = split_name(word);
    if name != word && find_flag(command, name).is_some() {
        return format!("option \"{name}\" takes no value");
    }
    let tree = command.tree();
    let having: Vec<&Command<'_>> =
        tree.iter().filter(|below| find_flag(below, name).is_some()).collect();
    // The command may come behind the option.
    let meant = after.iter().enumerate().find_map(|(index, word)| {
        let named = |below: &&&Command<'_>| below.path.last() == Some(&&**word);
        Some((index, having.iter().find(named)?))
    });
    match (meant, having.first()) {
        (Some((index, meant)), _) => {
            let (before, behind) = (&after[..index], &after[index + 1..]);
            let words: Vec<&str> =
                [word].into_iter().chain(before.iter().chain(behind).map(String::as_str)).collect();
            let name = meant.name();
            format!("option \"{word}\" belongs behind the command: {name} {}", words.join(" "))
        }
        (None, Some(having)) => {
            let name = having.name();
            format!("option \"{word}\" belongs behind a command, as in: {name} {word}")
        }
        (None, None) => {
            if let Some(own) = own_option(command, name) {
                return unknown_option_near(command, name, Some(own));
            }
            // One letter is like too many names, except for the one that other programs read a file by.
            let near = match name.trim_start_matches('-') {
                "c" => Some("--config"),
                letter if letter.chars().count() == 1 => None,
                _ => near_option(&tree, name),
            };
            let serve = tree.iter().filter(|below| below.path.last() == Some(&"serve"));
            let having =
                |option| serve.chain(&tree).find(|below| find_flag(below, option).is_some());
            let near =
                near.and_then(|near| Some(format!("{} {near}", having(near)?.path.join(" "))));
            unknown_option_near(command, name, near.as_deref())
        }
    }
}

/// Returns the message about an option that `next` follows in place of a value.
pub(super) fn lacking_value(command: &Command<'_>, flag: &FlagInfo<'_>, next: &str) -> String {
    let begin = format!("option \"{}\" lacks its value before {next}", flag_with_value(flag));
    let name = split_name(next);
    if next == "--" || find_flag(command, name).is_some() {
        return begin;
    }
    match own_option(command, name) {
        None => format!("{begin}; if that is the value, write {}={next}", flag.long),
        near => suggesting(begin, near),
    }
}

/// Returns the option of the command that is nearest to `name`.
fn own_option<'a>(command: &Command<'a>, name: &str) -> Option<&'a str> {
    near_option(std::slice::from_ref(command), name)
}

/// Returns the option of the commands that is nearest to `name`. Hyphens are no likeness.
fn near_option<'a>(commands: &[Command<'a>], name: &str) -> Option<&'a str> {
    let bare = name.trim_start_matches('-').to_lowercase().replace('_', "-");
    let flags = commands.iter().flat_map(|command| command.info.flags.iter().map(|flag| flag.long));
    let flags: Vec<&str> = flags.collect();
    let near = nearest(&bare, flags.iter().map(|flag| flag.trim_start_matches('-')))?;
    flags.into_iter().find(|flag| flag.trim_start_matches('-') == near)
}
