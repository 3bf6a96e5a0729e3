//! A sign of life that a thread gives and others read without waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The moment at which a thread last passed through its loop, on the monotonic
/// clock, so that a stepped wall clock makes nobody look dead.
#[derive(Debug)]
pub struct Heartbeat {
    base: Instant,
    millis: AtomicU64,
}

impl Heartbeat {
    /// A heart that beats for the first time now.
    pub fn new() -> Heartbeat {
        Heartbeat { base: Instant::now(), millis: AtomicU64::new(0) }
    }

    /// Tells that the thread is alive now.
    pub fn beat(&self) {
        self.millis.store(self.now(), Ordering::Relaxed);
    }

    /// How long ago the thread was last known to be alive.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.millis.load(Ordering::Relaxed)))
    }

    fn now(&self) -> u64 {
        // A u64 of milliseconds lasts for half a billion years of uptime.
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Heartbeat {
    fn default() -> Heartbeat {
        Heartbeat::new()
    }
}
