//! Health probes: requests of `/healthz`, or of another page, from outside the server.
//!
//! The command `probe` makes one, `watch` one at each tick. All addresses of a plan are requested at the
//! same time, each by a thread of its own, so one that hangs delays no other.
//!
//! A listener of the configuration that does not answer, while the admin listener does, may not be the
//! server's: it was started with other options, or waits for its address. The scoreboard says so, and then
//! a restart would change nothing. See `serving`.

use std::convert::Infallible;
use std::io;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};
use jiff::Timestamp;

use super::fault::{Outcome, Verdict, classify};
use super::plan::Plan;
use super::probed::{Probed, Way};
use super::serving;
use crate::kernel::pause::{Moment, PauseDetector};
use crate::outbound::{Failure, Response};
use crate::text::one_line;
use crate::threads;

/// Longest response, bytes; that of `/healthz` has one line. The page of a dashboard fits, too.
const MAX_RESPONSE: u64 = 1024 * 1024;

/// Longest scoreboard, bytes.
const MAX_SCOREBOARD: u64 = 256 * 1024;

/// Longest wait at a time for the end of the probes, so that a pause of this process is noticed.
const STEP: Duration = Duration::from_millis(250);

/// Page of the admin listener about the whole server.
const SCOREBOARD: &str = "/scoreboard";

/// Probes the addresses of a plan.
#[derive(Debug)]
pub struct Prober {
    plan: Plan,
    timeout: Duration,
}

impl Prober {
    /// Returns a prober whose probes take no longer than `timeout`.
    pub fn new(plan: Plan, timeout: Duration) -> Prober {
        Prober { plan, timeout }
    }

    /// Probes by another plan from now on.
    pub(super) fn follow(&mut self, plan: Plan) {
        self.plan = plan;
    }

    /// Returns the plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Probes all addresses at the same time, within the timeout. Returns an outcome for each, that of the
    /// admin listener first; `None` if this process was stopped or the machine slept meanwhile: then
    /// deadlines have passed for no fault of the server's.
    pub fn probe(&self) -> Option<Vec<Outcome>> {
        let (outcomes, has_paused) = self.observe();
        (!has_paused).then_some(outcomes)
    }

    /// Does the same as [`Prober::probe`], and probes again, once, after a pause.
    pub fn probe_once(&self) -> Vec<Outcome> {
        self.probe().unwrap_or_else(|| self.observe().0)
    }

    /// Probes all addresses. Also returns true if this process or the machine has paused meanwhile.
    fn observe(&self) -> (Vec<Outcome>, bool) {
        let probes: Vec<&Probed> = self.plan.probes().collect();
        let mut pauses = PauseDetector::new(Moment::now());
        let mut has_paused = false;
        let mut outcomes: Vec<Outcome> = thread::scope(|scope| {
            let (sender, ended) = bounded::<Infallible>(0);
            let started: Vec<_> = probes
                .iter()
                .map(|&probed| {
                    let builder = thread::Builder::new().name(threads::PROBE.to_owned());
                    let running = sender.clone();
                    builder.spawn_scoped(scope, move || {
                        // Dropped at the end of the thread, also by a panic.
                        let _running = running;
                        self.outcome(probed)
                    })
                })
                .collect();
            drop(sender);
            // Disconnected when all have ended.
            while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
                has_paused |= pauses.step(Moment::now(), STEP).is_some();
            }
            has_paused |= pauses.step(Moment::now(), STEP).is_some();
            type Started<'scope> = io::Result<thread::ScopedJoinHandle<'scope, Outcome>>;
            let outcome = |(started, probed): (Started<'_>, &&Probed)| match started {
                Ok(thread) => thread.join().unwrap_or_else(|_| panicked(probed)),
                // Without a thread, the server is probed on this one.
                Err(_) => self.outcome(probed),
            };
            started.into_iter().zip(&probes).map(outcome).collect()
        });
        self.ask_the_server(&mut outcomes);
        (outcomes, has_paused)
    }

    fn outcome(&self, probed: &Probed) -> Outcome {
        let result = probed.client(self.timeout).get(&probed.target.path, MAX_RESPONSE);
        classify(probed, &self.plan, &result, Timestamp::now())
    }

    /// Replaces the outcomes of configured listeners that do not answer, if the server answers on its
    /// admin listener that it does not serve there.
    fn ask_the_server(&self, outcomes: &mut [Outcome]) {
        let Some((admin, public)) = outcomes.split_first_mut() else { return };
        if self.plan.admin.is_none() || admin.verdict != Verdict::Healthy {
            return;
        }
        let mut scoreboard = None;
        for (outcome, probed) in public.iter_mut().zip(&self.plan.public) {
            let Way::Listener { listen, is_tls, .. } = &probed.way else { continue };
            if outcome.verdict != Verdict::Unresponsive {
                continue;
            }
            // Without a scoreboard, the outcome stays.
            let Ok(page) = scoreboard.get_or_insert_with(|| self.page(SCOREBOARD)) else { return };
            if let Some(fault) = serving::contradiction(&page.body, listen, *is_tls) {
                outcome.verdict = fault.verdict;
                outcome.text = format!("{}: {}", outcome.text, fault.text);
            }
        }
    }

    /// Returns a page of the admin listener within the timeout.
    fn page(&self, path: &str) -> Result<Response, String> {
        let Some(admin) = &self.plan.admin else {
            return Err("the admin listener is not known".to_owned());
        };
        let page = admin.client(self.timeout).get(path, MAX_SCOREBOARD);
        page.map_err(|failure: Failure| failure.to_string())
    }

    /// Returns the server's scoreboard on one line.
    ///
    /// # Errors
    /// The request failed.
    pub fn scoreboard(&self) -> Result<String, String> {
        let response = self.page(SCOREBOARD)?;
        Ok(one_line(&response.body, MAX_SCOREBOARD as usize))
    }
}

/// Returns the outcome of a probe that a defect of this program has ended.
fn panicked(probed: &Probed) -> Outcome {
    let target = probed.to_string();
    let text = format!("{target}: the probe panicked");
    Outcome { target, verdict: Verdict::NotProbed, text }
}

#[cfg(test)]
mod tests;
