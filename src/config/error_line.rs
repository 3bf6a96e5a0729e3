//! Errors as lines with their positions, to sort those of the configuration and of files that it names.

use crate::order;

/// An error as a line of text, for lists of errors of several kinds in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorLine {
    /// Line and column in the configuration, if it has a position.
    pub position: Option<(usize, usize)>,
    /// The line, which begins with the position.
    pub text: String,
}

impl ErrorLine {
    /// Sorts lines by their positions. Those without one are last, in the order that they have.
    pub fn sort(lines: &mut [ErrorLine]) {
        order::sort_by_key(lines, |line| (line.position.is_none(), line.position));
    }

    /// Returns the text of a list.
    pub fn text_of(lines: Vec<ErrorLine>) -> String {
        lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }
}
