//! Connection to a database, and calls on it.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::error::{HostFailure, Phase, PostgresError};
use super::limits::Limits;
use super::param::Param;
use super::row::Outcome;
use super::server_error::ServerError;
use super::session;
use super::startup::Attempt;
use super::statement::Statement;
use super::target::Target;
use super::tls::PostgresTls;
use super::transaction::Transaction;
use super::wire::{Wire, malformed};
use crate::outbound::{Cutoff, ThreadedResolver};

/// Most time for sending a message whose answer is not waited for. Only a connection whose buffers are full takes
/// any.
const MAX_UNANSWERED_SEND: Duration = Duration::from_millis(5);

/// Connection to one server of a target.
///
/// Dropping it closes it. After an error that is not of a statement alone it is broken, and every call fails.
pub(crate) struct Connection {
    wire: Wire,
    host: String,
    version: i64,
    /// Answers that the next call has to skip: that of a ROLLBACK which was not waited for.
    unread: usize,
    transaction: TransactionState,
    is_broken: bool,
}

/// Transaction block of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransactionState {
    None,
    Open,
    /// A COMMIT would roll it back, without an error.
    Failed,
}

impl Connection {
    /// Connects to the first host of the target that can be used. Each host gets its share of the time that is left.
    /// A name with several addresses is one host: the address that accepts first is used, and no other is tried if the
    /// server there is unfit.
    ///
    /// # Errors
    /// [`PostgresError::Hosts`]: no host can be used, for the reason of each.
    pub(crate) fn connect(
        target: &Target,
        resolver: &ThreadedResolver,
        tls: &PostgresTls,
        deadline: Instant,
    ) -> Result<Connection, PostgresError> {
        let mut failures = Vec::new();
        for (host, hosts_left) in target.hosts.iter().zip((1..=target.hosts.len()).rev()) {
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            let share = left / u32::try_from(hosts_left).unwrap_or(u32::MAX);
            let share = share.min(target.connect_timeout.unwrap_or(Duration::MAX));
            let attempt = Attempt { target, host, resolver, tls, deadline: now + share };
            match Connection::connect_to(&attempt) {
                Ok(connection) => return Ok(connection),
                Err(error) => failures.push(HostFailure { host: host.to_string(), error }),
            }
        }
        Err(PostgresError::Hosts(failures))
    }

    fn connect_to(attempt: &Attempt<'_>) -> Result<Connection, PostgresError> {
        let mut connection = Connection {
            wire: attempt.start()?,
            host: attempt.host.to_string(),
            version: 0,
            unread: 0,
            transaction: TransactionState::None,
            is_broken: false,
        };
        connection.wire.begin(attempt.deadline);
        connection.wire.enter(Phase::CheckSession);
        let outcomes = connection.exchange(&[session::STATEMENT], Phase::CheckSession);
        connection.version = session::check(&outcomes?[0], attempt.target.session)?;
        Ok(connection)
    }

    /// Lets another thread end the calls.
    pub(crate) fn end_at(&mut self, cutoff: Cutoff) {
        self.wire.end_at(cutoff);
    }

