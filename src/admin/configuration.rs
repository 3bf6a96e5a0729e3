//! The configuration in force: what it limits, and how reloads have gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

/// How much of everything there may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Threads that serve requests.
    pub workers: usize,
    /// Ready connections that may wait for a worker: `max_connections`.
    pub queue: usize,
    /// What `listen(2)` was asked for.
    pub backlog: u32,
    /// What the kernel allows of that, `net.core.somaxconn`.
    pub somaxconn: Option<u32>,
    /// Connections that are admitted at the same time.
    pub max_connections: usize,
    /// What was configured, before it was lowered to fit the open files.
    pub max_connections_configured: usize,
}

/// Told by whoever reads configurations, read by anyone.
#[derive(Debug)]
pub struct LiveConfiguration {
    limits: ArcSwap<Limits>,
    taken_up: AtomicU64,
    refused: AtomicU64,
    latest_refused: AtomicBool,
}

impl LiveConfiguration {
    /// The one of the start.
    pub fn new(limits: Limits) -> Arc<LiveConfiguration> {
        Arc::new(LiveConfiguration {
            limits: ArcSwap::from_pointee(limits),
            taken_up: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            latest_refused: AtomicBool::new(false),
        })
    }

    /// The limits in force.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// Another configuration is in force.
    pub fn take_up(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
        self.taken_up.fetch_add(1, Ordering::Relaxed);
        self.latest_refused.store(false, Ordering::Relaxed);
    }

    /// Another one was read, and had errors.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.latest_refused.store(true, Ordering::Relaxed);
    }

    /// Reloads that were taken up, and those that were refused.
    pub fn reloads(&self) -> (u64, u64) {
        (self.taken_up.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Whether the latest reload was refused, so that the file says what does not hold.
    pub fn latest_refused(&self) -> bool {
        self.latest_refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_reload_is_told_until_one_is_taken_up() {
        let live = LiveConfiguration::new(Limits { workers: 8, ..Limits::default() });
        assert!(!live.latest_refused());
        live.refuse();
        live.refuse();
        assert_eq!((live.reloads(), live.latest_refused()), ((0, 2), true));
        assert_eq!(live.limits().workers, 8);
        live.take_up(Limits { workers: 4, ..Limits::default() });
        assert_eq!((live.reloads(), live.latest_refused()), ((1, 2), false));
        assert_eq!(live.limits().workers, 4);
    }
}
