//! Reads the words of a command line against the table of commands.
//!
//! argh converts values, but its messages about words name neither the command nor a better spelling,
//! and it does not split `--option=value`. So the words are checked here first, and argh gets them in
//! one form: the command, its options, `--`, its arguments. Values that are one of a few words, such as
//! `csv|ndjson`, are read in upper and lower case, and passed on as the table writes them.

mod messages;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use self::messages::{
    lacking_value, misplaced_option, missing_command, unknown_command, unknown_option,
};
use super::manual::{Command, Value, flag_with_value, short, value_of};

/// Request of a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The help of the command with this path.
    Help(Vec<String>),
    Version,
    Run(Words),
}

/// The words of a valid command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Names of the command.
    pub(super) path: Vec<String>,
    /// Options with their values.
    options: Vec<(String, Option<String>)>,
    arguments: Vec<String>,
}

/// A command line that cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misuse {
    /// Names of the command, as far as it is known.
    pub(super) path: Vec<String>,
    /// The error, on one line.
    pub(super) message: String,
}

/// Reads the words behind the name of the program.
///
/// # Errors
/// The words name no command, or the command has no such option or argument, or lacks one.
pub(super) fn read(table: &CommandInfoWithArgs, words: &[String]) -> Result<Request, Misuse> {
    let mut command = Command::program(table);
    let mut rest = words;
    while !command.info.commands.is_empty() {
        let Some((word, after)) = rest.split_first() else {
            return Err(misuse(&command, missing_command(&command)));
        };
        match &**word {
            "-h" | "--help" => return Ok(Request::Help(owned(&command.path))),
            "help" => return help_on(&command, after),
            "-V" | "--version" => return Ok(Request::Version),
            _ => {}
        }
        let child = command.children().find(|child| child.path.last() == Some(&&**word));
        let Some(child) = child else {
            // A request for help is granted whatever else is wrong.
            if after.iter().any(|word| is_help(word)) {
                return Ok(Request::Help(owned(&command.path)));
            }
            let message = match word.starts_with('-') {
                true => misplaced_option(&command, word, after),
                false => unknown_command(&command, word),
            };
            return Err(misuse(&command, message));
        };
        command = child;
        rest = after;
    }
    // `COMMAND help`
    if rest.len() == 1 && rest[0] == "help" {
        return Ok(Request::Help(owned(&command.path)));
    }
    read_arguments(&command, rest)
}

/// Returns the request for help on the command that the words behind `help` name.
fn help_on(command: &Command<'_>, words: &[String]) -> Result<Request, Misuse> {
    let mut command = command.clone();
    for word in words.iter().filter(|word| !is_help(word)) {
        let child = command.children().find(|child| child.path.last() == Some(&&**word));
        command = child.ok_or_else(|| misuse(&command, unknown_command(&command, word)))?;
    }
    Ok(Request::Help(owned(&command.path)))
}

/// Reads the options and arguments of a command that has none below it.
fn read_arguments(command: &Command<'_>, words: &[String]) -> Result<Request, Misuse> {
    let mut read = Words { path: owned(&command.path), ..Words::default() };
    let mut rest = words.iter();
    let mut options_ended = false;
    while let Some(word) = rest.next() {
        if options_ended || !word.starts_with('-') || word == "-" {
            let positional = command.info.positionals.get(read.arguments.len());
            read.arguments.push(positional.map_or(word.clone(), |it| as_listed(it.name, word)));
            continue;
        }
        match &**word {
            "--" => {
                options_ended = true;
                continue;
            }
            "-h" | "--help" => return Ok(Request::Help(read.path)),
            _ => {}
        }
        let outcome = read_option(command, word, &mut rest.clone());
        match outcome {
            Ok((option, took_next)) => {
                read.options.push(option);
                if took_next {
                    rest.next();
                }
            }
            Err(_) if rest.clone().take_while(|word| *word != "--").any(|word| is_help(word)) => {
                return Ok(Request::Help(read.path));
            }
            Err(_) if matches!(&**word, "-V" | "--version") => return Ok(Request::Version),
            Err(message) => return Err(misuse(command, message)),
        }
    }
    match complaint(command, &read) {
        Some(message) => Err(misuse(command, message)),
        None => Ok(Request::Run(read)),
    }
}

/// An option with its value, and whether that was a word of its own.
type ReadOption = ((String, Option<String>), bool);

/// Reads one option; `next` are the words behind it.
fn read_option<'a>(
    command: &Command<'_>,
    word: &str,
    next: &mut impl Iterator<Item = &'a String>,
) -> Result<ReadOption, String> {
    let (name, attached) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    let Some(flag) = find_flag(command, name) else {
        return Err(unknown_option(command, name));
    };
    let option = flag.long.to_owned();
    match (&flag.kind, attached) {
        (FlagInfoKind::Switch, None) => Ok(((option, None), false)),
        (FlagInfoKind::Switch, Some(value)) => {
            Err(format!("option \"{}\" takes no value, such as \"{value}\"", flag.long))
        }
        (FlagInfoKind::Option { arg_name }, Some(value)) => {
            Ok(((option, Some(as_listed(arg_name, &value))), false))
        }
        (FlagInfoKind::Option { arg_name }, None) => match next.next() {
            Some(value) if !looks_like_option(command, value) => {
                Ok(((option, Some(as_listed(arg_name, value))), true))
            }
            Some(other) => Err(lacking_value(command, flag, other)),
            None => Err(format!("option \"{}\" lacks its value", flag_with_value(flag))),
        },
    }
}

