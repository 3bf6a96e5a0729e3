//! The loop of `watch`: wait for a tick, probe the server, restart it if the policy decides so.

mod faults;
mod program;
mod spell;

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};

use self::faults::FaultRows;
use self::spell::UnhealthySpell;
use super::alarm::{ALARM_INTERVAL, AlarmKind, Alarms};
use super::fault::{Outcome, Verdict};
use super::restart::Restarter;
use super::restart_policy::{Decision, RestartLimits, RestartPolicy};
use super::serve_options::ReadOptions;
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

/// Shortest pause of this process after which failures before it do not count. A shorter one is a busy
/// machine, on which a server that hangs is restarted, too.
const MIN_PAUSE: Duration = Duration::from_millis(2500);

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
    /// Reader of the command line of the server's process.
    pub read_options: ReadOptions,
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
    faults: FaultRows,
    spell: UnhealthySpell,
    /// True if this process has paused since the previous tick.
    has_paused: bool,
    /// Number of ticks in a row before which, or in which, it has paused.
    paused_ticks: u32,
    /// True if an operator has stopped the program.
    is_stopped: bool,
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
            faults: FaultRows::default(),
            spell: UnhealthySpell::default(),
            has_paused: false,
            paused_ticks: 0,
            is_stopped: false,
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
        self.resume_after(pause);
    }

    /// Forgets the failures before a pause, if it was long. The server may have slept as well.
    fn resume_after(&mut self, pause: Duration) {
        if pause < MIN_PAUSE {
            return;
        }
        log::info!(
            "this process did not run for {} s, as it was stopped or the machine slept; failures \
             before do not count",
            pause.as_secs()
        );
        self.has_paused = true;
        let now = self.now();
        self.policy.resume_after_pause(now);
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
        let outcomes = match self.server.probe() {
            Ok(outcomes) => outcomes,
            Err(pause) => {
                log::info!("the probe is discarded: this process did not run meanwhile");
                self.resume_after(pause);
                self.has_paused = true;
                self.raise_disturbed();
                self.alarms.repeat(self.now());
                self.forget_time();
                return;
            }
        };
        self.raise_disturbed();
        self.raise_faults(&outcomes);
        let judged = self.judge(&outcomes);
        if let Some(is_healthy) = judged {
            self.act(is_healthy, &outcomes);
        }
        if self.is_check_due(begun, judged == Some(true)) {
            self.check_program();
        }
        if let Some(is_healthy) = judged {
            self.raise_spell(is_healthy, &outcomes);
        }
        self.alarms.repeat(self.now());
        self.forget_time();
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
        let error = failures_of(outcomes);
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
}

/// Returns the texts of the failed probes.
fn failures_of(outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Unresponsive);
    failed.map(|outcome| outcome.text.as_str()).collect::<Vec<_>>().join("; ")
}

fn failed_probes(count: u32) -> String {
    if count == 1 { "1 failed probe".to_owned() } else { format!("{count} failed probes") }
}

#[cfg(test)]
mod tests;
