//! The loop: wait for a tick, probe, judge, restart, tell.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::policy::{ALARM_INTERVAL, Limits, Policy, Verdict};
use super::restart::{RestartError, Restarter, Standing};
use crate::kernel::signals;
use crate::logging::OnChange;
use crate::outbound::{Endpoint, Failure, Target};
use crate::supervisor::probe::{Prober, Unhealthy, one_line};

/// Between two looks, as supervisord's `TICK_5` has it.
const TICK: Duration = Duration::from_secs(5);

/// Without a tick for this long, supervisord is not relied upon.
const LATE: Duration = TICK.saturating_mul(3);

/// Bytes of a scoreboard at most.
const MAX_SCOREBOARD: u64 = 256 * 1024;

/// What is watched.
pub trait Service {
    /// Asks it how it is.
    ///
    /// # Errors
    /// It is not healthy.
    fn probe(&mut self) -> Result<(), Unhealthy>;

    /// What it is doing, on one line.
    ///
    /// # Errors
    /// It does not say.
    fn scoreboard(&self) -> Result<String, Failure>;
}

/// Our server, by its listeners.
pub struct Listeners {
    /// Asks all of them.
    pub prober: Prober,
    /// The admin listener, which has the scoreboard.
    pub admin: Endpoint,
}

impl Service for Listeners {
    fn probe(&mut self) -> Result<(), Unhealthy> {
        self.prober.probe().map(drop)
    }

    fn scoreboard(&self) -> Result<String, Failure> {
        let target = Target { endpoint: self.admin.clone(), path: "/scoreboard".to_owned() };
        let answer = self.prober.page(&target, MAX_SCOREBOARD)?;
        Ok(one_line(&answer.body, MAX_SCOREBOARD as usize))
    }
}

/// What makes the watch look.
pub enum Beat {
    /// supervisord's ticks. Should they stay away, a clock of our own takes over until they come
    /// again: whatever is wrong with supervisord, the watch goes on.
    Supervisord(Receiver<()>),
    /// A clock of our own.
    Own,
}

/// Watches one service.
pub struct Watcher {
    name: String,
    service: Box<dyn Service>,
    restarter: Box<dyn Restarter>,
    policy: Policy,
    dry_run: bool,
    /// This process lacks a resource to probe.
    not_probed: OnChange<()>,
    /// Reason why the service is not restarted.
    left_alone: OnChange<String>,
}

impl Watcher {
    /// `name` is for the log. A dry run restarts nothing, and says when it would have.
    pub fn new(
        name: String,
        service: Box<dyn Service>,
        restarter: Box<dyn Restarter>,
        limits: Limits,
        dry_run: bool,
    ) -> Watcher {
        let policy = Policy::new(limits, Instant::now());
        Watcher {
            name,
            service,
            restarter,
            policy,
            dry_run,
            not_probed: OnChange::repeating(ALARM_INTERVAL),
            left_alone: OnChange::repeating(ALARM_INTERVAL),
        }
    }

    /// Watches until asked to stop, or until supervisord is gone. A restart that is under way is
    /// finished first, so that what was stopped is started again.
    pub fn run(mut self, beat: &Beat, requests: &Receiver<signals::Request>) {
        let never = crossbeam_channel::never();
        let (ticks, patience) = match beat {
            Beat::Supervisord(ticks) => (ticks, LATE),
            Beat::Own => (&never, TICK),
        };
        let mut late = OnChange::new();
        loop {
            select! {
                recv(requests) -> request => match request {
                    Ok(signals::Request::Reload) => continue,
                    Ok(signals::Request::Stop) | Err(_) => {
                        log::info!("the watch over {} ends, as asked", self.name);
                        return;
                    }
                },
                recv(ticks) -> tick => match tick {
                    Ok(()) => {
                        late.clear();
                    }
                    Err(_) => {
                        log::info!("the watch over {} ends: supervisord is gone", self.name);
                        return;
                    }
                },
                default(patience) => {
                    if matches!(beat, Beat::Supervisord(_)) && late.set(()) {
                        log::warn!(
                            "no TICK_5 from supervisord for {} s: watching by a clock of our own \
                             (events=TICK_5 belongs into the listener's section)",
                            patience.as_secs()
                        );
                    }
                }
            }
            self.look();
        }
    }

