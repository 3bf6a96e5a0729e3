//! `[history]`: what is kept, where, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use super::section::{At, Section};

/// `[history]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The database.
    pub path: PathBuf,
    /// From one write to the next; what a crash can cost.
    pub flush: Duration,
    /// How long single observations are kept; `None`: for ever.
    pub keep_raw: Option<Duration>,
    /// How long quarters of an hour are kept.
    pub keep_15m: Option<Duration>,
    /// How long days are kept.
    pub keep_daily: Option<Duration>,
}

/// A write a minute is what memory cards can take for years.
const FLUSH: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for History {
    fn default() -> History {
        History {
            path: "pumphouse.db".into(),
            flush: FLUSH,
            keep_raw: Some(400 * DAY),
            keep_15m: Some(3650 * DAY),
            keep_daily: None,
        }
    }
}

impl History {
    /// The file beside the database in which the last good values survive a restart.
    pub fn last_values(&self) -> PathBuf {
        self.path.with_extension("last.json")
    }

    /// The file beside the database in which sessions of browsers survive a restart.
    pub fn sessions(&self) -> PathBuf {
        self.path.with_extension("sessions.json")
    }

    /// The files with data that the server keeps: the database, its log and index, the last
    /// values and the sessions. Not all of them exist at all times.
    pub fn files(&self) -> [PathBuf; 5] {
        let beside = |suffix: &str| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        [self.path.clone(), beside("-wal"), beside("-shm"), self.last_values(), self.sessions()]
    }
}

/// `None`: nothing is kept on disk.
pub(super) fn read(mut section: Section<'_, '_>) -> Option<History> {
    let default = History::default();
    let enabled = section.boolean("enabled").is_none_or(|at| at.value);
    let path = section.string("path").map_or(default.path, |At { value, .. }| value.into());
    let flush = section.duration_or("flush", default.flush);
    let keep_raw = section.keep("keep_raw", default.keep_raw);
    let keep_15m = section.keep("keep_15m", default.keep_15m);
    let keep_daily = section.keep("keep_daily", default.keep_daily);
    section.finish();
    enabled.then_some(History { path, flush, keep_raw, keep_15m, keep_daily })
}
