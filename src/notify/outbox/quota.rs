//! Most messages of a channel in any hour.

use std::collections::VecDeque;
use std::time::Duration;

use super::Outbox;
use super::entry::Entry;
use crate::kernel::clock::TimePoint;

/// Span in which messages are counted.
const SPAN: Duration = Duration::from_secs(60 * 60);

/// Times of the messages of the latest hour, since boot.
#[derive(Debug, Default)]
pub(super) struct Quota {
    sent: VecDeque<Duration>,
}

impl Quota {
    /// Records a message.
    pub(super) fn sent(&mut self, now: Duration) {
        while self.sent.front().is_some_and(|sent| *sent + SPAN <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// Returns the time from which a message may be sent.
    pub(super) fn free_at(&self, max: u32, now: Duration) -> Duration {
        let max = usize::try_from(max.max(1)).unwrap_or(usize::MAX);
        // The message that has to be an hour old.
        let hindmost = self.sent.iter().rev().nth(max - 1).map(|sent| *sent + SPAN);
        hindmost.filter(|free_at| *free_at > now).unwrap_or_default()
    }
}

impl Outbox {
    /// Returns the time from which a message may be sent. While the quota is used up, fires of critical alarms have
    /// another one of the same size, so that they do not wait behind others.
    pub(super) fn allowed_at(&self, now: TimePoint) -> Duration {
        let max = self.settings.max_per_hour;
        let at = self.quota.free_at(max, now.boot);
        let is_critical =
            |(entry, wait): (&Entry, Duration)| wait.is_zero() && entry.is_critical_fire();
        if at > now.boot && self.waiting.iter().zip(self.waits(now)).any(is_critical) {
            return at.min(self.critical_quota.free_at(max, now.boot));
        }
        at
    }

    /// Returns true if the quota is used up.
    pub(super) fn is_quota_used(&self, now: TimePoint) -> bool {
        self.quota.free_at(self.settings.max_per_hour, now.boot) > now.boot
    }

    /// Records a message, by the quota that has allowed it.
    pub(super) fn count_sent(&mut self, now: TimePoint) {
        match self.is_quota_used(now) {
            true => self.critical_quota.sent(now.boot),
            false => self.quota.sent(now.boot),
        }
    }
}
