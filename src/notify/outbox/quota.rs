//! Most messages of a channel in any hour.

use std::collections::VecDeque;
use std::time::Duration;

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
        self.forget(now);
        self.sent.push_back(now);
    }

    /// Returns the time from which a message may be sent.
    pub(super) fn free_at(&mut self, max: u32, now: Duration) -> Duration {
        self.forget(now);
        let max = usize::try_from(max.max(1)).unwrap_or(usize::MAX);
        match self.sent.len().checked_sub(max) {
            Some(index) => self.sent.get(index).map_or(Duration::ZERO, |sent| *sent + SPAN),
            None => Duration::ZERO,
        }
    }

    fn forget(&mut self, now: Duration) {
        while self.sent.front().is_some_and(|sent| *sent + SPAN <= now) {
            self.sent.pop_front();
        }
    }
}
