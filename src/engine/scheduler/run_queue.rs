//! The run queue: ready connections that wait for a worker, by [`Level`] and in order of their
//! arrival.
//!
//! It is a multilevel feedback queue. A pop serves the first level that holds connections, but each
//! level below gets one pop in [`SHARE`]. So thousands of clients that pipeline without a pause
//! delay a new connection by a few turns instead of a whole round.
//!
//! A connection is pushed only when it moves to [`Place::Queued`], so each is in the queue at most
//! once and `max_connections` bounds the length. A connection that leaves the queue by another way
//! (shed at `queue_timeout`, expired, evicted) leaves a stale entry, which a worker skips and
//! [`RunQueue::prune`] drops.

use std::collections::VecDeque;
use std::sync::Arc;

use super::slot::{Place, Slot};
use super::sync::{AtomicUsize, Mutex, Ordering, lock};

/// Pops from other levels after which a level that holds connections gets one.
const SHARE: usize = 4;

/// Urgency of a ready connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// It had no response yet.
    New,
    /// It had a response, and has become ready again.
    Returning,
    /// It used up its turn and has more to do.
    Continuing,
}

const LEVELS: usize = Level::Continuing as usize + 1;

/// Ready connections.
pub(super) struct RunQueue<S> {
    levels: Mutex<Levels<S>>,
    /// Number of entries in all levels, readable without the lock. It changes under the lock.
    len: AtomicUsize,
}

struct Levels<S> {
    entries: [VecDeque<Arc<Slot<S>>>; LEVELS],
    /// Pops from levels above since the latest from this one.
    passed_over: [usize; LEVELS],
}

impl<S> Default for RunQueue<S> {
    fn default() -> RunQueue<S> {
        let levels = Levels { entries: Default::default(), passed_over: [0; LEVELS] };
        RunQueue { levels: Mutex::new(levels), len: AtomicUsize::new(0) }
    }
}

impl<S> Levels<S> {
    fn len(&self) -> usize {
        self.entries.iter().map(VecDeque::len).sum()
    }

    fn pop(&mut self) -> Option<Arc<Slot<S>>> {
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

impl<S> RunQueue<S> {
    /// Appends a connection that has become ready.
    pub(super) fn push(&self, slot: Arc<Slot<S>>) {
        let level = if slot.has_answered() { Level::Returning } else { Level::New };
        self.append(slot, level);
    }

    /// Appends a connection that used up its turn.
    pub(super) fn push_again(&self, slot: Arc<Slot<S>>) {
        self.append(slot, Level::Continuing);
    }

    fn append(&self, slot: Arc<Slot<S>>, level: Level) {
        let mut levels = lock(&self.levels);
        levels.entries[level as usize].push_back(slot);
        self.len.store(levels.len(), Ordering::Relaxed);
    }

    /// Takes the next entry, which may be stale.
    pub(super) fn pop(&self) -> Option<Arc<Slot<S>>> {
        if self.is_empty() {
            return None;
        }
        let mut levels = lock(&self.levels);
        let next = levels.pop();
        self.len.store(levels.len(), Ordering::Relaxed);
        next
    }

    /// Drops stale entries, which would otherwise pile up while no worker takes any.
    pub(super) fn prune(&self) {
        if self.is_empty() {
            return;
        }
        let mut levels = lock(&self.levels);
        for entries in &mut levels.entries {
            entries.retain(|slot| slot.place() == Place::Queued);
        }
        self.len.store(levels.len(), Ordering::Relaxed);
    }

    /// Returns the number of entries, which may be out of date when the caller uses it. See the
    /// memory orderings in the documentation of the [`scheduler`](super).
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Returns true if the queue holds no entry, with the precision of [`RunQueue::len`].
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
