//! State of an outbox, for pages, metrics and alerts.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::entry::Entry;
use super::{Outbox, merge};
use crate::kernel::clock::TimePoint;
use crate::notify::delivery::DeliveryFault;

/// Time for which a loss of notices is shown.
pub const LOSS_SHOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// State of an outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Number of notices that are due and not sent.
    pub waiting: usize,
    /// Number of notices that quiet hours defer.
    pub deferred: usize,
    /// Time since which the oldest notice that is due could have been sent.
    pub oldest: Option<Timestamp>,
    /// Time for which one of them has waited: in this process, or, while the channel fails, since it was due.
    pub waited: Duration,
    /// True if the quota of messages in an hour is used up.
    pub is_quota_used: bool,
    /// Failure of the latest attempt, also of one that some receivers have taken; after one that succeeded the latest
    /// rejection of a message that is set aside, if there is one.
    pub last_error: Option<LastError>,
    /// Latest loss of notices, within [`LOSS_SHOWN`], with its reason.
    pub loss: Option<LastError>,
    /// Number of messages that were sent since the start.
    pub sent: u64,
    /// Number of attempts that failed since the start.
    pub failed: u64,
    /// Number of notices that were dropped since the start: rejected ones, and those without room.
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
        let fires = merge::fires(&self.waiting);
        // An end is deferred with the fire of its incident.
        let is_due = |entry: &&Entry| {
            let fire = fires.get(&entry.notice.key.incident);
            entry.until_due(now).is_zero() && fire.is_none_or(|fire| fire.until_due(now).is_zero())
        };
        let (due, deferred): (Vec<_>, Vec<_>) = self.waiting.iter().partition(is_due);
        let due = || due.iter().copied().chain(&self.in_flight);
        let oldest = due().map(|entry| entry.notice.due).min();
        let failing_since = oldest.filter(|_| self.last_error.is_some());
        let by_wall = failing_since.map(|since| now.wall.duration_since(since));
        let by_wall = by_wall.and_then(|waited| Duration::try_from(waited).ok());
        let in_process = due().map(|entry| entry.waited(now)).max();
        let is_recent = |at: Duration| now.boot.saturating_sub(at) < LOSS_SHOWN;
        OutboxStatus {
            waiting: due().count(),
            deferred: deferred.len(),
            oldest,
            waited: by_wall.max(in_process).unwrap_or_default(),
            is_quota_used: self.quotas.is_used(self.settings.max_per_hour, now.boot),
            last_error: self.last_error.clone(),
            loss: self.loss.as_ref().filter(|(_, at)| is_recent(*at)).map(|(loss, _)| loss.clone()),
            sent: self.counts.sent,
            failed: self.counts.failed,
            dropped: self.counts.dropped,
        }
    }
}
