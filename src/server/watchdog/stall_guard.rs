//! Distinguishes a stuck thread from a process or machine that was suspended as a whole.
//!
//! A process that was stopped by a signal, or a machine that slept, finds every heartbeat old
//! when it resumes. The watchdog's own tick is late then, too. The watchdog therefore acts on old
//! heartbeats only after its own ticks have been punctual for the same time.

use std::time::{Duration, Instant};

/// Maximum lateness of a tick. A later one means that the process was suspended.
const MAX_TICK_LATENESS: Duration = Duration::from_secs(1);

/// Detector of suspensions: it records since when all ticks have come on time.
pub(super) struct StallGuard {
    tick: Duration,
    punctual_since: Instant,
    latest: Instant,
}

impl StallGuard {
    /// Returns a guard that expects a tick in every `tick`, from `now` on.
    pub(super) fn new(tick: Duration, now: Instant) -> StallGuard {
        StallGuard { tick, punctual_since: now, latest: now }
    }

    /// Records a tick.
    pub(super) fn tick(&mut self, now: Instant) {
        if now.duration_since(self.latest) > self.tick + MAX_TICK_LATENESS {
            self.punctual_since = now;
        }
        self.latest = now;
    }

    /// Returns true if all ticks of more than the last `timeout` came on time.
    pub(super) fn is_punctual_for(&self, timeout: Duration) -> bool {
        self.latest.duration_since(self.punctual_since) > timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guard_is_not_punctual_until_a_timeout_after_a_stall() {
        let start = Instant::now();
        let tick = Duration::from_millis(250);
        let at = |number: u32| start + number * tick;
        let timeout = Duration::from_secs(4);
        let mut guard = StallGuard::new(tick, start);
        (1..=16).for_each(|number| guard.tick(at(number)));
        assert!(!guard.is_punctual_for(timeout));
        guard.tick(at(17));
        assert!(guard.is_punctual_for(timeout));
        guard.tick(at(40));
        assert!(!guard.is_punctual_for(timeout), "it was suspended for almost six seconds");
        (41..=57).for_each(|number| guard.tick(at(number)));
        assert!(guard.is_punctual_for(timeout));
    }
}
