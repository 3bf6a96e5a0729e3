//! A connection that reads, as [`Queries`].
//!
//! Each query is one round trip, in a transaction of its own. A worker that serves a request waits for it, so its
//! deadline is short.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::session::{converted, numbered};
use crate::history::error::StoreError;
use crate::history::executor::{Param, Queries, Row};
use crate::postgres::{Limits, Outcome, Statement};
use crate::store::{Access, Link};

/// Most time of a query for which a client waits, with the connection to the database if there is none. The server ends a
/// slow query before that, so it does not count as an outage.
pub(in crate::history) const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// Connection that reads.
#[derive(Debug)]
pub(in crate::history) struct ServerReader {
    link: RefCell<Link>,
    timeout: Duration,
}

impl ServerReader {
    /// Returns a reader whose queries take no longer.
    pub(in crate::history) fn with_timeout(access: &Access, timeout: Duration) -> ServerReader {
        ServerReader { link: RefCell::new(Link::new(access.clone())), timeout }
    }

    fn run(&self, sql: &str, params: &[Param<'_>]) -> Result<Outcome, StoreError> {
        let (sql, params) = (numbered(sql), converted(params));
        let statements = [Statement::new(&sql, &params)];
        let deadline = Instant::now() + self.timeout;
        let limits = Limits::all(self.timeout);
        let mut outcomes = self.link.borrow_mut().run(limits, &statements, deadline)?;
        Ok(outcomes.pop().unwrap_or_default())
    }
}

impl Queries for ServerReader {
    fn query(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.run(sql, params)?.rows().try_for_each(|row| each(&row))
    }
}
