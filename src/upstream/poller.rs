//! The thread of one source: wait, poll, report.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, select};
use jiff::Timestamp;

use super::fetch::{FetchError, Fetched, Fetcher, Request, Validators};
use super::interpret::{DecodeFailure, interpret};
use super::on_demand::OnDemand;
use super::rate_limit::RateLimiter;
use super::schedule::{Feedback, Schedule};
use super::stats::{HEARTBEAT_INTERVAL, Outcome, PollStats};
use crate::board::{ErrorKind, PollError, Polled, Report, Reporter};
use crate::config;
use crate::logging::OnChange;
use crate::threads::StopToken;

/// One source and everything needed to poll it.
pub(super) struct Poller {
    pub(super) source: config::Source,
    pub(super) request: Request,
    /// Creates a fetcher, at the start and after a panic, which may have left the last one in an
    /// inconsistent state.
    pub(super) make_fetcher: Box<dyn Fn() -> Fetcher + Send>,
    pub(super) schedule: Schedule,
    /// Rate limiter shared with other sources of its group.
    pub(super) limiter: Option<Arc<RateLimiter>>,
    pub(super) on_demand: Arc<OnDemand>,
    pub(super) reporter: Reporter,
    pub(super) stats: Arc<PollStats>,
}

/// Result of a poll, for the board and for the schedule.
struct Polling {
    outcome: Result<Polled, PollError>,
    feedback: Feedback,
    /// Time at which the response was complete, or the poll failed.
    at: Timestamp,
    /// Beginning of a response that could not be decoded.
    excerpt: Option<String>,
}

impl Poller {
    /// Polls until `stop` is disconnected.
    pub(super) fn run(mut self, stop: &StopToken) {
        let mut fetcher = (self.make_fetcher)();
        let mut validators = Validators::default();
        let mut failure = OnChange::new();
        let mut due = self.schedule.first();
        while self.wait_for_turn(due, stop) {
            let begun = Instant::now();
            self.stats.begin();
            // A bug in a decoder must cost one poll and not the source. The state that the closure
            // touches is either replaced after a panic or assigned as a whole.
            let polling = panic::catch_unwind(AssertUnwindSafe(|| {
                poll(&self.source, &self.request, &fetcher, &mut validators)
            }))
            .unwrap_or_else(|_| {
                fetcher = (self.make_fetcher)();
                panicked()
            });
            let now = Instant::now();
            self.stats.end(outcome(&polling), now.duration_since(begun));
            due = self.schedule.next(polling.feedback, now, fastrand::f64());
            let hold = match polling.feedback {
                Feedback::SlowDown(_) => due.duration_since(now),
                Feedback::Success | Feedback::Failure => Duration::ZERO,
            };
            self.on_demand.polled(now, hold);
            if stop.try_recv() == Err(TryRecvError::Disconnected) {
                // A poller of a newer configuration may be polling the source by now.
                return;
            }
            self.log(&polling, &mut failure, due.duration_since(now));
            let report = Report {
                source: self.source.name.clone(),
                at: polling.at,
                outcome: polling.outcome,
                next_poll_at: wall_clock(due),
            };
            if !self.reporter.send(report) {
                return;
            }
        }
    }

    /// Waits until a poll is due or requested, then for the rate limiter. Returns false if the thread
    /// must stop.
    fn wait_for_turn(&self, due: Instant, stop: &StopToken) -> bool {
        let never = crossbeam_channel::never();
        if !self.wait_until(due, self.on_demand.requests(), stop) {
            return false;
        }
        match &self.limiter {
            Some(limiter) => self.wait_until(limiter.reserve(Instant::now()), &never, stop),
            None => true,
        }
    }

    /// Waits until `due` or a request for a poll, with heartbeats. Returns false if the thread must stop.
    fn wait_until(&self, due: Instant, requests: &Receiver<()>, stop: &StopToken) -> bool {
        loop {
            self.stats.beat();
            let wake = due.min(Instant::now() + HEARTBEAT_INTERVAL);
            select! {
                recv(stop) -> _ => return false,
                recv(requests) -> _ => return true,
                recv(crossbeam_channel::at(wake)) -> _ => {
                    if Instant::now() >= due {
                        return true;
                    }
                }
            }
        }
    }

    /// Logs when a source begins to fail, fails in another way, or recovers. Repeated failures are
    /// logged at debug level.
    fn log(&self, polling: &Polling, failure: &mut OnChange<ErrorKind>, wait: Duration) {
        let (name, wait) = (&self.source.name, wait.as_secs());
        match &polling.outcome {
            Err(error) if failure.set(error.kind) => {
                log::warn!("{name}: {error}; next poll in {wait} s");
                if let Some(excerpt) = &polling.excerpt {
                    log::warn!("{name}: the response begins {excerpt}");
                }
            }
            Err(error) => log::debug!("{name}: still {error}; next poll in {wait} s"),
            Ok(_) if failure.clear() => log::info!("{name}: polls succeed again"),
            Ok(_) => log::debug!("{name}: polled; next poll in {wait} s"),
        }
    }
}

/// Polls once: fetches and decodes.
fn poll(
    source: &config::Source,
    request: &Request,
    fetcher: &Fetcher,
    validators: &mut Validators,
) -> Polling {
    let answer = fetcher.fetch(request, validators);
    let at = Timestamp::now();
    match answer {
        Ok(Fetched::NotModified) => succeeded(Polled::Unchanged, at),
        Ok(Fetched::Body { body, validators: new }) => {
            match interpret(source, &request.secrets, &body, at) {
                Ok(reading) => {
                    // Kept only now, so that a 304 always refers to the reading on the board.
                    *validators = new;
                    succeeded(Polled::Reading(reading), at)
                }
                Err(DecodeFailure { error, excerpt }) => {
                    Polling { excerpt: Some(excerpt), ..failed(error.into(), at) }
                }
            }
        }
        Err(error) => failed(error, at),
    }
}

fn succeeded(polled: Polled, at: Timestamp) -> Polling {
    Polling { outcome: Ok(polled), feedback: Feedback::Success, at, excerpt: None }
}

fn failed(FetchError { error, retry_after }: FetchError, at: Timestamp) -> Polling {
    let slow_down = error.kind == ErrorKind::RateLimited || retry_after.is_some();
    let feedback = if slow_down { Feedback::SlowDown(retry_after) } else { Feedback::Failure };
    Polling { outcome: Err(error), feedback, at, excerpt: None }
}

fn panicked() -> Polling {
    let message = "a bug in this program; see the panic in its log";
    failed(PollError::new(ErrorKind::Panic, message).into(), Timestamp::now())
}

fn outcome(polling: &Polling) -> Outcome {
    match &polling.outcome {
        Ok(Polled::Reading(_)) => Outcome::Ok,
        Ok(Polled::Unchanged) => Outcome::NotModified,
        Err(error) => Outcome::Failed(error.kind),
    }
}

/// Returns the wall-clock time of an instant, by the current setting of the clock.
fn wall_clock(due: Instant) -> Timestamp {
    let wait = due.saturating_duration_since(Instant::now());
    Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX)
}
