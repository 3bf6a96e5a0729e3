//! The loop of a poller thread: wait until a poll is due or requested, poll, report to the board.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, select};
use jiff::Timestamp;

use super::fetch::{FetchError, Fetched, Fetcher, Request};
use super::interpret::{DecodeFailure, interpret};
use super::json::Settling;
use super::last_response::LastResponse;
use super::on_demand::OnDemand;
use super::rate_limit::RateLimiter;
use super::schedule::{Feedback, Schedule};
use super::stats::{HEARTBEAT_INTERVAL, Outcome, PollStats};
use crate::board::{ErrorKind, PollError, Polled, Report, Reporter};
use crate::config;
use crate::kernel::clock::{SuspendDetector, TimePoint};
use crate::logging::OnChange;
use crate::threads::StopToken;

/// One source, with everything that its thread needs to poll it.
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
struct PollResult {
    outcome: Result<Polled, PollError>,
    feedback: Feedback,
    /// Time at which the response was complete, or the poll failed.
    at: TimePoint,
    /// Beginning of a response that could not be decoded.
    excerpt: Option<String>,
}

impl Poller {
    /// Polls repeatedly until `stop` is disconnected.
    pub(super) fn run(mut self, stop: &StopToken) {
        let mut fetcher = (self.make_fetcher)();
        let mut last = LastResponse::new(self.source.stale_after);
        let mut settling = Settling::default();
        let mut failure = OnChange::new();
        let mut due = self.schedule.first();
        let mut may_advance = true;
        while self.wait_for_turn(due, may_advance, stop) {
            let started = Instant::now();
            self.stats.begin();
            // A panic in a decoder fails one poll and must not end the thread. It cannot leave the state of
            // the closure inconsistent: the fetcher and the state of earlier observations are replaced, and
            // a response is stored as a whole.
            let poll = AssertUnwindSafe(|| self.poll(&fetcher, &mut last, &mut settling));
            let result = panic::catch_unwind(poll).unwrap_or_else(|_| {
                fetcher = (self.make_fetcher)();
                settling = Settling::default();
                panicked(self.reporter.now())
            });
            let now = Instant::now();
            self.stats.end(outcome(&result), now.duration_since(started));
            due = self.schedule.next(result.feedback, now, fastrand::f64());
            let requested_wait = match result.feedback {
                Feedback::SlowDown(_) => due.duration_since(now),
                Feedback::Success | Feedback::Failure => Duration::ZERO,
            };
            self.on_demand.polled(now, requested_wait);
            may_advance = requested_wait.is_zero();
            if stop.try_recv() == Err(TryRecvError::Disconnected) {
                // Not reported: a poller of a newer configuration may be polling the source already.
                return;
            }
            self.log(&result, &mut failure, due.duration_since(now));
            let report = Report {
                source: self.source.name.clone(),
                at: result.at,
                outcome: result.outcome,
                next_poll_at: self.wall_clock(due),
            };
            if !self.reporter.send(report) {
                return;
            }
        }
    }

    /// Waits until a poll is due or requested, then for the rate limiter. Returns false if the thread
    /// must stop. `may_advance` is false if the upstream asked us to wait until `due`.
    fn wait_for_turn(&self, due: Instant, may_advance: bool, stop: &StopToken) -> bool {
        let (never, no_repoll) = (crossbeam_channel::never(), crossbeam_channel::never());
        let repolls = if may_advance { self.on_demand.repolls() } else { &no_repoll };
        if !self.wait_until(due, self.on_demand.requests(), repolls, stop) {
            return false;
        }
        match &self.limiter {
            Some(limiter) => {
                self.wait_until(limiter.reserve(Instant::now()), &never, &no_repoll, stop)
            }
            None => true,
        }
    }

