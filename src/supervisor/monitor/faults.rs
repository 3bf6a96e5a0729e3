//! Alarms about what a restart does not cure, from the outcomes of a tick.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Monitor, ONE, TICK, failures_of};
use crate::supervisor::alarm::AlarmKind;
use crate::supervisor::fault::{Outcome, Verdict};

/// Probes in a row that have to find a certificate that is not trusted: more than a minute of them, within
/// which the server loads a renewed one. This process may have been started in between, and have read the new
/// one only.
const MIN_UNTRUSTED: u32 = 15;

/// Probes in a row that have to be shed: a minute.
const MIN_SHED: u32 = 12;

/// Least number of probes in a row that have to miss an address, or a path: a minute, in which DHCP, Wi-Fi or
/// IPv6 bring it, or the server that is to serve there starts.
const MIN_ABSENT: u32 = 12;

/// Ticks in a row in which this process has paused, after which its probes are not relied on.
const MAX_PAUSED: u32 = 6;

/// Number of probes in a row with the same fault, by address.
pub(super) type FaultRows = BTreeMap<String, (Option<AlarmKind>, u32)>;

impl Monitor {
    /// Raises the alarms about probes that a restart does not cure, and ends those that are over.
    pub(super) fn raise_faults(&mut self, outcomes: &[Outcome]) {
        let now = self.now();
        if self.is_stopped && !outcomes.iter().any(answers) {
            return;
        }
        let name = &self.settings.name;
        let min_absent = min_absent(self.settings.limits.grace);
        self.faults.retain(|subject, _| outcomes.iter().any(|one| one.target == *subject));
        for Outcome { target, verdict, text } in outcomes {
            let fault = match verdict {
                Verdict::Misconfigured { kind, .. } => Some(*kind),
                Verdict::Healthy => None,
                // It is not known whether the fault is mended.
                Verdict::Unresponsive | Verdict::NotProbed => continue,
            };
            self.alarms.end_all(now, |kind, subject| subject == target && Some(kind) != fault);
            let row = self.faults.entry(target.clone()).or_default();
            *row = if row.0 == fault { (fault, row.1.saturating_add(1)) } else { (fault, 1) };
            let least = match fault {
                Some(AlarmKind::CertificateUntrusted) => MIN_UNTRUSTED,
                Some(AlarmKind::Overloaded) => MIN_SHED,
                Some(AlarmKind::Route | AlarmKind::Listener) => min_absent,
                _ => 1,
            };
            if let Some(kind) = fault.filter(|_| row.1 >= least) {
                let text = match verdict {
                    // A file, and no address.
                    Verdict::Misconfigured { answered: false, .. } => format!("{name}: {text}"),
                    _ => format!("{name} cannot be probed at {text}"),
                };
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
            None if self.paused_ticks < MAX_PAUSED => {
                self.alarms.end(AlarmKind::NotProbed, ONE, now);
            }
            None => {}
        }
    }

    /// Counts the ticks in a row in which this process has paused, and raises an alarm if they are many: a
    /// server that hangs would not be restarted.
    pub(super) fn raise_disturbed(&mut self) {
        let has_paused = std::mem::take(&mut self.has_paused);
        self.paused_ticks = if has_paused { self.paused_ticks.saturating_add(1) } else { 0 };
        if self.paused_ticks >= MAX_PAUSED {
            let text = format!(
                "{} is not watched now: this process did not run in time at {} ticks in a row, so failed \
                 probes do not count: the machine is short of processor time or memory",
                self.settings.name, self.paused_ticks
            );
            self.alarms.raise(AlarmKind::NotProbed, ONE, &text, self.now());
        }
    }

    /// Raises an alarm if the server is meant to run, and was not healthy for a whole minute for some time.
    pub(super) fn raise_spell(&mut self, is_healthy: bool, outcomes: &[Outcome]) {
        let now = self.now();
        if self.is_stopped && !is_healthy {
            self.spell = Default::default();
        }
        match self.spell.lasts(is_healthy, now) {
            Some(lasts) if !is_healthy => {
                let text = format!(
                    "{} has not been healthy for a minute on end in {} min, although it is meant to run; it \
                     may crash soon after each start: read its log. {}",
                    self.settings.name,
                    lasts.as_secs() / 60,
                    failures_of(outcomes)
                );
                self.alarms.raise(AlarmKind::NotHealthy, ONE, &text, now);
            }
            Some(_) => {}
            None => self.alarms.end(AlarmKind::NotHealthy, ONE, now),
        }
    }

    /// Ends the alarms about a server that an operator has stopped.
    pub(super) fn end_alarms_of_probes(&mut self) {
        let now = self.now();
        self.alarms.end_all(now, |kind, subject| {
            subject != ONE
                || matches!(
                    kind,
                    AlarmKind::NotHealthy
                        | AlarmKind::WouldNotStart
                        | AlarmKind::RestartsUsedUp
                        | AlarmKind::RestartFailed
                )
        });
    }
}

/// Returns the number of probes in a row that have to miss an address: more than fit in the grace period.
fn min_absent(grace: Duration) -> u32 {
    let in_grace = grace.as_secs() / TICK.as_secs();
    u32::try_from(in_grace).unwrap_or(u32::MAX).saturating_add(2).max(MIN_ABSENT)
}

fn answers(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Healthy | Verdict::Misconfigured { answered: true, .. })
}
