//! Computes the time of the next poll. The functions are pure: the caller passes the time and the random
//! numbers.
//!
//! Polls start on a grid, one interval apart, so they do not drift by the time that polls take. The place of the
//! grid is the source's slot (`slots`), which the wall clock at the start anchors ([`Origin`]). A failed
//! poll is retried between two points of the grid ([`backoff`]). If an upstream asks us to slow down, points
//! of the grid are skipped. Each success cancels one earlier failure only, so a source that succeeds
//! occasionally during an outage does not start its retries again each time: in 15 hours with 84 % failures
//! the number of polls is at most a tenth above that of a healthy source.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::backoff;

/// Failures that are counted beyond the number of retries. After a long outage, this many successes must
/// pass before a failure is retried again between two points of the grid.
const EXTRA_FAILURES: u32 = 4;

/// Schedule of one source.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// A point of the grid, kept close to the present.
    anchor: Instant,
    /// Least time from the first poll to the next point of the grid; `None` once that poll has begun.
    first_gap: Option<Duration>,
    /// Number of failures that no success has cancelled, up to the retries and [`EXTRA_FAILURES`].
    failures: u32,
    /// Number of consecutive requests to slow down without `Retry-After`.
    unhinted: u32,
}

/// Result of a poll, for the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feedback {
    /// The poll succeeded.
    Success,
    /// The poll failed.
    Failure,
    /// The upstream asked us to slow down, and may have sent a time to wait.
    SlowDown(Option<Duration>),
}

/// Returns the point of a grid, of which `point` is another, that comes first after `now`.
pub(super) fn point_after(point: Instant, interval: Duration, now: Instant) -> Instant {
    if point > now {
        return point;
    }
    // Advances by all passed intervals at once, since a process that was stopped may have missed thousands.
    let passed = now.duration_since(point).as_nanos() / interval.as_nanos().max(1) + 1;
    point + interval.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX))
}

/// Anchor of all grids: the wall clock at the start. It is not read again, so a step of the clock moves no poll.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    wall: Timestamp,
    instant: Instant,
}

impl Origin {
    /// Returns the anchor at a point in time, by both clocks.
    pub(super) const fn new(wall: Timestamp, instant: Instant) -> Origin {
        Origin { wall, instant }
    }

    /// Returns the first point after `now` of the grid with this slot: a position in the interval, of which one
    /// began at the Unix epoch.
    pub(super) fn point_after(self, slot: Duration, interval: Duration, now: Instant) -> Instant {
        let signed = |nanos: u128| i128::try_from(nanos).unwrap_or(i128::MAX);
        let length = signed(interval.as_nanos()).max(1);
        let wait = (signed(slot.as_nanos()) - self.wall.as_nanosecond()).rem_euclid(length);
        let wait = Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX));
        point_after(self.instant + wait, interval, now)
    }
}

impl Schedule {
    /// Creates the schedule of a source; `point` is the next point of its grid.
    pub(super) fn new(interval: Duration, point: Instant) -> Schedule {
        // An interval of zero would have endless points at one time.
        let interval = interval.max(Duration::from_millis(1));
        let first_gap = Some(backoff::floor(interval));
        Schedule { interval, anchor: point, first_gap, failures: 0, unhinted: 0 }
    }

    /// Creates the schedule of a source that another replica has polled; `point` is the next point of its grid.
    ///
    /// The grids of replicas are equal up to their clocks, and a poll that continues the schedule of another replica
    /// may start a little after its point, so the next one is less than an interval away. It is skipped only if it is
    /// less than half an interval away.
    pub(super) fn continued(interval: Duration, point: Instant) -> Schedule {
        let schedule = Schedule::new(interval, point);
        let half = schedule.interval / 2;
        Schedule { first_gap: schedule.first_gap.map(|gap| gap.min(half)), ..schedule }
    }

    /// Records the start of a poll. The first one may be before its point of the grid. If that point is too close
    /// after it, it is skipped.
    pub(super) fn begin(&mut self, now: Instant) {
        if let Some(gap) = self.first_gap.take()
            && now < self.anchor
        {
            while self.anchor < now + gap {
                self.anchor += self.interval;
            }
        }
    }

    /// Returns the time of the next poll after one that ended now: within one interval, unless the upstream asked
    /// us to slow down or a point was skipped by [`Schedule::begin`]. After a success it is the next point of the
    /// grid; points that have passed are skipped.
    pub(super) fn next(&mut self, feedback: Feedback, now: Instant, random: f64) -> Instant {
        self.anchor = point_after(self.anchor, self.interval, now);
        if !matches!(feedback, Feedback::SlowDown(_)) {
            self.unhinted = 0;
        }
        match feedback {
            Feedback::Success => {
                self.failures = self.failures.saturating_sub(1);
                self.anchor
            }
            Feedback::Failure => self.retry(now, random).unwrap_or(self.anchor),
            Feedback::SlowDown(Some(wait)) => self.anchor.max(now + wait),
            Feedback::SlowDown(None) => {
                let wait = backoff::slow_down_wait(self.interval, self.unhinted, random);
                self.unhinted = self.unhinted.saturating_add(1);
                self.anchor.max(now + wait)
            }
        }
    }

