//! Decides when a server is restarted: after a number of failed probes in a row, and a limited number
//! of times an hour.
//!
//! The policy does no I/O and reads no clock: the caller passes the outcome of each probe and the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Period in which restarts are counted.
const HOUR: Duration = Duration::from_secs(3600);

/// Least time after a pause of this process or of the machine in which failures do not count: a server
/// that has slept, too, needs its network and its memory first.
const WAKE_GRACE: Duration = Duration::from_secs(15);

/// Limits of a [`RestartPolicy`].
#[derive(Debug, Clone, Copy)]
pub struct RestartLimits {
    /// Failed probes in a row before a restart; at least 1.
    pub failures: u32,
    /// Most restarts in an hour; 0 for alarms only.
    pub max_restarts: u32,
    /// Time after a start in which failures do not count.
    pub grace: Duration,
}

/// Action after a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// None: the server is healthy, as before.
    Healthy,
    /// Log that the server is healthy again after that many failures.
    Recovered(u32),
    /// Wait: the probe failed, but the server has only just been started.
    Starting,
    /// Wait: that many probes in a row have failed, too few for a restart.
    Failing(u32),
    /// Restart the server: that many probes in a row have failed.
    Restart(u32),
    /// Raise an alarm: that many probes in a row have failed, and the restarts of this hour are used
    /// up.
    Alarm(u32),
}

/// State between the probes of one server.
#[derive(Debug)]
pub struct RestartPolicy {
    limits: RestartLimits,
    failures: u32,
    /// Times of the restarts in the last hour, the oldest first.
    restarts: VecDeque<Instant>,
    grace_until: Option<Instant>,
}

impl RestartPolicy {
    /// Returns a policy that begins with a grace period at `now`, as the server may be starting, too.
    pub fn new(limits: RestartLimits, now: Instant) -> RestartPolicy {
        RestartPolicy {
            limits,
            failures: 0,
            restarts: VecDeque::new(),
            grace_until: now.checked_add(limits.grace),
        }
    }

    /// Returns the action after a probe that ended at `now`.
    pub fn decide(&mut self, is_healthy: bool, now: Instant) -> Decision {
        if is_healthy {
            self.grace_until = None;
            return match std::mem::take(&mut self.failures) {
                0 => Decision::Healthy,
                failures => Decision::Recovered(failures),
            };
        }
        if self.grace_until.is_some_and(|until| now < until) {
            return Decision::Starting;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.limits.failures {
            return Decision::Failing(self.failures);
        }
        while self.restarts.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            self.restarts.pop_front();
        }
        if self.restarts.len() < self.limits.max_restarts as usize {
            return Decision::Restart(self.failures);
        }
        Decision::Alarm(self.failures)
    }

    /// Counts a restart, or the attempt of one, and begins its grace period.
    pub fn count_restart(&mut self, now: Instant) {
        self.restarts.push_back(now);
        self.reset_failures();
        self.grace_until = now.checked_add(self.limits.grace);
    }

    /// Forgets the failures so far, as when the server is not meant to run.
    pub fn reset_failures(&mut self) {
        self.failures = 0;
    }

