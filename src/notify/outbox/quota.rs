//! Most messages of a channel in any hour.

use std::collections::VecDeque;
use std::time::Duration;

/// Span in which messages are counted.
const SPAN: Duration = Duration::from_secs(60 * 60);

/// Times of the messages of the latest hour, since boot.
#[derive(Debug, Default)]
struct Quota {
    sent: VecDeque<Duration>,
}

impl Quota {
    /// Records a message.
    fn sent(&mut self, now: Duration) {
        while self.sent.front().is_some_and(|sent| *sent + SPAN <= now) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// Returns the time from which a message may be sent.
    fn free_at(&self, max: u32, now: Duration) -> Duration {
        let max = usize::try_from(max.max(1)).unwrap_or(usize::MAX);
        // The message that has to be an hour old.
        let hindmost = self.sent.iter().rev().nth(max - 1).map(|sent| *sent + SPAN);
        hindmost.filter(|free_at| *free_at > now).unwrap_or_default()
    }
}

/// The quota of all messages, and that of fires of critical alarms.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    all: Quota,
    critical: Quota,
}

impl Quotas {
    /// Returns the time from which a message may be sent. While the quota is used up, fires of critical alarms have
    /// another one of the same size, so that they do not wait behind others.
    pub(super) fn free_at(
        &self,
        max: u32,
        now: Duration,
        has_critical_fire: impl FnOnce() -> bool,
    ) -> Duration {
        match self.all.free_at(max, now) {
            at if at > now && has_critical_fire() => at.min(self.critical.free_at(max, now)),
            at => at,
        }
    }

    /// Returns true if the quota is used up.
    pub(super) fn is_used(&self, max: u32, now: Duration) -> bool {
        self.all.free_at(max, now) > now
    }

    /// Records a message, by the quota that has allowed it.
    pub(super) fn sent(&mut self, max: u32, now: Duration) {
        match self.is_used(max, now) {
            true => self.critical.sent(now),
            false => self.all.sent(now),
        }
    }
}