    /// Waits until `due`, a request for a poll, or the earlier time of a repoll, with heartbeats. Time in suspend
    /// counts: after it, polls that became due meanwhile begin within seconds, spread as at a start. Returns false
    /// if the thread must stop.
    fn wait_until(
        &self,
        mut due: Instant,
        requests: &Receiver<()>,
        repolls: &Receiver<Instant>,
        stop: &StopToken,
    ) -> bool {
        let mut clock = SuspendDetector::new(self.reporter.now().boot, Instant::now());
        loop {
            self.stats.beat();
            let now = Instant::now();
            let suspended = clock.suspended(self.reporter.now().boot, now);
            if !suspended.is_zero() {
                let earliest = due.min(now + self.schedule.offset());
                due = due.checked_sub(suspended).map_or(earliest, |due| due.max(earliest));
            }
            let wake = due.min(Instant::now() + HEARTBEAT_INTERVAL);
            select! {
                recv(stop) -> _ => return false,
                recv(requests) -> _ => return true,
                recv(repolls) -> at => due = at.map_or(due, |at| due.min(at)),
                recv(crossbeam_channel::at(wake)) -> _ => {
                    if Instant::now() >= due {
                        return true;
                    }
                }
            }
        }
    }

    /// Polls once: fetches and decodes.
    fn poll(
        &self,
        fetcher: &Fetcher,
        last: &mut LastResponse,
        settling: &mut Settling,
    ) -> PollResult {
        let validators = last.validators(self.reporter.now().wall, Instant::now());
        let fetched = fetcher.fetch(&self.request, validators);
        let at = self.reporter.now();
        match fetched {
            Ok(Fetched::NotModified) => succeeded(Polled::Unchanged, at),
            Ok(Fetched::Body { body, validators }) => {
                match interpret(&self.source, &self.request.secrets, settling, &body, at.wall) {
                    Ok(reading) => {
                        // Stored only after decoding, so that a 304 always refers to a reading that was reported.
                        if last.store(validators, &reading, Instant::now()) {
                            let name = &self.source.name;
                            log::info!(
                                "{name}: the upstream sends the same validators with another reading; it \
                                 is no longer asked whether its response has changed"
                            );
                        }
                        succeeded(Polled::Reading(reading), at)
                    }
                    Err(DecodeFailure { error, excerpt }) => {
                        PollResult { excerpt: Some(excerpt), ..failed(error.into(), at) }
                    }
                }
            }
            Err(error) => failed(error, at),
        }
    }

    /// Converts an instant to wall-clock time, by the present setting of the clock.
    fn wall_clock(&self, due: Instant) -> Timestamp {
        let wait = due.saturating_duration_since(Instant::now());
        self.reporter.now().wall.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Logs when a source begins to fail, fails in another way, or recovers. Repeated failures are
    /// logged at debug level.
    fn log(&self, result: &PollResult, failure: &mut OnChange<ErrorKind>, wait: Duration) {
        let (name, wait) = (&self.source.name, wait.as_secs());
        match &result.outcome {
            Err(error) if failure.set(error.kind) => {
                log::warn!("{name}: {error}; next poll in {wait} s");
                if let Some(excerpt) = &result.excerpt {
                    log::warn!("{name}: the response begins {excerpt}");
                }
            }
            Err(error) => log::debug!("{name}: poll failed again: {error}; next poll in {wait} s"),
            Ok(_) if failure.clear() => log::info!("{name}: polls succeed again"),
            Ok(_) => log::debug!("{name}: poll succeeded; next poll in {wait} s"),
        }
    }
}

fn succeeded(polled: Polled, at: TimePoint) -> PollResult {
    PollResult { outcome: Ok(polled), feedback: Feedback::Success, at, excerpt: None }
}

fn failed(FetchError { error, retry_after }: FetchError, at: TimePoint) -> PollResult {
    let slow_down = error.kind == ErrorKind::RateLimited || retry_after.is_some();
    let feedback = if slow_down { Feedback::SlowDown(retry_after) } else { Feedback::Failure };
    PollResult { outcome: Err(error), feedback, at, excerpt: None }
}

fn panicked(at: TimePoint) -> PollResult {
    let message = "a bug in pumphouse-web: see the panic in its log, and report it";
    failed(PollError::new(ErrorKind::Panic, message).into(), at)
}

fn outcome(result: &PollResult) -> Outcome {
    match &result.outcome {
        Ok(Polled::Reading(_)) => Outcome::Ok,
        Ok(Polled::Unchanged) => Outcome::NotModified,
        Err(error) => Outcome::Failed(error.kind),
    }
}
