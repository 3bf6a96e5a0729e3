//! State of a channel, as pages, metrics and `doctor` show it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::delivery::DeliveryFault;
use crate::timestamp::Rfc3339;

/// Time from which messages have waited for long: several attempts have failed.
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// State of a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Name.
    pub name: Arc<str>,
    /// Name of its kind: `ntfy`.
    pub kind: &'static str,
    /// Number of notices that wait.
    pub waiting: usize,
    /// Time of the oldest one.
    pub oldest: Option<Timestamp>,
    /// Reason why they wait, once they have for longer than [`MAX_WAIT`], or if the channel has no thread.
    pub stall: Option<Arc<str>>,
    /// Failure of the latest attempt, also of one that some receivers have taken; after a success that of a message that
    /// is not taken, while others are.
    pub failure: Option<ChannelFailure>,
    /// Latest loss of notices within a day: its time and reason.
    pub loss: Option<ChannelFailure>,
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

impl ChannelStatus {
    /// Returns in words that messages have waited for long, and why.
    pub fn stall_in_words(&self) -> Option<String> {
        let ChannelStatus { name, waiting, stall, failure, .. } = self;
        let is_refused =
            failure.as_ref().is_some_and(|failure| failure.fault == DeliveryFault::Refused);
        let verb = if is_refused { "are refused by" } else { "wait for" };
        stall.as_ref().map(|reason| format!("{waiting} messages {verb} {name}: {reason}"))
    }

    /// Returns in words that messages were dropped within a day, and why.
    pub fn loss_in_words(&self) -> Option<String> {
        let ChannelStatus { name, dropped, loss, .. } = self;
        let ChannelFailure { since, message, .. } = loss.as_ref()?;
        let at = Rfc3339(*since);
        Some(format!("{dropped} messages for {name} were dropped, the latest at {at}: {message}"))
    }
}
