//! Pairs of wall-clock and monotonic time, which detect that the wall clock was set back.
//!
//! Ages are differences of wall-clock times, since sensors report those, but an administrator or NTP may set
//! the wall clock. The monotonic clock cannot be set, but it may stop while the machine is suspended. If less
//! wall-clock time than monotonic time has passed between two pairs, the wall clock was set back. If more has
//! passed, the clock was set forward or the machine was suspended. Both make readings older and never younger,
//! so neither is corrected.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Largest difference between the clocks that is not corrected. Times are in whole seconds, and clocks drift
/// slightly.
pub(super) const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// The same point in time by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimePoint {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Instant,
}

impl TimePoint {
    pub(super) fn now() -> TimePoint {
        TimePoint { wall: Timestamp::now(), monotonic: Instant::now() }
    }

    /// Returns by how much the wall clock was set back between this point and `now`, in whole
    /// seconds; `None` up to [`CLOCK_TOLERANCE`].
    pub(super) fn set_back_until(&self, now: TimePoint) -> Option<SignedDuration> {
        let elapsed = now.monotonic.saturating_duration_since(self.monotonic);
        let expected = self.wall.saturating_add(elapsed).unwrap_or(Timestamp::MAX);
        let behind = expected.duration_since(now.wall);
        (behind > CLOCK_TOLERANCE).then(|| SignedDuration::from_secs(behind.as_secs()))
    }
}
