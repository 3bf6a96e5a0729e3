//! Heartbeats: times at which threads were last known to make progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time of a thread's latest heartbeat, which other threads read without a lock.
///
/// It is kept on the monotonic clock, so a step of the wall clock makes no thread look stuck.
#[derive(Debug)]
pub struct Heartbeat {
    base: Instant,
    /// Time of the latest heartbeat, in milliseconds after `base`. `Relaxed` suffices, as it guards no
    /// other memory.
    millis: AtomicU64,
}

impl Heartbeat {
    /// Returns a heartbeat whose first beat is now.
    pub fn new() -> Heartbeat {
        Heartbeat { base: Instant::now(), millis: AtomicU64::new(0) }
    }

    /// Records that the thread makes progress now.
    pub fn beat(&self) {
        self.millis.store(self.now(), Ordering::Relaxed);
    }

    /// Returns the time since the latest heartbeat.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.millis.load(Ordering::Relaxed)))
    }

    fn now(&self) -> u64 {
        // A u64 of milliseconds suffices for 500 million years.
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Heartbeat {
    fn default() -> Heartbeat {
        Heartbeat::new()
    }
}
