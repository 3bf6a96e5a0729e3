//! Counters and state of the polls of a source, of the scheduler and of the poller threads. They are atomics, so
//! that any thread can read them without blocking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use strum::VariantArray as _;

use crate::board::ErrorKind;
use crate::engine::Heartbeat;

/// Upper bounds of the histogram's buckets, seconds.
pub const DURATION_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Time added to the longest gap between heartbeats before a thread counts as stuck.
const GRACE: Duration = Duration::from_secs(10);

/// Longest time between two heartbeats of the scheduler.
pub(super) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// Result of a poll: the label of `polls_total{outcome}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A new reading.
    Ok,
    /// The last reading is still current (304).
    NotModified,
    /// The poll failed.
    Failed(ErrorKind),
}

impl Outcome {
    /// Returns every outcome.
    pub fn all() -> impl Iterator<Item = Outcome> {
        [Outcome::Ok, Outcome::NotModified]
            .into_iter()
            .chain(ErrorKind::VARIANTS.iter().copied().map(Outcome::Failed))
    }

    /// Returns the label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::NotModified => "not_modified",
            Outcome::Failed(kind) => kind.as_str(),
        }
    }

    const fn index(self) -> usize {
        match self {
            Outcome::Ok => 0,
            Outcome::NotModified => 1,
            Outcome::Failed(kind) => 2 + kind as usize,
        }
    }
}

/// Activity of a source's polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the next poll.
    Waiting,
    /// Polling.
    Polling,
    /// Another replica polls the source.
    Elsewhere,
}

impl Phase {
    /// Returns its name on the scoreboard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Waiting => "waiting",
            Phase::Polling => "polling",
            Phase::Elsewhere => "elsewhere",
        }
    }
}

/// Durations of polls, as a cumulative Prometheus histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Durations {
    /// Number of polls that took at most the time in [`DURATION_BUCKETS`] at the same index.
    pub cumulative: [u64; DURATION_BUCKETS.len()],
    /// Number of all polls.
    pub count: u64,
    /// Total of all durations, in seconds.
    pub seconds: f64,
}

/// Heartbeat of the scheduler, and number of the poller threads.
#[derive(Debug, Default)]
pub struct SchedulerStats {
    heartbeat: Heartbeat,
    crew: CrewStats,
}

impl SchedulerStats {
    /// Returns the time since the scheduler's last heartbeat.
    pub fn heartbeat_age(&self) -> Duration {
        self.heartbeat.age()
    }

    /// Returns the age of the heartbeat beyond which the scheduler counts as stuck.
    pub const fn heartbeat_bound(&self) -> Duration {
        HEARTBEAT_INTERVAL.saturating_add(GRACE)
    }

    /// Returns the number of poller threads, and of those without a poll.
    pub fn threads(&self) -> (usize, usize) {
        let CrewStats { threads, idle } = &self.crew;
        (threads.load(Ordering::Relaxed), idle.load(Ordering::Relaxed))
    }

    pub(super) fn beat(&self) {
        self.heartbeat.beat();
    }

    pub(super) const fn crew(&self) -> &CrewStats {
        &self.crew
    }
}

/// Number of poller threads.
#[derive(Debug, Default)]
pub(super) struct CrewStats {
    threads: AtomicUsize,
    idle: AtomicUsize,
}

impl CrewStats {
    pub(super) fn record(&self, threads: usize, idle: usize) {
        self.threads.store(threads, Ordering::Relaxed);
        self.idle.store(idle, Ordering::Relaxed);
    }
}

/// The counters and the state of the polls of one source.
///
/// There are thousands of these: a poll is counted in 32 bits, which one poll a second, the shortest interval,
/// fills in 136 years.
#[derive(Debug)]
pub struct PollStats {
    source: Arc<str>,
    timeout: Duration,
    outcomes: [AtomicU32; 2 + ErrorKind::VARIANTS.len()],
    /// Polls by bucket, not cumulative; the last bucket has no upper bound.
    buckets: [AtomicU32; DURATION_BUCKETS.len() + 1],
    /// Number of phase changes: even while waiting, odd while polling.
    phases: AtomicU32,
    /// Total of all durations, in microseconds.
    micros: AtomicU64,
    /// Time of the latest phase change.
    since: Heartbeat,
    /// False while another replica polls the source.
    is_held: AtomicBool,
    /// The scheduler, for which the source waits between polls.
    scheduler: Arc<SchedulerStats>,
}

impl PollStats {
    pub(super) fn new(
        source: Arc<str>,
        timeout: Duration,
        scheduler: Arc<SchedulerStats>,
    ) -> PollStats {
        PollStats {
            source,
            timeout,
            outcomes: Default::default(),
            buckets: Default::default(),
            phases: AtomicU32::new(0),
            micros: AtomicU64::new(0),
            since: Heartbeat::new(),
            is_held: AtomicBool::new(true),
            scheduler,
        }
    }

