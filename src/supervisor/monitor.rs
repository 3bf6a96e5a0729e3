//! The loop of `watch`: wait for a tick, probe the server, restart it if the policy decides so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use super::alarm::{ALARM_INTERVAL, AlarmKind, Alarms};
use super::fault::{Outcome, Verdict};
use super::restart::{Eligibility, RestartError, Restarter};
use super::restart_policy::{Decision, RestartLimits, RestartPolicy};
use super::server::Server;
use crate::kernel::pause::{Moment, PauseDetector};
use crate::kernel::signals;
use crate::logging::OnChange;

/// Interval between probes: that of supervisord's event `TICK_5`.
const TICK: Duration = Duration::from_secs(5);

/// Time without a tick from supervisord after which the timer takes over.
const TICK_TIMEOUT: Duration = TICK.saturating_mul(3);

/// Longest wait at a time, so that a pause of this process is noticed.
const STEP: Duration = Duration::from_secs(1);

/// Probes in a row that have to find a certificate that is not trusted: when it is renewed, the server and
/// this process load it at different times.
const MIN_UNTRUSTED: u32 = 3;

/// Subject of an alarm of which there is only one.
const ONE: &str = "";

/// Source of the ticks at which the monitor probes.
pub enum TickSource {
    /// Messages of supervisord. While ticks stay away, a timer takes over, so that a supervisord that
    /// hangs does not end the probes.
    Supervisord {
        /// Receives a message at each tick; disconnected when supervisord is gone.
        ticks: Receiver<()>,
        /// Receives a message when supervisord has given up the program.
        gave_up: Receiver<()>,
    },
    /// A timer.
    Timer,
}

/// Clocks of the monitor; those of a test stand still.
pub type ReadClock = Box<dyn Fn() -> Moment>;

/// Settings of a [`Monitor`].
pub struct MonitorSettings {
    /// Name of the server in the log.
    pub name: String,
    /// Limits of the restart policy.
    pub limits: RestartLimits,
    /// True to restart nothing, and log when a restart would be due.
    pub is_dry_run: bool,
}

/// Probes one server and restarts it.
pub struct Monitor {
    settings: MonitorSettings,
    server: Box<dyn Server>,
    restarter: Box<dyn Restarter>,
    policy: RestartPolicy,
    alarms: Alarms,
    clock: ReadClock,
    pauses: PauseDetector,
    /// Logs the reason why the server is not restarted.
    left_alone: OnChange<String>,
    /// Time at which the state of the program was last read.
    checked: Option<Instant>,
    /// True while all files are to be read again, after HUP.
    reads_all: bool,
    /// Number of probes in a row that have found the certificate at an address not trusted.
    untrusted: BTreeMap<String, u32>,
}

impl Monitor {
    /// Returns a monitor of the server.
    pub fn new(
        settings: MonitorSettings,
        server: Box<dyn Server>,
        restarter: Box<dyn Restarter>,
        alarms: Alarms,
        clock: ReadClock,
    ) -> Monitor {
        let now = clock();
        Monitor {
            policy: RestartPolicy::new(settings.limits, now.instant),
            settings,
            server,
            restarter,
            alarms,
            clock,
            pauses: PauseDetector::new(now),
            left_alone: OnChange::repeating(ALARM_INTERVAL),
            checked: None,
            reads_all: false,
            untrusted: BTreeMap::new(),
        }
    }

