//! What a poller counts and what it is doing. Atomics that anyone may look at at
//! any time; nobody is ever waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use strum::VariantArray as _;

use crate::board::ErrorKind;
use crate::heartbeat::Heartbeat;

/// Upper bounds of the histogram's buckets, seconds.
pub const DURATION_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Beyond the bound of a phase, how long a poller may be silent before it counts as stuck.
const GRACE: Duration = Duration::from_secs(10);

/// A waiting poller shows that it is alive at least this often.
pub(super) const BEAT: Duration = Duration::from_secs(5);

/// How a poll ended, as `polls_total{outcome}` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A new reading.
    Ok,
    /// The last answer still holds (304).
    NotModified,
    /// It failed.
    Failed(ErrorKind),
}

impl Outcome {
    /// Every outcome.
    pub fn all() -> impl Iterator<Item = Outcome> {
        [Outcome::Ok, Outcome::NotModified]
            .into_iter()
            .chain(ErrorKind::VARIANTS.iter().copied().map(Outcome::Failed))
    }

    /// The label's value.
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

/// What a poller is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for the next poll to be due.
    Waiting,
    /// In a poll.
    Polling,
}

impl Phase {
    /// The name on the scoreboard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Waiting => "waiting",
            Phase::Polling => "polling",
        }
    }
}

/// How long polls took: a cumulative histogram as Prometheus wants it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Durations {
    /// Polls that took at most as long as [`DURATION_BUCKETS`] says at that place.
    pub cumulative: [u64; DURATION_BUCKETS.len()],
    /// All polls.
    pub count: u64,
    /// Seconds spent in all polls.
    pub seconds: f64,
}

/// The counters and the state of one source's poller.
#[derive(Debug)]
pub struct PollStats {
    source: Arc<str>,
    timeout: Duration,
    outcomes: [AtomicU64; 2 + ErrorKind::VARIANTS.len()],
    /// Not cumulative; the last one is for all longer polls.
    buckets: [AtomicU64; DURATION_BUCKETS.len() + 1],
    micros: AtomicU64,
    /// Counts changes of phase: even while waiting, odd while polling.
    phases: AtomicU64,
    since: Heartbeat,
    heartbeat: Heartbeat,
}

impl PollStats {
    pub(super) fn new(source: Arc<str>, timeout: Duration) -> PollStats {
        PollStats {
            source,
            timeout,
            outcomes: Default::default(),
            buckets: Default::default(),
            micros: AtomicU64::new(0),
            phases: AtomicU64::new(0),
            since: Heartbeat::new(),
            heartbeat: Heartbeat::new(),
        }
    }

    /// The source's name.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Polls that ended so.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome.index()].load(Ordering::Relaxed)
    }

    /// How long polls took.
    pub fn durations(&self) -> Durations {
        let mut count = 0;
        let cumulative = std::array::from_fn(|bucket| {
            count += self.buckets[bucket].load(Ordering::Relaxed);
            count
        });
        count += self.buckets[DURATION_BUCKETS.len()].load(Ordering::Relaxed);
        // Micros are exact in an f64 for 285 years of polling.
        let seconds = self.micros.load(Ordering::Relaxed) as f64 / 1e6;
        Durations { cumulative, count, seconds }
    }

    /// What the poller is doing, and for how long already.
    pub fn phase(&self) -> (Phase, Duration) {
        let odd = self.phases.load(Ordering::Relaxed) % 2 == 1;
        (if odd { Phase::Polling } else { Phase::Waiting }, self.since.age())
    }

    /// How long ago the poller last showed that it is alive.
    pub fn heartbeat_age(&self) -> Duration {
        self.heartbeat.age()
    }

    /// The longest silence that its phase explains: a poll lasts for its source's `timeout` at
    /// most, and a wait is full of signs of life. Beyond it the poller counts as stuck.
    pub fn heartbeat_bound(&self) -> Duration {
        let explained = match self.phase().0 {
            Phase::Waiting => BEAT,
            Phase::Polling => self.timeout,
        };
        explained + GRACE
    }

    pub(super) fn beat(&self) {
        self.heartbeat.beat();
    }

    pub(super) fn begin(&self) {
        self.change_phase();
    }

    pub(super) fn end(&self, outcome: Outcome, took: Duration) {
        self.outcomes[outcome.index()].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = DURATION_BUCKETS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(DURATION_BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.change_phase();
    }

    fn change_phase(&self) {
        self.phases.fetch_add(1, Ordering::Relaxed);
        self.since.beat();
        self.beat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> PollStats {
        PollStats::new("tank".into(), Duration::from_secs(10))
    }

    #[test]
    fn every_outcome_has_a_name_and_a_counter_of_its_own() {
        let stats = stats();
        let mut names: Vec<_> = Outcome::all().map(Outcome::as_str).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 11);
        for outcome in Outcome::all() {
            assert_eq!(stats.count(outcome), 0, "{outcome:?}");
            stats.begin();
            stats.end(outcome, Duration::ZERO);
            assert_eq!(stats.count(outcome), 1, "{outcome:?}");
        }
        assert_eq!(stats.durations().count, 11);
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
    fn phases() {
        let stats = stats();
        assert_eq!(stats.phase().0, Phase::Waiting);
        stats.begin();
        assert_eq!(stats.phase().0, Phase::Polling);
        stats.end(Outcome::Ok, Duration::ZERO);
        assert_eq!(stats.phase().0, Phase::Waiting);
        assert!(stats.heartbeat_age() < stats.heartbeat_bound());
    }
}
