//! The state of each worker, readable by other threads: for the scoreboard, the watchdog and the
//! stall check.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use strum::{IntoStaticStr, VariantArray};

use super::heartbeat::Heartbeat;

/// State of a worker, by its name on the scoreboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum WorkerState {
    /// Waiting for a ready connection.
    Waiting,
    /// Reading and parsing bytes of a client, its handshake included.
    Reading,
    /// Running a handler of the service: the one place where a worker may block.
    Handling,
    /// Writing to a client.
    Writing,
}

impl WorkerState {
    /// Returns the name on the scoreboard.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One worker's entry on the scoreboard. Only that worker writes it.
#[derive(Debug, Default)]
pub struct Activity {
    state: AtomicU8,
    /// Time at which the worker took its connection, or recorded progress since.
    since: Heartbeat,
    route: Mutex<&'static str>,
}

impl Activity {
    /// Records the route of the current request. Called by the service.
    pub fn set_route(&self, route: &'static str) {
        *self.route.lock().unwrap_or_else(PoisonError::into_inner) = route;
    }

    /// Records progress. Called by the service during long work, so that the worker does not count as
    /// stuck.
    pub fn progress(&self) {
        self.since.beat();
    }

    /// Returns the state and, unless the worker waits, the latest route and the time for which it has
    /// driven its connection without progress.
    pub fn look(&self) -> (WorkerState, Option<(&'static str, Duration)>) {
        let state = self.state();
        let busy = (state != WorkerState::Waiting).then(|| {
            (*self.route.lock().unwrap_or_else(PoisonError::into_inner), self.since.age())
        });
        (state, busy)
    }

    pub(super) fn state(&self) -> WorkerState {
        WorkerState::VARIANTS[usize::from(self.state.load(Ordering::Relaxed))]
    }

    /// Returns the time since the worker last took a connection or recorded progress.
    pub fn since_taking(&self) -> Duration {
        self.since.age()
    }

    /// Records that the worker has taken a connection.
    pub(super) fn begin(&self) {
        self.since.beat();
        self.set_route("");
        self.enter(WorkerState::Reading);
    }

    pub(super) fn enter(&self, state: WorkerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}
