//! Followers: workers that have nothing to do while another one is the leader.

use super::sync::{Condvar, Mutex, PoisonError, lock};

/// Counting semaphore on which followers sleep until they are called.
pub(super) struct Followers {
    /// Calls that no follower has answered yet.
    pending: Mutex<usize>,
    called: Condvar,
    /// Most pending calls: the number of workers.
    limit: usize,
}

impl Followers {
    pub(super) fn new(workers: usize) -> Followers {
        Followers { pending: Mutex::new(0), called: Condvar::new(), limit: workers }
    }

    /// Wakes one follower. If none sleeps, the next worker that would sleep returns at once.
    pub(super) fn call_one(&self) {
        let mut pending = lock(&self.pending);
        if *pending < self.limit {
            *pending += 1;
            self.called.notify_one();
        }
    }

    /// Wakes all followers.
    pub(super) fn call_all(&self) {
        *lock(&self.pending) = self.limit;
        self.called.notify_all();
    }

    /// Sleeps until the worker is called.
    pub(super) fn wait(&self) {
        let mut pending = lock(&self.pending);
        while *pending == 0 {
            pending = self.called.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        *pending -= 1;
    }

    /// Takes a pending call, if there is one.
    #[cfg(test)]
    pub(super) fn take_call(&self) -> bool {
        let mut pending = lock(&self.pending);
        let is_called = *pending > 0;
        *pending -= usize::from(is_called);
        is_called
    }
}
