//! Sources that this replica holds, if several machines share the sources: the others are parked in the queue.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use super::poller::Poller;
use super::queue::{Key, Queue, Source};

/// Wait before a poll is started again that was not permitted.
pub(super) const PERMIT_RETRY: Duration = Duration::from_millis(50);

/// Restricts polls to sources that are held, and to times at which the replica may poll.
pub struct Gate {
    /// Returns true if polls may start now. Called on the scheduler's thread right before each start; it must not
    /// block. A poll that is refused stays due, and is neither failed nor counted.
    pub permit: Box<dyn Fn() -> bool + Send>,
    /// Receives the name of each source that [`super::PollerHandles::release`] released, once no poll of it is in flight
    /// and the report of the last one is in the board's channel.
    pub released: Sender<Arc<str>>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

/// The sources that are held, by name: the lease of a source outlives its configuration.
pub(super) struct HeldSources {
    gate: Gate,
    /// Key of each source of the configuration.
    keys: HashMap<Arc<str>, Key>,
    /// The sources that are held. One that is not configured yet has the time of its next poll.
    held: HashMap<Arc<str>, Option<Instant>>,
    /// Sources that were released while their poll was in flight.
    releasing: HashSet<Arc<str>>,
}

impl HeldSources {
    pub(super) fn new(gate: Gate) -> HeldSources {
        HeldSources { gate, keys: HashMap::new(), held: HashMap::new(), releasing: HashSet::new() }
    }

    /// Returns true if polls may start now.
    pub(super) fn are_permitted(&self) -> bool {
        (self.gate.permit)()
    }

    /// Adds a source of a new configuration. One that is held and has changed is polled early, as without a gate.
    pub(super) fn insert(
        &mut self,
        queue: &mut Queue<Box<Poller>>,
        key: Key,
        source: Source<Box<Poller>>,
        now: Instant,
    ) {
        let name = Arc::clone(&source.name);
        self.keys.insert(Arc::clone(&name), key);
        let next = self.held.get_mut(&name).map(Option::take);
        queue.insert(key, Source { is_parked: true, ..source }, now);
        if let Some(next) = next {
            unpark(queue, key, next, now);
        }
    }

    /// Forgets the keys of sources that a new configuration does not have.
    pub(super) fn compact(&mut self, queue: &Queue<Box<Poller>>) {
        self.keys.retain(|_, key| queue.contains(*key));
    }

    /// Begins to poll a source.
    pub(super) fn hold(
        &mut self,
        queue: &mut Queue<Box<Poller>>,
        source: Arc<str>,
        next: Option<Instant>,
        now: Instant,
    ) {
        let key = self.keys.get(&source).copied();
        self.held.insert(source, next.filter(|_| key.is_none()));
        if let Some(key) = key {
            unpark(queue, key, next, now);
        }
    }

    /// Ends the polls of a source.
    pub(super) fn release(&mut self, queue: &mut Queue<Box<Poller>>, source: Arc<str>) {
        self.held.remove(&source);
        if let Some(key) = self.keys.get(&source) {
            queue.park(*key);
        }
        self.releasing.insert(Arc::clone(&source));
        self.report_released(queue, &source);
    }

    /// Reports that a source was released, unless its poll is in flight.
    pub(super) fn report_released(&mut self, queue: &Queue<Box<Poller>>, source: &Arc<str>) {
        let key = self.keys.get(source).copied();
        if self.releasing.contains(source) && !queue.is_in_flight(key, source) {
            self.releasing.remove(source);
            // The receiver ends before the pollers at a stop.
            let _ = self.gate.released.send(Arc::clone(source));
        }
    }
}

fn unpark(queue: &mut Queue<Box<Poller>>, key: Key, next: Option<Instant>, now: Instant) {
    if let Some((poller, point)) = queue.unpark(key, next, now) {
        // Set by the handle, too, but perhaps by that of an earlier configuration.
        poller.stats.set_held(true);
        poller.take_over(point);
    }
}