    /// Probes at each tick, until a signal requests the stop or supervisord is gone. A restart that is
    /// under way is finished first, so that a program that was stopped is started again.
    pub fn run(mut self, source: &TickSource, requests: &Receiver<signals::Request>) {
        let never = crossbeam_channel::never();
        let (ticks, gave_up, timeout) = match source {
            TickSource::Supervisord { ticks, gave_up } => (ticks, gave_up, TICK_TIMEOUT),
            TickSource::Timer => (&never, &never, TICK),
        };
        // Files and a connection to supervisord that do not work are reported now, before they are needed.
        self.refresh();
        self.check_program();
        let mut late = OnChange::new();
        let mut due = self.now() + timeout;
        loop {
            select! {
                recv(requests) -> request => match request {
                    Ok(signals::Request::Reload) => {
                        log::info!("HUP: reading the configuration and the certificates again");
                        self.reads_all = true;
                        self.refresh();
                        continue;
                    }
                    Ok(signals::Request::Stop) | Err(_) => {
                        log::info!("no longer watching {}: stopped by a signal", self.settings.name);
                        return;
                    }
                },
                recv(gave_up) -> message => match message {
                    Ok(()) => {
                        self.note_pause(STEP);
                        self.check_program();
                        continue;
                    }
                    Err(_) => {
                        log::info!("no longer watching {}: supervisord is gone", self.settings.name);
                        return;
                    }
                },
                recv(ticks) -> tick => match tick {
                    Ok(()) => {
                        late.clear();
                    }
                    Err(_) => {
                        log::info!("no longer watching {}: supervisord is gone", self.settings.name);
                        return;
                    }
                },
                default(STEP) => {
                    if self.now() < due {
                        self.note_pause(STEP);
                        continue;
                    }
                    if matches!(source, TickSource::Supervisord { .. }) && late.set(()) {
                        log::warn!(
                            "no TICK_5 from supervisord for {} s, so a timer takes over; check that \
                             the [eventlistener] section has events=TICK_5,PROCESS_STATE_FATAL",
                            timeout.as_secs()
                        );
                    }
                }
            }
            self.note_pause(STEP);
            self.tick();
            due = self.now() + timeout;
        }
    }

    fn now(&self) -> Instant {
        (self.clock)().instant
    }

    /// Records that at most `step` should have passed since the previous call. If this process or the
    /// machine has paused meanwhile, what was measured before says nothing any more.
    fn note_pause(&mut self, step: Duration) {
        let now = (self.clock)();
        let Some(pause) = self.pauses.step(now, step) else { return };
        log::info!(
            "this process did not run for {} s, as it was stopped or the machine slept; failures \
             before do not count",
            pause.as_secs()
        );
        self.policy.resume_after_pause(now.instant);
    }

    /// Probes the server once, and acts on the outcome.
    fn tick(&mut self) {
        if let Some(outcome) = self.restarter.resume() {
            log::warn!("restart of {}, continued: {outcome}", self.settings.name);
            self.policy.count_restart(self.now());
        }
        self.refresh();
        self.forget_time();
        let begun = self.now();
        let Some(outcomes) = self.server.probe() else {
            log::info!("the probe is discarded: this process did not run meanwhile");
            self.policy.resume_after_pause(self.now());
            self.forget_time();
            return;
        };
        self.raise_faults(&outcomes);
        let judged = self.judge(&outcomes);
        if let Some(is_healthy) = judged {
            self.act(is_healthy, &outcomes);
        }
        if self.is_check_due(begun, judged == Some(true)) {
            self.check_program();
        }
        self.alarms.repeat(self.now());
        self.forget_time();
    }

    /// Returns true if the state of the program is to be read at the end of a tick: at each one while the
    /// server is not healthy or was given up, else once a minute, as while supervisord does not answer.
    fn is_check_due(&self, begun: Instant, is_healthy: bool) -> bool {
        let Some(checked) = self.checked else { return true };
        let is_silent = self.alarms.has(AlarmKind::SupervisordUnreachable);
        let is_wanted = self.alarms.has(AlarmKind::GaveUp) || !is_healthy && !is_silent;
        let is_old = self.now().saturating_duration_since(checked) >= ALARM_INTERVAL;
        is_old || is_wanted && checked < begun
    }

    /// Lets the time until now be no pause.
    fn forget_time(&mut self) {
        self.pauses = PauseDetector::new((self.clock)());
    }

    /// Takes note of changed files, and raises an alarm about those that cannot be used.
    fn refresh(&mut self) {
        let fault = self.server.refresh(std::mem::take(&mut self.reads_all));
        let now = self.now();
        match fault {
            Some(fault) => self.alarms.raise(AlarmKind::Configuration, ONE, &fault, now),
            None => self.alarms.end(AlarmKind::Configuration, ONE, now),
        }
    }

