//! Memory of the parts of a message that its receivers have taken, while others are still to be sent.
//!
//! It is in memory alone: after a restart, and after a reload, a message that was sent in part is sent as a whole.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::delivery::Delivery;
use crate::alert::{Notice, NoticeKey};

/// Most notices that are remembered, each for one receiver: five receivers with all notices that can wait. With more, the
/// memory starts anew, and what is still to be sent is sent to all again. It may have filled with notices that were
/// superseded.
const MAX_TAKEN: usize = 5 * super::outbox::MAX_WAITING;

/// Notices that receivers have taken.
#[derive(Default)]
pub(super) struct Taken {
    /// Keys of the notices, with the receiver in place of the channel.
    parts: Mutex<HashSet<NoticeKey>>,
}

impl Taken {
    /// Returns the notices of a message that a receiver has not taken.
    pub(super) fn rest(&self, receiver: &Arc<str>, delivery: &Delivery) -> Vec<Arc<Notice>> {
        let parts = self.lock();
        let lacks = |notice: &&Arc<Notice>| !parts.contains(&key(receiver, notice));
        delivery.notices.iter().filter(lacks).cloned().collect()
    }

    /// Records that a receiver has taken all notices of a message.
    pub(super) fn add(&self, receiver: &Arc<str>, delivery: &Delivery) {
        let mut parts = self.lock();
        if parts.len() + delivery.notices.len() > MAX_TAKEN {
            parts.clear();
        }
        parts.extend(delivery.notices.iter().map(|notice| key(receiver, notice)));
    }

    /// Forgets what a receiver has taken of a message that is not sent again.
    pub(super) fn forget(&self, receiver: &Arc<str>, delivery: &Delivery) {
        let mut parts = self.lock();
        for notice in &delivery.notices {
            parts.remove(&key(receiver, notice));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<NoticeKey>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(receiver: &Arc<str>, notice: &Notice) -> NoticeKey {
    NoticeKey { channel: Arc::clone(receiver), ..notice.key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::NoticeKind;
    use crate::config::Severity;
    use crate::notify::fixture::{delivery, fired, notice, of_source};

    #[test]
    fn each_receiver_lacks_what_it_has_not_taken_until_it_is_forgotten() {
        let taken = Taken::default();
        let barn = notice(NoticeKind::Fired, of_source("barn", Severity::Warning));
        let (one, both) = (delivery([fired()]), delivery([fired(), barn.clone()]));
        let [ann, bob] = ["ann", "bob"].map(Arc::from);
        taken.add(&ann, &one);
        assert_eq!(taken.rest(&ann, &both), [barn]);
        assert_eq!(taken.rest(&bob, &both).len(), 2);
        taken.forget(&ann, &both);
        assert_eq!(taken.rest(&ann, &both).len(), 2);
    }

    #[test]
    fn memory_is_bounded() {
        let taken = Taken::default();
        for receiver in 0..=MAX_TAKEN {
            taken.add(&receiver.to_string().into(), &delivery([fired()]));
        }
        assert_eq!(taken.lock().len(), 1);
        assert_eq!(taken.rest(&MAX_TAKEN.to_string().into(), &delivery([fired()])), []);
    }
}
