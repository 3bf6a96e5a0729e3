//! Health probes: requests of `/healthz`, or of another page, from outside the server.
//!
//! The command `probe` makes one, `watch` one at each tick. All addresses of a plan are requested at the
//! same time, each by a thread of its own, so one that hangs delays no other.
//!
//! An address that does not answer may not be the server's: see `reconcile`.

use std::convert::Infallible;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::fault::{Outcome, Verdict, classify};
use super::known::KnownAddresses;
use super::plan::Plan;
use super::probed::Probed;
use super::reconcile::{Observed, Sign, reconcile};
use crate::kernel::pause::{Moment, PauseDetector};
use crate::outbound::{Failure, Response};
use crate::text::one_line;
use crate::threads;
use crate::wall_clock;

/// Longest response, bytes; that of `/healthz` has one line. The page of a dashboard fits, too.
const MAX_RESPONSE: u64 = 1024 * 1024;

/// Longest scoreboard, bytes. The brief one does not grow with the number of sources.
const MAX_SCOREBOARD: u64 = 256 * 1024;

/// Longest wait at a time for the end of the probes, so that a pause of this process is noticed.
const STEP: Duration = Duration::from_millis(250);

/// Least timeout of a probe that is made again after a pause.
const MIN_TIMEOUT: Duration = Duration::from_millis(100);

/// Part of the timeout that is left for the scoreboard, as a divisor: a listener may be silent to the end.
const SCOREBOARD_SHARE: u32 = 5;

/// Page of the admin listener about the whole server. An older server ignores the query.
const SCOREBOARD: &str = "/scoreboard?brief";

/// Probes the addresses of a plan.
#[derive(Debug)]
pub struct Prober {
    plan: Plan,
    known: KnownAddresses,
    timeout: Duration,
}

impl Prober {
    /// Returns a prober whose probes take no longer than `timeout`.
    pub fn new(plan: Plan, timeout: Duration) -> Prober {
        Prober { plan, known: KnownAddresses::default(), timeout }
    }

    /// Probes by another plan from now on.
    pub(super) fn follow(&mut self, plan: Plan) {
        self.known.follow(&self.plan, &plan);
        self.plan = plan;
    }

    /// Returns the plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Probes all addresses at the same time, within the timeout. Returns an outcome for each, that of the
    /// admin listener first.
    ///
    /// # Errors
    /// This process was stopped or the machine slept meanwhile, for that long: deadlines have passed for no
    /// fault of the server's.
    pub fn probe(&mut self) -> Result<Vec<Outcome>, Duration> {
        let (outcomes, paused) = self.observe(self.timeout);
        if paused.is_zero() { Ok(outcomes) } else { Err(paused) }
    }

    /// Does the same as [`Prober::probe`], and probes again, once, after a pause: in what is left of the
    /// timeout, in which the pause does not count.
    pub fn probe_once(&mut self) -> Vec<Outcome> {
        let begun = Instant::now();
        let (outcomes, paused) = self.observe(self.timeout);
        if paused.is_zero() {
            return outcomes;
        }
        let used = begun.elapsed().saturating_sub(paused);
        self.observe(self.timeout.saturating_sub(used).max(MIN_TIMEOUT)).0
    }

    /// Probes all addresses. Also returns for how long this process or the machine has paused meanwhile.
    fn observe(&mut self, timeout: Duration) -> (Vec<Outcome>, Duration) {
        let deadline = Instant::now() + timeout;
        let former = self.known.former().iter().map(|former| &former.probed);
        let probes: Vec<&Probed> = self.plan.probes().chain(former).collect();
        let has_admin = self.plan.admin.is_some();
        let may_ask = has_admin && probes.len() > 1;
        let for_scoreboard = if may_ask { timeout / SCOREBOARD_SHARE } else { Duration::ZERO };
        let (mut observed, paused) = observe_all(&self.plan, &probes, timeout - for_scoreboard);
        let former = observed.split_off(self.plan.probes().count());
        let scoreboard = |admin: &Probed| {
            let left = deadline.saturating_duration_since(Instant::now());
            page(admin, SCOREBOARD, left).ok().map(|page| page.body)
        };
        let outcomes = reconcile(has_admin, observed, former, &mut self.known, scoreboard);
        (outcomes, paused)
    }

    /// Returns the server's scoreboard on one line.
    ///
    /// # Errors
    /// The request failed.
    pub fn scoreboard(&self) -> Result<String, String> {
        let former = self.known.former().iter().filter(|former| former.is_admin);
        let mut admins = self.plan.admin.iter().chain(former.map(|former| &former.probed));
        let Some(admin) = admins.next() else {
            return Err("the admin listener is not known".to_owned());
        };
        let response =
            page(admin, SCOREBOARD, self.timeout).map_err(|failure| failure.to_string())?;
        Ok(one_line(&response.body, MAX_SCOREBOARD as usize))
    }
}

/// Probes addresses, each by a thread of its own. Also returns for how long this process or the machine has
/// paused meanwhile.
fn observe_all(plan: &Plan, probes: &[&Probed], timeout: Duration) -> (Vec<Observed>, Duration) {
    let mut pauses = PauseDetector::new(Moment::now());
    let mut paused = Duration::ZERO;
    let observed = thread::scope(|scope| {
        let (sender, ended) = bounded::<Infallible>(0);
        let started: Vec<_> = probes
            .iter()
            .map(|&probed| {
                let builder = thread::Builder::new().name(threads::PROBE.to_owned());
                let running = sender.clone();
                builder.spawn_scoped(scope, move || {
                    // Dropped at the end of the thread, also by a panic.
                    let _running = running;
                    observe_one(plan, probed, timeout)
                })
            })
            .collect();
        drop(sender);
        // Disconnected when all have ended.
        while ended.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
            paused += pauses.step(Moment::now(), STEP).unwrap_or_default();
        }
        paused += pauses.step(Moment::now(), STEP).unwrap_or_default();
        type Started<'scope> = io::Result<thread::ScopedJoinHandle<'scope, Observed>>;
        let outcome = |(started, probed): (Started<'_>, &&Probed)| match started {
            Ok(thread) => thread.join().unwrap_or_else(|_| panicked(probed)),
            // Without a thread, the server is probed on this one.
            Err(_) => observe_one(plan, probed, timeout),
        };
        started.into_iter().zip(probes).map(outcome).collect()
    });
    (observed, paused)
}

fn observe_one(plan: &Plan, probed: &Probed, timeout: Duration) -> Observed {
    let result = probed.client(timeout).get(&probed.target.path, MAX_RESPONSE);
    let outcome = classify(probed, plan, &result, wall_clock::now());
    Observed { probed: probed.clone(), outcome, sign: Sign::of(&result) }
}

/// Returns a page of an admin listener within the timeout.
fn page(admin: &Probed, path: &str, timeout: Duration) -> Result<Response, Failure> {
    admin.client(timeout).get(path, MAX_SCOREBOARD)
}

/// Returns the outcome of a probe that a defect of this program has ended.
fn panicked(probed: &Probed) -> Observed {
    let target = probed.to_string();
    let text = format!("{target}: the probe panicked");
    let outcome = Outcome { target, verdict: Verdict::NotProbed, text };
    Observed { probed: probed.clone(), outcome, sign: Sign::Other }
}

#[cfg(test)]
mod tests;
