//! The wall clock of this process: that of the machine, plus a correction.
//!
//! Replicas share readings, history and alerts, so they need one time: that of their database. If the clock of this
//! machine differs from it by more than [`TOLERANCE`], the difference becomes the correction ([`follow`]). A change
//! of it is a step of the wall clock for all parts that notice steps (`kernel::clock`). On a single machine there is
//! none.
//!
//! Everything that is dated uses [`now`], because times are compared and ordered with each other; also the `Date` of
//! responses, by which pages compute ages, and expiries of sessions. Only lines of the log have the time of the machine
//! ([`of_machine`]): they are read beside those of its other programs.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// Largest difference between clocks that counts as none: times are in whole seconds, and NTP slews a clock that is off
/// by less than a second.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// Longest round trip by which clocks are compared. The result may be wrong by half of it, which is within the tolerance.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(2);

static CORRECTION: Correction = Correction::none();

/// Returns the present.
pub fn now() -> Timestamp {
    CORRECTION.applied(of_machine())
}

/// Returns the present as the type of the standard library.
pub fn system_time() -> SystemTime {
    // Times before 1970 are those of a clock that was never set.
    let since = Duration::try_from(now().duration_since(Timestamp::UNIX_EPOCH));
    SystemTime::UNIX_EPOCH + since.unwrap_or_default()
}

/// Returns the present by the clock of this machine, without the correction.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place where the clock of the machine is read"
)]
pub fn of_machine() -> Timestamp {
    Timestamp::now()
}

/// Returns the correction: the cluster's time minus that of this machine; zero without one.
pub fn correction() -> SignedDuration {
    CORRECTION.get()
}

/// Returns by how much a clock is ahead of that of this machine, if it was `read` in a round trip that began at `began` by
/// this one; `None` if the round trip took too long, because the process was stopped or the machine suspended.
pub fn ahead(read: Timestamp, began: Timestamp, round_trip: Duration) -> Option<SignedDuration> {
    if round_trip > MAX_ROUND_TRIP {
        return None;
    }
    Some(read.duration_since(began.saturating_add(round_trip / 2).unwrap_or(began)))
}

/// Follows a clock that is ahead of that of this machine ([`of_machine`]) by `ahead`, which is negative if it is
/// behind. A change of the correction is logged. Returns true if there is one.
///
/// The correction is kept until the next call.
pub fn follow(ahead: SignedDuration) -> bool {
    let Some(change) = CORRECTION.follow(ahead) else { return false };
    match change {
        Change::Ended => log::info!("{change}"),
        Change::Began(_) | Change::Changed(_) => log::warn!("{change}"),
    }
    true
}

/// Correction of a clock, in milliseconds.
#[derive(Debug)]
pub(crate) struct Correction(AtomicI64);

/// Change of the correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The clock needs this correction now.
    Began(SignedDuration),
    /// The clock needs another correction.
    Changed(SignedDuration),
    /// The clock needs no correction any more.
    Ended,
}

impl Correction {
    pub(crate) const fn none() -> Correction {
        Correction(AtomicI64::new(0))
    }