    /// Raises the alarms about probes that a restart does not cure, and ends those that are over.
    fn raise_faults(&mut self, outcomes: &[Outcome]) {
        let now = self.now();
        let name = &self.settings.name;
        self.untrusted.retain(|subject, _| outcomes.iter().any(|one| one.target == *subject));
        for Outcome { target, verdict, text } in outcomes {
            let fault = match verdict {
                Verdict::Misconfigured { kind, .. } => Some(*kind),
                Verdict::Healthy => None,
                // It is not known whether the fault is mended.
                Verdict::Unresponsive | Verdict::NotProbed => continue,
            };
            self.alarms.end_all(now, |kind, subject| subject == target && Some(kind) != fault);
            let untrusted = self.untrusted.entry(target.clone()).or_default();
            *untrusted = match fault {
                Some(AlarmKind::CertificateUntrusted) => untrusted.saturating_add(1),
                _ => 0,
            };
            let is_sure =
                fault != Some(AlarmKind::CertificateUntrusted) || *untrusted >= MIN_UNTRUSTED;
            if let Some(kind) = fault.filter(|_| is_sure) {
                let text = format!("{name} cannot be probed at {text}");
                self.alarms.raise(kind, target, &text, now);
            }
        }
        let is_probed = |subject: &str| outcomes.iter().any(|outcome| outcome.target == subject);
        self.alarms.end_all(now, |_, subject| subject != ONE && !is_probed(subject));
        let not_probed = outcomes.iter().find(|outcome| outcome.verdict == Verdict::NotProbed);
        match not_probed {
            Some(Outcome { text, .. }) => {
                let text =
                    format!("{name} is not watched now: {text}; raise the limits of this process");
                self.alarms.raise(AlarmKind::NotProbed, ONE, &text, now);
            }
            None => self.alarms.end(AlarmKind::NotProbed, ONE, now),
        }
    }

    /// Returns whether the server is healthy, as far as a restart is concerned; `None` if that is not
    /// known. A shortage of this process says nothing about the server, which a restart would harm.
    fn judge(&self, outcomes: &[Outcome]) -> Option<bool> {
        let has = |matches: fn(&Verdict) -> bool| {
            outcomes.iter().any(|outcome| matches(&outcome.verdict))
        };
        if has(|verdict| matches!(verdict, Verdict::Unresponsive)) {
            return Some(false);
        }
        if has(|verdict| matches!(verdict, Verdict::NotProbed)) {
            return None;
        }
        has(|verdict| match verdict {
            Verdict::Healthy => true,
            Verdict::Misconfigured { answered, .. } => *answered,
            Verdict::Unresponsive | Verdict::NotProbed => false,
        })
        .then_some(true)
    }

