//! Types of the fields of a source.

use crate::units::Unit;

/// Type of a field, as far as the configuration of its source determines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum FieldType {
    /// A number in this unit; `None`: without a unit.
    Number(Option<Unit>),
    /// A text.
    Text,
    /// A number without a unit or a text, as the upstream sends it.
    AsSent,
    /// The configuration does not tell.
    Unknown,
}

impl FieldType {
    /// Returns the unit of its numbers, if it has one.
    pub(in crate::config) const fn unit(self) -> Option<Unit> {
        match self {
            FieldType::Number(unit) => unit,
            FieldType::Text | FieldType::AsSent | FieldType::Unknown => None,
        }
    }
}
