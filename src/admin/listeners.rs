//! The state of the configured addresses: which of them the server listens on, and for which it waits.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::kernel::listen_queue::ListenSocket;

/// A configured address of the public engine or of the redirect.
#[derive(Debug, Clone)]
pub struct ListenerStatus {
    /// Address: `127.0.0.1:6443`, `unix:/path`.
    pub address: String,
    /// State: the server listens on it, or waits for it.
    pub state: ListenerState,
    /// Begin of that state.
    pub since: Timestamp,
}

/// State of an address.
#[derive(Debug, Clone)]
pub enum ListenerState {
    /// The server listens. The socket of a public TCP listener, whose accept queue is shown.
    Listening(Option<ListenSocket>),
    /// The server does not listen yet, and tries again.
    Waiting {
        /// Kind of the reason.
        cause: WaitCause,
        /// Text of the latest failure.
        error: String,
    },
}

/// Kinds of reasons why the server does not listen on an address yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitCause {
    /// The machine does not have the address.
    Absent,
    /// The machine has the address, and a failure that may pass keeps the server from it: its port is in use.
    Failing,
    /// The machine has the address, and the configuration asks for what this user must not do.
    Misconfigured,
}

impl WaitCause {
    /// Returns the name of the cause.
    pub const fn as_str(self) -> &'static str {
        match self {
            WaitCause::Absent => "absent",
            WaitCause::Failing => "failing",
            WaitCause::Misconfigured => "misconfigured",
        }
    }
}

/// The state of all addresses: the server writes it, the admin listener reads it.
#[derive(Debug, Default)]
pub struct LiveListeners(ArcSwap<Vec<ListenerStatus>>);

impl LiveListeners {
    /// Returns the state of each address, in the order of the configuration.
    pub fn statuses(&self) -> Arc<Vec<ListenerStatus>> {
        self.0.load_full()
    }

    /// Replaces the state of all addresses.
    pub fn store(&self, statuses: Vec<ListenerStatus>) {
        self.0.store(Arc::new(statuses));
    }

    /// Returns the sockets of the public TCP listeners.
    pub fn sockets(&self) -> Vec<ListenSocket> {
        let socket = |status: &ListenerStatus| match &status.state {
            ListenerState::Listening(socket) => socket.clone(),
            ListenerState::Waiting { .. } => None,
        };
        self.0.load().iter().filter_map(socket).collect()
    }
}

impl ListenerState {
    /// Returns the name of the state.
    pub const fn as_str(&self) -> &'static str {
        match self {
            ListenerState::Listening(_) => "listening",
            ListenerState::Waiting { .. } => "waiting",
        }
    }

    /// Returns why the server does not listen; `None` if it does.
    pub fn error(&self) -> Option<&str> {
        match self {
            ListenerState::Listening(_) => None,
            ListenerState::Waiting { error, .. } => Some(error),
        }
    }

    /// Returns the kind of that reason.
    pub const fn cause(&self) -> Option<WaitCause> {
        match self {
            ListenerState::Listening(_) => None,
            ListenerState::Waiting { cause, .. } => Some(*cause),
        }
    }
}
