//! State of a channel, as pages, metrics and `doctor` show it.

use std::sync::Arc;

use jiff::Timestamp;

use super::delivery::DeliveryFault;

/// State of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Name.
    pub name: Arc<str>,
    /// Name of its kind: `ntfy`.
    pub kind: &'static str,
    /// Number of notices that wait.
    pub waiting: usize,
    /// Time of the oldest one.
    pub oldest: Option<Timestamp>,
    /// Failure of the latest attempt, also of one that some receivers have taken; `None` after a success.
    pub failure: Option<ChannelFailure>,
    /// Messages sent since the start.
    pub sent: u64,
    /// Attempts that failed since the start.
    pub failed: u64,
    /// Notices that were dropped since the start.
    pub dropped: u64,
}

/// Failure of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFailure {
    /// Time of the first failure since the last success.
    pub since: Timestamp,
    /// Consequence of the latest failure.
    pub fault: DeliveryFault,
    /// Text of the latest failure, without secrets.
    pub message: Arc<str>,
}
