//! The two clocks of this machine: the wall clock, which may be set, and the time since boot, which may not.
//!
//! Sensors state times by the wall clock, so ages are differences of wall-clock times. But an administrator
//! or NTP may set that clock, and a board without a battery boots in 1970. The time since boot
//! (`CLOCK_BOOTTIME`) advances while the machine is suspended, so it measures the time that has really passed:
//! if the wall clock has advanced by another amount, it was set. So it is if its correction changes (`wall_clock`).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::wall_clock;

/// Largest difference between the clocks that does not count as a step.
pub const CLOCK_TOLERANCE: SignedDuration = wall_clock::TOLERANCE;

/// 1 January 2020, in seconds. A clock that shows an earlier time was never set.
pub const MIN_TIME: i64 = 1_577_836_800;

/// Clock that goes on while the machine is suspended. That of macOS does so under the POSIX name.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SINCE_BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// Longest time between the two reads of a [`TimePoint`] that are one point in time.
const MAX_READ: Duration = Duration::from_millis(50);

/// Most attempts at a [`TimePoint`]. A machine that interrupts each of them is too slow for its clock to matter.
const MAX_ATTEMPTS: usize = 5;

/// The same point in time by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimePoint {
    /// Wall-clock time.
    pub wall: Timestamp,
    /// Time since boot.
    pub boot: Duration,
}

impl TimePoint {
    /// Reads the clock since boot, and the wall clock by `now`.
    fn read_by(now: impl Fn() -> Timestamp) -> TimePoint {
        let mut before = since_boot();
        for _ in 0..MAX_ATTEMPTS {
            let point = TimePoint { wall: now(), boot: before };
            let after = since_boot();
            // The thread may be preempted, or the machine suspended, between the two reads.
            if after.saturating_sub(before) <= MAX_READ {
                return point;
            }
            before = after;
        }
        TimePoint { wall: now(), boot: before }
    }

    /// Returns the time that has passed since an earlier point.
    pub fn since(self, earlier: TimePoint) -> Duration {
        self.boot.saturating_sub(earlier.boot)
    }

    /// Returns by how much the wall clock was set between an earlier point and this one, in whole seconds: more
    /// than 0 if it was set forward. Up to [`CLOCK_TOLERANCE`] it is 0.
    pub fn step_since(self, earlier: TimePoint) -> SignedDuration {
        let expected = earlier.wall.saturating_add(self.since(earlier)).unwrap_or(Timestamp::MAX);
        let step = self.wall.duration_since(expected);
        if step.abs() <= CLOCK_TOLERANCE {
            return SignedDuration::ZERO;
        }
        let nearest = (step.as_millis() + 500).div_euclid(1000);
        SignedDuration::from_secs(i64::try_from(nearest).unwrap_or(step.as_secs()))
    }
}

/// Returns the time since boot.
pub(super) fn since_boot() -> Duration {
    // The kernel's clock since boot is not negative.
    Duration::try_from(clock_gettime(SINCE_BOOT)).unwrap_or_default()
}

/// Reads both clocks of the machine, or those of a test. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> TimePoint + Send + Sync>);

impl Clock {
    /// Returns the clocks of this machine.
    pub fn system() -> Clock {
        Clock(Arc::new(|| TimePoint::read_by(wall_clock::now)))
    }

