//! A problem of the file with its position.

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
