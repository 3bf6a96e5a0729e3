//! The loop of `watch`: wait for a tick, probe the server, restart it if the policy decides so.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::probe::{Prober, Unhealthy, one_line};
use super::restart::{Eligibility, RestartError, Restarter};
use super::restart_policy::{ALARM_INTERVAL, Decision, RestartLimits, RestartPolicy};
use crate::kernel::signals;
use crate::logging::OnChange;
use crate::outbound::{Endpoint, Failure, Target};

/// Interval between probes: that of supervisord's event `TICK_5`.
const TICK: Duration = Duration::from_secs(5);

/// Time without a tick from supervisord after which the timer takes over.
const TICK_TIMEOUT: Duration = TICK.saturating_mul(3);

/// Longest scoreboard, bytes.
const MAX_SCOREBOARD: u64 = 256 * 1024;

/// Server under supervision.
pub trait Server {
    /// Probes the server.
    ///
    /// # Errors
    /// The server is not healthy, or could not be probed.
    fn probe(&mut self) -> Result<(), Unhealthy>;

    /// Returns the server's scoreboard on one line.
    ///
    /// # Errors
    /// The request failed.
    fn scoreboard(&self) -> Result<String, Failure>;
}

/// A server of this program, probed through its listeners.
pub struct ProbedServer {
    /// Probes the admin listener and the public ones.
    pub prober: Prober,
    /// Admin listener, which serves the scoreboard.
    pub admin: Endpoint,
}

impl Server for ProbedServer {
    fn probe(&mut self) -> Result<(), Unhealthy> {
        self.prober.probe().map(drop)
    }

    fn scoreboard(&self) -> Result<String, Failure> {
        let target = Target { endpoint: self.admin.clone(), path: "/scoreboard".to_owned() };
        let response = self.prober.page(&target, MAX_SCOREBOARD)?;
        Ok(one_line(&response.body, MAX_SCOREBOARD as usize))
    }
}

/// Source of the ticks at which the monitor probes.
pub enum TickSource {
    /// Ticks of supervisord. While they stay away, a timer takes over, so that a supervisord that
    /// hangs does not end the probes.
    Supervisord(Receiver<()>),
    /// A timer.
    Timer,
}

/// Probes one server and restarts it.
pub struct Monitor {
    name: String,
    server: Box<dyn Server>,
    restarter: Box<dyn Restarter>,
    policy: RestartPolicy,
    is_dry_run: bool,
    /// Logs that this process lacks a resource to probe.
    not_probed: OnChange<()>,
    /// Logs the reason why the server is not restarted.
    left_alone: OnChange<String>,
}

impl Monitor {
    /// Returns a monitor of the server that the log calls `name`. A dry run restarts nothing, and logs
    /// when it would have.
    pub fn new(
        name: String,
        server: Box<dyn Server>,
        restarter: Box<dyn Restarter>,
        limits: RestartLimits,
        is_dry_run: bool,
    ) -> Monitor {
        Monitor {
            name,
            server,
            restarter,
            policy: RestartPolicy::new(limits, Instant::now()),
            is_dry_run,
            not_probed: OnChange::repeating(ALARM_INTERVAL),
            left_alone: OnChange::repeating(ALARM_INTERVAL),
        }
    }

    /// Probes at each tick, until a signal requests the stop or supervisord is gone. A restart that is
    /// under way is finished first, so that a program that was stopped is started again.
    pub fn run(mut self, ticks: &TickSource, requests: &Receiver<signals::Request>) {
        let never = crossbeam_channel::never();
        let (received, timeout) = match ticks {
            TickSource::Supervisord(ticks) => (ticks, TICK_TIMEOUT),
            TickSource::Timer => (&never, TICK),
        };
        let mut late = OnChange::new();
        loop {
            select! {
                recv(requests) -> request => match request {
                    Ok(signals::Request::Reload) => continue,
                    Ok(signals::Request::Stop) | Err(_) => {
                        log::info!("no longer watching {}: stopped by a signal", self.name);
                        return;
                    }
                },
                recv(received) -> tick => match tick {
                    Ok(()) => {
                        late.clear();
                    }
                    Err(_) => {
                        log::info!("no longer watching {}: supervisord is gone", self.name);
                        return;
                    }
                },
                default(timeout) => {
                    if matches!(ticks, TickSource::Supervisord(_)) && late.set(()) {
                        log::warn!(
                            "no TICK_5 from supervisord for {} s, so a timer takes over; check that \
                             the [eventlistener] section has events=TICK_5",
                            timeout.as_secs()
                        );
                    }
                }
            }
            self.tick();
        }
    }

