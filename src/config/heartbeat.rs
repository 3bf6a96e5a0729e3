//! `[heartbeat]`: a dead man's switch outside, which is pinged while everything works.

use std::time::Duration;

use super::secret::Secret;

/// `[heartbeat]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// URL, which is a capability. GET while everything works; POST to it with `/fail` added otherwise.
    pub url: Secret,
    /// Time from one ping to the next.
    pub every: Duration,
    /// Total time of one ping.
    pub timeout: Duration,
}
