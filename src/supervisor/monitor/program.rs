//! The program under supervision: its state, and its restart.

use std::time::Instant;

use super::{Monitor, ONE, failed_probes};
use crate::supervisor::alarm::{ALARM_INTERVAL, AlarmKind};
use crate::supervisor::restart::{Eligibility, RestartError};
use crate::supervisor::serve_options::ServeOptions;

impl Monitor {
    /// Returns true if the state of the program is to be read at the end of a tick: at each one while the
    /// server is not healthy or was given up, else once a minute, as while supervisord does not answer.
    pub(super) fn is_check_due(&self, begun: Instant, is_healthy: bool) -> bool {
        let Some(checked) = self.checked else { return true };
        let is_silent = self.alarms.has(AlarmKind::SupervisordUnreachable);
        let is_wanted = self.alarms.has(AlarmKind::GaveUp) || !is_healthy && !is_silent;
        let is_old = self.now().saturating_duration_since(checked) >= ALARM_INTERVAL;
        is_old || is_wanted && checked < begun
    }

    /// Reads the state of the program, and raises an alarm if supervisord does not answer or has given it
    /// up. Returns that state; `None` if it is not known.
    pub(super) fn check_program(&mut self) -> Option<Eligibility> {
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
                self.is_stopped = matches!(eligibility, Eligibility::Stopped(_));
                if self.is_stopped {
                    self.end_alarms_of_probes();
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
    pub(super) fn is_eligible(&mut self) -> bool {
        let reason = match self.check_program() {
            Some(Eligibility::Eligible) => return true,
            Some(Eligibility::Ineligible(reason) | Eligibility::Stopped(reason)) => Some(reason),
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
    pub(super) fn would_start(&mut self, error: &str) -> bool {
        let read = self.settings.read_options;
        let process = self.restarter.process();
        let options = process.and_then(|pid| ServeOptions::of_process(pid, read));
        let obstacle = self.server.obstacle(options);
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

    pub(super) fn restart(&mut self, failures: u32) {
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
