//! Transactions of several round trips.

use std::time::Instant;

use super::connection::Connection;
use super::error::PostgresError;
use super::limits::Limits;
use super::param::Param;
use super::row::Outcome;
use super::statement::Statement;

/// Transaction that ends with a commit. Dropping it rolls it back without waiting for the server.
#[must_use = "a transaction that is dropped is rolled back"]
pub(crate) struct Transaction<'a> {
    connection: &'a mut Connection,
    limits: Limits,
    has_begun: bool,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(connection: &'a mut Connection, limits: Limits) -> Transaction<'a> {
        Transaction { connection, limits, has_begun: false }
    }

    /// Sends statements at once, and returns their results, in their order. The first call also begins the transaction
    /// and sets its limits, in the same round trip.
    ///
    /// # Errors
    /// A statement failed, and with it the transaction; or the connection failed.
    pub(crate) fn pipeline(
        &mut self,
        statements: &[Statement<'_>],
        deadline: Instant,
    ) -> Result<Vec<Outcome>, PostgresError> {
        self.send(statements, false, deadline)
    }

    /// Sends the last statements and the commit in one round trip.
    ///
    /// # Errors
    /// A statement failed, or the server did not commit; or the connection failed, and it is not known whether the
    /// server did.
    pub(crate) fn commit_with(
        mut self,
        statements: &[Statement<'_>],
        deadline: Instant,
    ) -> Result<Vec<Outcome>, PostgresError> {
        if !self.has_begun && statements.is_empty() {
            return Ok(Vec::new());
        }
        self.send(statements, true, deadline)
    }

    fn send(
        &mut self,
        statements: &[Statement<'_>],
        commits: bool,
        deadline: Instant,
    ) -> Result<Vec<Outcome>, PostgresError> {
        if self.has_begun && !self.connection.can_commit() {
            return Err(PostgresError::Usage("the transaction has failed already".to_owned()));
        }
        let limits = self.limits.values();
        let params = [&limits[0], &limits[1], &limits[2]].map(|limit| Param::Text(limit));
        let mut all = Vec::new();
        if !self.has_begun {
            all.push(Statement::plain("BEGIN"));
            all.push(Statement::new(Limits::SQL, &params));
        }
        let before = all.len();
        all.extend(statements);
        if commits {
            all.push(Statement::plain("COMMIT"));
        }
        self.has_begun = true;
        let mut outcomes = self.connection.pipeline(&all, deadline)?;
        if commits {
            outcomes.pop();
        }
        Ok(outcomes.split_off(before))
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.connection.roll_back_unanswered();
    }
}
