//! The database of the alerts: [`SharedStore`] over PostgreSQL.
//!
//! An exchange is one pipeline, and so one transaction and one round trip. Its statements run in this order, at READ
//! COMMITTED; those without anything to write are left out.
//!
//! 1. The leases of the changes are locked `FOR SHARE`: their holder stays the same up to the commit, or the change of
//!    the holder comes first and the changes are refused. Each write compares source, epoch and instance with them.
//! 2. Notices are inserted; those that were sent are deleted.
//! 3. States, incidents, silences and acknowledgements. A row is not replaced by an older version of the same instance:
//!    a transaction that was given up may be committed late.
//! 4. Notices of instances that have ended are adopted. Rows that another replica adopts at the same time are skipped.
//! 5. Rows of other instances are read, each by the index on the time of their changes.
//! 6. The claims of this instance are read `FOR SHARE`, if they are in doubt.
//!
//! Old rows are deleted each hour, between exchanges: see `prune`.
//!
//! The tables are those of `store::schema`.

mod prune;
mod read;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::IncidentsError;
use super::read::Find;
use super::shared::{Exchange, Exchanged, SharedStore, SharedStoreError};
use crate::postgres::{Limits, PostgresError, Statement};
use crate::store::Link;

/// Most time of an exchange, from the connection to the answer.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(3);

/// Most time for which the first exchange waits until another thread has found the schema. A migration by another
/// replica may take longer.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Most time of a statement, and of a wait for a lock.
const LIMIT: Duration = Duration::from_secs(2);

/// Most time of a read of past incidents.
const FIND_TIMEOUT: Duration = Duration::from_millis(1500);

/// The database, as a replica sees it.
pub(crate) struct PostgresStore {
    /// Name of the replica.
    replica: Arc<str>,
    link: Link,
    pruning: prune::Pruning,
    starts_until: Instant,
}

impl PostgresStore {
    /// Returns the store of a replica, which connects at the first exchange.
    pub(crate) fn new(replica: Arc<str>, link: Link) -> PostgresStore {
        let now = Instant::now();
        PostgresStore {
            replica,
            link,
            pruning: prune::Pruning::new(now),
            starts_until: now + START_TIMEOUT,
        }
    }

    fn try_exchange(&mut self, exchange: &Exchange<'_>) -> Result<Exchanged, PostgresError> {
        let deadline = Instant::now() + EXCHANGE_TIMEOUT;
        let changes = write::Changes::of(exchange, &self.replica);
        let columns = changes.columns();
        let reader = read::Reader::of(exchange);
        let known = reader.known();
        let (writes, reads) = (columns.statements(), reader.statements(&known));
        let owned = writes.iter().chain(&reads);
        let statements: Vec<Statement<'_>> = owned.map(write::Owned::statement).collect();
        let repeats = self.link.repeats();
        let outcomes = self.link.run(Limits::all(LIMIT), &statements, deadline)?;
        let is_repeated = self.link.repeats() != repeats;
        let mut exchanged = Exchanged { is_repeated, ..Exchanged::default() };
        columns.learn(&outcomes[..writes.len()], &mut exchanged)?;
        reader.learn(&outcomes[writes.len()..], &mut exchanged)?;
        Ok(exchanged)
    }
}

impl SharedStore for PostgresStore {
    fn exchange(&mut self, exchange: &Exchange<'_>) -> Result<Exchanged, SharedStoreError> {
        if !self.link.access().is_ready() {
            return Err(SharedStoreError("the schema of the database is not ready".into()));
        }
        let exchanged = self.try_exchange(exchange);
        // Changes that wait come first, as at the stop of the program.
        if exchanged.is_ok() && exchange.pending.len() == 0 {
            self.pruning.step(&mut self.link);
        }
        exchanged.map_err(|error| SharedStoreError(error.to_string().into()))
    }

    fn is_starting(&self) -> bool {
        let access = self.link.access();
        let is_known = access.is_ready() || access.health().fault().is_some();
        !is_known && (Instant::now() < self.starts_until || access.is_being_migrated())
    }
}

/// Returns the read of past incidents, over a connection of its own.
pub(crate) fn find(link: Link) -> Find {
    let link = std::sync::Mutex::new(link);
    Box::new(move |alert, before, limit| {
        let deadline = Instant::now() + FIND_TIMEOUT;
        let mut link = link.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // While the database is known to be away, only the thread of the leases tries.
        if let Some(fault) = link.access().health().fault() {
            return Err(IncidentsError::Database(SharedStoreError(fault.message)));
        }
        let params = read::find_params(alert, before, limit);
        let statement = Statement::new(read::FIND, &params);
        let found = link.run(Limits::all(FIND_TIMEOUT), &[statement], deadline);
        let found = found.and_then(|outcomes| read::incidents(&outcomes[0]));
        found.map_err(|error| IncidentsError::Database(SharedStoreError(error.to_string().into())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Target;
    use crate::store::Access;

    #[test]
    fn start_lasts_until_it_is_known_whether_the_database_can_be_used() {
        let target = Target::parse("postgresql://p@127.0.0.1:1/p").unwrap();
        let access = Access::new(target, "test".into()).unwrap();
        let store = PostgresStore::new("a".into(), Link::new(access.clone()));
        assert!(store.is_starting());
        let late = PostgresStore { starts_until: Instant::now(), ..store };
        assert!(!late.is_starting());
        access.migrate_elsewhere();
        assert!(late.is_starting(), "another replica migrates the schema");
        access.fail("no route");
        assert!(!late.is_starting());
        let found = find(Link::new(access))("low", None, 10);
        let error = found.unwrap_err().to_string();
        assert!(error.contains("no route"), "read at once, without an attempt: {error}");
    }
}
