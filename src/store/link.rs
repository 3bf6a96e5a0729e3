//! The connection of one thread, which is made when it is needed, and again after an error.

use std::fmt;
use std::time::Instant;

use super::access::Access;
use crate::outbound::Cutoff;
use crate::postgres::{Connection, Limits, Outcome, PostgresError, Statement, Transaction};

/// Selects the schema for statements that name none. It ends with the transaction.
pub(crate) const SEARCH_PATH: Statement<'_> =
    Statement { sql: "SELECT set_config('search_path', 'pumphouse', true)", params: &[] };

/// Connection of one thread.
pub(crate) struct Link {
    access: Access,
    connection: Option<Connection>,
    repeats: u64,
    /// Time at which the calls of a connection end, whatever their deadlines; `None`: no thread sets one.
    cutoff: Option<Cutoff>,
}

impl Link {
    /// Returns a link that is not connected.
    pub(crate) fn new(access: Access) -> Link {
        Link { access, connection: None, cutoff: None, repeats: 0 }
    }

    /// Lets another thread end the calls of later connections.
    pub(crate) fn end_at(&mut self, cutoff: Cutoff) {
        self.cutoff = Some(cutoff);
    }

    /// Returns the access to the database.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Returns how often statements were sent again. They may have been executed twice, with other results.
    pub(crate) fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Runs statements as one transaction, in one round trip. Tables are those of the schema `pumphouse`.
    ///
    /// The statements must be idempotent: they are sent again if a connection was closed while it was not used. The
    /// server ends each before the deadline, so that a slow one does not count as an outage.
    ///
    /// # Errors
    /// The database could not be reached, or refused a statement.
    pub(crate) fn run(
        &mut self,
        limits: Limits,
        statements: &[Statement<'_>],
        deadline: Instant,
    ) -> Result<Vec<Outcome>, PostgresError> {
        let mut all = vec![SEARCH_PATH];
        all.extend_from_slice(statements);
        let mut result = self.attempt(limits, &all, deadline);
        if let (Err(error), true) = (&result.1, result.0)
            && is_closed(error)
        {
            self.repeats += 1;
            result = self.attempt(limits, &all, deadline);
        }
        let result = result.1.map(|mut outcomes| {
            outcomes.remove(0);
            outcomes
        });
        self.note(&result);
        result
    }

    /// Runs statements once. Returns also whether the connection was used before.
    fn attempt(
        &mut self,
        limits: Limits,
        statements: &[Statement<'_>],
        deadline: Instant,
    ) -> (bool, Result<Vec<Outcome>, PostgresError>) {
        let is_used = self.connection.is_some();
        let result = self.connected(deadline).and_then(|connection| {
            let left = deadline.saturating_duration_since(Instant::now());
            connection.run(limits.within(left), statements, deadline)
        });
        if self.connection.as_ref().is_some_and(Connection::is_broken) {
            self.connection = None;
        }
        (is_used, result)
    }

    /// Begins a transaction whose later statements depend on the results of earlier ones. The first statements of the
    /// caller are [`SEARCH_PATH`] and its own. The caller notes the result of the transaction by [`Link::note`].
    ///
    /// # Errors
    /// The database could not be reached.
    pub(crate) fn begin(
        &mut self,
        limits: Limits,
        deadline: Instant,
    ) -> Result<Transaction<'_>, PostgresError> {
        let connected = self.connected(deadline).map(drop);
        if connected.is_err() {
            self.note(&connected);
        }
        connected?;
        let connection = self.connection.as_mut().ok_or(PostgresError::Closed)?;
        Ok(connection.begin(limits))
    }

    /// Notes the result of a transaction.
    pub(crate) fn note<T>(&mut self, result: &Result<T, PostgresError>) {
        if self.connection.as_ref().is_some_and(Connection::is_broken) {
            self.connection = None;
        }
        match result {
            Ok(_) => self.access.health().answered(),
            Err(error) if is_outage(error) => self.access.health().failed(error),
            Err(_) => {}
        }
    }

    fn connected(&mut self, deadline: Instant) -> Result<&mut Connection, PostgresError> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            connection => {
                let access = &self.access;
                let cutoff = self.cutoff.as_ref().and_then(Cutoff::get);
                let deadline = cutoff.map_or(deadline, |cutoff| cutoff.min(deadline));
                let mut made = Connection::connect(
                    access.target(),
                    access.resolver(),
                    access.tls(),
                    deadline,
                )?;
                if let Some(cutoff) = &self.cutoff {
                    made.end_at(cutoff.clone());
                }
                access.connected(&made);
                Ok(connection.insert(made))
            }
        }
    }
}

/// Returns true if the server or a pooler has closed the connection, perhaps while it was not used.
fn is_closed(error: &PostgresError) -> bool {
    // admin_shutdown, crash_shutdown
    matches!(error, PostgresError::Closed) || matches!(error.sqlstate(), Some("57P01" | "57P02"))
}

/// Returns true if the error is one of the server or of the way to it, and not of a statement.
pub(crate) fn is_outage(error: &PostgresError) -> bool {
    match error {
        PostgresError::Server(_) => {
            // Connection exceptions, and shutdowns.
            error.sqlstate().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        PostgresError::Usage(_) => false,
        _ => true,
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("access", &self.access)
            .field("is_connected", &self.connection.is_some())
            .finish()
    }
}
