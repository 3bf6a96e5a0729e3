//! Sources of a snapshot by name, and the problems of names that do not exist.

use super::problem::Problem;
use crate::board::SourceView;

/// Returns the source of that name.
pub(super) fn find<'a>(sources: &'a [SourceView], name: &str) -> Option<&'a SourceView> {
    sources.iter().find(|source| *source.name == *name)
}

/// Returns the problem of a source that does not exist.
pub(super) fn unknown_source() -> Problem {
    Problem::not_found("There is no source of that name.")
}

/// Returns the problem of a source or a field that does not exist.
pub(super) fn unknown_field() -> Problem {
    Problem::not_found("There is no source and field of that name.")
}
