//! Client for PostgreSQL 13 and newer, whose every call has a total deadline.
//!
//! ```text
//! Target ─► Connection::connect ─► host after host: DeadlineStream ─► TLS ─► SCRAM ─► check of the session
//! Statements ─► pipeline: one write, one Sync ─► rows, or the error of the server
//! ```
//!
//! The threads of this program block, so this client does: no runtime, no thread of its own. It speaks the extended
//! protocol with unnamed statements, and with parameters and results in the binary format. All statements of a
//! call are one write and one transaction, so a call costs one round trip:
//!
//! * `Connection::run` sends statements that succeed or fail together. PostgreSQL runs all that stands before
//!   one Sync as one transaction, and commits it at the Sync. No BEGIN is needed, and no ROLLBACK after an error.
//! * `Connection::begin` is for transactions whose later statements depend on results of earlier ones.
//!
//! Nothing outlives a transaction: limits are set by `set_config(…, true)`, which is `SET LOCAL`. So the
//! client works behind a pooler that gives each transaction another session (pgbouncer in transaction mode).
//!
//! If the server is slow, silent, or wrong:
//!
//! * Each call ends at its deadline, also if the server is stopped with its socket open or sends a byte now and
//!   then. The connection is broken then, as a late answer could be taken for that of the next call.
//! * The server ends a statement that outlives its caller by `statement_timeout`, one of the `Limits`.
//! * Messages, results and notices are bounded: see `wire`. Memory grows with the bytes that arrived, and not with
//!   the length that a message claims.
//! * A server that becomes a standby refuses writes: [`PostgresError::ReadOnly`], and the connection is broken, so
//!   that the next one looks for the new primary.
//!
//! `postgres-protocol` encodes and decodes messages. SCRAM is that of `scram`, since the crate's own brings tables of
//! Unicode for passwords beyond ASCII.

mod connection;
mod error;
#[cfg(test)]
pub(crate) mod fixture;
mod limits;
mod param;
mod password;
mod row;
mod scram;
mod server_error;
mod session;
mod startup;
mod statement;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;
mod wire;

pub(crate) use connection::Connection;
pub use error::{HostFailure, Phase, PostgresError};
pub(crate) use limits::Limits;
pub(crate) use param::Param;
pub(crate) use row::{Outcome, Row};
pub use server_error::ServerError;
pub(crate) use statement::Statement;
pub use target::{RootCertificates, SessionAttrs, SslMode, Target, TargetError};
pub(crate) use tls::PostgresTls;
pub(crate) use transaction::Transaction;
