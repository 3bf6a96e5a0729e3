//! The database as the destination of a copy, while replicas may record into it.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::partitions::{Month, Partitions};
use super::session::Session;
use crate::history::error::StoreError;
use crate::history::executor::Executor;
use crate::postgres::{Limits, Param, Statement};
use crate::store::{Access, Link};

/// Most time of a transaction.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Most time of a statement. Replicas that record the series wait for it.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);

const LIMITS: Limits =
    Limits { statement: STATEMENT_TIMEOUT, lock: Duration::from_secs(10), idle: STATEMENT_TIMEOUT };

/// Attempts of a transaction, and the time after the first one, which grows with each.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// check_violation: a row has no partition. Retention may have dropped it meanwhile.
const NO_PARTITION: &str = "23514";

/// Connection that copies.
pub(in crate::history) struct ServerTarget {
    link: Link,
    partitions: Partitions,
}

impl ServerTarget {
    pub(in crate::history) fn new(access: Access) -> ServerTarget {
        ServerTarget { link: Link::new(access), partitions: Partitions::default() }
    }

    /// Runs `work` in a transaction that has the lock of a series, as writers have it, and partitions for `times`.
    /// Runs it again if the database was away for a moment, so `work` must be idempotent.
    ///
    /// # Errors
    /// The database refused a statement, or did not answer several times.
    pub(in crate::history) fn transaction(
        &mut self,
        series: Option<i64>,
        times: &mut dyn Iterator<Item = i64>,
        work: &mut dyn FnMut(&dyn Executor) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let months: BTreeSet<Month> = times.filter_map(Month::of).collect();
        let mut attempt = 1;
        loop {
            let error = match self.attempt(series, &months, work) {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let StoreError::Server(server) = &error else { return Err(error) };
            self.link.note::<()>(&Err((**server).clone()));
            self.partitions.forget();
            let may_pass = server.is_transient() || server.sqlstate() == Some(NO_PARTITION);
            if !may_pass || attempt == ATTEMPTS {
                return Err(error);
            }
            log::debug!("a transaction of the copy is repeated: {error}");
            thread::sleep(PAUSE * attempt);
            attempt += 1;
        }
    }

    fn attempt(
        &mut self,
        series: Option<i64>,
        months: &BTreeSet<Month>,
        work: &mut dyn FnMut(&dyn Executor) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let deadline = Instant::now() + TIMEOUT;
        self.partitions.ensure(&mut self.link, months.iter().copied(), LIMITS, deadline)?;
        let id = series.map(|series| [Param::I64(series)]);
        let lock: Vec<Statement<'_>> = id
            .iter()
            .map(|id| Statement::new("SELECT id FROM series WHERE id = $1 FOR UPDATE", id))
            .collect();
        let (session, _) = Session::begin(&mut self.link, LIMITS, deadline, &lock)?;
        let rows = work(&session)?;
        session.commit(&[])?;
        Ok(rows)
    }
}
