//! State of an outbox, for pages, metrics and alerts.

use std::sync::Arc;

use jiff::Timestamp;

use super::Outbox;
use crate::kernel::clock::TimePoint;
use crate::notify::delivery::DeliveryFault;

/// State of an outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Number of notices that are due and not sent.
    pub waiting: usize,
    /// Number of notices that quiet hours defer.
    pub deferred: usize,
    /// Time since which the oldest notice that is due could have been sent.
    pub oldest: Option<Timestamp>,
    /// Failure of the latest attempt, also of one that some receivers have taken; `None` after one that succeeded.
    pub last_error: Option<LastError>,
    /// Number of messages that were sent since the start.
    pub sent: u64,
    /// Number of attempts that failed since the start.
    pub failed: u64,
    /// Number of notices that were dropped since the start: undeliverable ones, and those without room.
    pub dropped: u64,
}

/// Failure of the latest attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// Time of the first failure since a message was sent.
    pub since: Timestamp,
    /// Consequence.
    pub fault: DeliveryFault,
    /// Text for people, without secrets.
    pub message: Arc<str>,
}

/// Numbers since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) failed: u64,
    pub(super) dropped: u64,
}

impl Outbox {
    /// Returns the present state.
    pub fn status(&self, now: TimePoint) -> OutboxStatus {
        let (due, deferred): (Vec<_>, Vec<_>) =
            self.waiting.iter().partition(|entry| entry.until_due(now).is_zero());
        let due = || due.iter().copied().chain(&self.in_flight);
        OutboxStatus {
            waiting: due().count(),
            deferred: deferred.len(),
            oldest: due().map(|entry| entry.notice.due).min(),
            last_error: self.last_error.clone(),
            sent: self.counts.sent,
            failed: self.counts.failed,
            dropped: self.counts.dropped,
        }
    }
}
