//! The history in PostgreSQL.
//!
//! The statements and the computation of rollups are those of the file (see [`executor`](super::executor)); what
//! differs is when they are sent. A statement costs a round trip, so a transaction collects what needs no answer: the
//! observations that are later than all others of their series, and what these add to rollups (`session`). They are sent
//! together, before the next statement that reads. A batch of observations from thousands of series in their order
//! takes three round trips: the locks with what is known of each series, the rows, and the commit. Before it, a small call
//! notices a database that does not answer sooner than the deadline of a batch.
//!
//! Facts about late observations are read for all of a batch at once (`late`). Rollups that are to be recomputed as a
//! whole are no part of a batch (`recompute`).
//!
//! The rows of the series of a batch are locked, in one order for all, since replicas may write the same series at one
//! time: while the database is away, and right after a source has got another holder. What a transaction knows of a
//! series is read after it has the lock.
//!
//! All writes are idempotent: an observation has its series and time as its key, and an event the process that made it,
//! and its number there. So a batch whose commit was not answered is written again.
//!
//! Observations and quarters are in a partition for each month, which retention drops as a whole (`partitions`). Days
//! are in one table: retention deletes them by rows.

mod backlog;
mod check;
mod columns;
mod copy_target;
mod events;
mod known_series;
mod late;
mod partitions;
mod reader;
mod recent;
mod recompute;
mod retention;
mod seen;
mod session;
mod spool;
mod spooling;
mod writer;

pub(crate) use check::check;
pub(super) use copy_target::ServerTarget;
pub(super) use reader::{READ_TIMEOUT, ServerReader};
pub(super) use spooling::Spooling;
#[cfg(test)]
pub(super) use writer::{Record, ServerWriter};
