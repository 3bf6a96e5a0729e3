//! What each worker is doing, for those who look from outside.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use strum::{IntoStaticStr, VariantArray};

use crate::heartbeat::Heartbeat;

/// What a worker is doing, as the scoreboard names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum WorkerState {
    /// Waiting for a ready connection.
    Waiting,
    /// Reading and parsing what a client has sent, its handshake included.
    Reading,
    /// In the program's handler: the one place where a worker may block.
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

/// One worker's entry on the scoreboard. Written by that worker, read by anyone.
#[derive(Debug, Default)]
pub struct Activity {
    state: AtomicU8,
    /// Time at which it took the connection that it drives, or made progress since.
    since: Heartbeat,
    route: Mutex<&'static str>,
}

impl Activity {
    /// Notes which route the request at hand belongs to. For the program, once it knows.
    pub fn set_route(&self, route: &'static str) {
        *self.route.lock().unwrap_or_else(PoisonError::into_inner) = route;
    }

    /// Notes progress. For long work of the program: a worker that makes some is not stuck.
    pub fn progress(&self) {
        self.since.beat();
    }

    /// The state; and unless it waits, the latest route that it served and for how long it
    /// has driven the connection at hand without noting progress.
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

    /// Time since it took a connection, whether it still drives it or not, or made progress.
    pub fn since_taking(&self) -> Duration {
        self.since.age()
    }

    /// It has taken a connection.
    pub(super) fn begin(&self) {
        self.since.beat();
        self.set_route("");
        self.enter(WorkerState::Reading);
    }

    pub(super) fn enter(&self, state: WorkerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}
