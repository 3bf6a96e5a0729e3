//! Health of the store, for pages, metrics and alerts.

use std::sync::Arc;

use jiff::Timestamp;

use crate::data_lock::Holder;
use crate::history::FaultKind;

/// Health of the store.
#[derive(Debug, Clone, Default)]
pub struct StoreHealth {
    /// True while the file is open.
    pub is_open: bool,
    /// Current error; `None` after a write that succeeded.
    pub error: Option<StoreFault>,
    /// The process that evaluates alerts in place of this one.
    pub holder: Option<Holder>,
    /// Number of changes that are not on the disk.
    pub waiting: usize,
    /// Time since which the oldest of them waits. If the disk hangs, it is the only sign of that.
    pub waiting_since: Option<Timestamp>,
    /// Number of changes that were discarded, since too many waited.
    pub discarded: u64,
}

/// Reason for which the file is not written.
#[derive(Debug, Clone)]
pub struct StoreFault {
    /// Time since which it is not.
    pub since: Timestamp,
    /// Kind.
    pub kind: FaultKind,
    /// Text for people.
    pub message: Arc<str>,
}
