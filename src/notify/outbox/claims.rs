//! Claims of replicas on notices: which one sends what was saved.

use std::collections::HashSet;
use std::time::Duration;

use super::Outbox;
use crate::alert::NoticeKey;

impl Outbox {
    /// Lets saved notices be sent up to a time since boot; `None`: always.
    pub fn claim(&mut self, until: Option<Duration>) {
        self.claimed_until = until;
    }

    /// Returns the notices that were saved and are not sent.
    pub fn claimed(&self) -> Vec<NoticeKey> {
        let saved = self.in_flight.iter().chain(&self.waiting).filter(|entry| entry.is_saved);
        saved.map(|entry| entry.notice.key.clone()).collect()
    }

    /// Removes notices that another replica sends. One that is being sent is not stopped.
    pub fn taken(&mut self, keys: &HashSet<&NoticeKey>) {
        self.waiting.retain(|entry| !keys.contains(&entry.notice.key));
    }
}