    /// Counts a failure, and returns the time of its retry unless the next point of the grid is as close.
    fn retry(&mut self, now: Instant, random: f64) -> Option<Instant> {
        let wait = backoff::retry(self.interval, self.failures, random);
        let max = backoff::retries(self.interval) + EXTRA_FAILURES;
        self.failures = self.failures.saturating_add(1).min(max);
        let retry = now + wait?;
        (retry + backoff::floor(self.interval) <= self.anchor).then_some(retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const INTERVAL: Duration = Duration::from_secs(300);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn slot_is_a_time_by_the_wall_clock_at_the_start() {
        let start = Instant::now();
        let wall = Timestamp::from_second(1_770_000_100).unwrap();
        for (interval, slot, now, point) in [
            // The wall clock is 100 s after a multiple of the interval.
            (300, 100, 0, 300),
            (300, 101, 0, 1),
            (300, 99, 0, 299),
            (300, 150, 0, 50),
            (300, 150, 50, 350),
            (300, 150, 49, 50),
            (300, 150, 100_000, 100_250),
            // Longer than the time since the epoch.
            (4_000_000_000, 1_770_000_099, 0, 3_999_999_999),
        ] {
            let origin = Origin::new(wall, start);
            let found = origin.point_after(seconds(slot), seconds(interval), start + seconds(now));
            assert_eq!(found, start + seconds(point), "{interval} {slot} {now}");
        }
        // A clock before the epoch.
        let early = Origin::new(Timestamp::from_second(-10).unwrap(), start);
        assert_eq!(early.point_after(seconds(5), seconds(300), start), start + seconds(15));
    }

    #[test]
    fn early_first_poll_skips_a_point_of_the_grid_that_is_too_close() {
        for (interval, point, started, next) in [
            (300, 200, 0, 200),
            (300, 60, 0, 60),
            (300, 59, 0, 359),
            (60, 59, 0, 119),
            (5, 4, 0, 9),
            // It began at its point.
            (300, 0, 0, 300),
            (60, 10, 10, 70),
        ] {
            let start = Instant::now();
            let mut schedule = Schedule::new(seconds(interval), start + seconds(point));
            let started = start + seconds(started);
            schedule.begin(started);
            let found = schedule.next(Feedback::Success, started + seconds(1), 0.0);
            assert_eq!(found, start + seconds(next), "{interval} {point}");
            // Later ones skip none.
            schedule.begin(found - seconds(2));
            assert_eq!(schedule.next(Feedback::Success, found - seconds(1), 0.0), found);
        }
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, start + seconds(59));
        schedule.begin(start);
        let retry = schedule.next(Feedback::Failure, start + seconds(10), 0.0);
        assert_eq!(retry, start + seconds(70), "a failure is retried before the point after that");
    }

    #[test]
    fn schedule_of_another_replica_continues_without_a_gap_of_two_intervals() {
        for (interval, point, started, next) in [
            // The poll starts in time, and its point has just passed.
            (5000, 4995, 0, 4995),
            (60_000, 59_990, 0, 59_990),
            (300_000, 299_990, 0, 299_990),
            // The grid of this replica is a little later.
            (5000, 3, 0, 5003),
            // The poll is late, by up to an interval.
            (5000, 2501, 0, 2501),
            (5000, 2499, 0, 7499),
            (120_000, 60_001, 0, 60_001),
            (120_000, 59_999, 0, 179_999),
            (300_000, 60_001, 0, 60_001),
            (300_000, 59_999, 0, 359_999),
            // It waited for its turn.
            (5000, 1000, 1500, 6000),
        ] {
            let (start, millis) = (Instant::now(), Duration::from_millis);
            let mut schedule = Schedule::continued(millis(interval), start + millis(point));
            schedule.begin(start + millis(started));
            let found = schedule.next(Feedback::Success, start + millis(started + 1), 0.0);
            assert_eq!(found, start + millis(next), "{interval} {point} {started}");
        }
    }

    #[test]
    fn slow_polls_do_not_shift_the_grid() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, start);
        for (poll_ended, next) in [
            (start + seconds(9), start + INTERVAL),
            (start + INTERVAL + seconds(2), start + 2 * INTERVAL),
            // A poll that ended after a point of the grid skips that point.
            (start + 3 * INTERVAL + seconds(1), start + 4 * INTERVAL),
            // The process was stopped for years.
            (start + 500_000 * INTERVAL + seconds(5), start + 500_001 * INTERVAL),
        ] {
            assert_eq!(schedule.next(Feedback::Success, poll_ended, 0.5), next);
        }
    }

    #[test]
    fn failures_are_retried_within_the_interval_and_then_at_the_interval() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, start);
        let mut fail = |at: Duration, random| {
            schedule.next(Feedback::Failure, start + at, random).duration_since(start)
        };
        // Two retries, with a minute left before the next point of the grid.
        assert_eq!(fail(seconds(0), 1.0), 2 * MINUTE);
        assert_eq!(fail(2 * MINUTE, 0.0), 3 * MINUTE);
        // A third retry would be as late as the next point of the grid.
        assert_eq!(fail(3 * MINUTE, 0.5), INTERVAL);
        // From then on polls are an interval apart, for any random number.
        for point in 1..9 {
            let random = f64::from(point % 2);
            assert_eq!(fail(INTERVAL * point + seconds(9), random), INTERVAL * (point + 1));
        }
    }

    #[test]
    fn success_returns_to_the_grid_and_cancels_one_failure() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, start);
        let mut poll =
            |feedback, at: Duration| schedule.next(feedback, start + at, 0.0).duration_since(start);
        let retried = |point: u32| {
            [(0, 60), (60, 120), (120, 180), (180, 300)].map(|(at, next)| {
                (point * INTERVAL + seconds(at), point * INTERVAL + seconds(next))
            })
        };
        for (at, next) in retried(0) {
            assert_eq!(poll(Feedback::Failure, at), next);
        }
        for point in 1..50 {
            poll(Feedback::Failure, point * INTERVAL);
        }
        for point in 50..54 {
            let next = (point + 1) * INTERVAL;
            assert_eq!(poll(Feedback::Success, point * INTERVAL), next);
            assert_eq!(poll(Feedback::Failure, point * INTERVAL), next, "not retried yet");
            assert_eq!(poll(Feedback::Success, point * INTERVAL), next);
        }
        for point in 54..60 {
            poll(Feedback::Success, point * INTERVAL);
        }
        for (at, next) in retried(60) {
            assert_eq!(poll(Feedback::Failure, at), next, "retried again");
        }
    }

    #[test]
    fn recovered_upstream_is_polled_within_one_interval() {
        let mut random = fastrand::Rng::with_seed(4);
        for interval in [1, 5, 59, 61, 90, 300, 3600, 86_400].map(seconds) {
            let mut now = Instant::now();
            let mut schedule = Schedule::new(interval, now);
            for _ in 0..1000 {
                let feedback =
                    if random.f64() < 0.1 { Feedback::Success } else { Feedback::Failure };
                let next = schedule.next(feedback, now, random.f64());
                assert!(next > now && next <= now + interval, "{:?}", next.duration_since(now));
                // A poll lasts for up to the whole interval.
                now = next + interval.mul_f64(random.f64() * random.f64());
            }
        }
    }

    #[test]
    fn request_to_slow_down_delays_the_next_poll() {
        let start = Instant::now();
        for (wait, next) in
            [(None, INTERVAL), (Some(seconds(0)), INTERVAL), (Some(seconds(1000)), seconds(1000))]
        {
            let mut schedule = Schedule::new(INTERVAL, start);
            assert_eq!(schedule.next(Feedback::SlowDown(wait), start, 0.0), start + next);
        }
        // Without a time to wait, each further request delays longer.
        let mut schedule = Schedule::new(INTERVAL, start);
        let mut slow_down =
            || schedule.next(Feedback::SlowDown(None), start, 1.0).duration_since(start);
        let waits: Vec<Duration> = (0..6).map(|_| slow_down()).collect();
        assert_eq!(waits, [5, 5, 5, 9, 16, 16].map(|minutes| minutes * MINUTE));
        schedule.next(Feedback::Failure, start, 0.0);
        assert_eq!(schedule.next(Feedback::SlowDown(None), start, 1.0), start + INTERVAL);
    }

    /// Reproduces a real outage of 15 hours, in which 84 % of the responses were 503.
    #[test]
    fn long_outage_adds_few_polls() {
        let outage = seconds(15 * 3600);
        for seed in 0..50 {
            let start = Instant::now();
            let mut random = fastrand::Rng::with_seed(seed);
            let mut schedule = Schedule::new(INTERVAL, start);
            let mut polls = Vec::new();
            let mut due = start;
            while due < start + outage {
                polls.push(due);
                let feedback =
                    if random.f64() < 0.84 { Feedback::Failure } else { Feedback::Success };
                due = schedule.next(feedback, due + seconds(1), random.f64());
            }
            let healthy = outage.as_secs() / INTERVAL.as_secs();
            let polled = polls.len() as u64;
            // One poll for each interval, so that recovery is noticed, and at most a tenth more for retries
            // at the beginning and after several successes.
            assert!((healthy..=healthy + healthy / 10).contains(&polled), "{seed}: {polled}");
            let gaps = polls.windows(2).map(|pair| pair[1].duration_since(pair[0]));
            let gaps: Vec<Duration> = gaps.collect();
            assert!(gaps.iter().all(|gap| *gap >= MINUTE), "{seed}: {gaps:?}");
            assert!(gaps.iter().all(|gap| *gap <= INTERVAL + seconds(1)), "{seed}: {gaps:?}");
            let regular = gaps.iter().filter(|gap| **gap == INTERVAL).count() as u64;
            assert!(regular >= healthy / 2, "{seed}: {regular}");
        }
    }
}
