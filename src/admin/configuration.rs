//! The limits in force, and the outcome of reloads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::Serialize;

use crate::json::deserialize_members;

/// Limits in force, as the scoreboard shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct EffectiveLimits {
    /// Number of threads that serve requests.
    pub workers: usize,
    /// Maximum number of ready connections that wait for a worker: `max_connections`.
    pub queue: usize,
    /// Backlog passed to listen(2).
    pub backlog: u32,
    /// Maximum backlog that the kernel grants (`net.core.somaxconn`).
    pub somaxconn: Option<u32>,
    /// Maximum number of connections at the same time.
    pub max_connections: usize,
    /// The configured number, before it was lowered to fit the limit on open files.
    pub max_connections_configured: usize,
}

deserialize_members!(EffectiveLimits {
    workers,
    queue,
    backlog,
    somaxconn,
    max_connections,
    max_connections_configured
});

/// Status of the configuration: the server writes it, the admin listener reads it.
#[derive(Debug)]
pub struct LiveConfiguration {
    limits: ArcSwap<EffectiveLimits>,
    applied: AtomicU64,
    refused: AtomicU64,
    latest_refused: AtomicBool,
    /// Start of a read of the files that hangs.
    hanging_since: Mutex<Option<Instant>>,
}

impl LiveConfiguration {
    /// Returns the status of a server that was not reloaded yet.
    pub fn new(limits: EffectiveLimits) -> Arc<LiveConfiguration> {
        Arc::new(LiveConfiguration {
            limits: ArcSwap::from_pointee(limits),
            applied: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            latest_refused: AtomicBool::new(false),
            hanging_since: Mutex::new(None),
        })
    }

    /// Returns the limits in force.
    pub fn limits(&self) -> Arc<EffectiveLimits> {
        self.limits.load_full()
    }

    /// Records that a reload was applied, with the limits now in force.
    pub fn record_applied(&self, limits: EffectiveLimits) {
        self.limits.store(Arc::new(limits));
        self.applied.fetch_add(1, Ordering::Relaxed);
        self.latest_refused.store(false, Ordering::Relaxed);
    }

    /// Records that a reload was refused for errors in the configuration.
    pub fn record_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.latest_refused.store(true, Ordering::Relaxed);
    }

    /// Returns the number of reloads that were applied, and of those that were refused.
    pub fn reloads(&self) -> (u64, u64) {
        (self.applied.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Returns true if the latest reload was refused: the server then runs by an older
    /// configuration than the file holds.
    pub fn latest_refused(&self) -> bool {
        self.latest_refused.load(Ordering::Relaxed)
    }

    /// Records the start of a read of the files that hangs or, with `None`, that it has ended.
    pub fn record_hanging_read(&self, start: Option<Instant>) {
        *self.hanging_since.lock().unwrap_or_else(PoisonError::into_inner) = start;
    }

    /// Returns the time that the read of a reload has taken, if it hangs: HUP changes nothing then.
    pub fn hanging_read(&self) -> Option<Duration> {
        let start = *self.hanging_since.lock().unwrap_or_else(PoisonError::into_inner);
        start.map(|start| start.elapsed())
    }

    /// Returns true if the server runs by the configuration that the latest HUP was sent for.
    pub fn latest_succeeded(&self) -> bool {
        !self.latest_refused() && self.hanging_read().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_reload_is_reported_until_one_is_applied() {
        let live =
            LiveConfiguration::new(EffectiveLimits { workers: 8, ..EffectiveLimits::default() });
        assert!(!live.latest_refused());
        live.record_refused();
        live.record_refused();
        assert_eq!((live.reloads(), live.latest_refused()), ((0, 2), true));
        assert_eq!(live.limits().workers, 8);
        live.record_applied(EffectiveLimits { workers: 4, ..EffectiveLimits::default() });
        assert_eq!((live.reloads(), live.latest_refused()), ((1, 2), false));
        assert_eq!(live.limits().workers, 4);
    }

    #[test]
    fn reload_that_hangs_is_no_success_until_it_ends() {
        let live = LiveConfiguration::new(EffectiveLimits::default());
        assert!(live.latest_succeeded() && live.hanging_read().is_none());
        live.record_hanging_read(Some(Instant::now()));
        assert!(!live.latest_succeeded() && live.hanging_read().is_some());
        live.record_hanging_read(None);
        assert!(live.latest_succeeded());
        live.record_refused();
        assert!(!live.latest_succeeded());
    }
}
