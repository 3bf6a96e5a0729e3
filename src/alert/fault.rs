//! Faults: reasons why a condition cannot be applied to a field.

use std::fmt;

use crate::config::Limit;
use crate::units::Unit;

/// Reason why a condition cannot be applied to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The threshold and the values measure different quantities.
    OtherQuantity {
        /// Unit of the threshold.
        threshold: Option<Unit>,
        /// Unit of the values.
        value: Option<Unit>,
    },
    /// The values are texts, and the condition compares numbers.
    NotANumber,
}

impl Fault {
    /// Returns the fault of a limit that has no equivalent in the unit of the values.
    pub(super) fn other_quantity(limit: Limit, value: Option<Unit>) -> Fault {
        Fault::OtherQuantity { threshold: limit.unit, value }
    }
}

/// Formats the reason for the log and for people.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::OtherQuantity { threshold, value } => {
                let name = |unit: &Option<Unit>| unit.map_or("no unit", Unit::as_str);
                let (threshold, value) = (name(threshold), name(value));
                write!(f, "the threshold is in {threshold}, but the values are in {value}")
            }
            Fault::NotANumber => {
                f.write_str("the condition compares numbers, but the values are texts")
            }
        }
    }
}
