//! When to restart: so many failures in a row, so many restarts an hour. Pure: outcomes and a
//! clock in, verdicts out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The span within which restarts are counted.
const HOUR: Duration = Duration::from_secs(3600);

/// Between two alarms about the same trouble.
pub const ALARM_INTERVAL: Duration = Duration::from_secs(60);

/// The limits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Failed probes in a row before a restart; at least 1.
    pub failures: u32,
    /// Restarts within an hour; 0: it only alarms.
    pub max_restarts: u32,
    /// After a start, how long failures are not counted.
    pub grace: Duration,
}

/// What an outcome calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Healthy, as before.
    Well,
    /// Healthy after that many failures.
    Recovered(u32),
    /// Failed, but it was only just started.
    Settling,
    /// That many failures in a row, fewer than would matter.
    Failing(u32),
    /// That many failures in a row: to be restarted.
    Restart(u32),
    /// To be restarted, but it was restarted too often already: somebody should be told.
    Alarm(u32),
    /// The same, and somebody was told a moment ago.
    Alarmed,
}

/// The memory behind the verdicts.
#[derive(Debug)]
pub struct Policy {
    limits: Limits,
    failures: u32,
    /// Of the last hour, the oldest first; never more than may be.
    restarts: VecDeque<Instant>,
    grace_until: Option<Instant>,
    alarmed_at: Option<Instant>,
}

impl Policy {
    /// Begins at `now`, with a grace, as what is watched may be starting too.
    pub fn new(limits: Limits, now: Instant) -> Policy {
        let grace_until = now.checked_add(limits.grace);
        Policy { limits, failures: 0, restarts: VecDeque::new(), grace_until, alarmed_at: None }
    }

    /// Judges a probe that ended at `now`.
    pub fn judge(&mut self, healthy: bool, now: Instant) -> Verdict {
        if healthy {
            self.grace_until = None;
            self.alarmed_at = None;
            return match std::mem::take(&mut self.failures) {
                0 => Verdict::Well,
                failures => Verdict::Recovered(failures),
            };
        }
        if self.grace_until.is_some_and(|until| now < until) {
            return Verdict::Settling;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.limits.failures {
            return Verdict::Failing(self.failures);
        }
        while self.restarts.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            self.restarts.pop_front();
        }
        if self.restarts.len() < self.limits.max_restarts as usize {
            return Verdict::Restart(self.failures);
        }
        if self.alarmed_at.is_some_and(|at| now.duration_since(at) < ALARM_INTERVAL) {
            return Verdict::Alarmed;
        }
        self.alarmed_at = Some(now);
        Verdict::Alarm(self.failures)
    }

    /// It was restarted, or that was tried: counts towards the hour, and begins a grace.
    pub fn restarted(&mut self, now: Instant) {
        self.restarts.push_back(now);
        self.begin_anew();
        self.grace_until = now.checked_add(self.limits.grace);
    }

    /// The failures so far count no more: it is not meant to run, or has started since.
    pub fn begin_anew(&mut self) {
        self.failures = 0;
        self.alarmed_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(5);

    fn limits(failures: u32, max_restarts: u32) -> Limits {
        Limits { failures, max_restarts, grace: Duration::from_secs(15) }
    }

    /// A policy and its clock, past the grace of the beginning.
    struct Watch {
        policy: Policy,
        now: Instant,
    }

    impl Watch {
        fn new(limits: Limits) -> Watch {
            let mut now = Instant::now();
            let policy = Policy::new(limits, now);
            now += limits.grace;
            Watch { policy, now }
        }

        fn tick(&mut self, healthy: bool) -> Verdict {
            self.now += TICK;
            self.policy.judge(healthy, self.now)
        }
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let mut watch = Watch::new(limits(3, 4));
        let outcomes = [false, false, true, true, false, false, false, false];
        let verdicts = outcomes.map(|healthy| watch.tick(healthy));
        use Verdict::{Failing, Recovered, Restart, Well};
        let expected = [
            Failing(1),
            Failing(2),
            Recovered(2),
            Well,
            Failing(1),
            Failing(2),
            Restart(3),
            // Nobody has restarted it, so it is still to be done.
            Restart(4),
        ];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn a_start_has_its_grace_which_the_first_success_ends() {
        let begun = Instant::now();
        let mut policy = Policy::new(limits(1, 4), begun);
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(policy.judge(false, at(5)), Verdict::Settling);
        assert_eq!(policy.judge(false, at(15)), Verdict::Restart(1));
        policy.restarted(at(20));
        assert_eq!(policy.judge(false, at(34)), Verdict::Settling);
        assert_eq!(policy.judge(true, at(34)), Verdict::Well);
        assert_eq!(policy.judge(false, at(34)), Verdict::Restart(1));
    }

    #[test]
    fn the_hour_has_its_restarts_and_then_there_are_alarms_only() {
        let mut watch = Watch::new(limits(1, 2));
        for _ in 0..2 {
            assert_eq!(watch.tick(false), Verdict::Restart(1));
            watch.policy.restarted(watch.now);
            watch.now += Duration::from_secs(600);
        }
        assert_eq!(watch.tick(false), Verdict::Alarm(1));
        for _ in 0..11 {
            assert_eq!(watch.tick(false), Verdict::Alarmed);
        }
        assert_eq!(watch.tick(false), Verdict::Alarm(13), "an interval later, once more");
        // 40 minutes later the first restart is more than an hour old, the second is not.
        watch.now += Duration::from_secs(2400);
        assert_eq!(watch.tick(false), Verdict::Restart(14));
        watch.policy.restarted(watch.now);
        watch.now += Duration::from_secs(60);
        assert_eq!(watch.tick(false), Verdict::Alarm(1));
        assert_eq!(watch.tick(true), Verdict::Recovered(1));
        assert_eq!(watch.tick(false), Verdict::Alarm(1), "new trouble is told at once");
    }

    #[test]
    fn without_restarts_it_only_alarms() {
        let mut watch = Watch::new(limits(2, 0));
        let verdicts = [false; 3].map(|healthy| watch.tick(healthy));
        assert_eq!(verdicts, [Verdict::Failing(1), Verdict::Alarm(2), Verdict::Alarmed]);
    }

    #[test]
    fn what_is_not_meant_to_run_begins_anew() {
        let mut watch = Watch::new(limits(2, 1));
        assert_eq!(
            [watch.tick(false), watch.tick(false)],
            [Verdict::Failing(1), Verdict::Restart(2)]
        );
        watch.policy.begin_anew();
        assert_eq!(watch.tick(false), Verdict::Failing(1));
    }
}
