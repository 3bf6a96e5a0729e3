//! Settings of the history.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::renames::SourceFields;
use crate::data_lock::DataLock;

/// Settings of a recorder and its readers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Path of the file. `None`: no file is written, and only the recent events in memory are available.
    pub path: Option<PathBuf>,
    /// Lock without which the file is not opened.
    pub lock: Arc<DataLock>,
    /// Interval between two flushes.
    pub flush: Duration,
    /// Retention of each table.
    pub keep: Retention,
    /// Time zone whose days are rolled up.
    pub zone: TimeZone,
    /// Number of connections that read.
    pub readers: usize,
    /// Configured sources, with the fields that have another name now.
    pub sources: Vec<SourceFields>,
}

/// Age at which rows of each table are deleted; `None`: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Single observations.
    pub raw: Option<Duration>,
    /// Quarters of an hour.
    pub quarters: Option<Duration>,
    /// Days.
    pub days: Option<Duration>,
}