    /// Returns the host, for logs.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the version of the server, such as 150004.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// Returns true if every further call fails.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Sends all statements at once, and returns their results, in their order.
    ///
    /// They are one transaction, unless they contain BEGIN or COMMIT themselves. The server has committed it when
    /// this returns without an error. An error of one statement undoes all of them.
    ///
    /// # Errors
    /// A statement failed, or the connection did: [`Connection::is_broken`].
    pub(crate) fn pipeline(
        &mut self,
        statements: &[Statement<'_>],
        deadline: Instant,
    ) -> Result<Vec<Outcome>, PostgresError> {
        if self.is_broken {
            return Err(PostgresError::Closed);
        }
        self.wire.begin(deadline);
        self.wire.enter(Phase::Send);
        self.exchange(statements, Phase::Receive)
    }

    /// Sends all statements at once as [`Connection::pipeline`] does, within limits that the server holds to.
    ///
    /// # Errors
    /// A statement failed, or the connection did: [`Connection::is_broken`].
    pub(crate) fn run(
        &mut self,
        limits: Limits,
        statements: &[Statement<'_>],
        deadline: Instant,
    ) -> Result<Vec<Outcome>, PostgresError> {
        let limits = limits.values();
        let params = [&limits[0], &limits[1], &limits[2]].map(|limit| Param::Text(limit));
        let mut all = vec![Statement::new(Limits::SQL, &params)];
        all.extend(statements);
        let mut outcomes = self.pipeline(&all, deadline)?;
        outcomes.remove(0);
        Ok(outcomes)
    }

    /// Begins a transaction with the first statements that are sent in it, so this does not block.
    pub(crate) fn begin(&mut self, limits: Limits) -> Transaction<'_> {
        Transaction::new(self, limits)
    }

    /// Returns true within a transaction block that can be committed.
    pub(super) fn can_commit(&self) -> bool {
        self.transaction == TransactionState::Open
    }

    /// Sends ROLLBACK without waiting for the answer, which the next call skips.
    pub(super) fn roll_back_unanswered(&mut self) {
        if self.is_broken || self.transaction == TransactionState::None {
            return;
        }
        self.wire.begin(Instant::now() + MAX_UNANSWERED_SEND);
        self.wire.enter(Phase::Send);
        let mut output = BytesMut::new();
        let sent = encode(&[Statement::plain("ROLLBACK")], &mut output)
            .and_then(|()| self.wire.send(&output));
        self.is_broken = sent.is_err();
        self.transaction = TransactionState::None;
        self.unread += 1;
    }

    /// Sends statements and receives their results.
    fn exchange(
        &mut self,
        statements: &[Statement<'_>],
        receiving: Phase,
    ) -> Result<Vec<Outcome>, PostgresError> {
        let mut output = BytesMut::new();
        encode(statements, &mut output)?;
        let result = self.send_and_receive(&output, statements.len(), receiving);
        if let Err(error) = &result {
            self.is_broken |= error.breaks_connection();
        }
        result
    }

    fn send_and_receive(
        &mut self,
        output: &[u8],
        count: usize,
        receiving: Phase,
    ) -> Result<Vec<Outcome>, PostgresError> {
        self.wire.send(output)?;
        self.wire.enter(receiving);
        while self.unread > 0 {
            self.finish()?;
            self.unread -= 1;
        }
        let mut outcomes = Vec::with_capacity(count);
        for _ in 0..count {
            match self.outcome() {
                Ok(outcome) => outcomes.push(outcome),
                // The server skips the rest of the statements, up to the Sync.
                Err(error) if !error.breaks_connection() => {
                    self.finish()?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        // The transaction is committed at the Sync, so an error may still come.
        self.finish()?;
        Ok(outcomes)
    }

    /// Receives the result of one statement.
    fn outcome(&mut self) -> Result<Outcome, PostgresError> {
        let mut outcome = Outcome::default();
        loop {
            match self.wire.receive_success()? {
                Message::ParseComplete | Message::BindComplete | Message::NoData => {}
                Message::RowDescription(description) => outcome
                    .describe(&description)
                    .map_err(|error| PostgresError::of_io(&malformed(&error), Phase::Receive))?,
                Message::DataRow(row) => outcome.push(row)?,
                Message::CommandComplete(body) => {
                    outcome.complete(body.tag().unwrap_or_default());
                    return Ok(outcome);
                }
                Message::EmptyQueryResponse => return Ok(outcome),
                _ => return Err(unexpected()),
            }
        }
    }

    /// Receives up to the end of a call: the answer to its Sync.
    fn finish(&mut self) -> Result<(), PostgresError> {
        let mut failure = None;
        loop {
            match self.wire.receive()? {
                Message::ReadyForQuery(body) => {
                    self.transaction = match body.status() {
                        b'I' => TransactionState::None,
                        b'T' => TransactionState::Open,
                        _ => TransactionState::Failed,
                    };
                    return failure.map_or(Ok(()), Err);
                }
                Message::ErrorResponse(error) => {
                    let error = PostgresError::of_server(ServerError::of(error.fields()));
                    if error.breaks_connection() {
                        return Err(error);
                    }
                    failure = Some(error);
                }
                // Of a ROLLBACK whose answer is skipped.
                Message::ParseComplete
                | Message::BindComplete
                | Message::NoData
                | Message::CommandComplete(_)
                    if self.unread > 0 => {}
                _ => return Err(unexpected()),
            }
        }
    }
}

/// Sends Terminate, so that the server does not log a broken connection.
impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_broken {
            self.wire.begin(Instant::now() + MAX_UNANSWERED_SEND);
            let mut output = BytesMut::new();
            frontend::terminate(&mut output);
            let _ = self.wire.send(&output);
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.host)
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}

/// Appends the messages of all statements, and one Sync.
fn encode(statements: &[Statement<'_>], output: &mut BytesMut) -> Result<(), PostgresError> {
    for statement in statements {
        statement.encode(output)?;
    }
    frontend::sync(output);
    Ok(())
}

fn unexpected() -> PostgresError {
    PostgresError::Protocol("the server sent a message that does not fit the statement".to_owned())
}
