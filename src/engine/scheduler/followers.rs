//! Followers: workers that have nothing to do while another one is the leader.

use super::sync::{Condvar, Mutex, PoisonError, lock};

/// Counting semaphore on which followers sleep until they are called.
pub(super) struct Followers {
    state: Mutex<State>,
    called: Condvar,
    /// Most pending calls: the number of workers.
    limit: usize,
}

#[derive(Default)]
struct State {
    /// Calls that no follower has answered yet.
    pending: usize,
    /// Number of followers that sleep, or have been woken and do not run yet.
    sleeping: usize,
}

impl Followers {
    pub(super) fn new(workers: usize) -> Followers {
        Followers { state: Mutex::default(), called: Condvar::new(), limit: workers }
    }

    /// Wakes one follower. If none sleeps, the next worker that would sleep returns at once.
    pub(super) fn call_one(&self) {
        let mut state = lock(&self.state);
        state.pending = self.limit.min(state.pending + 1);
        let wakes = state.sleeping > 0;
        // The follower needs the lock.
        drop(state);
        if wakes {
            self.called.notify_one();
        }
    }

    /// Wakes all followers.
    pub(super) fn call_all(&self) {
        lock(&self.state).pending = self.limit;
        self.called.notify_all();
    }

    /// Sleeps until the worker is called.
    pub(super) fn wait(&self) {
        let mut state = lock(&self.state);
        state.sleeping += 1;
        while state.pending == 0 {
            state = self.called.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.sleeping -= 1;
        state.pending -= 1;
    }

    /// Takes a pending call, if there is one.
    #[cfg(test)]
    pub(super) fn take_call(&self) -> bool {
        let mut state = lock(&self.state);
        let is_called = state.pending > 0;
        state.pending -= usize::from(is_called);
        is_called
    }
}
