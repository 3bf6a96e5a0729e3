//! A problem of the file with its position.

use toml_span::Span;

/// An error with its position as a byte range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) span: Span,
    pub(super) message: String,
}
