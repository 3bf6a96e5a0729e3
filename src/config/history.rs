//! `[history]`: the database of recorded values and its retention times.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::configured_path::{ConfiguredPath, PathKey};
use super::section::{Section, Spanned};
use super::store::ReadStore;
use crate::data_lock::lock_path;

/// `[history]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The database; with `[store]`, the spool, which has its role for all files beside it.
    pub path: ConfiguredPath,
    /// Time from one write to the next. A crash loses at most the values of this time.
    pub flush: Duration,
    /// Retention of single observations; `None`: for ever.
    pub keep_raw: Option<Duration>,
    /// Retention of quarter hours; `None`: for ever.
    pub keep_15m: Option<Duration>,
    /// Retention of days; `None`: for ever.
    pub keep_daily: Option<Duration>,
}

/// Default of `flush`. Memory cards survive a write a minute for years.
const FLUSH: Duration = Duration::from_secs(60);

/// Default of `flush` with `[store]`: other replicas show what is written there, and a database server has a log of its
/// own that it syncs at every transaction.
const STORE_FLUSH: Duration = Duration::from_secs(1);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for History {
    fn default() -> History {
        let key = PathKey { name: "path", table: "[history]".to_owned(), position: None };
        History {
            path: ConfiguredPath::new("pumphouse.db".into(), key),
            flush: FLUSH,
            keep_raw: Some(400 * DAY),
            keep_15m: Some(3650 * DAY),
            keep_daily: None,
        }
    }
}

impl History {
    /// Returns the path of the last good values, beside the database: `pumphouse.last.json`.
    pub fn last_values(&self) -> PathBuf {
        self.companion("last.json")
    }

    /// Returns the path of the browsers' sessions, beside the database: `pumphouse.sessions.json`.
    pub fn sessions(&self) -> PathBuf {
        self.companion("sessions.json")
    }

    /// Returns the path of the states of alerts and of their messages, beside the database: `pumphouse.alerts.db`.
    pub fn alerts(&self) -> PathBuf {
        self.companion("alerts.db")
    }

    /// Returns the path of the file with the sources that this replica holds.
    pub fn held_sources(&self) -> PathBuf {
        self.companion("held.json")
    }

    /// Returns the path of a file beside the database. Two databases in one folder never share one:
    /// `pump.db` has `pump.last.json`, `pump.north` has `pump.north-last.json`.
    fn companion(&self, name: &str) -> PathBuf {
        if self.has_usual_name() {
            return self.path.with_extension(name);
        }
        with_suffix(&self.path, &format!("-{name}"))
    }

    /// Returns the paths at which version 0.1 had the last values and the sessions, each with its path now, if
    /// they differ. Databases with one stem shared these files.
    pub fn earlier_names(&self) -> Vec<(PathBuf, PathBuf)> {
        if self.has_usual_name() {
            return Vec::new();
        }
        let earlier = |name: &str| (self.path.with_extension(name), self.companion(name));
        ["last.json", "sessions.json"].map(earlier).into()
    }

    fn has_usual_name(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "db")
    }

    /// Returns the paths of all files: the database, its write-ahead log and index, its lock, the last values
    /// and the sessions. Not all of them exist at all times.
    ///
    /// The log, the index and the lock are beside the file that a symbolic link ends at.
    pub fn files(&self) -> [PathBuf; 6] {
        let lock = lock_path(&self.path);
        let database = lock.with_extension("");
        [
            self.path.to_path_buf(),
            with_suffix(&database, "-wal"),
            with_suffix(&database, "-shm"),
            lock,
            self.last_values(),
            self.sessions(),
        ]
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// `[history]`, as it was read.
pub(super) struct ReadHistory {
    /// `None`: nothing is written to it.
    pub(super) history: Option<History>,
    /// File of alerts beside the database, also if that is disabled.
    pub(super) alerts: PathBuf,
}

/// Reads `[history]`, beside a `[store]` if there is one.
pub(super) fn read(mut section: Section<'_, '_>, store: Option<&ReadStore>) -> ReadHistory {
    let default = History::default();
    let own_path = section.span_of("path");
    let enabled = section.boolean("enabled");
    let path = section.configured_path("path").unwrap_or(default.path);
    if let Some(ReadStore { line, .. }) = store {
        if let Some(at) = own_path {
            let message = format_args!(
                "\"path\" and [store] in line {line} exclude each other; the database is in place of the file: \
                 remove \"path\", or [store] to record in the file"
            );
            section.report(at, message);
        }
        if let Some(Spanned { value: false, span }) = enabled {
            let message = format_args!(
                "\"enabled\" = false and [store] in line {line} exclude each other; remove \"enabled\", or \
                 [store] to record nothing"
            );
            section.report(span, message);
        }
    }
    let flush = section.duration_or("flush", store.map_or(default.flush, |_| STORE_FLUSH));
    let keep_raw = section.retention("keep_raw", default.keep_raw);
    let keep_15m = section.retention("keep_15m", default.keep_15m);
    let keep_daily = section.retention("keep_daily", default.keep_daily);
    section.finish();
    let path = store.map_or(path, |store| store.spool.clone());
    let history = History { path, flush, keep_raw, keep_15m, keep_daily };
    let is_enabled = enabled.is_none_or(|enabled| enabled.value);
    ReadHistory { alerts: history.alerts(), history: is_enabled.then_some(history) }
}
