//! The problems of sources and fields that do not exist.

use super::problem::Problem;

/// Returns the problem of a source that does not exist.
pub(super) fn unknown_source() -> Problem {
    Problem::not_found("There is no source of that name.")
}

/// Returns the problem of a source or a field that does not exist.
pub(super) fn unknown_field() -> Problem {
    Problem::not_found("There is no source and field of that name.")
}
