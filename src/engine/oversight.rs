//! The acceptor's eye on the watch, so that no handler that blocks leaves it unkept.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::activity::{Activity, WorkerState};
use super::limits::{BLOCKED_AFTER, RELIEF};
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

    /// If no worker has come back to the watch since the last look, takes in what has become
    /// ready, and calls a worker unless every processor has one that makes progress: under load,
    /// more of them would only keep each other waiting.
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
            if moving(shared) < shared.processors {
                shared.call_worker();
            }
        }
        self.turns = turns;
    }
}

/// Number of workers that serve and are not blocked.
fn moving(shared: &Shared) -> usize {
    let is_moving = |worker: &&Activity| {
        worker.state() != WorkerState::Waiting && worker.since_taking() < BLOCKED_AFTER
    };
    shared.stats.workers().iter().filter(is_moving).count()
}

fn is_quiet(shared: &Shared) -> bool {
    shared.watch.is_attended() && shared.queue.is_empty()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::limits::Settings;
    use crate::engine::session::fixture::Paired;
    use crate::engine::shared::fixture::{Uncalled, shared};
    use crate::engine::slot::Slot;

    #[test]
    fn worker_is_called_unless_every_processor_has_one_that_makes_progress() {
        let mut oversight = Oversight::new(Instant::now());
        let (shared, ends) = shared(Uncalled, Settings::default(), 2);
        shared.alert.store(true, Ordering::SeqCst);
        // A connection is waiting, and no worker comes to the watch.
        let session = Paired::new(Settings::default()).session;
        shared.queue.push(Arc::new(Slot::new(0, None, session, 0, 0)));
        let mut now = Instant::now();
        let mut calls_one = || {
            now += RELIEF;
            oversight.look(&shared, now);
            ends.calls.try_recv().is_ok()
        };
        assert!(calls_one(), "no worker serves");
        loop {
            let begun = Instant::now();
            shared.stats.workers().iter().for_each(Activity::begin);
            let called = calls_one();
            // Else the test itself was held up for so long that the workers count as blocked.
            if begun.elapsed() < BLOCKED_AFTER {
                assert_eq!(called, shared.processors > 2, "of two workers");
                break;
            }
        }
        std::thread::sleep(BLOCKED_AFTER);
        assert!(calls_one(), "they are blocked");
    }
}
