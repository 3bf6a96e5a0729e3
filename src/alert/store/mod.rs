//! The store: a file with the states of alerts, incidents, silences, and notices that are not sent yet.
//!
//! It is an SQLite database of its own beside the history, so that neither the interval of the history's flushes
//! nor a damaged or disabled history affects alerts. One thread, `pw-alert-store`, owns the only connection that
//! writes. [`StoreHandle::save`] merges changes into a map by key and wakes the thread, which writes all of them in one
//! transaction as soon as it can, synced. So a disk that hangs holds up no other thread, and what waits for it is
//! bounded: there is at most one change for each key, and a bound for those keys whose number grows. Another thread,
//! `pw-alert-reads`, reads past incidents.
//!
//! | | |
//! | --- | --- |
//! | another process has the lock ([`DataLock`](crate::data_lock::DataLock)) | [`Opened::Standby`]; the file is not opened until that process ends |
//! | the file cannot be opened | [`Opened::Failed`]; tried again each minute, and changes stay in memory |
//! | a transaction fails, such as on a full disk | its changes stay in memory, and are tried again after 1 s to 30 s; logged once |
//! | the file is damaged | it is renamed; [`Opened::Loaded`] without rows at the start, [`Opened::Replaced`] later |
//! | the file is one of another program, or of a later version | it is not changed: as a file that cannot be opened |
//! | a row cannot be read | it is skipped, with one line in the log for each table |
//!
//! Replicas share a database in place of the file: see [`SharedStore`].
//!
//! A commit is synced (`synchronous = FULL`), so what was reported as saved survives `kill -9` and a power cut.

mod changes;
mod file;
mod handle;
mod health;
mod load;
mod pending;
pub(crate) mod postgres;
mod prune;
mod read;
mod saved;
mod schema;
pub(in crate::alert) mod shared;
mod thread;

pub use changes::{Changes, Loaded, Opened, SavedState, SharedChanges};
pub use handle::{AlertStore, OnOpen, OnSaved, StoreHandle};
pub use health::{StoreFault, StoreHealth};
pub use prune::{MAX_ENDED, MAX_ENDED_OF_ALERT};
pub use read::{Find, IncidentsError};
pub use shared::{
    CLAIM_GRACE, Claim, Claims, Exchange, Exchanged, News, SharedSettings, SharedStore,
    SharedStoreError, TICK,
};

#[cfg(test)]
mod tests;
