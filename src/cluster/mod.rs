//! Leases: which replica polls which source, if several machines share a database. Pure state, without I/O.
//!
//! ```text
//!             begin_tick            one round trip            end_tick
//!  Cluster ───────────────► TickRequest ─► database ─► TickReply ───────► effects ─► pollers, writers
//!     ▲                                                                      │
//!     └── published, request_poll, reconfigure                               └─► Permit ─► scheduler
//! ```
//!
//! A replica has a name, and each life of its lease an *instance*, a random number. A tick renews the lease of the
//! replica in one row, which renews those of all its sources. A *unit* is a source, or all sources of one rate limit
//! (`plan`); a pure function of the live replicas says which of them polls a unit (`assignment`). The holder that is
//! not designated any more lets its poll in flight end, publishes the reading and then releases; the designated one
//! acquires what is free or has ended, and continues the schedule.
//!
//! Before a stop, a replica gives up its sources as if its configuration had none, each after its poll in flight. It
//! stays registered until its channels have stopped, since others adopt the messages of a replica that is not.
//!
//! No two replicas poll one source with a valid lease: the holder's lease ends by its own clock since boot before the
//! database's ends (`tenure`), the database changes a lease by comparing and setting its row, and after a promotion,
//! which may lose transactions, no replica acquires a lease before all earlier ones have ended.
//!
//! # What the database side does
//!
//! Tables, all in the schema `pumphouse`:
//!
//! * `replica`: `instance` (primary key), `name`, `ends_at`, `digest`, `hashes`, `configured_at`.
//! * `lease`: `source` (primary key), `holder`, `instance`, `epoch`, `poll_requests`, `changed_at`.
//! * `era`: one row: `timeline`, `since`. The migration writes a `since` that is long past.
//!
//! Sessions and failed guesses follow in a transaction of their own (`access_exchange`).
//!
//! A tick is one transaction at READ COMMITTED. `now()` is its start. These statements, in this order:
//!
//! 1. **Era.** `UPDATE era SET timeline = $current, since = now() WHERE timeline <> $current`, where the current one
//!    is the first eight hexadecimal digits of `pg_walfile_name(pg_current_wal_lsn())`. The same if `since` is later than
//!    the present, because the clock was set back. A row that was deleted is inserted before, with `since = now()`. The
//!    reply's `era_age` is `now() - since`, at least 0.
//! 2. **Renewal.**
//!    * `Register`: `INSERT INTO replica (…, ends_at, configured_at) VALUES (…, now() + ttl, now())`, and on a conflict
//!      of the instance the same values as an update: its first reply was lost.
//!    * `Renew`: `UPDATE replica SET ends_at = now() + ttl WHERE instance = $me`; also if it has ended. `Reconfigure`
//!      also sets `digest`, `hashes` and `configured_at = now()`. If no row matches, roll back and reply with
//!      `is_registered: false`. **Never insert the row again here:** an instance that is gone must not come back.
//!    * `Leave`: lock the row of the replica, so that an earlier tick which has no reply ends first; then
//!      `UPDATE lease SET holder = NULL, instance = NULL, changed_at = clock_timestamp() WHERE instance = $me`,
//!      `DELETE FROM replica WHERE instance = $me`, and nothing else.
//!
//!    Then leases of other replicas that end later than `clock_timestamp() + ttl` are cut to that: after the clock was set
//!    back by an hour, those of a dead replica would last for an hour. One that is alive renews its lease before.
//! 3. **Releases.** For each: `UPDATE lease SET holder = NULL, instance = NULL, changed_at = clock_timestamp() WHERE
//!    source = $source AND instance = $me AND epoch = $epoch`. `epoch` stays. No row: it is no error.
//! 4. **Acquisitions.** Insert missing rows with epoch 0 and no holder (`ON CONFLICT DO NOTHING`), then
//!    ```sql
//!    WITH ended AS MATERIALIZED (
//!      SELECT instance FROM pumphouse.replica WHERE ends_at <= now() FOR SHARE SKIP LOCKED)
//!    UPDATE pumphouse.lease SET holder = $name, instance = $me, epoch = epoch + 1, changed_at = clock_timestamp()
//!    WHERE source = ANY($sources)
//!      AND (instance IS NULL OR instance = $me OR instance IN (SELECT instance FROM ended)
//!        OR changed_at <= now() - $ttl AND NOT EXISTS (SELECT FROM replica WHERE replica.instance = lease.instance))
//!      AND (SELECT since FROM pumphouse.era) <= now() - $ttl
//!    RETURNING source
//!    ```
//!    The share lock makes the end of a lease final: without it, a holder that was stopped could renew its row at the
//!    same moment and read its leases before they are taken. A row that its owner is renewing is skipped. For the same
//!    reason a row of `replica` that has leases is never deleted but by `Leave`; rows that ended an hour ago and have
//!    none may be. A lease whose instance has no row exists only if that row was deleted by other software. Its holder finds
//!    out at its next tick.
//!    The reply's `next_poll_in` comes from the current reading of each acquired source. It is counted from the present,
//!    or from the time of that reading if the clock was set back since.
//! 5. **Requests for polls.** `UPDATE lease SET poll_requests = poll_requests + 1, changed_at = clock_timestamp()
//!    WHERE source = ANY($sources)`.
//! 6. **Reads**, by statements after all of these: `replica` where `ends_at > now()`, with `hashes` unless
//!    `digest = ANY($known)`; `lease`, all rows or those with `changed_at > now() - 10 s`; and the number of rows of
//!    `lease` with `instance = $me`. They take no locks. A row whose instance cannot be read is a replica that is not
//!    live, or a lease without a holder. Last, parts of `current`: see `node::scan`.
//!
//! To avoid deadlocks, statements that change several leases lock them in the order of `source` first. Writers of
//! readings, alert states and claims check `source`, `instance` and `epoch` `FOR SHARE`.
//!
//! Any error and any deadline is a [`Failure`]: a request that has no reply may still be executed later, which all
//! conditions above allow. Of an era that cannot be read, the number is 0; then a promotion that loses transactions may
//! double polls for a few seconds.

mod access_exchange;
mod assignment;
mod configuration;
mod database;
mod effect;
mod entry;
mod exchange;
mod held_file;
mod instance;
mod node;
mod plan;
mod replicas;
mod reply;
mod request;
mod shared_access;
mod state;
mod tenure;
#[cfg(test)]
mod tests;
mod thread;
mod view;

pub use effect::Effect;
pub use exchange::{
    Acquired, Failure, LeaseRead, LeaseRow, LiveReplica, RECENT, Registration, Renewal, TickReply,
    TickRequest,
};
pub use held_file::HeldFile;
pub use instance::{InstanceId, InstanceIdError, NoIdentity, ReplicaName};
pub use plan::Plan;
pub use state::Cluster;
pub use tenure::{Permit, PollsUntil, TenureState, Terms};
pub(crate) use thread::Surroundings;
pub use thread::{
    ClusterReader, ClusterSender, ClusterThread, Outputs, Prepared, cluster, prepare,
};
pub use view::{ClusterView, LeaseView};
