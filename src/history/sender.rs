//! Bounded queue of changes from the board to the recorder.
//!
//! The board must not block on a disk, so [`ChangeSender::send`] never blocks. When the queue is full, it drops
//! the oldest change and counts its rows.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::entry::rows_of;
use super::shared::Shared;
use crate::board::Change;

/// Most changes in the queue, and most entries in the recorder's batch. At one observation a minute
/// each holds almost three days.
pub(super) const CAPACITY: usize = 4_096;

/// Sends changes to the recorder without blocking. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChangeSender {
    /// The changes are boxed, since the channel allocates the memory of all its messages at once.
    sender: Sender<Box<Change>>,
    /// Receiving end of the same channel, to drop the oldest change.
    oldest: Receiver<Box<Change>>,
    shared: Arc<Shared>,
}

impl ChangeSender {
    /// Returns a sender and the recorder's end of the queue.
    pub(super) fn new(shared: Arc<Shared>) -> (ChangeSender, Receiver<Box<Change>>) {
        let (sender, changes) = bounded(CAPACITY);
        (ChangeSender { sender, oldest: changes.clone(), shared }, changes)
    }

    /// Queues a change. If the queue is full, drops the oldest one.
    pub fn send(&self, change: Change) {
        let mut change = Box::new(change);
        loop {
            match self.sender.try_send(change) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(rejected)) => {
                    change = rejected;
                    if let Ok(dropped) = self.oldest.try_recv() {
                        self.shared.dropped(rows_of(&dropped));
                    }
                }
            }
        }
    }
}
