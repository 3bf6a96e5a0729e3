//! Ways over time of the fields of a source.

use std::sync::Arc;

use super::reading::FieldName;
use crate::units::{OverTime, Unit};

/// The configured ways over time. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverTimes(Arc<[(FieldName, OverTime)]>);

impl OverTimes {
    /// Returns the way over time of a field: the configured one, or else that of its name and unit.
    pub fn of(&self, field: &str, unit: Option<Unit>) -> OverTime {
        let configured = self.0.iter().find(|(name, _)| **name == *field);
        configured.map_or_else(|| OverTime::of(field, unit), |(_, over_time)| *over_time)
    }
}

impl From<Vec<(FieldName, OverTime)>> for OverTimes {
    fn from(configured: Vec<(FieldName, OverTime)>) -> OverTimes {
        OverTimes(configured.into())
    }
}
