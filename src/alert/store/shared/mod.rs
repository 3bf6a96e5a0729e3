//! The store that replicas share: a database, in place of the file.
//!
//! The thread `pw-alert-store` exchanges with it ([`SharedStore::exchange`]) when changes wait, and each
//! [`TICK`] otherwise. An exchange is one transaction in one round trip: it writes what waits, and returns what other
//! replicas have written since. What waits is merged by key in memory as for the file, and so bounded.
//!
//! # What an exchange does
//! | part | rule |
//! | --- | --- |
//! | state of a source | written if the lease on the source is of this instance and the epoch; else the source is *refused*, and lost. An end is also written if no live replica has the source in its configuration |
//! | state of a server | written by the replica of that name, or by another one while no instance of that name runs |
//! | incident | as the state of its source; without a lease only inserted, if it has ended and its id is new |
//! | silence | replaces one that was set earlier, by (`set_at`, instance) |
//! | acknowledgement | replaces a later one of the same incident, by (`at`, `by`) |
//! | notice | inserted with this instance as its claimer; *taken* if its key exists, or if its incident does and the lease on its source is of another instance |
//! | notice that was sent | deleted, if this instance claims it |
//! | adoption | notices of instances that have ended, of the channels that this process has, are claimed and returned |
//! | following | rows whose version is above the known one of the instance that has written them last |
//!
//! All rows of an exchange get the same version, the number of the exchange in this process. An instance writes one
//! exchange after the other, so a reader that knows its version *n* has seen all of its rows up to *n*. A state that
//! becomes inactive stays as a row without content, so that others learn of it, and is deleted a day later.
//!
//! # Order
//! A source is held once an exchange that began after the lease was taken has read the rows: by then the former holder
//! can write no more, as each of its writes checks the lease. If that exchange fails, the source is held without them
//! ([`News::Resumed`]): an outage of the database must not silence alarms. A source that is handed over stays leased until the
//! store has reported [`News::Flushed`]. After an error it is not known what was written and what was missed: all rows
//! are read anew, and what waits is written again, which changes nothing that was written before.
//!
//! # Claims
//! A channel sends a notice that was saved while the claim of this instance is valid ([`Claim`]). Each exchange extends
//! it by the rest of the instance's time in the database, counted from before the exchange. An exchange is *in doubt*
//! after one that has failed, was sent twice, met another server, or was of another instance. It compares the notices in
//! memory with the rows, before the claim is extended:
//!
//! | in memory | row | what follows |
//! | --- | --- | --- |
//! | saved | of another instance | that one sends it |
//! | saved | none | another instance has sent it; if the server is another one, its transaction was lost, and it is written again |
//! | unknown | of this instance | the answer of the adoption was lost: it is adopted |
//!
//! The server is another one if it has started since: then a standby may have been promoted without the latest
//! transactions. A message may be sent twice then, and none is lost. See [`CLAIM_GRACE`] for a database that stays away.

mod claim;
#[cfg(test)]
pub(in crate::alert) mod memory;
#[cfg(test)]
mod tests;
mod thread;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::{FollowedChanges, Instance, Notice, NoticeKey};

use super::pending::Pending;

pub use claim::{CLAIM_GRACE, Claim, Claims};
pub(in crate::alert) use thread::SharedThread;
pub(super) use thread::TenureChange;
#[cfg(test)]
pub(in crate::alert) use thread::detached;
pub use thread::{News, SharedSettings, TICK};

/// Database that replicas share, as one of them sees it.
pub trait SharedStore: Send {
    /// Writes and reads in one transaction. Waits for a bounded time, which is shorter than that of a claim.
    ///
    /// # Errors
    /// The database does not answer in time, or refuses. It is not known whether the transaction was committed.
    fn exchange(&mut self, exchange: &Exchange<'_>) -> Result<Exchanged, SharedStoreError>;

    /// Returns true, for a bounded time, while it is not yet known whether the database can be used.
    fn is_starting(&self) -> bool {
        false
    }
}

/// The database cannot be reached, or refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SharedStoreError(pub Arc<str>);

/// Changes to write, and positions to read from.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// Changes to write.
    pub(in crate::alert::store) pending: &'a Pending,
    /// The instance that writes.
    pub instance: Instance,
    /// Version of the rows that are written.
    pub version: i64,
    /// Versions up to which the rows of other instances are known; `None`: all rows are read.
    pub known: Option<&'a BTreeMap<Instance, i64>>,
    /// Channels of this process, whose notices are adopted if their instance has ended.
    pub channels: &'a [Arc<str>],
    /// Notices that channels have, if the exchange is in doubt: they are compared with the rows.
    pub claims: Option<&'a Claims>,
}

/// Result of an exchange.
#[derive(Debug, Default)]
pub struct Exchanged {
    /// Rows of other instances, or all rows.
    pub followed: FollowedChanges,
    /// Highest version of each instance among those.
    pub versions: Vec<(Instance, i64)>,
    /// Sources whose lease is not of this instance and the epoch of the changes. Nothing of them was written.
    pub refused: Vec<Arc<str>>,
    /// Notices that another instance claims.
    pub taken: Vec<NoticeKey>,
    /// Notices of the claims that have no row.
    pub missing: Vec<NoticeKey>,
    /// Notices that this instance claims and no channel has: those of instances that have ended, and those that an
    /// exchange has adopted whose answer was lost.
    pub adopted: Vec<Notice>,
    /// Time until this instance ends, by the database; `None`: it has ended.
    pub ends_in: Option<Duration>,
    /// Start of the server that has answered, which identifies it, in microseconds since 1970.
    pub server: i64,
    /// True if it was sent twice, so that the first answer may be lost.
    pub is_repeated: bool,
}