    /// Looks once, and acts on what it sees.
    fn look(&mut self) {
        let name = &self.name;
        if let Some(done) = self.restarter.resume() {
            log::warn!("restart of {name}, continued: {done}");
            self.policy.restarted(Instant::now());
        }
        let outcome = self.service.probe();
        // A shortage of this process says nothing about the server, which a restart would harm.
        if let Err(error @ Unhealthy::NotAsked { .. }) = &outcome {
            if self.not_probed.set(()) {
                log::error!("{name} is not watched now: {error}; raise the limits of this process");
            }
            return;
        }
        let verdict = self.policy.judge(outcome.is_ok(), Instant::now());
        let Err(error) = outcome else {
            match verdict {
                Verdict::Recovered(failures) => {
                    log::info!("{name} is healthy again, after {}", probes(failures));
                }
                _ => log::debug!("{name} is healthy"),
            }
            self.left_alone.clear();
            return;
        };
        match verdict {
            Verdict::Settling => log::info!("{name} is not up yet: {error}"),
            Verdict::Failing(failures) => {
                log::warn!("{name}: {}: {error}", probes(failures));
            }
            Verdict::Restart(failures) => {
                log::warn!("{name}: {}: {error}", probes(failures));
                if self.is_due() {
                    self.restart(failures);
                }
            }
            Verdict::Alarm(failures) => {
                if self.is_due() {
                    log::error!(
                        "ALARM: {} is not healthy, and has had all the restarts of this hour, so \
                         it is left as it is after {} in a row: {error}",
                        self.name,
                        probes(failures)
                    );
                }
            }
            // The last two are told of at their intervals.
            Verdict::Alarmed | Verdict::Well | Verdict::Recovered(_) => {}
        }
    }

    /// Whether it is meant to run, and not being seen to by somebody else.
    fn is_due(&mut self) -> bool {
        let why = match self.restarter.standing() {
            Ok(Standing::Due) => return true,
            Ok(Standing::LeaveAlone(why)) => why,
            Err(error) => {
                log::error!("{} cannot be restarted: {error}", self.name);
                self.policy.begin_anew();
                return false;
            }
        };
        self.policy.begin_anew();
        if self.left_alone.set(why.clone()) {
            log::info!("{} is left alone: {why}", self.name);
        }
        false
    }

    fn restart(&mut self, failures: u32) {
        let name = &self.name;
        match self.service.scoreboard() {
            Ok(scoreboard) => log::warn!("scoreboard of {name}: {scoreboard}"),
            Err(error) => log::warn!("scoreboard of {name}: none, {error}"),
        }
        if self.dry_run {
            log::warn!("dry run: {name} would be restarted now, after {}", probes(failures));
            self.policy.restarted(Instant::now());
            return;
        }
        log::error!("restarting {name} after {} in a row", probes(failures));
        match self.restarter.restart() {
            Ok(done) => log::warn!("restarted {name}: {done}"),
            Err(RestartError::NotBegun(error)) => {
                log::error!("{name} was not restarted: {error}");
                self.policy.begin_anew();
                return;
            }
            Err(RestartError::Unfinished(error)) => {
                log::error!("the restart of {name} did not succeed: {error}");
            }
        }
        self.policy.restarted(Instant::now());
    }
}

