//! When to poll next. Pure: the caller tells the time and the random numbers.

use std::time::{Duration, Instant};

use super::backoff;

/// First polls of several sources start this far apart, so that a start is no burst.
const SPREAD: Duration = Duration::from_millis(250);

/// The plan of one source: a grid of moments an interval apart, left only while
/// the source fails.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// A moment of the grid; kept close to the present.
    anchor: Instant,
    failures: u32,
}

/// What the schedule needs to know of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The source is well.
    Good,
    /// The poll failed.
    Failed,
    /// The upstream asked for fewer polls, and maybe said for how long.
    SlowDown(Option<Duration>),
}

impl Schedule {
    /// A plan for the source at that position among all of them.
    pub(super) fn new(interval: Duration, position: u32, now: Instant) -> Schedule {
        // An interval of zero would be a grid without an end.
        let interval = interval.max(Duration::from_millis(1));
        let offset = SPREAD.saturating_mul(position).min(interval);
        Schedule { interval, anchor: now + offset, failures: 0 }
    }

    /// When the first poll is due.
    pub(super) fn first(&self) -> Instant {
        self.anchor
    }

    /// When the next poll is due, after one that ended now. After a success it is the
    /// next moment of the grid: no drift by the time that polls take, and no burst
    /// to make up for moments that were missed.
    pub(super) fn next(&mut self, verdict: Verdict, now: Instant, random: f64) -> Instant {
        while self.anchor <= now {
            // In whole strides, so that a laptop that slept for a month doesn't loop long.
            let behind = now.duration_since(self.anchor);
            let strides = behind.as_nanos() / self.interval.as_nanos() + 1;
            self.anchor += self.interval.saturating_mul(u32::try_from(strides).unwrap_or(u32::MAX));
        }
        match verdict {
            Verdict::Good => {
                // It answered out of turn: the next turn may be too close behind.
                let retried = std::mem::take(&mut self.failures) > 0;
                if retried && self.anchor < now + backoff::floor(self.interval) {
                    self.anchor += self.interval;
                }
                self.anchor
            }
            Verdict::Failed => {
                self.failures = self.failures.saturating_add(1);
                now + backoff::delay(self.interval, self.failures, random)
            }
            Verdict::SlowDown(wait) => {
                self.failures = self.failures.saturating_add(1);
                // Never sooner than planned, than asked for, or than after any failure.
                let backed_off = now + backoff::delay(self.interval, self.failures, random);
                self.anchor.max(backed_off).max(now + wait.unwrap_or(Duration::ZERO))
            }
        }
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
    fn polls_that_take_time_do_not_make_it_drift() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, 0, start);
        for (poll_ended, next) in [
            (start + seconds(9), start + INTERVAL),
            (start + INTERVAL + seconds(2), start + 2 * INTERVAL),
            // Overran a moment of the grid: skipped, not made up for.
            (start + 3 * INTERVAL + seconds(1), start + 4 * INTERVAL),
            // Slept for years.
            (start + 500_000 * INTERVAL + seconds(5), start + 500_001 * INTERVAL),
        ] {
            assert_eq!(schedule.next(Verdict::Good, poll_ended, 0.5), next);
        }
    }

    #[test]
    fn failures_back_off_and_a_success_returns_to_the_grid() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, 0, start);
        let mut now = start + seconds(10);
        for wait in [2, 3, 5, 9, 16, 16] {
            let next = schedule.next(Verdict::Failed, now, 1.0);
            assert_eq!(next, now + wait * MINUTE);
            now = next + seconds(10);
        }
        let next = schedule.next(Verdict::Good, now, 1.0);
        assert!(next > now && next <= now + INTERVAL);
        assert_eq!(next.duration_since(start).as_nanos() % INTERVAL.as_nanos(), 0);
        assert_eq!(schedule.next(Verdict::Failed, next, 1.0), next + 2 * MINUTE, "starts anew");
    }

    #[test]
    fn a_plea_to_slow_down_is_heard() {
        let start = Instant::now();
        for (wait, next) in
            [(None, INTERVAL), (Some(seconds(0)), INTERVAL), (Some(seconds(1000)), seconds(1000))]
        {
            let mut schedule = Schedule::new(INTERVAL, 0, start);
            assert_eq!(schedule.next(Verdict::SlowDown(wait), start, 0.0), start + next);
        }
    }

    /// The outage that is on record: 15 hours, in which 84 of 100 answers were a 503.
    #[test]
    fn a_long_outage_is_sat_out_politely() {
        let start = Instant::now();
        let outage = seconds(15 * 3600);
        let mut random = fastrand::Rng::with_seed(84);
        let mut schedule = Schedule::new(INTERVAL, 0, start);
        let mut polls = Vec::new();
        let mut due = schedule.first();
        while due < start + outage {
            polls.push(due);
            let verdict = if random.f64() < 0.84 { Verdict::Failed } else { Verdict::Good };
            due = schedule.next(verdict, due + seconds(1), random.f64());
        }
        let most = outage.as_secs() / INTERVAL.as_secs();
        let polled = polls.len() as u64;
        assert!(polled <= most, "{polled} polls, where a healthy upstream sees {most}");
        assert!(polled >= most / 4, "{polled} polls are too few to notice that it answers");
        let gaps: Vec<Duration> =
            polls.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect();
        assert!(gaps.iter().all(|gap| *gap >= MINUTE), "{gaps:?}");
        assert!(gaps.iter().all(|gap| *gap <= 17 * MINUTE), "{gaps:?}");
        // Whatever went before: well again, it is polled as ever.
        let next = schedule.next(Verdict::Good, due, 1.0);
        assert!(next.duration_since(due) <= INTERVAL);
    }
}
