//! Reasons why the server does not start.

use std::io;

use super::descriptor_budget::DescriptorLimits;
use super::listen::ListenError;
use crate::access::NoRandomness;
use crate::cluster::NoIdentity;
use crate::engine::tls::TlsError;
use crate::kernel::descriptors;
use crate::logging;
use crate::postgres::PostgresError;
use crate::threads;

/// Reason why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be started.
    #[error(transparent)]
    Log(#[from] logging::StartError),
    /// The system allows fewer threads, or less address space, than the configuration needs.
    #[error(transparent)]
    Threads(#[from] threads::Shortage),
    /// The limit on descriptors is reached.
    #[error("the server does not start: {error}; {limits}")]
    Descriptors {
        /// Error of the part that got none.
        #[source]
        error: Box<StartError>,
        /// The limit, and the numbers that are needed.
        limits: DescriptorLimits,
    },
    /// The handlers of signals cannot be installed.
    #[error("cannot install signal handlers: {0}")]
    Signals(#[source] io::Error),
    /// A listener cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No public listener has a port that plain HTTP could be redirected to.
    #[error("[tls] redirect_listen needs a TCP address in [server] listen to send visitors to")]
    NoRedirectTarget,
    /// The system has no random numbers for the keys of sessions.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The system has no random numbers for the identity of this replica.
    #[error(transparent)]
    Identity(#[from] NoIdentity),
    /// The certificates of the store cannot be read.
    #[error("[store]: {0}")]
    Store(#[from] PostgresError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Two metrics have the same name.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The system refuses a part of the server its thread or epoll instance.
    #[error(transparent)]
    Part(#[from] io::Error),
}

impl StartError {
    /// Adds the limit on descriptors to an error of one that could not be opened.
    pub(super) fn with_descriptor_limits(self, limits: DescriptorLimits) -> StartError {
        let is_at_limit = match &self {
            StartError::Signals(error) | StartError::Part(error) => descriptors::is_at_limit(error),
            StartError::Listen(error) => error.is_at_descriptor_limit(),
            _ => false,
        };
        if is_at_limit { StartError::Descriptors { error: Box::new(self), limits } } else { self }
    }

    /// Returns true if the same start may succeed later, without a change of the configuration: a port is in
    /// use, or the system is short of a resource.
    pub fn is_passing(&self) -> bool {
        match self {
            StartError::Log(logging::StartError::Format(_))
            | StartError::NoRedirectTarget
            | StartError::Store(_)
            // A defect.
            | StartError::Metrics(_) => false,
            StartError::Listen(error) => error.is_passing(),
            StartError::Tls(error) => matches!(error, TlsError::Ticketer(_)),
            StartError::Log(logging::StartError::Thread(_))
            | StartError::Threads(_)
            | StartError::Descriptors { .. }
            | StartError::Signals(_)
            | StartError::Randomness(_)
            | StartError::Identity(_)
            | StartError::Part(_) => true,
        }
    }
}