    /// Returns the name of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the number of polls with this outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.index()].load(Ordering::Relaxed).into()
    }

    /// Returns the durations of all polls.
    pub fn durations(&self) -> Durations {
        let mut count = 0;
        let cumulative = std::array::from_fn(|bucket| {
            count += u64::from(self.buckets[bucket].load(Ordering::Relaxed));
            count
        });
        count += u64::from(self.buckets[DURATION_BUCKETS.len()].load(Ordering::Relaxed));
        // Exact: an f64 counts the microseconds of 285 years without rounding.
        let seconds = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        Durations { cumulative, count, seconds }
    }

    /// Returns the phase, and the time since it began.
    pub fn phase(&self) -> (Phase, Duration) {
        let is_polling = self.phases.load(Ordering::Relaxed) % 2 == 1;
        let phase = match is_polling {
            true => Phase::Polling,
            false if self.is_held() => Phase::Waiting,
            false => Phase::Elsewhere,
        };
        (phase, self.since.age())
    }

    /// Returns true unless another replica polls the source.
    pub fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Acquire)
    }

    /// Records whether this replica polls the source.
    pub(super) fn set_held(&self, is_held: bool) {
        let is_changed = self.is_held.swap(is_held, Ordering::AcqRel) != is_held;
        if is_changed && self.phase().0 != Phase::Polling {
            self.since.beat();
        }
    }

    /// Returns the time since the last heartbeat: that of the scheduler, or the start of the current poll.
    pub fn heartbeat_age(&self) -> Duration {
        match self.phase() {
            (Phase::Waiting | Phase::Elsewhere, _) => self.scheduler.heartbeat_age(),
            (Phase::Polling, time) => time,
        }
    }

    /// Returns the age of the heartbeat beyond which the poll counts as stuck: it lasts for at most the source's
    /// `timeout`, and the scheduler beats regularly.
    pub fn heartbeat_bound(&self) -> Duration {
        match self.phase().0 {
            Phase::Waiting | Phase::Elsewhere => self.scheduler.heartbeat_bound(),
            Phase::Polling => self.timeout + GRACE,
        }
    }

    /// Records the start of a poll.
    pub(super) fn begin(&self) {
        self.change_phase();
    }

    /// Records the end of a poll.
    pub(super) fn end(&self, outcome: Outcome, duration: Duration) {
        self.outcomes[outcome.index()].fetch_add(1, Ordering::Relaxed);
        let seconds = duration.as_secs_f64();
        let bucket = DURATION_BUCKETS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(DURATION_BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.change_phase();
    }

    /// Ends a poll without an outcome, if one has begun.
    pub(super) fn abandon(&self) {
        if self.phase().0 == Phase::Polling {
            self.change_phase();
        }
    }

    fn change_phase(&self) {
        self.phases.fetch_add(1, Ordering::Relaxed);
        self.since.beat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> PollStats {
        PollStats::new("tank".into(), Duration::from_secs(10), Arc::default())
    }

    #[test]
    fn every_outcome_has_a_name_and_a_counter_of_its_own() {
        let stats = stats();
        let mut names: Vec<_> = Outcome::all().map(Outcome::as_str).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 12);
        for outcome in Outcome::all() {
            assert_eq!(stats.count(outcome), 0, "{outcome:?}");
            stats.begin();
            stats.end(outcome, Duration::ZERO);
            assert_eq!(stats.count(outcome), 1, "{outcome:?}");
        }
        assert_eq!(stats.durations().count, 12);
    }

    #[test]
    fn durations_are_cumulative() {
        let stats = stats();
        for millis in [50, 60, 1000, 1001, 61_000] {
            stats.begin();
            stats.end(Outcome::Ok, Duration::from_millis(millis));
        }
        let durations = stats.durations();
        assert_eq!(durations.cumulative, [1, 2, 2, 2, 3, 4, 4, 4, 4, 4]);
        assert_eq!((durations.count, durations.seconds), (5, 63.111));
    }

    #[test]
    fn phase_follows_begin_and_end_of_polls() {
        let stats = stats();
        assert_eq!(stats.phase().0, Phase::Waiting);
        stats.begin();
        assert_eq!(stats.phase().0, Phase::Polling);
        stats.end(Outcome::Ok, Duration::ZERO);
        assert_eq!(stats.phase().0, Phase::Waiting);
        assert!(stats.heartbeat_age() < stats.heartbeat_bound());
        stats.set_held(false);
        assert_eq!(stats.phase().0, Phase::Elsewhere);
        assert_eq!(stats.heartbeat_bound(), SchedulerStats::default().heartbeat_bound());
        stats.begin();
        assert_eq!(stats.phase().0, Phase::Polling, "until its end");
    }
}
