//! A problem of the file, its position, and the table that it is in.

use toml_span::Span;

/// An error with its position as a byte range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) span: Span,
    pub(super) message: String,
    /// True if it is one of the process that reads, which may lack a variable or a right of the server.
    pub(super) is_of_process: bool,
}

impl Problem {
    /// Returns a problem that every process finds.
    pub(super) fn new(span: Span, message: String) -> Problem {
        Problem { span, message, is_of_process: false }
    }
}

/// Returns the line and the column of the start of a span.
pub(super) fn position(text: &str, span: Span) -> (usize, usize) {
    let before = text.get(..span.start).unwrap_or(text);
    // A byte order mark is no column: editors do not show it.
    let before = before.strip_prefix('\u{feff}').unwrap_or(before);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Puts the name of a table behind the first part of a message, which ends with a semicolon.
pub(super) fn located(message: &str, title: &str) -> String {
    let mut in_quotes = false;
    let end = message.char_indices().find_map(|(at, c)| {
        in_quotes ^= c == '"';
        (!in_quotes && message[at..].starts_with("; ")).then_some(at)
    });
    let (what, advice) = message.split_at(end.unwrap_or(message.len()));
    format!("{what} in {title}{advice}")
}
