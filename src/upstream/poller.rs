//! One source: its state between polls, and a poll of it from the request to the report. Any poller thread may run
//! the next poll.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::digest::Challenge;
use super::fetch::{FetchError, Fetched, Fetcher, Request};
use super::interpret::{DecodeFailure, interpret};
use super::json::Settling;
use super::kind;
use super::last_response::LastResponse;
use super::on_demand::OnDemand;
use super::queue::Next;
use super::schedule::{Feedback, Schedule};
use super::stats::{Outcome, PollStats};
use crate::board::{ErrorKind, PollError, Polled, Report, Reporter};
use crate::config;
use crate::kernel::clock::TimePoint;
use crate::logging::OnChange;
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::ClientTls;

/// One source, with everything that a thread needs to poll it.
pub(super) struct Poller {
    pub(super) source: Arc<config::Source>,
    pub(super) route: Route,
    pub(super) reporter: Reporter,
    pub(super) on_demand: Arc<OnDemand>,
    pub(super) stats: Arc<PollStats>,
    pub(super) retirement: Arc<Retirement>,
    pub(super) memory: Memory,
}

/// Parts of a request that sources share.
pub(super) struct Route {
    pub(super) user_agent: Arc<str>,
    pub(super) tls: ClientTls,
    pub(super) resolver: ThreadedResolver,
    /// Builds the request of a source: [`kind::request`], except in tests.
    pub(super) request: fn(&config::Source) -> Request,
}

/// Results of earlier polls that later ones depend on.
pub(super) struct Memory {
    schedule: Schedule,
    last: LastResponse,
    settling: Settling,
    challenge: Option<Challenge>,
    failure: OnChange<ErrorKind>,
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

impl Memory {
    pub(super) fn new(source: &config::Source, schedule: Schedule) -> Memory {
        Memory {
            schedule,
            last: LastResponse::new(source.stale_after),
            settling: Settling::default(),
            challenge: None,
            failure: OnChange::new(),
        }
    }
}

impl Poller {
    /// Polls, and sends the report to the board, which may block for a moment. Returns the time of the next poll.
    pub(super) fn run(&mut self) -> Next {
        let started = Instant::now();
        self.stats.begin();
        self.memory.schedule.begin(started);
        // A panic in a decoder fails one poll and must not end the thread. It cannot leave the state of the closure
        // inconsistent: the state of earlier observations is replaced, and a response is stored as a whole.
        let poll = AssertUnwindSafe(|| self.poll());
        let result = panic::catch_unwind(poll).unwrap_or_else(|_| {
            self.memory.settling = Settling::default();
            panicked(self.reporter.now())
        });
        let (next, report) = self.conclude(result, started);
        self.retirement.unless_retired(|| self.reporter.send(report));
        next
    }

    /// Fails a poll that cannot be started for a lack of resources. Returns the time of the next one, and the
    /// report, which the caller sends.
    pub(super) fn refuse(&mut self, message: String) -> (Next, Report) {
        let started = Instant::now();
        self.stats.begin();
        self.memory.schedule.begin(started);
        let error = PollError::new(ErrorKind::Resources, message);
        self.conclude(failed(error.into(), self.reporter.now()), started)
    }

    /// Continues the schedule of another replica; `point` is the point of the grid after its next poll. Earlier
    /// responses are forgotten: a 304 would refer to one that is not the current reading.
    pub(super) fn take_over(&mut self, point: Instant) {
        self.memory = Memory::new(&self.source, Schedule::continued(self.source.interval, point));
        // A request from before was for a poll that another replica has made meanwhile.
        self.on_demand.acted();
    }

    /// Ends a poll whose thread panicked outside of the decoder. Returns the time of the next one.
    pub(super) fn abandon(&mut self) -> Next {
        self.stats.abandon();
        let ended = Instant::now();
        Next { ended, due: ended + self.source.interval, may_advance: true }
    }

    /// Sends a report without blocking, unless the source was retired. Returns it if the board's channel is full.
    pub(super) fn try_send(&self, report: Report) -> Option<Report> {
        self.retirement.unless_retired(|| self.reporter.try_send(report)).flatten()
    }

    /// Counts and logs the result of a poll.
    fn conclude(&mut self, result: PollResult, started: Instant) -> (Next, Report) {
        let now = Instant::now();
        self.stats.end(outcome(&result), now.duration_since(started));
        let due = self.memory.schedule.next(result.feedback, now, fastrand::f64());
        let requested_wait = match result.feedback {
            Feedback::SlowDown(_) => due.duration_since(now),
            Feedback::Success | Feedback::Failure => Duration::ZERO,
        };
        self.on_demand.polled(now, requested_wait);
        self.log(&result, due.duration_since(now));
        let report = Report {
            source: self.source.name.clone(),
            at: result.at,
            outcome: result.outcome,
            next_poll_at: self.wall_clock(due),
        };
        (Next { ended: now, due, may_advance: requested_wait.is_zero() }, report)
    }

    /// Polls once: fetches and decodes.
    fn poll(&mut self) -> PollResult {
        let Memory { last, settling, challenge, .. } = &mut self.memory;
        let (source, Route { user_agent, tls, resolver, request }) = (&*self.source, &self.route);
        let request = request(source);
        let (tls, resolver) = (tls.clone(), resolver.clone());
        let fetcher = Fetcher::new(source.timeout, user_agent, tls, kind::proxy(source), resolver)
            .with_challenge(challenge.take());
        let validators = last.validators(self.reporter.now().wall, Instant::now());
        let fetched = fetcher.fetch(&request, validators);
        *challenge = fetcher.into_challenge();
        let at = self.reporter.now();
        match fetched {
            Ok(Fetched::NotModified) => succeeded(Polled::Unchanged, at),
            Ok(Fetched::Body { body, validators }) => {
                match interpret(source, &request.secrets, settling, &body, at.wall) {
                    Ok(reading) => {
                        // Stored only after decoding, so that a 304 always refers to a reading that was reported.
                        if last.store(validators, &reading, Instant::now()) {
                            let name = &source.name;
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
    fn log(&mut self, result: &PollResult, wait: Duration) {
        if self.retirement.is_retired() {
            return;
        }
        let (name, wait, failure) = (&self.source.name, wait.as_secs(), &mut self.memory.failure);
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

/// Ends the reports of a source that was removed or changed, or of all when the server stops: a poll in flight
/// reports nothing any more, as a newer configuration may be polling the source already.
#[derive(Debug, Default)]
pub(super) struct Retirement {
    is_retired: Mutex<bool>,
    /// True while all sources are stopped.
    is_stopping: Arc<AtomicBool>,
}

impl Retirement {
    pub(super) fn new(is_stopping: Arc<AtomicBool>) -> Retirement {
        Retirement { is_retired: Mutex::new(false), is_stopping }
    }

    /// Ends the reports. Waits for one that is being sent, which the board's thread soon receives.
    pub(super) fn retire(&self) {
        *self.is_retired.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn is_retired(&self) -> bool {
        let is_retired = *self.is_retired.lock().unwrap_or_else(PoisonError::into_inner);
        is_retired || self.is_stopping.load(Ordering::Relaxed)
    }

    /// Sends a report, unless the source was retired.
    fn unless_retired<T>(&self, send: impl FnOnce() -> T) -> Option<T> {
        let is_retired = self.is_retired.lock().unwrap_or_else(PoisonError::into_inner);
        (!*is_retired && !self.is_stopping.load(Ordering::Relaxed)).then(send)
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
