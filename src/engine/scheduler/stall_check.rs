//! The acceptor's check that the workers make progress, so that no handler that blocks leaves the
//! connections without a thread that polls for their events.

use std::time::{Duration, Instant};

use super::poller::Poller;
use super::sync::{Ordering, fence};
use super::{Activity, Scheduler, WorkerState};

/// Interval of the checks while one is requested. The first check that finds no progress polls. So
/// once every worker serves or sleeps, no ready connection waits for longer than twice this until a
/// thread polls, and for the processor to be given to that thread.
const STALL_CHECK_INTERVAL: Duration = Duration::from_millis(2);

/// Time without progress after which a worker counts as blocked: several times the length of a turn,
/// as the kernel may have preempted it.
const BLOCKED_AFTER: Duration = Duration::from_millis(10);

/// State of the check. It costs nothing while the workers are idle.
pub(crate) struct StallCheck {
    next: Instant,
    /// Value of [`IoDriver::parks`](super::IoDriver::parks) at the latest check.
    parks: u64,
}

impl StallCheck {
    pub(crate) fn new(now: Instant) -> StallCheck {
        StallCheck { next: now, parks: 0 }
    }

    /// Returns the time until the next check, or `None` if none is requested.
    pub(crate) fn timeout<S, P: Poller>(
        &self,
        scheduler: &Scheduler<S, P>,
        now: Instant,
    ) -> Option<Duration> {
        let requested = scheduler.stall_check_requested.load(Ordering::Relaxed);
        requested.then(|| self.next.saturating_duration_since(now))
    }

    /// Runs the check if it is due. If no worker came to park since the latest check, dispatches the
    /// events in the workers' place, and calls a follower unless every processor has a worker that
    /// makes progress. (With eight workers on two processors a connection waited up to 16 ms for
    /// the kernel to run the worker that had it.) Ends the checks once a worker is parked and the
    /// run queue is empty.
    pub(crate) fn run<S, P: Poller>(&mut self, scheduler: &Scheduler<S, P>, now: Instant) {
        let requested = &scheduler.stall_check_requested;
        if now < self.next || !requested.load(Ordering::Relaxed) {
            return;
        }
        self.next = now + STALL_CHECK_INTERVAL;
        let parks = scheduler.driver.parks();
        if is_quiet(scheduler) {
            requested.store(false, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            // A leader that has left before the store saw the check requested already.
            if !is_quiet(scheduler) {
                requested.store(true, Ordering::Relaxed);
            }
        } else if parks == self.parks {
            scheduler.poll_now();
            if moving(scheduler) < scheduler.processors {
                scheduler.followers.call_one();
            }
        }
        self.parks = parks;
    }
}

/// Returns the number of workers that serve and are not blocked.
fn moving<S, P: Poller>(scheduler: &Scheduler<S, P>) -> usize {
    let is_moving = |worker: &&Activity| {
        worker.state() != WorkerState::Waiting && worker.since_taking() < BLOCKED_AFTER
    };
    scheduler.stats.workers().iter().filter(is_moving).count()
}

fn is_quiet<S, P: Poller>(scheduler: &Scheduler<S, P>) -> bool {
    scheduler.driver.is_parked() && scheduler.run_queue.is_empty()
}

#[cfg(test)]
mod tests;
