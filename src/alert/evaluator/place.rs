//! Places of subjects in the evaluator.

/// Rule and subject, by their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rule: usize,
    pub(super) subject: usize,
}
