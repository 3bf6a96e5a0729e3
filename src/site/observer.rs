//! The interface through which the metrics count responses.

use std::time::Duration;

/// Counts answered requests. Called on a worker after each response; must not block.
pub trait RequestObserver: Send + Sync {
    /// Counts one response: the route's pattern (`-` where none matched or the engine refused), the
    /// method (`-` where unknown), the status code, and the time that the site took.
    fn observe(&self, route: &'static str, method: &'static str, code: u16, elapsed: Duration);
}
