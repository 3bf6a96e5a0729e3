//! Claims of replicas on notices: which one sends what was saved.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::Outbox;
use crate::alert::NoticeKey;
use crate::alert::store::Claims;

impl Outbox {
    /// Lets saved notices be sent up to a time since boot; `None`: always.
    pub fn claim(&mut self, until: Option<Duration>) {
        self.claimed_until = until;
    }

    /// Adds the notices that were saved and are not sent, and those that are done.
    pub fn add_claims(&self, claims: &mut Claims) {
        let saved = self.in_flight.iter().chain(&self.waiting).filter(|entry| entry.is_saved);
        claims.saved.extend(saved.map(|entry| Arc::clone(&entry.notice)));
        claims.done.extend_from_slice(&self.done);
    }

    /// Removes notices that another replica sends. One that is being sent is not stopped.
    pub fn taken(&mut self, keys: &HashSet<&NoticeKey>) {
        self.waiting.retain(|entry| !keys.contains(&entry.notice.key));
    }
}
