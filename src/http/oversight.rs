//! The acceptor's eye on the watch, so that no handler that blocks leaves it unkept.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::limits::RELIEF;
use super::shared::Shared;

/// Looks after the watch while anything is being served; costs nothing while all is quiet.
pub(super) struct Oversight {
    next: Instant,
    turns: u64,
}

impl Oversight {
    pub(super) fn new(now: Instant) -> Oversight {
        Oversight { next: now, turns: 0 }
    }

    /// Longest wait until the next look; `None` while there is nothing to look after.
    pub(super) fn timeout(&self, shared: &Shared, now: Instant) -> Option<Duration> {
        let alert = shared.alert.load(Ordering::SeqCst);
        alert.then(|| self.next.saturating_duration_since(now))
    }

    /// If nobody has come back to the watch since the last look, takes in what has become
    /// ready, and calls a worker.
    pub(super) fn look(&mut self, shared: &Shared, now: Instant) {
        if now < self.next || !shared.alert.load(Ordering::SeqCst) {
            return;
        }
        self.next = now + RELIEF;
        let turns = shared.watch.turns();
        if is_quiet(shared) {
            shared.alert.store(false, Ordering::SeqCst);
            // Whoever left the watch before that saw the alert raised, and did not wake us.
            if !is_quiet(shared) {
                shared.alert.store(true, Ordering::SeqCst);
            }
        } else if turns == self.turns {
            shared.watch.glance(|events| shared.sight(events));
            shared.call_worker();
        }
        self.turns = turns;
    }
}

fn is_quiet(shared: &Shared) -> bool {
    shared.watch.is_attended() && shared.queue.is_empty()
}