    /// Begins a grace period after a pause of this process or of the machine. Failures before it and after
    /// it are not in a row.
    pub fn resume_after_pause(&mut self, now: Instant) {
        self.reset_failures();
        self.grace_until = now.checked_add(self.limits.grace.max(WAKE_GRACE)).max(self.grace_until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(5);

    fn limits(failures: u32, max_restarts: u32) -> RestartLimits {
        RestartLimits { failures, max_restarts, grace: Duration::from_secs(15) }
    }

    /// A policy after its first grace period, with a clock.
    struct Scenario {
        policy: RestartPolicy,
        now: Instant,
    }

    impl Scenario {
        fn new(limits: RestartLimits) -> Scenario {
            let mut now = Instant::now();
            let policy = RestartPolicy::new(limits, now);
            now += limits.grace;
            Scenario { policy, now }
        }

        fn tick(&mut self, is_healthy: bool) -> Decision {
            self.now += TICK;
            self.policy.decide(is_healthy, self.now)
        }
    }

    #[test]
    fn restart_is_due_after_failures_in_a_row() {
        let mut scenario = Scenario::new(limits(3, 4));
        let outcomes = [false, false, true, true, false, false, false, false];
        let decisions = outcomes.map(|healthy| scenario.tick(healthy));
        use Decision::{Failing, Healthy, Recovered, Restart};
        let expected = [
            Failing(1),
            Failing(2),
            Recovered(2),
            Healthy,
            Failing(1),
            Failing(2),
            Restart(3),
            // No restart was counted, so it is still due.
            Restart(4),
        ];
        assert_eq!(decisions, expected);
    }

    #[test]
    fn grace_period_ends_with_its_time_or_the_first_success() {
        let begun = Instant::now();
        let mut policy = RestartPolicy::new(limits(1, 4), begun);
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(policy.decide(false, at(5)), Decision::Starting);
        assert_eq!(policy.decide(false, at(15)), Decision::Restart(1));
        policy.count_restart(at(20));
        assert_eq!(policy.decide(false, at(34)), Decision::Starting);
        assert_eq!(policy.decide(true, at(34)), Decision::Healthy);
        assert_eq!(policy.decide(false, at(34)), Decision::Restart(1));
    }

    #[test]
    fn alarm_is_due_once_the_restarts_of_an_hour_are_used_up() {
        let mut scenario = Scenario::new(limits(1, 2));
        for _ in 0..2 {
            assert_eq!(scenario.tick(false), Decision::Restart(1));
            scenario.policy.count_restart(scenario.now);
            scenario.now += Duration::from_secs(600);
        }
        for failures in 1..=13 {
            assert_eq!(scenario.tick(false), Decision::Alarm(failures));
        }
        // 40 minutes later the first restart is more than an hour old, the second is not.
        scenario.now += Duration::from_secs(2400);
        assert_eq!(scenario.tick(false), Decision::Restart(14));
        scenario.policy.count_restart(scenario.now);
        scenario.now += Duration::from_secs(60);
        assert_eq!(scenario.tick(false), Decision::Alarm(1));
        assert_eq!(scenario.tick(true), Decision::Recovered(1));
    }

    #[test]
    fn policy_without_restarts_raises_alarms() {
        let mut scenario = Scenario::new(limits(2, 0));
        let decisions = [false; 3].map(|healthy| scenario.tick(healthy));
        assert_eq!(decisions, [Decision::Failing(1), Decision::Alarm(2), Decision::Alarm(3)]);
    }

    #[test]
    fn failures_before_and_after_a_pause_are_not_in_a_row() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let none = RestartLimits { grace: Duration::ZERO, ..limits(3, 4) };
        let mut policy = RestartPolicy::new(none, begun);
        assert_eq!(policy.decide(false, at(5)), Decision::Failing(1));
        assert_eq!(policy.decide(false, at(10)), Decision::Failing(2));
        policy.resume_after_pause(at(3600));
        assert_eq!(policy.decide(false, at(3600)), Decision::Starting);
        assert_eq!(policy.decide(false, at(3614)), Decision::Starting);
        assert_eq!(policy.decide(false, at(3615)), Decision::Failing(1));
        // A longer grace period stays.
        let long = RestartLimits { grace: Duration::from_secs(60), ..none };
        let mut policy = RestartPolicy::new(long, begun);
        policy.resume_after_pause(at(30));
        assert_eq!(policy.decide(false, at(89)), Decision::Starting);
        assert_eq!(policy.decide(false, at(90)), Decision::Failing(1));
    }

    #[test]
    fn failures_count_from_zero_after_a_reset() {
        let mut scenario = Scenario::new(limits(2, 1));
        assert_eq!(
            [scenario.tick(false), scenario.tick(false)],
            [Decision::Failing(1), Decision::Restart(2)]
        );
        scenario.policy.reset_failures();
        assert_eq!(scenario.tick(false), Decision::Failing(1));
    }
}
