//! Consequences of a tick, for pollers and writers.

use std::sync::Arc;
use std::time::Duration;

use super::instance::InstanceId;
use super::tenure::PollsUntil;

/// A consequence of a tick. They are executed in order; [`Effect::Permit`] is the last one, so that no poll of a
/// source that was dropped starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Poll the source from now on, next at this time since boot; without one, as a source without a reading.
    Hold {
        /// Name of the source.
        source: Arc<str>,
        /// Epoch for writes.
        epoch: i64,
        /// Time of the next poll.
        continue_at: Option<Duration>,
    },
    /// Writes for the source, which is polled on, have this epoch from now on.
    Epoch {
        /// Name of the source.
        source: Arc<str>,
        /// Epoch for writes.
        epoch: i64,
    },
    /// Start no further poll of the source. Once the poll in flight has ended and its reading is published, call
    /// [`super::Cluster::published`].
    Release {
        /// Name of the source.
        source: Arc<str>,
    },
    /// Start no further poll of the source and publish nothing: the lease is lost.
    Drop {
        /// Name of the source.
        source: Arc<str>,
    },
    /// Request a poll of the source, which is held, as a client of this replica would.
    PollRequested {
        /// Name of the source.
        source: Arc<str>,
    },
    /// The lease has ended and the database is away: polls are unconfirmed.
    Unconfirmed,
    /// The database answers again: polls are confirmed.
    Confirmed,
    /// The database has lost this replica. Writes have this instance from now on.
    Instance(InstanceId),
    /// Another process has the name of this replica: warn.
    NameShared(InstanceId),
    /// Polls may start until then. Passed to [`super::Permit::set`].
    Permit(PollsUntil),
}
