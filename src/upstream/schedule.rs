//! Computes the time of the next poll. The functions are pure: the caller passes the time and the random
//! numbers.
//!
//! Polls start on a grid, one interval apart, so they do not drift by the time that polls take. A failed
//! poll is retried between two points of the grid ([`backoff`]). If an upstream asks us to slow down, points
//! of the grid are skipped. Each success cancels one earlier failure only, so a source that succeeds
//! occasionally during an outage does not start its retries again each time: in 15 hours with 84 % failures
//! the number of polls is at most a tenth above that of a healthy source.

use std::time::{Duration, Instant};

use super::backoff;

/// Time between the first polls of several sources, so that a start does not poll all of them at once.
const SPREAD: Duration = Duration::from_millis(250);

/// Failures that are counted beyond the number of retries. After a long outage, this many successes must
/// pass before a failure is retried again between two points of the grid.
const EXTRA_FAILURES: u32 = 4;

/// Schedule of one source.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// Time after which this source is polled if all sources are to be polled.
    offset: Duration,
    /// A point of the grid, kept close to the present.
    anchor: Instant,
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

/// Returns the time after which the source at `position` is polled if all sources are to be polled.
pub(super) fn offset(position: u32, interval: Duration) -> Duration {
    SPREAD.saturating_mul(position).min(interval)
}

impl Schedule {
    /// Creates the schedule of the source at `position` among all sources.
    pub(super) fn new(interval: Duration, position: u32, now: Instant) -> Schedule {
        // An interval of zero would make the loop in `next` endless.
        let interval = interval.max(Duration::from_millis(1));
        let offset = offset(position, interval);
        Schedule { interval, offset, anchor: now + offset, failures: 0, unhinted: 0 }
    }

    /// Returns the time after which this source is polled if all sources are to be polled.
    pub(super) const fn offset(&self) -> Duration {
        self.offset
    }

    /// Returns the time of the first poll.
    pub(super) fn first(&self) -> Instant {
        self.anchor
    }

    /// Returns the time of the next poll after one that ended now: within one interval, unless the
    /// upstream asked us to slow down. After a success it is the next point of the grid; points that have
    /// passed are skipped.
    pub(super) fn next(&mut self, feedback: Feedback, now: Instant, random: f64) -> Instant {
        while self.anchor <= now {
            // Advances by all passed intervals at once, since a process that was stopped may have missed thousands.
            let behind = now.duration_since(self.anchor);
            let passed = behind.as_nanos() / self.interval.as_nanos() + 1;
            self.anchor += self.interval.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX));
        }
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
    fn first_polls_are_spread() {
        let now = Instant::now();
        for (interval, position, offset) in [
            (INTERVAL, 0, Duration::ZERO),
            (INTERVAL, 2, Duration::from_millis(500)),
            (Duration::from_millis(100), 9, Duration::from_millis(100)),
        ] {
            assert_eq!(Schedule::new(interval, position, now).first(), now + offset);
        }
    }

    #[test]
    fn slow_polls_do_not_shift_the_grid() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, 0, start);
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
        let mut schedule = Schedule::new(INTERVAL, 0, start);
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
        let mut schedule = Schedule::new(INTERVAL, 0, start);
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
            let mut schedule = Schedule::new(interval, 0, now);
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
            let mut schedule = Schedule::new(INTERVAL, 0, start);
            assert_eq!(schedule.next(Feedback::SlowDown(wait), start, 0.0), start + next);
        }
        // Without a time to wait, each further request delays longer.
        let mut schedule = Schedule::new(INTERVAL, 0, start);
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
            let mut schedule = Schedule::new(INTERVAL, 0, start);
            let mut polls = Vec::new();
            let mut due = schedule.first();
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
