//! Messages that were set aside, since the server does not take them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::rejection::Rejection;
use super::{Failed, LastError, Outbox};
use crate::alert::IncidentId;
use crate::kernel::clock::TimePoint;
use crate::notify::delivery::DeliveryFault;

impl Outbox {
    /// Sets the message of one incident aside, or drops it.
    pub(super) fn reject(
        &mut self,
        mut entries: Vec<Entry>,
        message: &Arc<str>,
        now: TimePoint,
    ) -> Failed {
        let count = entries.len();
        let mut rejection: Rejection =
            entries.iter().find_map(|entry| entry.rejection).unwrap_or_default();
        rejection.times += 1;
        if rejection.is_final(now) {
            self.lose(entries, message.clone(), now);
            return Failed::Dropped(count);
        }
        let wait = self.backoff.rejected(rejection.times - 1);
        (rejection.is_aside, rejection.again_at) = (true, now.boot + wait);
        rejection.takes_others = false;
        entries.iter_mut().for_each(|entry| entry.rejection = Some(rejection));
        let since = self.rejected.take().map_or(now.wall, |earlier| earlier.since);
        let fault = DeliveryFault::Undeliverable;
        self.rejected = Some(LastError { since, fault, message: message.clone() });
        self.put_back(entries, now);
        Failed::SetAside { count, wait, is_first: rejection.times == 1 }
    }

    /// Records for the messages that were set aside that another one was taken. If that was one of them, the server
    /// may take all of them now.
    pub(super) fn other_was_taken(&mut self, was_aside: bool, now: TimePoint) {
        let mut is_any_aside = false;
        for rejection in self.waiting.iter_mut().filter_map(|entry| entry.rejection.as_mut()) {
            rejection.others_since.get_or_insert(now.boot);
            rejection.takes_others = true;
            if was_aside {
                (rejection.is_aside, rejection.again_at) = (false, Duration::ZERO);
            }
            is_any_aside |= rejection.is_aside;
        }
        if !is_any_aside {
            self.rejected = None;
        }
    }

    /// Ends the waits of the messages that were set aside.
    pub(super) fn retry_rejected(&mut self) {
        let rejections = self.waiting.iter_mut().filter_map(|entry| entry.rejection.as_mut());
        rejections.for_each(|rejection| rejection.again_at = Duration::ZERO);
    }

    /// Forgets all rejections, which were those of other settings.
    pub(super) fn forget_rejections(&mut self) {
        self.waiting.iter_mut().for_each(|entry| entry.rejection = None);
        (self.rejected, self.most_incidents) = (None, None);
    }
}

/// Returns true for a message that was set aside.
pub(super) fn is_aside(entry: &Entry) -> bool {
    entry.rejection.is_some_and(|rejection| rejection.is_aside)
}

/// Removes and returns the notices of messages that were set aside. If there are no others, the message that has waited
/// longest stays.
pub(super) fn take_aside(entries: &mut Vec<Entry>) -> Vec<Entry> {
    let incident = |entry: &Entry| entry.notice.key.incident;
    let aside: HashSet<IncidentId> =
        entries.iter().filter(|entry| is_aside(entry)).map(incident).collect();
    let has_others = entries.iter().any(|entry| !aside.contains(&incident(entry)));
    let by_age = |entry: &&Entry| entry.rejection.map(|rejection| rejection.again_at);
    let first = entries.iter().filter(|entry| is_aside(entry)).min_by_key(by_age).map(incident);
    let stays = first.filter(|_| !has_others);
    let is_taken =
        |entry: &mut Entry| aside.contains(&incident(entry)) && stays != Some(incident(entry));
    entries.extract_if(.., is_taken).collect()
}