fn probes(failed: u32) -> String {
    if failed == 1 { "1 failed probe".to_owned() } else { format!("{failed} failed probes") }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use crossbeam_channel::bounded;

    use super::*;
    use crate::outbound::FailureKind;

    /// A service and its restarter in one, which do as they are told and keep a record.
    #[derive(Clone, Default)]
    struct Fake(Rc<RefCell<Script>>);

    struct Script {
        healthy: bool,
        asked: bool,
        standing: Result<Standing, String>,
        outcome: Result<String, RestartError>,
        scoreboards: u32,
        restarts: u32,
    }

    impl Default for Script {
        fn default() -> Script {
            let (standing, outcome) = (Ok(Standing::Due), Ok("done".to_owned()));
            Script { healthy: false, asked: true, standing, outcome, scoreboards: 0, restarts: 0 }
        }
    }

    fn late() -> Failure {
        let message = "late".to_owned();
        Failure { kind: FailureKind::Timeout, message, is_local_shortage: false }
    }

    impl Service for Fake {
        fn probe(&mut self) -> Result<(), Unhealthy> {
            let error = late();
            let target = "http://x".to_owned();
            let failed = match self.0.borrow().asked {
                true => Unhealthy::Failed { target, error },
                false => Unhealthy::NotAsked { target, error },
            };
            if self.0.borrow().healthy { Ok(()) } else { Err(failed) }
        }

        fn scoreboard(&self) -> Result<String, Failure> {
            self.0.borrow_mut().scoreboards += 1;
            Err(late())
        }
    }

    impl Restarter for Fake {
        fn standing(&mut self) -> Result<Standing, String> {
            self.0.borrow().standing.clone()
        }

        fn restart(&mut self) -> Result<String, RestartError> {
            self.0.borrow_mut().restarts += 1;
            self.0.borrow().outcome.clone()
        }

        fn resume(&mut self) -> Option<String> {
            None
        }
    }

    fn watcher(fake: &Fake, dry_run: bool) -> Watcher {
        let limits = Limits { failures: 2, max_restarts: 2, grace: Duration::ZERO };
        let (service, restarter) = (Box::new(fake.clone()), Box::new(fake.clone()));
        Watcher::new("well".to_owned(), service, restarter, limits, dry_run)
    }

    /// Restarts after twenty looks at what fails all the time.
    fn restarts(script: Script, dry_run: bool) -> (u32, u32) {
        let fake = Fake(Rc::new(RefCell::new(script)));
        let mut watcher = watcher(&fake, dry_run);
        (0..20).for_each(|_| watcher.look());
        let script = fake.0.borrow();
        (script.restarts, script.scoreboards)
    }

    #[test]
    fn it_restarts_what_is_due_within_the_limit_and_nothing_else() {
        let broken = || RestartError::Unfinished("broken".to_owned());
        let refused = || RestartError::NotBegun("refused".to_owned());
        let alone = || Ok(Standing::LeaveAlone("supervisord says STOPPED".to_owned()));
        for (what, script, dry_run, expected) in [
            ("due", Script::default(), false, (2, 2)),
            ("a dry run", Script::default(), true, (0, 2)),
            ("healthy", Script { healthy: true, ..Script::default() }, false, (0, 0)),
            ("not asked", Script { asked: false, ..Script::default() }, false, (0, 0)),
            ("stopped", Script { standing: alone(), ..Script::default() }, false, (0, 0)),
            (
                "no answer",
                Script { standing: Err(String::new()), ..Script::default() },
                false,
                (0, 0),
            ),
            ("unfinished", Script { outcome: Err(broken()), ..Script::default() }, false, (2, 2)),
            // Nothing was done, so nothing is counted: every second look tries again.
            ("not begun", Script { outcome: Err(refused()), ..Script::default() }, false, (10, 10)),
        ] {
            assert_eq!(restarts(script, dry_run), expected, "{what}");
        }
    }

    #[test]
    fn it_looks_at_ticks_and_ends_with_supervisord_or_when_asked() {
        let (tick, ticks) = bounded(3);
        let (_request, requests) = bounded(1);
        let fake = Fake::default();
        (0..3).for_each(|_| tick.send(()).unwrap());
        drop(tick);
        watcher(&fake, false).run(&Beat::Supervisord(ticks), &requests);
        assert_eq!(fake.0.borrow().restarts, 1, "two of the three looks made for a restart");

        let (request, requests) = bounded(1);
        request.send(signals::Request::Stop).unwrap();
        watcher(&fake, false).run(&Beat::Own, &requests);
    }
}
