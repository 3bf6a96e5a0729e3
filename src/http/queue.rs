//! Ready connections on their way to a worker, in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::slot::{Place, Slot};

/// The bounded hand-off. A connection that finds it full waits in the overflow, which has room
/// for every connection there can be, and moves up as others are taken.
pub(super) struct Queue {
    sender: Sender<Arc<Slot>>,
    receiver: Receiver<Arc<Slot>>,
    overflow: Mutex<VecDeque<Arc<Slot>>>,
    /// Somebody is in the overflow, so that newcomers must go behind them.
    overflowing: AtomicBool,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Queue {
        let (sender, receiver) = bounded(limit);
        let overflow = Mutex::default();
        Queue { sender, receiver, overflow, overflowing: AtomicBool::new(false) }
    }

    fn overflow(&self) -> MutexGuard<'_, VecDeque<Arc<Slot>>> {
        self.overflow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a connection at the end.
    pub(super) fn push(&self, slot: Arc<Slot>) {
        let slot = if self.overflowing.load(Ordering::Acquire) {
            slot
        } else {
            match self.sender.try_send(slot) {
                Ok(()) => return,
                Err(TrySendError::Full(slot) | TrySendError::Disconnected(slot)) => slot,
            }
        };
        let mut overflow = self.overflow();
        overflow.push_back(slot);
        self.overflowing.store(true, Ordering::Release);
    }

    /// Takes the first connection. It may have left by another way and be a mere ticket.
    pub(super) fn pop(&self) -> Option<Arc<Slot>> {
        if let Ok(slot) = self.receiver.try_recv() {
            return Some(slot);
        }
        if !self.overflowing.load(Ordering::Acquire) {
            return None;
        }
        let mut overflow = self.overflow();
        let first = overflow.pop_front();
        while let Some(slot) = overflow.pop_front() {
            if let Err(TrySendError::Full(slot) | TrySendError::Disconnected(slot)) =
                self.sender.try_send(slot)
            {
                overflow.push_front(slot);
                break;
            }
        }
        self.overflowing.store(!overflow.is_empty(), Ordering::Release);
        first
    }

    /// Drops the tickets at the front of the overflow, which would otherwise grow for as long
    /// as no worker takes anything.
    pub(super) fn prune(&self) {
        if self.overflowing.load(Ordering::Acquire) {
            let mut overflow = self.overflow();
            while overflow.front().is_some_and(|slot| slot.place() != Place::Queued) {
                overflow.pop_front();
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        let overflow =
            if self.overflowing.load(Ordering::Acquire) { self.overflow().len() } else { 0 };
        self.receiver.len() + overflow
    }

    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty() && !self.overflowing.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::budget::Budget;
    use super::super::limits::Settings;
    use super::super::session::Session;
    use super::super::slot::Ready;
    use super::super::socket::Stream;
    use super::*;

    fn ready(key: usize) -> Arc<Slot> {
        let stream = Stream::Unix(mio::net::UnixStream::pair().unwrap().0);
        let settings = Arc::new(Settings::default());
        let budget = Arc::new(Budget::new(settings.max_buffered_bytes));
        let session = Session::new(stream, None, &settings, &budget, None, Instant::now());
        let slot = Slot::new(key, None, session, 0, 0);
        slot.signal(Ready::READ, 0);
        Arc::new(slot)
    }

    #[test]
    fn first_come_first_served_however_many_there_are() {
        let queue = Queue::new(2);
        for key in 0..5 {
            queue.push(ready(key));
        }
        assert_eq!(queue.len(), 5);
        let mut popped: Vec<usize> = (0..3).filter_map(|_| queue.pop()).map(|it| it.key).collect();
        queue.push(ready(5));
        popped.extend(std::iter::from_fn(|| queue.pop()).map(|slot| slot.key));
        assert_eq!(popped, [0, 1, 2, 3, 4, 5]);
        assert!(queue.is_empty());
    }

    #[test]
    fn who_has_left_does_not_fill_the_overflow() {
        let queue = Queue::new(1);
        for key in 0..4 {
            let slot = ready(key);
            queue.push(Arc::clone(&slot));
            assert!(slot.turn_away());
        }
        let last = ready(4);
        queue.push(Arc::clone(&last));
        queue.prune();
        assert_eq!(queue.len(), 2, "the ticket in the hand-off, and the one that still waits");
        assert_eq!(queue.pop().map(|slot| slot.key), Some(0));
        assert_eq!(queue.pop().map(|slot| slot.key), Some(4));
    }
}
