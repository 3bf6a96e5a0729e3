//! Errors of the client.

use std::fmt;
use std::io;
use std::time::Duration;

use super::server_error::ServerError;
use crate::outbound::{Failure, FailureKind};
use crate::text::clean;

/// Error of a connection or of a call on it. Its texts contain no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostgresError {
    /// No connection to the host could be made.
    #[error("{0}")]
    Connect(String),
    /// The deadline passed.
    #[error("no answer before the deadline while {0}")]
    Timeout(Phase),
    /// The connection could not be encrypted as the target demands.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server asks for credentials that this client does not have or does not send, or could not prove that
    /// it knows the password.
    #[error("authentication: {0}")]
    Auth(String),
    /// The server reports an error.
    #[error("{0}")]
    Server(Box<ServerError>),
    /// The server is no primary any more, and accepts no writes.
    #[error("the server accepts no writes: {0}")]
    ReadOnly(Box<ServerError>),
    /// The server accepts connections, and is not what the target asks for.
    #[error("{0}")]
    Unfit(String),
    /// The server violates the protocol, or a limit of this client.
    #[error("protocol: {0}")]
    Protocol(String),
    /// A statement or parameter cannot be sent, or a result is not of the type that was asked for.
    #[error("{0}")]
    Usage(String),
    /// The connection is closed, or was given up after an earlier error.
    #[error("the connection is closed")]
    Closed,
    /// No host of the target could be used.
    #[error("{}", HostFailure::join(.0))]
    Hosts(Vec<HostFailure>),
}

/// Reason why a host could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFailure {
    /// Host and port, or the path of a unix socket.
    pub host: String,
    /// Reason.
    pub error: PostgresError,
}

impl HostFailure {
    fn join(failures: &[HostFailure]) -> String {
        failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

impl fmt::Display for HostFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", clean(&self.host), self.error)
    }
}

/// Phase of a connection, in which a deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Lookup of the host and connection to it.
    Connect,
    /// Request for encryption, and handshake of TLS.
    Encrypt,
    /// Authentication, and start of the session.
    Authenticate,
    /// Check that the server is what the target asks for.
    CheckSession,
    /// Sending of statements.
    Send,
    /// Wait for results.
    Receive,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Connect => "connecting",
            Phase::Encrypt => "encrypting the connection",
            Phase::Authenticate => "authenticating",
            Phase::CheckSession => "checking the state of the server",
            Phase::Send => "sending statements",
            Phase::Receive => "waiting for results",
        })
    }
}

impl PostgresError {
    /// Returns the error of a system call on the socket.
    pub(super) fn of_io(error: &io::Error, phase: Phase) -> PostgresError {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => PostgresError::Timeout(phase),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::WriteZero
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => PostgresError::Closed,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                PostgresError::Protocol(clean(&error.to_string()).into_owned())
            }
            _ => PostgresError::Connect(clean(&error.to_string()).into_owned()),
        }
    }

    /// Returns the error of a lookup, an attempt to connect, or a handshake.
    pub(super) fn of_connection(error: ureq::Error, phase: Phase) -> PostgresError {
        // The message of a timeout, which holds a duration, is not used.
        let failure = Failure::new(error, Duration::ZERO);
        match (failure.kind, phase) {
            (FailureKind::Timeout, _) => PostgresError::Timeout(phase),
            (FailureKind::Tls, _) | (_, Phase::Encrypt) => PostgresError::Tls(failure.message),
            _ => PostgresError::Connect(failure.message),
        }
    }

    /// Returns an error of the server.
    pub(super) fn of_server(error: ServerError) -> PostgresError {
        /// read_only_sql_transaction.
        const READ_ONLY: &str = "25006";
        match error.sqlstate == READ_ONLY {
            true => PostgresError::ReadOnly(Box::new(error)),
            false => PostgresError::Server(Box::new(error)),
        }
    }

    /// Returns the code of the server's error.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            PostgresError::Server(error) | PostgresError::ReadOnly(error) => Some(&error.sqlstate),
            PostgresError::Hosts(failures) => {
                failures.iter().find_map(|failure| failure.error.sqlstate())
            }
            _ => None,
        }
    }

    /// Returns true if the same call may succeed later, on another connection perhaps, without any change of
    /// configuration or program.
    pub fn is_transient(&self) -> bool {
        match self {
            PostgresError::Connect(_)
            | PostgresError::Timeout(_)
            | PostgresError::ReadOnly(_)
            | PostgresError::Unfit(_)
            | PostgresError::Closed => true,
            PostgresError::Server(error) => error.is_transient(),
            PostgresError::Tls(_)
            | PostgresError::Auth(_)
            | PostgresError::Protocol(_)
            | PostgresError::Usage(_) => false,
            PostgresError::Hosts(failures) => {
                failures.iter().any(|failure| failure.error.is_transient())
            }
        }
    }

    /// Returns true if a connection that met this error can be used no more.
    pub(super) fn breaks_connection(&self) -> bool {
        match self {
            PostgresError::Server(error) => error.is_fatal,
            PostgresError::Usage(_) => false,
            _ => true,
        }
    }
}
