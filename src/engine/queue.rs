//! The run queue: ready connections on their way to a worker, by [`Level`] (a multilevel feedback
//! queue) and in order of their arrival.
//!
//! The first level that holds connections is served, but each level below it gets one pop in
//! [`SHARE`]. Thousands of clients that pipeline without a pause therefore delay a new connection by a
//! few turns instead of a round.
//!
//! Its bound is `max_connections`, as a connection is pushed only when it becomes
//! [`Place::Queued`]. A connection that leaves the queue by another way (shed at `queue_timeout`,
//! expired) leaves a stale entry, which a worker skips and [`Queue::prune`] drops.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::slot::{Place, Slot};

/// Pops from other levels after which a level that holds connections gets one.
const SHARE: usize = 4;

/// Urgency of a ready connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// It had no response yet.
    New,
    /// It had a response, and has become ready again.
    Returning,
    /// It used up its turn and has more to do.
    Continuing,
}

const LEVELS: usize = Level::Continuing as usize + 1;

/// Ready connections, in order.
#[derive(Default)]
pub(super) struct Queue {
    levels: Mutex<Levels>,
    /// Number of connections in all levels, readable without the lock. A worker that is about to
    /// block reads it after it has announced that it will, and a producer changes it before it looks
    /// for such a worker: in the one order of sequentially consistent operations, one of them sees
    /// the other.
    len: AtomicUsize,
}

#[derive(Default)]
struct Levels {
    entries: [VecDeque<Arc<Slot>>; LEVELS],
    /// Pops from levels above since the latest from this one.
    passed_over: [usize; LEVELS],
}

impl Levels {
    fn len(&self) -> usize {
        self.entries.iter().map(VecDeque::len).sum()
    }

    fn pop(&mut self) -> Option<Arc<Slot>> {
        let mut holding = (0..LEVELS).filter(|level| !self.entries[*level].is_empty());
        let first = holding.next()?;
        let mut next = first;
        for level in holding {
            self.passed_over[level] += 1;
            if self.passed_over[level] >= SHARE {
                next = level;
            }
        }
        self.passed_over[next] = 0;
        self.entries[next].pop_front()
    }
}

impl Queue {
    /// Held for a few steps in memory only.
    fn levels(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a connection that has become ready.
    pub(super) fn push(&self, slot: Arc<Slot>) {
        let level = if slot.has_answered() { Level::Returning } else { Level::New };
        self.append(slot, level);
    }

    /// Appends a connection that used up its turn.
    pub(super) fn push_again(&self, slot: Arc<Slot>) {
        self.append(slot, Level::Continuing);
    }

    fn append(&self, slot: Arc<Slot>, level: Level) {
        let mut levels = self.levels();
        levels.entries[level as usize].push_back(slot);
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
        for entries in &mut levels.entries {
            entries.retain(|slot| slot.place() == Place::Queued);
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
    use super::super::ready::Ready;
    use super::super::session::fixture::Paired;
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
    fn levels_below_the_first_get_a_share_of_the_pops() {
        let queue = Queue::default();
        for key in 0..3 {
            queue.push_again(ready(20 + key));
        }
        for key in 0..3 {
            let slot = ready(10 + key);
            slot.note_answered();
            queue.push(slot);
        }
        for key in 0..8 {
            queue.push(ready(key));
        }
        let popped: Vec<usize> = std::iter::from_fn(|| queue.pop()).map(|slot| slot.key).collect();
        assert_eq!(popped, [0, 1, 2, 20, 10, 3, 4, 21, 11, 5, 6, 22, 12, 7]);
        // A level that waits alone is served at once.
        queue.push_again(ready(23));
        assert_eq!(queue.pop().map(|slot| slot.key), Some(23));
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
