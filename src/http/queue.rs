//! The run queue: ready connections on their way to a worker, in two levels (a multilevel feedback
//! queue).
//!
//! Connections that have become ready are served first, in order of their arrival. Connections that
//! used up their turn and have more to do wait at the second level, which gets every
//! [`SECOND_LEVEL_SHARE`]th pop while both levels hold connections. Thousands of clients that
//! pipeline without a pause therefore delay a new connection by a few turns instead of a round.
//!
//! Its bound is `max_connections`, as a connection is pushed only when it becomes
//! [`Place::Queued`]. A connection that leaves the queue by another way (shed at `queue_timeout`,
//! expired) leaves a stale entry, which a worker skips and [`Queue::prune`] drops.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::slot::{Place, Slot};

/// Share of the pops that the second level gets while the first level holds connections: one in so
/// many.
const SECOND_LEVEL_SHARE: usize = 4;

/// Ready connections, in order.
#[derive(Default)]
pub(super) struct Queue {
    levels: Mutex<Levels>,
    /// Number of connections in both levels, readable without the lock. A worker that is about to block reads it
    /// after it has announced that it will, and a producer changes it before it looks for such a
    /// worker: in the one order of sequentially consistent operations, one of them sees the other.
    len: AtomicUsize,
}

#[derive(Default)]
struct Levels {
    first: VecDeque<Arc<Slot>>,
    second: VecDeque<Arc<Slot>>,
    /// Pops from the first level since the latest from the second.
    passed_over: usize,
}

impl Levels {
    fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }

    fn pop(&mut self) -> Option<Arc<Slot>> {
        let is_second_due = self.passed_over + 1 >= SECOND_LEVEL_SHARE && !self.second.is_empty();
        if !is_second_due && let Some(slot) = self.first.pop_front() {
            self.passed_over += 1;
            return Some(slot);
        }
        self.passed_over = 0;
        self.second.pop_front()
    }
}

impl Queue {
    /// Held for a few steps in memory only.
    fn levels(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a connection that has become ready.
    pub(super) fn push(&self, slot: Arc<Slot>) {
        let mut levels = self.levels();
        levels.first.push_back(slot);
        self.len.store(levels.len(), Ordering::SeqCst);
    }

    /// Appends a connection that used up its turn.
    pub(super) fn push_again(&self, slot: Arc<Slot>) {
        let mut levels = self.levels();
        levels.second.push_back(slot);
        self.len.store(levels.len(), Ordering::SeqCst);
    }

    /// Takes the next entry, which may be stale.
    pub(super) fn pop(&self) -> Option<Arc<Slot>> {
        if self.is_empty() {
            return None;
        }
        let mut levels = self.levels();
        let next = levels.pop();
        self.len.store(levels.len(), Ordering::SeqCst);
        next
    }

    /// Drops stale entries, which would otherwise pile up while no worker takes any.
    pub(super) fn prune(&self) {
        if self.is_empty() {
            return;
        }
        let mut levels = self.levels();
        let Levels { first, second, .. } = &mut *levels;
        for level in [first, second] {
            level.retain(|slot| slot.place() == Place::Queued);
        }
        self.len.store(levels.len(), Ordering::SeqCst);
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::Settings;
    use super::super::session::fixture::Paired;
    use super::super::slot::Ready;
    use super::*;

    fn ready(key: usize) -> Arc<Slot> {
        let slot = Slot::new(key, None, Paired::new(Settings::default()).session, 0, 0);
        slot.signal(Ready::READ, 0);
        Arc::new(slot)
    }

    #[test]
    fn entries_pop_in_the_order_of_their_push() {
        let queue = Queue::default();
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
    fn connections_that_used_up_their_turn_get_every_fourth_pop() {
        let queue = Queue::default();
        for key in 0..3 {
            queue.push_again(ready(10 + key));
        }
        for key in 0..8 {
            queue.push(ready(key));
        }
        let popped: Vec<usize> = std::iter::from_fn(|| queue.pop()).map(|slot| slot.key).collect();
        assert_eq!(popped, [0, 1, 2, 10, 3, 4, 5, 11, 6, 7, 12]);
    }

    #[test]
    fn prune_drops_stale_entries_wherever_they_stand() {
        let queue = Queue::default();
        for key in 0..6 {
            let slot = ready(key);
            queue.push(Arc::clone(&slot));
            if key % 3 != 0 {
                assert!(slot.turn_away());
            }
        }
        queue.prune();
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.pop().map(|slot| slot.key), Some(0));
        assert_eq!(queue.pop().map(|slot| slot.key), Some(3));
        assert!(queue.pop().is_none());
    }
}
