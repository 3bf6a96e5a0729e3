//! Absolute deadlines, and times that fit an atomic.

use std::time::{Duration, Instant};

/// End of a phase, set when the phase begins. It offers no way to be moved: progress within the
/// phase, such as a byte now and then, does not extend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline of a phase that began at `start` and may last for `limit`.
    pub fn of(start: Instant, limit: Duration) -> Deadline {
        Deadline(start + limit)
    }

    /// Returns true if the phase is over.
    pub fn passed(self, now: Instant) -> bool {
        now >= self.0
    }

    /// Returns the time of the deadline.
    pub fn at(self) -> Instant {
        self.0
    }
}

/// Start of the engine, from which ticks of a millisecond are counted. A tick is a time that fits an
/// atomic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch(Instant);

impl Epoch {
    pub(super) fn starting(now: Instant) -> Epoch {
        Epoch(now)
    }

    /// Returns the tick of `moment`, rounded up, so that a deadline in ticks never passes before its
    /// instant.
    pub(super) fn ticks(self, moment: Instant) -> u64 {
        let nanos = moment.saturating_duration_since(self.0).as_nanos();
        u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}
