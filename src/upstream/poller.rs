//! The life of one source's thread: wait, poll, report.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, select};
use jiff::Timestamp;

use super::answer::{self, NotUnderstood};
use super::fetch::{Answer, FetchError, Fetcher, Request, Validators};
use super::on_demand::OnDemand;
use super::rate_limit::Pace;
use super::schedule::{Schedule, Verdict};
use super::stats::{BEAT, Outcome, PollStats};
use crate::board::{ErrorKind, PollError, Polled, Report, Reporter};
use crate::config;
use crate::logging::OnChange;
use crate::threads::StopToken;

/// One source with all that it takes to poll it.
pub(super) struct Poller {
    pub(super) source: config::Source,
    pub(super) request: Request,
    /// Makes a fetcher, at the start and after a panic that may have broken the last one.
    pub(super) make_fetcher: Box<dyn Fn() -> Fetcher + Send>,
    pub(super) schedule: Schedule,
    /// Shared with sources of the same rate limit.
    pub(super) pace: Option<Arc<Pace>>,
    pub(super) on_demand: Arc<OnDemand>,
    pub(super) reporter: Reporter,
    pub(super) stats: Arc<PollStats>,
}

/// What a poll came to, for the board and for the schedule.
struct Polling {
    outcome: Result<Polled, PollError>,
    verdict: Verdict,
    /// When the answer was complete, or the poll was given up.
    at: Timestamp,
    /// How an answer begins that was not understood.
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
            // A defect in a decoder must cost one poll and not the source. What the closure
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
            due = self.schedule.next(polling.verdict, now, fastrand::f64());
            let hold = match polling.verdict {
                Verdict::SlowDown(_) => due.duration_since(now),
                Verdict::Good | Verdict::Failed => Duration::ZERO,
            };
            self.on_demand.polled(now, hold);
            if stop.try_recv() == Err(TryRecvError::Disconnected) {
                // Another may be polling the source by now, by another configuration.
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

    /// Waits until a poll is due or asked for, and then for its place in the rate limit; false
    /// when the thread is to end.
    fn wait_for_turn(&self, due: Instant, stop: &StopToken) -> bool {
        let never = crossbeam_channel::never();
        if !self.wait_until(due, self.on_demand.asked(), stop) {
            return false;
        }
        match &self.pace {
            Some(pace) => self.wait_until(pace.take(Instant::now()), &never, stop),
            None => true,
        }
    }

    /// Waits for that moment, or until somebody asks, with signs of life; false when the thread
    /// is to end.
    fn wait_until(&self, due: Instant, asked: &Receiver<()>, stop: &StopToken) -> bool {
        loop {
            self.stats.beat();
            let wake = due.min(Instant::now() + BEAT);
            select! {
                recv(stop) -> _ => return false,
                recv(asked) -> _ => return true,
                recv(crossbeam_channel::at(wake)) -> _ => {
                    if Instant::now() >= due {
                        return true;
                    }
                }
            }
        }
    }

    /// Tells when a source begins to fail, fails in another way, and recovers; the
    /// repetitions in between are for those who debug.
    fn log(&self, polling: &Polling, failure: &mut OnChange<ErrorKind>, wait: Duration) {
        let (name, wait) = (&self.source.name, wait.as_secs());
        match &polling.outcome {
            Err(error) if failure.set(error.kind) => {
                log::warn!("{name}: {error}; next poll in {wait} s");
                if let Some(excerpt) = &polling.excerpt {
                    log::warn!("{name}: the answer begins {excerpt}");
                }
            }
            Err(error) => log::debug!("{name}: still {error}; next poll in {wait} s"),
            Ok(_) if failure.clear() => log::info!("{name}: answers again"),
            Ok(_) => log::debug!("{name}: polled; next poll in {wait} s"),
        }
    }
}

/// One poll: ask, read the answer.
fn poll(
    source: &config::Source,
    request: &Request,
    fetcher: &Fetcher,
    validators: &mut Validators,
) -> Polling {
    let answer = fetcher.fetch(request, validators);
    let at = Timestamp::now();
    match answer {
        Ok(Answer::NotModified) => good(Polled::Unchanged, at),
        Ok(Answer::Body { body, validators: new }) => {
            match answer::read(source, &request.secrets, &body, at) {
                Ok(reading) => {
                    // Only now: a 304 must always mean the reading that the board holds.
                    *validators = new;
                    good(Polled::Reading(reading), at)
                }
                Err(NotUnderstood { error, excerpt }) => {
                    Polling { excerpt: Some(excerpt), ..failed(error.into(), at) }
                }
            }
        }
        Err(error) => failed(error, at),
    }
}

fn good(polled: Polled, at: Timestamp) -> Polling {
    Polling { outcome: Ok(polled), verdict: Verdict::Good, at, excerpt: None }
}

fn failed(FetchError { error, retry_after }: FetchError, at: Timestamp) -> Polling {
    let slow_down = error.kind == ErrorKind::RateLimited || retry_after.is_some();
    let verdict = if slow_down { Verdict::SlowDown(retry_after) } else { Verdict::Failed };
    Polling { outcome: Err(error), verdict, at, excerpt: None }
}

fn panicked() -> Polling {
    let message = "a defect in this program; its log tells where";
    failed(PollError::new(ErrorKind::Panic, message).into(), Timestamp::now())
}

fn outcome(polling: &Polling) -> Outcome {
    match &polling.outcome {
        Ok(Polled::Reading(_)) => Outcome::Ok,
        Ok(Polled::Unchanged) => Outcome::NotModified,
        Err(error) => Outcome::Failed(error.kind),
    }
}

/// The moment by the wall clock as it is now set.
fn wall_clock(due: Instant) -> Timestamp {
    let wait = due.saturating_duration_since(Instant::now());
    Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX)
}
