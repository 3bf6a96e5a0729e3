//! Age of a queue from which no worker takes connections.

use std::time::{Duration, Instant};

use crate::engine::Stats;

/// Time since which connections have been queued and no worker has taken one; `None` while the
/// queue is empty.
#[derive(Default)]
pub(super) struct Backlog(Option<Instant>);

impl Backlog {
    /// Updates the age from the state of the engine's queue and workers.
    pub(super) fn update(&mut self, now: Instant, engine: &Stats) {
        let latest = engine.workers().iter().map(|worker| worker.since_taking()).min();
        self.note(now, engine.queue_depth(), latest.unwrap_or_default());
    }

    /// Updates the age from the queue's depth and the time since a worker last took a connection.
    fn note(&mut self, now: Instant, depth: u64, since_taking: Duration) {
        self.0 = match self.0 {
            _ if depth == 0 => None,
            None => Some(now),
            Some(since) if since_taking < now.duration_since(since) => Some(now),
            since => since,
        };
    }

    /// Returns the time for which no worker has taken a queued connection.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.0.map_or(Duration::ZERO, |since| now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backlog_ages_only_while_no_worker_takes_a_queued_connection() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let long_ago = Duration::from_secs(3600);
        let mut backlog = Backlog::default();
        backlog.note(at(0), 0, long_ago);
        assert_eq!(backlog.age(at(1)), Duration::ZERO);
        backlog.note(at(1), 3, long_ago);
        backlog.note(at(4), 3, long_ago);
        assert_eq!(backlog.age(at(4)), Duration::from_secs(3));
        backlog.note(at(5), 3, Duration::from_secs(2));
        assert_eq!(backlog.age(at(6)), Duration::from_secs(1), "one was taken");
        backlog.note(at(6), 0, long_ago);
        assert_eq!(backlog.age(at(6)), Duration::ZERO);
    }
}
