//! Parses TOML, and explains the fault of a line that is not TOML.
//!
//! The parser stops at the first error. To list those of all lines, a faulty line with a single key is
//! replaced by blanks, and the rest is parsed again. A text with faulty lines has no value: without them, other
//! keys would seem to be missing.

mod explain;
mod header;
mod line;
mod pieces;
mod subject;

pub(super) use self::pieces::{Piece, divide};

use std::borrow::Cow;

use toml_span::{Error, ErrorKind, Span, Value};

use super::problem::Problem;
use line::{line_at, line_number};

/// Maximum number of errors that are found: each takes another pass over the text.
const MAX_ERRORS: usize = 200;

/// Parses a text.
///
/// # Errors
/// Faulty lines, at least the first one.
pub(super) fn parse(text: &str) -> Result<Value<'_>, Vec<Problem>> {
    let error = match toml_span::parse(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut problems = Vec::new();
    let mut rest = Cow::Borrowed(text);
    let mut next = Some(error);
    while let Some(error) = next.take() {
        let (problem, line) = examine(text, &error);
        problems.push(problem);
        let Some(line) = line.filter(|_| problems.len() < MAX_ERRORS) else { break };
        let blank: String = " ".repeat(line.end - line.start);
        rest.to_mut().replace_range(line.start..line.end, &blank);
        next = toml_span::parse(&rest).err();
    }
    Err(problems)
}

/// Returns the problem of an error, and the line to leave out for further ones.
fn examine(text: &str, error: &Error) -> (Problem, Option<Span>) {
    let span = error.span;
    let at = Problem::new;
    match &error.kind {
        ErrorKind::DuplicateTable { name, first } => {
            let (span, message) = header::duplicate_table(text, name, *first, span);
            (at(span, message), None)
        }
        ErrorKind::DuplicateKey { key, first } => {
            let line = line_number(text, first.start);
            let message =
                format!("the key \"{key}\" is set in line {line} already; remove one of the two");
            (at(span, message), single_key_line(text, span))
        }
        ErrorKind::DottedKeyInvalidType { first } => {
            let line = line_number(text, first.start);
            let message = format!(
                "a part of this key is set to a value in line {line}; remove one of the two"
            );
            (at(span, message), single_key_line(text, span))
        }
        _ => {
            let (span, message) = explain::line(text, error);
            let line = single_key_line(text, span).filter(|line| {
                let line = text.get(line.start..line.end).unwrap_or_default();
                // Faulty by itself, so the lines around it are not the cause.
                toml_span::parse(line).is_err()
            });
            let line = line.map(|line| with_rest_of_text(text, line));
            (at(span, message), line)
        }
    }
}

/// Adds the lines into which a text without its closing quotation mark was probably wrapped: they are no lines of
/// their own, and may be the rest of a secret.
fn with_rest_of_text(text: &str, line: Span) -> Span {
    let mut end = line.end;
    if explain::has_open_text(text.get(line.start..line.end).unwrap_or_default()) {
        while let Some(rest) = text.get(end..)
            && let Some(rest) = rest.strip_prefix('\r').unwrap_or(rest).strip_prefix('\n')
            && !rest.is_empty()
        {
            let next = text.len() - rest.len();
            let (_, line) = line_at(text, next);
            if toml_span::parse(line).is_ok() {
                break;
            }
            end = next + line.len();
        }
    }
    Span::new(line.start, end)
}

/// Returns the line at a position, if it has one key and its whole value.
fn single_key_line(text: &str, span: Span) -> Option<Span> {
    let (start, line) = line_at(text, span.start);
    let is_header = line.trim_start().starts_with('[');
    let opens = |open, close| line.matches(open).count() > line.matches(close).count();
    let is_open =
        opens('[', ']') || opens('{', '}') || line.contains("\"\"\"") || line.contains("'''");
    let is_assignment = line.contains(['=', ':']);
    (is_assignment && !is_header && !is_open).then(|| Span::new(start, start + line.len()))
}