    fn act(&mut self, is_healthy: bool, outcomes: &[Outcome]) {
        let name = self.settings.name.clone();
        let decision = self.policy.decide(is_healthy, self.now());
        let failed = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Unresponsive);
        let error = failed.map(|outcome| outcome.text.as_str()).collect::<Vec<_>>().join("; ");
        match decision {
            Decision::Healthy | Decision::Recovered(_) => {
                match decision {
                    Decision::Recovered(failures) => {
                        log::info!("{name} is healthy again, after {}", failed_probes(failures));
                    }
                    _ => log::debug!("{name} is healthy"),
                }
                self.left_alone.clear();
                let now = self.now();
                self.alarms.end(AlarmKind::RestartsUsedUp, ONE, now);
                self.alarms.end(AlarmKind::RestartFailed, ONE, now);
                self.alarms.end(AlarmKind::WouldNotStart, ONE, now);
                // Someone has started it.
                if self.alarms.has(AlarmKind::GaveUp) {
                    self.check_program();
                }
            }
            Decision::Starting => log::info!("{name} is not up yet: {error}"),
            Decision::Failing(failures) => {
                log::warn!("{name}: {}: {error}", failed_probes(failures));
            }
            Decision::Restart(failures) => {
                log::warn!("{name}: {}: {error}", failed_probes(failures));
                self.alarms.end(AlarmKind::RestartsUsedUp, ONE, self.now());
                if self.is_eligible() && self.would_start(&error) {
                    self.restart(failures);
                }
            }
            Decision::Alarm(failures) => {
                if self.is_eligible() {
                    let text = format!(
                        "{name} is not healthy after {} in a row, and the restarts of this hour \
                         are used up, so it is not restarted: {error}",
                        failed_probes(failures)
                    );
                    self.alarms.raise(AlarmKind::RestartsUsedUp, ONE, &text, self.now());
                } else {
                    self.alarms.end(AlarmKind::RestartsUsedUp, ONE, self.now());
                }
            }
        }
    }

    /// Reads the state of the program, and raises an alarm if supervisord does not answer or has given it
    /// up. Returns that state; `None` if it is not known.
    fn check_program(&mut self) -> Option<Eligibility> {
        let eligibility = self.restarter.eligibility();
        // The call may have taken seconds.
        self.forget_time();
        let (name, now) = (&self.settings.name, self.now());
        self.checked = Some(now);
        match eligibility {
            Ok(eligibility) => {
                self.alarms.end(AlarmKind::SupervisordUnreachable, ONE, now);
                match &eligibility {
                    Eligibility::GaveUp(text) => {
                        self.alarms.raise(AlarmKind::GaveUp, ONE, text, now);
                    }
                    _ => self.alarms.end(AlarmKind::GaveUp, ONE, now),
                }
                Some(eligibility)
            }
            Err(error) => {
                let text = format!("{name} could not be restarted: {error}");
                self.alarms.raise(AlarmKind::SupervisordUnreachable, ONE, &text, now);
                None
            }
        }
    }

    /// Returns true if the server is meant to run and was not just started; else logs the reason.
    fn is_eligible(&mut self) -> bool {
        let reason = match self.check_program() {
            Some(Eligibility::Eligible) => return true,
            Some(Eligibility::Ineligible(reason)) => Some(reason),
            // An alarm says so.
            Some(Eligibility::GaveUp(_)) | None => None,
        };
        self.policy.reset_failures();
        if let Some(reason) = reason
            && self.left_alone.set(reason.clone())
        {
            log::info!("{} is left alone: {reason}", self.settings.name);
        }
        false
    }

    /// Returns true if the server would start again; else raises an alarm. A server that is hung may be
    /// mended in place, and one that has ended serves no one.
    fn would_start(&mut self, error: &str) -> bool {
        let obstacle = self.server.obstacle();
        // The check may have taken seconds.
        self.forget_time();
        let now = self.now();
        let Some(obstacle) = obstacle else {
            self.alarms.end(AlarmKind::WouldNotStart, ONE, now);
            return true;
        };
        let obstacle = obstacle.lines().collect::<Vec<_>>().join("; ");
        let text = format!(
            "{} is not healthy, and is not restarted, as it would not start again: {obstacle}; mend that, \
             and it is restarted. {error}",
            self.settings.name
        );
        self.alarms.raise(AlarmKind::WouldNotStart, ONE, &text, now);
        self.policy.reset_failures();
        false
    }

    fn restart(&mut self, failures: u32) {
        let name = &self.settings.name;
        match self.server.scoreboard() {
            Ok(scoreboard) => log::warn!("scoreboard of {name}: {scoreboard}"),
            Err(error) => log::warn!("scoreboard of {name}: none, {error}"),
        }
        if self.settings.is_dry_run {
            log::warn!("dry run: {name} would be restarted now, after {}", failed_probes(failures));
            self.policy.count_restart(self.now());
            return;
        }
        log::error!("restarting {name} after {} in a row", failed_probes(failures));
        let outcome = self.restarter.restart();
        let now = self.now();
        match &outcome {
            Ok(outcome) => {
                log::warn!("restarted {name}: {outcome}");
                self.alarms.end(AlarmKind::RestartFailed, ONE, now);
            }
            Err(RestartError::NotBegun(error)) => {
                let text = format!("{name} was not restarted: {error}");
                self.alarms.raise(AlarmKind::RestartFailed, ONE, &text, now);
                self.policy.reset_failures();
                return;
            }
            Err(RestartError::Unfinished(error)) => {
                let text = format!("the restart of {name} did not succeed: {error}");
                self.alarms.raise(AlarmKind::RestartFailed, ONE, &text, now);
            }
        }
        self.policy.count_restart(now);
    }
}

fn failed_probes(count: u32) -> String {
    if count == 1 { "1 failed probe".to_owned() } else { format!("{count} failed probes") }
}

#[cfg(test)]
mod tests;