    /// Returns the present by both clocks.
    pub fn now(&self) -> TimePoint {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Start of this process, which is known by the time since boot.
#[derive(Debug, Clone)]
pub struct Start {
    clock: Clock,
    point: TimePoint,
}

impl Start {
    /// Returns a start at the present.
    pub fn now(clock: Clock) -> Start {
        Start { point: clock.now(), clock }
    }

    /// Returns the time since the start. It does not depend on the setting of the wall clock.
    pub fn uptime(&self) -> Duration {
        self.clock.now().since(self.point)
    }

    /// Returns the wall-clock time of the start by the present setting of that clock.
    pub fn at(&self) -> Timestamp {
        let step = self.clock.now().step_since(self.point);
        self.point.wall.saturating_add(step).unwrap_or(self.point.wall)
    }
}

/// Notices when the wall clock is set.
#[derive(Debug)]
pub struct StepDetector {
    /// A point in time by the setting of the wall clock that is known.
    known: TimePoint,
}

impl StepDetector {
    /// Returns a detector of steps after `now`.
    pub fn new(now: TimePoint) -> StepDetector {
        StepDetector { known: now }
    }

    /// Returns by how much the wall clock was set since the last call, in whole seconds; `None` if it was not.
    ///
    /// Small steps add up: the clock is compared with the setting after the latest step that was returned.
    pub fn step(&mut self, now: TimePoint) -> Option<SignedDuration> {
        let step = now.step_since(self.known);
        if step.is_zero() {
            return None;
        }
        // A fraction of a second is kept, so that fractions do not add up either.
        self.known.wall = self.known.wall.saturating_add(step).unwrap_or(now.wall);
        Some(step)
    }
}

/// Time in suspend that does not count: the two clocks are not read at the same moment.
const SUSPEND_TOLERANCE: Duration = Duration::from_secs(1);

/// Notices that the machine was suspended: on Linux, [`Instant`] stands still then, and waits are longer by that.
#[derive(Debug)]
pub struct SuspendDetector {
    boot: Duration,
    instant: Instant,
}

impl SuspendDetector {
    /// Returns a detector of suspends after the given time, by both clocks.
    pub const fn new(boot: Duration, instant: Instant) -> SuspendDetector {
        SuspendDetector { boot, instant }
    }

    /// Returns the time in suspend since the last call.
    pub fn suspended(&mut self, boot: Duration, instant: Instant) -> Duration {
        let running = instant.saturating_duration_since(self.instant);
        let suspended = boot.saturating_sub(self.boot).saturating_sub(running);
        *self = SuspendDetector { boot, instant };
        if suspended < SUSPEND_TOLERANCE { Duration::ZERO } else { suspended }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Returns the point `wall` seconds after an arbitrary start by the wall clock, and `boot` seconds after it
    /// by the time since boot.
    pub(crate) fn time_point(wall: Timestamp, boot: i64) -> TimePoint {
        TimePoint { wall, boot: Duration::from_secs(u64::try_from(boot + 1_000_000).unwrap()) }
    }

    /// Clocks that a test sets.
    #[derive(Clone)]
    pub(crate) struct FakeClock(Arc<Mutex<TimePoint>>);

    impl FakeClock {
        pub(crate) fn new(now: TimePoint) -> FakeClock {
            FakeClock(Arc::new(Mutex::new(now)))
        }

        pub(crate) fn clock(&self) -> Clock {
            let this = self.clone();
            Clock(Arc::new(move || *this.0.lock().unwrap()))
        }

        /// Lets time pass.
        pub(crate) fn advance(&self, time: Duration) {
            let mut now = self.0.lock().unwrap();
            now.wall += time;
            now.boot += time;
        }

        /// Sets the wall clock.
        pub(crate) fn set(&self, by: SignedDuration) {
            self.0.lock().unwrap().wall += by;
        }
    }

    fn t(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_770_000_000_000 + millis).unwrap()
    }

    fn seconds(seconds: i64) -> SignedDuration {
        SignedDuration::from_secs(seconds)
    }

    #[test]
    fn suspend_is_the_time_that_only_the_clock_since_boot_counts() {
        let (boot, instant) = (Duration::from_secs(1000), Instant::now());
        let mut detector = SuspendDetector::new(boot, instant);
        // Milliseconds after the start by the time since boot and by the instant, and those in suspend.
        for (by_boot, by_instant, suspended) in [
            (10_000, 10_000, 0),
            (20_900, 20_000, 0),
            (3_630_900, 30_000, 3_600_000),
            (3_640_900, 40_000, 0),
            (3_640_900, 50_000, 0),
            (3_651_900, 60_000, 1000),
        ] {
            let millis = Duration::from_millis;
            let found = detector.suspended(boot + millis(by_boot), instant + millis(by_instant));
            assert_eq!(found, millis(suspended), "{by_boot}");
        }
    }

    #[test]
    fn clocks_of_the_machine_advance_together() {
        let clock = Clock::system();
        let (before, after) = (clock.now(), clock.now());
        assert!(after.boot >= before.boot && !after.boot.is_zero());
        assert_eq!(after.step_since(before), SignedDuration::ZERO);
    }

    #[test]
    fn change_of_the_correction_is_a_step() {
        let correction = wall_clock::Correction::none();
        let read = || TimePoint::read_by(|| correction.applied(wall_clock::of_machine()));
        let mut detector = StepDetector::new(read());
        for (ahead, step) in
            [(1, None), (3600, Some(3600)), (3601, None), (3500, Some(-100)), (0, Some(-3500))]
        {
            correction.follow(seconds(ahead));
            assert_eq!(detector.step(read()), step.map(seconds), "{ahead}");
            assert_eq!(detector.step(read()), None, "{ahead}");
        }
    }

    #[test]
    fn step_is_the_difference_of_the_clocks_beyond_the_tolerance() {
        let earlier = time_point(t(0), 0);
        // Wall clock in milliseconds and time since boot in seconds, after the earlier point.
        for (wall, boot, step) in [
            (10_000, 10, 0),
            (12_000, 10, 0),
            (8_000, 10, 0),
            (12_001, 10, 2),
            (7_999, 10, -2),
            (12_700, 10, 3),
            (7_300, 10, -3),
            (-3_590_000, 10, -3600),
            // The machine was suspended for a day: no step.
            (86_400_000, 86_400, 0),
        ] {
            let now = time_point(t(wall), boot);
            assert_eq!(now.step_since(earlier), seconds(step), "{wall} {boot}");
        }
        let ancient = TimePoint { wall: Timestamp::MIN, ..earlier };
        assert!(time_point(t(0), 0).step_since(ancient).is_positive());
    }

    #[test]
    fn each_step_is_detected_once_and_small_ones_add_up() {
        let mut detector = StepDetector::new(time_point(t(0), 0));
        for (wall, boot, step) in [
            (10_000, 10, None),
            (3_610_400, 10, Some(3600)),
            (3_611_400, 11, None),
            (12_400, 12, Some(-3600)),
            // Steps of a second and a half.
            (14_900, 13, None),
            (17_400, 14, Some(3)),
            (18_400, 15, None),
        ] {
            assert_eq!(
                detector.step(time_point(t(wall), boot)),
                step.map(seconds),
                "{wall} {boot}"
            );
        }
    }

    #[test]
    fn start_and_uptime_are_right_after_a_clock_of_1970_is_set() {
        let fake = FakeClock::new(time_point(Timestamp::from_second(12).unwrap(), 12));
        let start = Start::now(fake.clock());
        fake.advance(Duration::from_secs(30));
        fake.set(seconds(1_770_000_000));
        fake.advance(Duration::from_secs(30));
        assert_eq!(start.uptime(), Duration::from_secs(60));
        assert_eq!(start.at(), Timestamp::from_second(1_770_000_012).unwrap());
        // And back.
        fake.set(seconds(-1_770_000_000));
        assert_eq!(start.uptime(), Duration::from_secs(60));
        assert_eq!(start.at(), Timestamp::from_second(12).unwrap());
    }
}