    fn get(&self) -> SignedDuration {
        SignedDuration::from_millis(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn applied(&self, at: Timestamp) -> Timestamp {
        let correction = self.get();
        let limit = if correction.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
        at.saturating_add(correction).unwrap_or(limit)
    }

    /// Corrects a clock that the followed one is ahead of by `ahead`.
    ///
    /// A correction within the tolerance of the present one changes nothing, so that every change is a step that is
    /// noticed.
    pub(crate) fn follow(&self, ahead: SignedDuration) -> Option<Change> {
        let before = self.get();
        if ahead.saturating_sub(before).abs() <= TOLERANCE {
            return None;
        }
        let is_none = ahead.abs() <= TOLERANCE;
        let millis = if is_none { 0 } else { i64::try_from(ahead.as_millis()).unwrap_or_default() };
        self.0.store(millis, Ordering::Relaxed);
        let correction = SignedDuration::from_millis(millis);
        Some(match (before.is_zero(), correction.is_zero()) {
            (_, true) => Change::Ended,
            (true, false) => Change::Began(correction),
            (false, false) => Change::Changed(correction),
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let difference = |correction: SignedDuration| {
            let direction = if correction.is_negative() { "ahead of" } else { "behind" };
            let seconds = SignedDuration::from_secs(correction.abs().as_secs());
            format!("{seconds:#} {direction} that of the database")
        };
        match *self {
            Change::Began(correction) => write!(
                f,
                "the clock of this machine is {}: the time of the database is used until they agree; run NTP on both",
                difference(correction)
            ),
            Change::Changed(correction) => {
                write!(f, "the clock of this machine is now {}", difference(correction))
            }
            Change::Ended => {
                f.write_str("the clock of this machine agrees with that of the database again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: i64) -> SignedDuration {
        SignedDuration::from_millis(millis)
    }

    #[test]
    fn correction_follows_differences_beyond_the_tolerance() {
        const HOUR: i64 = 3_600_000;
        let correction = Correction::none();
        for (ahead, change, expected) in [
            (0, None, 0),
            (2000, None, 0),
            (-2000, None, 0),
            (2001, Some(Change::Began(millis(2001))), 2001),
            // The other clock differs from the corrected one by no more than the tolerance.
            (1, None, 2001),
            (0, Some(Change::Ended), 0),
            (-HOUR, Some(Change::Began(millis(-HOUR))), -HOUR),
            (-HOUR + 1900, None, -HOUR),
            (-HOUR + 2100, Some(Change::Changed(millis(-HOUR + 2100))), -HOUR + 2100),
            (HOUR, Some(Change::Changed(millis(HOUR))), HOUR),
            (-1500, Some(Change::Ended), 0),
        ] {
            assert_eq!(correction.follow(millis(ahead)), change, "{ahead}");
            assert_eq!(correction.get(), millis(expected), "{ahead}");
        }
    }

    #[test]
    fn clocks_are_compared_by_the_middle_of_a_round_trip_that_is_short() {
        let began = Timestamp::from_second(1_770_000_000).unwrap();
        for (read, round_trip, expected) in [
            (0, 0, Some(0)),
            (10, 20, Some(0)),
            (0, 20, Some(-10)),
            (-3_600_000, 20, Some(-3_600_010)),
            (1900, 2000, Some(900)),
            // The process was stopped before the request, or after the reply.
            (1990, 2001, None),
            (3_600_000, 3_600_000, None),
            (0, 3_600_000, None),
        ] {
            let round_trip = Duration::from_millis(round_trip);
            let found = ahead(began + millis(read), began, round_trip);
            assert_eq!(found, expected.map(millis), "{read} {round_trip:?}");
        }
        assert_eq!(
            ahead(Timestamp::MAX, Timestamp::MAX, MAX_ROUND_TRIP),
            Some(SignedDuration::ZERO)
        );
    }

    #[test]
    fn correction_is_applied_within_the_range_of_times() {
        let at = Timestamp::from_second(1_770_000_000).unwrap();
        let correction = Correction::none();
        assert_eq!(correction.applied(at), at);
        correction.follow(millis(-3_600_500));
        assert_eq!(correction.applied(at), at - millis(3_600_500));
        correction.follow(SignedDuration::from_hours(24 * 366 * 20_000));
        assert_eq!(correction.applied(at), Timestamp::MAX);
        correction.follow(SignedDuration::from_hours(-24 * 366 * 20_000));
        assert_eq!(correction.applied(at), Timestamp::MIN);
        correction.follow(SignedDuration::MAX);
        assert_eq!(correction.applied(at), at, "no difference of two times is as large");
    }

    #[test]
    fn change_is_described_with_its_size_and_direction() {
        for (change, expected) in [
            (
                Change::Began(millis(3_600_400)),
                "the clock of this machine is 1h behind that of the database: the time of the database is used until \
                 they agree; run NTP on both",
            ),
            (
                Change::Changed(millis(-5000)),
                "the clock of this machine is now 5s ahead of that of the database",
            ),
            (Change::Ended, "the clock of this machine agrees with that of the database again"),
        ] {
            assert_eq!(change.to_string(), expected);
        }
    }

    #[test]
    fn clock_of_a_single_machine_is_not_corrected() {
        let (before, now, after) = (of_machine(), now(), of_machine());
        assert!(before <= now && now <= after && correction().is_zero());
        let since = system_time().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert!(since.abs_diff(now.as_second().unsigned_abs()) < 3600);
    }
}