/// Returns true if a word of its own is no value, but an option of the command or a mistyped one.
///
/// A value may begin with a hyphen, as a latitude does, or be written behind an equals sign.
fn looks_like_option(command: &Command<'_>, word: &str) -> bool {
    let is_named =
        word.strip_prefix("--").is_some_and(|name| name.starts_with(|it: char| it.is_alphabetic()));
    word == "--" || is_named || find_flag(command, split_name(word)).is_some()
}

/// Returns a value as the table writes it, if its kind has a list, such as `csv|ndjson`.
fn as_listed(kind: &str, value: &str) -> String {
    let listed = match value_of(kind) {
        Value::Choice(words) => words.into_iter().find(|word| word.eq_ignore_ascii_case(value)),
        Value::File | Value::Folder | Value::Text => None,
    };
    listed.unwrap_or(value).to_owned()
}

/// Returns the error of words each of which is valid.
fn complaint(command: &Command<'_>, read: &Words) -> Option<String> {
    let given =
        |flag: &FlagInfo<'_>| read.options.iter().filter(|(name, _)| name == flag.long).count();
    let takes_value = |flag: &FlagInfo<'_>| matches!(flag.kind, FlagInfoKind::Option { .. });
    let flags = command.info.flags;
    let repeated = flags.iter().find(|flag| {
        takes_value(flag) && flag.optionality != Optionality::Repeating && given(flag) > 1
    });
    if let Some(flag) = repeated {
        return Some(format!("option \"{}\" is given twice", flag.long));
    }
    let positionals = command.info.positionals;
    let is_open = positionals.last().is_some_and(|last| {
        matches!(last.optionality, Optionality::Repeating | Optionality::Greedy)
    });
    if let Some(extra) = read.arguments.get(positionals.len()).filter(|_| !is_open) {
        let name = command.path.join(" ");
        let long = format!("--{extra}");
        return Some(match find_flag(command, &long) {
            Some(_) => {
                format!("unexpected argument \"{extra}\" for {name}; did you mean \"{long}\"?")
            }
            None => format!("unexpected argument \"{extra}\" for {name}"),
        });
    }
    let arguments = positionals
        .iter()
        .skip(read.arguments.len())
        .filter(|positional| positional.optionality == Optionality::Required)
        .map(|positional| positional.name.to_owned());
    let options = flags
        .iter()
        .filter(|flag| flag.optionality == Optionality::Required && given(flag) == 0)
        .map(|flag| flag_with_value(flag));
    let missing: Vec<String> = options.chain(arguments).collect();
    (!missing.is_empty())
        .then(|| format!("{} is missing {}", command.path.join(" "), missing.join(" and ")))
}

impl Words {
    /// Returns the words in the form that argh reads.
    pub(super) fn for_argh(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.path.iter().map(String::as_str).collect();
        for (name, value) in &self.options {
            words.push(name);
            words.extend(value.as_deref());
        }
        if !self.arguments.is_empty() {
            words.push("--");
            words.extend(self.arguments.iter().map(String::as_str));
        }
        words
    }

    /// Returns argh's message about a value that it cannot convert, in this program's words.
    pub(super) fn translate(&self, message: &str) -> String {
        let message = message.trim_end();
        let options = self.options.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (name, value) in options {
            let begin = format!("Error parsing option '{name}' with value '{value}': ");
            if let Some(reason) = message.strip_prefix(&begin) {
                // A URL may contain a secret, and a log may keep the message.
                let is_url = name.ends_with("-url");
                let value = if is_url { "URL" } else { value };
                return format!("{name} {value}: {reason}");
            }
        }
        for value in &self.arguments {
            if let Some((_, reason)) = message.split_once(&format!("' with value '{value}': ")) {
                return format!("{value}: {reason}");
            }
        }
        message.to_owned()
    }
}

/// Returns the option of a command by its long or short form.
fn find_flag<'a>(command: &Command<'a>, word: &str) -> Option<&'a FlagInfo<'static>> {
    let is_short = |flag: &FlagInfo<'_>| {
        let mut letters = word.strip_prefix('-').unwrap_or_default().chars();
        letters.next().is_some_and(|letter| short(flag) == Some(letter)) && letters.next().is_none()
    };
    command.info.flags.iter().find(|flag| flag.long == word || is_short(flag))
}

/// Returns the name of an option without an attached value.
fn split_name(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

fn is_help(word: &str) -> bool {
    matches!(word, "-h" | "--help")
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|name| (*name).to_owned()).collect()
}

fn misuse(command: &Command<'_>, message: String) -> Misuse {
    Misuse { path: owned(&command.path), message }
}
