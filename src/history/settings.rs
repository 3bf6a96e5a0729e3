//! Settings of the history.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::renames::SourceFields;
use crate::data_lock::DataLock;
use crate::store::Access;

/// Where observations are stored.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a file of this machine.
    File(PathBuf),
    /// In the database that replicas share.
    Server(ServerPlace),
}

/// A database that replicas share, with the file for observations while it is away.
#[derive(Debug, Clone)]
pub struct ServerPlace {
    pub(crate) access: Access,
    /// Path of the file.
    pub(crate) spool: PathBuf,
    /// Limit of its size, in bytes.
    pub(crate) spool_max: u64,
}

impl Place {
    /// Returns the file of this machine, which one process at a time has.
    pub(super) fn path(&self) -> &Path {
        match self {
            Place::File(path) => path,
            Place::Server(place) => &place.spool,
        }
    }
}

/// Settings of a recorder and its readers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where observations are stored. `None`: nowhere, and only the recent events in memory are available.
    pub place: Option<Place>,
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
