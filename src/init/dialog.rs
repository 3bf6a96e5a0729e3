//! Questions and their answers: on a terminal, or the secrets alone from standard input.

use std::fmt;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use crate::kernel::terminal::HiddenPrompt;

/// Number of wrong answers to a question after which it is not asked again.
const MAX_TRIES: usize = 3;

/// Longest line of standard input.
const MAX_LINE_BYTES: u64 = 8192;

/// Reason why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum DialogError {
    /// The input ended.
    #[error("the input ended before the answer to \"{question}\"{line}; nothing was written")]
    Ended {
        /// The question.
        question: String,
        /// The line that is missing.
        line: InputLine,
    },
    /// The answer was wrong, and without a terminal there is no other.
    #[error("wrong answer to \"{question}\"{line}: {reason}; nothing was written")]
    Wrong {
        /// The question.
        question: String,
        /// The line.
        line: InputLine,
        /// Reason.
        reason: String,
    },
    /// All answers were wrong.
    #[error("no answer to \"{0}\" after {MAX_TRIES} tries; nothing was written")]
    Tries(String),
    /// The input cannot be read.
    #[error("cannot read the answer to \"{question}\": {error}; nothing was written")]
    Io {
        /// The question.
        question: String,
        /// Reason.
        error: io::Error,
    },
}

/// Number of a line of standard input, from 1; `None` on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputLine(pub Option<usize>);

impl fmt::Display for InputLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, ", line {number} of standard input"),
            None => Ok(()),
        }
    }
}

/// A person or a file that answers.
pub trait Dialog {
    /// Returns true if questions can be asked: otherwise only secrets are read.
    fn is_interactive(&self) -> bool;

    /// Returns the number of lines that were read, the end included.
    fn lines_read(&self) -> usize;

    /// Shows a text.
    fn say(&mut self, text: &str);

    /// Shows a question and reads a line; `None`: the input ended.
    ///
    /// # Errors
    /// The input cannot be read, or is not UTF-8.
    fn line(&mut self, question: &str) -> io::Result<Option<String>>;

    /// Reads a line that is not shown while it is typed.
    ///
    /// # Errors
    /// Those of [`Dialog::line`].
    fn hidden_line(&mut self, question: &str) -> io::Result<Option<String>>;
}

/// The terminal, or standard input without one.
#[derive(Debug, Default)]
pub struct Console {
    lines_read: usize,
    hidden: HiddenPrompt,
}

impl Console {
    fn read_line(&mut self) -> io::Result<Option<String>> {
        self.lines_read += 1;
        read_line()
    }
}

impl Dialog for Console {
    fn is_interactive(&self) -> bool {
        io::stdin().is_terminal()
    }

    fn lines_read(&self) -> usize {
        self.lines_read
    }

    fn say(&mut self, text: &str) {
        // A terminal that cannot be written is noticed when it is read.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn line(&mut self, question: &str) -> io::Result<Option<String>> {
        self.say(question);
        self.read_line()
    }

    fn hidden_line(&mut self, question: &str) -> io::Result<Option<String>> {
        if !self.is_interactive() {
            return self.read_line();
        }
        match self.hidden.read(question) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read.map(Some),
        }
    }
}

fn read_line() -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = io::stdin().lock().take(MAX_LINE_BYTES).read_line(&mut line)?;
    if read as u64 == MAX_LINE_BYTES {
        return Err(io::Error::other(format!("the line is longer than {MAX_LINE_BYTES} bytes")));
    }
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Asks until an answer is right. An empty answer is `default`, if there is one.
///
/// # Errors
/// The input ended, or several answers were wrong.
pub(super) fn ask<T>(
    dialog: &mut dyn Dialog,
    question: &str,
    default: Option<&str>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, DialogError> {
    let hint = default.map_or_else(String::new, |default| format!(" [{default}]"));
    for _ in 0..MAX_TRIES {
        let line = dialog.line(&format!("{question}{hint}: "));
        let line = answered(dialog, question, line)?;
        let answer = match (line.trim(), default) {
            ("", Some(default)) => default,
            (answer, _) => answer,
        };
        match parse(answer) {
            Ok(answer) => return Ok(answer),
            Err(error) => dialog.say(&format!("  {error}\n")),
        }
    }
    Err(DialogError::Tries(question.to_owned()))
}

/// Reads a secret until it is right. Without a terminal a wrong one is an error at once.
///
/// # Errors
/// The input ended, or several answers were wrong.
pub(super) fn ask_hidden<T>(
    dialog: &mut dyn Dialog,
    question: &str,
    parse: impl Fn(&mut dyn Dialog, String) -> Result<Result<T, String>, DialogError>,
) -> Result<T, DialogError> {
    for _ in 0..MAX_TRIES {
        let line = dialog.hidden_line(&format!("{question}: "));
        let line = answered(dialog, question, line)?;
        match parse(dialog, line)? {
            Ok(answer) => return Ok(answer),
            Err(reason) if !dialog.is_interactive() => {
                let question = question.to_owned();
                return Err(DialogError::Wrong { question, line: input_line(dialog), reason });
            }
            Err(error) => dialog.say(&format!("  {error}\n")),
        }
    }
    Err(DialogError::Tries(question.to_owned()))
}

/// Returns the line that was read.
///
/// # Errors
/// The input ended or cannot be read.
pub(super) fn answered(
    dialog: &dyn Dialog,
    question: &str,
    line: io::Result<Option<String>>,
) -> Result<String, DialogError> {
    let question = question.to_owned();
    match line {
        Ok(Some(line)) => Ok(line),
        Ok(None) => Err(DialogError::Ended { question, line: input_line(dialog) }),
        Err(error) => Err(DialogError::Io { question, error }),
    }
}

/// Returns the line that was read last.
fn input_line(dialog: &dyn Dialog) -> InputLine {
    InputLine((!dialog.is_interactive()).then(|| dialog.lines_read()))
}
