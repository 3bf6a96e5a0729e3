//! Reads of past incidents, by a connection of their own that holds up no write.

use std::path::Path;

use super::{load, schema};
use crate::alert::{Incident, IncidentId};
use crate::history::StoreError;

/// Incidents cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IncidentsError {
    /// The file is not open: it cannot be opened, or another process has it.
    #[error("the file of the alerts is not open")]
    Closed,
    /// The file cannot be read.
    #[error("the incidents cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Returns incidents of an alert, the latest fire first.
pub(super) fn incidents(
    path: &Path,
    alert: &str,
    before: Option<IncidentId>,
    limit: usize,
) -> Result<Vec<Incident>, StoreError> {
    // Opening takes less than a millisecond, and no idle connection has to be kept.
    load::incidents(&schema::open_to_read(path)?, alert, before, limit)
}
