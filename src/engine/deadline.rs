//! Absolute deadlines, and the clock that atomics tell them by.

use std::time::{Duration, Instant};

/// The end of a phase, set when the phase begins. It offers no way to be moved: progress
/// within the phase, a byte dripped now and then, does not extend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of a phase that began at `start` and may last `limit`.
    pub fn of(start: Instant, limit: Duration) -> Deadline {
        Deadline(start + limit)
    }

    /// Whether it is over.
    pub fn passed(self, now: Instant) -> bool {
        now >= self.0
    }

    /// The moment itself.
    pub fn at(self) -> Instant {
        self.0
    }
}

/// Milliseconds since the engine started: an [`Instant`] that fits an atomic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch(Instant);

impl Epoch {
    pub(super) fn starting(now: Instant) -> Epoch {
        Epoch(now)
    }

    /// The tick in which `moment` lies, rounded up, so that a deadline told in ticks never
    /// passes before its instant does.
    pub(super) fn ticks(self, moment: Instant) -> u64 {
        let nanos = moment.saturating_duration_since(self.0).as_nanos();
        u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}
