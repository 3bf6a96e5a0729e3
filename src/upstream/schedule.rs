//! When to poll next. Pure: the caller tells the time and the random numbers.

use std::time::{Duration, Instant};

use super::backoff;

/// First polls of several sources start this far apart, so that a start is no burst.
const SPREAD: Duration = Duration::from_millis(250);

/// Failures that count beyond those that are retried out of turn: after a long outage so many
/// successes pass before the next failure is retried so.
const REMEMBERED: u32 = 4;

/// The plan of one source: a grid of moments an interval apart. A source that fails is polled
/// between them, too, for a while; one that asks for patience leaves some of them out.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    /// A moment of the grid; kept close to the present.
    anchor: Instant,
    /// Failures that still count: each success makes up for one, so that a source that answers
    /// now and then in the middle of an outage is not hurried each time.
    failures: u32,
    /// Pleas in a row that do not say how long to wait.
    pleas: u32,
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
        Schedule { interval, anchor: now + offset, failures: 0, pleas: 0 }
    }

    /// When the first poll is due.
    pub(super) fn first(&self) -> Instant {
        self.anchor
    }

    /// When the next poll is due, after one that ended now: within one interval, except where
    /// the upstream asked for patience. After a success it is the next moment of the grid: no
    /// drift by the time that polls take, and no burst to make up for moments that were missed.
    pub(super) fn next(&mut self, verdict: Verdict, now: Instant, random: f64) -> Instant {
        while self.anchor <= now {
            // In whole strides, so that a laptop that slept for a month doesn't loop long.
            let behind = now.duration_since(self.anchor);
            let strides = behind.as_nanos() / self.interval.as_nanos() + 1;
            self.anchor += self.interval.saturating_mul(u32::try_from(strides).unwrap_or(u32::MAX));
        }
        if !matches!(verdict, Verdict::SlowDown(_)) {
            self.pleas = 0;
        }
        match verdict {
            Verdict::Good => {
                self.failures = self.failures.saturating_sub(1);
                self.anchor
            }
            Verdict::Failed => self.retry(now, random).unwrap_or(self.anchor),
            Verdict::SlowDown(Some(wait)) => self.anchor.max(now + wait),
            Verdict::SlowDown(None) => {
                let wait = backoff::patience(self.interval, self.pleas, random);
                self.pleas = self.pleas.saturating_add(1);
                self.anchor.max(now + wait)
            }
        }
    }

    /// When to try again out of turn, unless the next turn is as close.
    fn retry(&mut self, now: Instant, random: f64) -> Option<Instant> {
        let wait = backoff::retry(self.interval, self.failures, random);
        let most = backoff::retries(self.interval) + REMEMBERED;
        self.failures = self.failures.saturating_add(1).min(most);
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
    fn failures_are_retried_within_the_interval_and_then_at_the_interval() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, 0, start);
        let mut fail = |at: Duration, random| {
            schedule.next(Verdict::Failed, start + at, random).duration_since(start)
        };
        // Twice out of turn, with a minute left before the next turn.
        assert_eq!(fail(seconds(0), 1.0), 2 * MINUTE);
        assert_eq!(fail(2 * MINUTE, 0.0), 3 * MINUTE);
        // The third time the next turn is as close.
        assert_eq!(fail(3 * MINUTE, 0.5), INTERVAL);
        // And from then on only at the interval, however the dice fall.
        for turn in 1..9 {
            let random = f64::from(turn % 2);
            assert_eq!(fail(INTERVAL * turn + seconds(9), random), INTERVAL * (turn + 1));
        }
    }

    #[test]
    fn a_success_returns_to_the_grid_and_makes_up_for_one_failure() {
        let start = Instant::now();
        let mut schedule = Schedule::new(INTERVAL, 0, start);
        let mut poll =
            |verdict, at: Duration| schedule.next(verdict, start + at, 0.0).duration_since(start);
        let retried = |turn: u32| {
            [(0, 60), (60, 120), (120, 180), (180, 300)]
                .map(|(at, next)| (turn * INTERVAL + seconds(at), turn * INTERVAL + seconds(next)))
        };
        for (at, next) in retried(0) {
            assert_eq!(poll(Verdict::Failed, at), next);
        }
        for turn in 1..50 {
            poll(Verdict::Failed, turn * INTERVAL);
        }
        for turn in 50..54 {
            assert_eq!(poll(Verdict::Good, turn * INTERVAL), (turn + 1) * INTERVAL);
            assert_eq!(poll(Verdict::Failed, turn * INTERVAL), (turn + 1) * INTERVAL, "still");
            assert_eq!(poll(Verdict::Good, turn * INTERVAL), (turn + 1) * INTERVAL);
        }
        for turn in 54..60 {
            poll(Verdict::Good, turn * INTERVAL);
        }
        for (at, next) in retried(60) {
            assert_eq!(poll(Verdict::Failed, at), next, "anew");
        }
    }

    #[test]
    fn an_upstream_that_heals_is_seen_within_one_interval() {
        let mut random = fastrand::Rng::with_seed(4);
        for interval in [1, 5, 59, 61, 90, 300, 3600, 86_400].map(seconds) {
            let mut now = Instant::now();
            let mut schedule = Schedule::new(interval, 0, now);
            for _ in 0..1000 {
                let verdict = if random.f64() < 0.1 { Verdict::Good } else { Verdict::Failed };
                let next = schedule.next(verdict, now, random.f64());
                assert!(next > now && next <= now + interval, "{:?}", next.duration_since(now));
                // A poll takes its time, up to the whole interval.
                now = next + interval.mul_f64(random.f64() * random.f64());
            }
        }
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
        // Pleas that say nothing of how long are heeded longer and longer.
        let mut schedule = Schedule::new(INTERVAL, 0, start);
        let mut plead = || schedule.next(Verdict::SlowDown(None), start, 1.0).duration_since(start);
        let waits: Vec<Duration> = (0..6).map(|_| plead()).collect();
        assert_eq!(waits, [5, 5, 5, 9, 16, 16].map(|minutes| minutes * MINUTE));
        schedule.next(Verdict::Failed, start, 0.0);
        assert_eq!(schedule.next(Verdict::SlowDown(None), start, 1.0), start + INTERVAL);
    }

    /// The outage that is on record: 15 hours, in which 84 of 100 answers were a 503.
    #[test]
    fn a_long_outage_is_sat_out_politely() {
        let outage = seconds(15 * 3600);
        for seed in 0..50 {
            let start = Instant::now();
            let mut random = fastrand::Rng::with_seed(seed);
            let mut schedule = Schedule::new(INTERVAL, 0, start);
            let mut polls = Vec::new();
            let mut due = schedule.first();
            while due < start + outage {
                polls.push(due);
                let verdict = if random.f64() < 0.84 { Verdict::Failed } else { Verdict::Good };
                due = schedule.next(verdict, due + seconds(1), random.f64());
            }
            let healthy = outage.as_secs() / INTERVAL.as_secs();
            let polled = polls.len() as u64;
            // Each turn, so that whoever heals is seen; and a tenth more at most, for the retries
            // at the beginning and after several successes.
            assert!((healthy..=healthy + healthy / 10).contains(&polled), "{seed}: {polled}");
            let gaps = polls.windows(2).map(|pair| pair[1].duration_since(pair[0]));
            let gaps: Vec<Duration> = gaps.collect();
            assert!(gaps.iter().all(|gap| *gap >= MINUTE), "{seed}: {gaps:?}");
            assert!(gaps.iter().all(|gap| *gap <= INTERVAL + seconds(1)), "{seed}: {gaps:?}");
            let turns = gaps.iter().filter(|gap| **gap == INTERVAL).count() as u64;
            assert!(turns >= healthy / 2, "{seed}: {turns}");
        }
    }
}