    /// Probes the server once, and acts on the outcome.
    fn tick(&mut self) {
        let name = &self.name;
        if let Some(outcome) = self.restarter.resume() {
            log::warn!("restart of {name}, continued: {outcome}");
            self.policy.count_restart(Instant::now());
        }
        let outcome = self.server.probe();
        // A shortage of this process says nothing about the server, which a restart would harm.
        if let Err(error @ Unhealthy::NotProbed { .. }) = &outcome {
            if self.not_probed.set(()) {
                log::error!("{name} is not watched now: {error}; raise the limits of this process");
            }
            return;
        }
        let decision = self.policy.decide(outcome.is_ok(), Instant::now());
        let Err(error) = outcome else {
            match decision {
                Decision::Recovered(failures) => {
                    log::info!("{name} is healthy again, after {}", failed_probes(failures));
                }
                _ => log::debug!("{name} is healthy"),
            }
            self.left_alone.clear();
            return;
        };
        match decision {
            Decision::Starting => log::info!("{name} is not up yet: {error}"),
            Decision::Failing(failures) => {
                log::warn!("{name}: {}: {error}", failed_probes(failures));
            }
            Decision::Restart(failures) => {
                log::warn!("{name}: {}: {error}", failed_probes(failures));
                if self.is_eligible() {
                    self.restart(failures);
                }
            }
            Decision::Alarm(failures) => {
                if self.is_eligible() {
                    log::error!(
                        "ALARM: {} is not healthy after {} in a row, and the restarts of this hour \
                         are used up, so it is not restarted: {error}",
                        self.name,
                        failed_probes(failures)
                    );
                }
            }
            // A failed probe never leads to the latter two.
            Decision::AlarmRaised | Decision::Healthy | Decision::Recovered(_) => {}
        }
    }

    /// Returns true if the server is meant to run and was not just started; else logs the reason.
    fn is_eligible(&mut self) -> bool {
        let eligibility = self.restarter.eligibility();
        if eligibility == Ok(Eligibility::Eligible) {
            return true;
        }
        self.policy.reset_failures();
        match eligibility {
            Ok(Eligibility::Ineligible(reason)) => {
                if self.left_alone.set(reason.clone()) {
                    log::info!("{} is left alone: {reason}", self.name);
                }
            }
            Err(error) => log::error!("{} cannot be restarted: {error}", self.name),
            Ok(Eligibility::Eligible) => {}
        }
        false
    }

    fn restart(&mut self, failures: u32) {
        let name = &self.name;
        match self.server.scoreboard() {
            Ok(scoreboard) => log::warn!("scoreboard of {name}: {scoreboard}"),
            Err(error) => log::warn!("scoreboard of {name}: none, {error}"),
        }
        if self.is_dry_run {
            log::warn!("dry run: {name} would be restarted now, after {}", failed_probes(failures));
            self.policy.count_restart(Instant::now());
            return;
        }
        log::error!("restarting {name} after {} in a row", failed_probes(failures));
        match self.restarter.restart() {
            Ok(outcome) => log::warn!("restarted {name}: {outcome}"),
            Err(RestartError::NotBegun(error)) => {
                log::error!("{name} was not restarted: {error}");
                self.policy.reset_failures();
                return;
            }
            Err(RestartError::Unfinished(error)) => {
                log::error!("the restart of {name} did not succeed: {error}");
            }
        }
        self.policy.count_restart(Instant::now());
    }
}

