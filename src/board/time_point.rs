//! Pairs of wall-clock and monotonic time, by which a step of the wall clock is noticed.
//!
//! Ages and staleness are wall-clock times, as a sensor's are, but an administrator or NTP may set the
//! wall clock. The monotonic clock cannot be set, but it may stop while the machine is suspended. A
//! pair of both tells the cases apart in one direction: if less wall-clock time than monotonic time has
//! passed, the wall clock was set back. The reverse may be a clock that was set forward or a
//! suspended machine; both make readings older, so neither is corrected.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Difference between two clocks that is not corrected: times come in whole seconds, and clocks drift
/// by as much.
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