fn failed_probes(count: u32) -> String {
    if count == 1 { "1 failed probe".to_owned() } else { format!("{count} failed probes") }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::outbound::FailureKind;

    /// A server and its restarter in one, which follow a script and count calls.
    #[derive(Clone, Default)]
    struct Fake(Rc<RefCell<Script>>);

    struct Script {
        healthy: bool,
        was_probed: bool,
        eligibility: Result<Eligibility, String>,
        outcome: Result<String, RestartError>,
        scoreboards: u32,
        restarts: u32,
    }

    impl Default for Script {
        fn default() -> Script {
            let (eligibility, outcome) = (Ok(Eligibility::Eligible), Ok("done".to_owned()));
            Script {
                healthy: false,
                was_probed: true,
                eligibility,
                outcome,
                scoreboards: 0,
                restarts: 0,
            }
        }
    }

    fn late() -> Failure {
        let message = "late".to_owned();
        Failure { kind: FailureKind::Timeout, message, is_local_shortage: false }
    }

    impl Server for Fake {
        fn probe(&mut self) -> Result<(), Unhealthy> {
            let error = late();
            let target = "http://x".to_owned();
            let failed = match self.0.borrow().was_probed {
                true => Unhealthy::Failed { target, error },
                false => Unhealthy::NotProbed { target, error },
            };
            if self.0.borrow().healthy { Ok(()) } else { Err(failed) }
        }

        fn scoreboard(&self) -> Result<String, Failure> {
            self.0.borrow_mut().scoreboards += 1;
            Err(late())
        }
    }

    impl Restarter for Fake {
        fn eligibility(&mut self) -> Result<Eligibility, String> {
            self.0.borrow().eligibility.clone()
        }

        fn restart(&mut self) -> Result<String, RestartError> {
            self.0.borrow_mut().restarts += 1;
            self.0.borrow().outcome.clone()
        }

        fn resume(&mut self) -> Option<String> {
            None
        }
    }

    fn monitor(fake: &Fake, is_dry_run: bool) -> Monitor {
        let limits = RestartLimits { failures: 2, max_restarts: 2, grace: Duration::ZERO };
        let (server, restarter) = (Box::new(fake.clone()), Box::new(fake.clone()));
        Monitor::new("well".to_owned(), server, restarter, limits, is_dry_run)
    }

    /// Returns the numbers of restarts and of scoreboards after twenty ticks.
    fn restarts(script: Script, is_dry_run: bool) -> (u32, u32) {
        let fake = Fake(Rc::new(RefCell::new(script)));
        let mut monitor = monitor(&fake, is_dry_run);
        (0..20).for_each(|_| monitor.tick());
        let script = fake.0.borrow();
        (script.restarts, script.scoreboards)
    }

    #[test]
    fn eligible_server_is_restarted_within_the_limit() {
        let broken = || RestartError::Unfinished("broken".to_owned());
        let refused = || RestartError::NotBegun("refused".to_owned());
        let alone = || Ok(Eligibility::Ineligible("supervisord reports STOPPED".to_owned()));
        for (case, script, is_dry_run, expected) in [
            ("eligible", Script::default(), false, (2, 2)),
            ("a dry run", Script::default(), true, (0, 2)),
            ("healthy", Script { healthy: true, ..Script::default() }, false, (0, 0)),
            ("not probed", Script { was_probed: false, ..Script::default() }, false, (0, 0)),
            ("stopped", Script { eligibility: alone(), ..Script::default() }, false, (0, 0)),
            (
                "no answer",
                Script { eligibility: Err(String::new()), ..Script::default() },
                false,
                (0, 0),
            ),
            ("unfinished", Script { outcome: Err(broken()), ..Script::default() }, false, (2, 2)),
            // Not counted as a restart, so every second tick tries again.
            ("not begun", Script { outcome: Err(refused()), ..Script::default() }, false, (10, 10)),
        ] {
            assert_eq!(restarts(script, is_dry_run), expected, "{case}");
        }
    }

    #[test]
    fn monitor_ends_with_supervisord_or_at_a_stop_request() {
        let (tick, ticks) = bounded(3);
        let (_request, requests) = bounded(1);
        let fake = Fake::default();
        (0..3).for_each(|_| tick.send(()).unwrap());
        drop(tick);
        monitor(&fake, false).run(&TickSource::Supervisord(ticks), &requests);
        assert_eq!(fake.0.borrow().restarts, 1, "two of the three ticks led to a restart");

        let (request, requests) = bounded(1);
        request.send(signals::Request::Stop).unwrap();
        monitor(&fake, false).run(&TickSource::Timer, &requests);
    }
}
