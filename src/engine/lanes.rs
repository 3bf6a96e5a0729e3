//! Concurrency limits for expensive work (bulkheads), one for each [`Lane`], with fair queuing by
//! client.
//!
//! The service answers a call with a response, or with the next piece of expensive work. A piece runs
//! in a turn of its own while its request holds a [`Permit`], granted at once or later. A request
//! without one waits parked, without a thread, and is refused with 503 at `queue_timeout`. Free
//! permits are granted round robin to the clients that wait, one request each, and a client never
//! runs two at the same time: a hundred connections of one client delay another client by one
//! request.
//!
//! [`Lane::Bulk`] has as many permits as [`Settings::heavy_permits`](super::Settings::heavy_permits)
//! says, fewer than workers, since a piece may block on a disk. [`Lane::Interactive`] has one, which
//! scripts cannot take.
//!
//! Dropping a permit frees it, granted or not. So a connection that is closed while it waits, or
//! between the grant and its next turn, leaves nothing behind.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client_net::ClientNet;
use super::limits::MAX_PAUSED_WORK;
use super::service::Lane;

/// Client whose requests run one at a time. All clients on unix sockets are one client, `None`.
pub(super) type Client = Option<ClientNet>;

/// Called when a permit is granted after the request entered its lane.
pub(super) type Notify = Box<dyn Fn() + Send + Sync>;

/// All lanes of an engine.
pub(super) struct Lanes {
    bulk: Arc<LaneQueue>,
    interactive: Arc<LaneQueue>,
}

struct LaneQueue {
    permits: usize,
    state: Mutex<State>,
    /// Number of requests whose work has begun and has led to no response yet.
    begun: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Clients that hold a granted permit, each once.
    running: Vec<Client>,
    waiting: HashMap<Client, VecDeque<Arc<Entry>>>,
    /// Clients in `waiting`, the next one first.
    order: VecDeque<Client>,
}

struct Entry {
    client: Client,
    granted: AtomicBool,
    notify: Notify,
}

/// One request in a lane: it waits in the queue, then its permit is granted.
pub(super) struct Permit {
    queue: Arc<LaneQueue>,
    entry: Arc<Entry>,
}

impl Lanes {
    /// Creates lanes with that many permits for [`Lane::Bulk`], at least one.
    pub(super) fn new(bulk: usize) -> Lanes {
        let queue = |permits| {
            let (state, begun) = (Mutex::default(), AtomicUsize::new(0));
            Arc::new(LaneQueue { permits, state, begun })
        };
        Lanes { bulk: queue(bulk.max(1)), interactive: queue(1) }
    }

    /// Enters a lane. Calls `notify` when the permit is granted, unless that is at once.
    pub(super) fn enter(&self, lane: Lane, client: Client, notify: Notify) -> Permit {
        let queue = match lane {
            Lane::Bulk => &self.bulk,
            Lane::Interactive => &self.interactive,
        };
        let entry = Arc::new(Entry { client, granted: AtomicBool::new(false), notify });
        let mut state = queue.state();
        state.push(Arc::clone(&entry));
        let granted = state.grant(queue.permits);
        drop(state);
        notify_all(granted.into_iter().filter(|other| !Arc::ptr_eq(other, &entry)));
        Permit { queue: Arc::clone(queue), entry }
    }
}

impl LaneQueue {
    /// Held for a few steps in memory only.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, entry: Arc<Entry>) {
        let client = entry.client;
        let queue = self.waiting.entry(client).or_default();
        if queue.is_empty() {
            self.order.push_back(client);
        }
        queue.push_back(entry);
    }

    /// Grants the free permits to the clients that are next.
    fn grant(&mut self, permits: usize) -> Vec<Arc<Entry>> {
        let mut granted = Vec::new();
        while self.running.len() < permits {
            let next = self.order.iter().position(|client| !self.running.contains(client));
            let Some(client) = next.and_then(|at| self.order.remove(at)) else { break };
            let Some(queue) = self.waiting.get_mut(&client) else { continue };
            let entry = queue.pop_front();
            if queue.is_empty() {
                self.waiting.remove(&client);
            } else {
                self.order.push_back(client);
            }
            if let Some(entry) = entry {
                entry.granted.store(true, Ordering::Release);
                self.running.push(client);
                granted.push(entry);
            }
        }
        granted
    }

    fn leave(&mut self, entry: &Arc<Entry>) {
        let client = entry.client;
        if entry.granted.load(Ordering::Acquire) {
            if let Some(at) = self.running.iter().position(|running| *running == client) {
                self.running.swap_remove(at);
            }
        } else if let Some(queue) = self.waiting.get_mut(&client) {
            queue.retain(|waiting| !Arc::ptr_eq(waiting, entry));
            if queue.is_empty() {
                self.waiting.remove(&client);
                self.order.retain(|waiting| *waiting != client);
            }
        }
    }
}

/// Runs outside the lock, as a notified connection may be driven at once.
fn notify_all(granted: impl IntoIterator<Item = Arc<Entry>>) {
    for entry in granted {
        (entry.notify)();
    }
}

impl Permit {
    /// Returns true if the request may run.
    pub(super) fn is_granted(&self) -> bool {
        self.entry.granted.load(Ordering::Acquire)
    }

    /// Returns true if another client waits for a permit of the lane.
    pub(super) fn is_wanted_by_others(&self) -> bool {
        self.queue.state().order.iter().any(|client| *client != self.entry.client)
    }

    /// Returns true if any request waits for a permit of the lane, one of the same client included:
    /// behind a proxy or a unix socket many people are one client.
    pub(super) fn is_wanted(&self) -> bool {
        !self.queue.state().order.is_empty()
    }

    /// Notes that its work begins.
    pub(super) fn begin(&self) -> Begun {
        self.queue.begun.fetch_add(1, Ordering::Relaxed);
        Begun(Arc::clone(&self.queue))
    }
}

/// Work that has begun and has led to no response yet. It holds the results of its earlier pieces.
pub(super) struct Begun(Arc<LaneQueue>);

impl Begun {
    /// Returns true if the work may pause for that of other clients, which then begins too.
    pub(super) fn may_pause(&self) -> bool {
        self.0.begun.load(Ordering::Relaxed) < self.0.permits + MAX_PAUSED_WORK
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.begun.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.leave(&self.entry);
        let granted = state.grant(self.queue.permits);
        drop(state);
        notify_all(granted);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn client(number: u8) -> Client {
        Some(ClientNet::of(IpAddr::from([192, 0, 2, number])))
    }

    fn enter(lanes: &Lanes, number: u8) -> Permit {
        lanes.enter(Lane::Bulk, client(number), Box::new(|| {}))
    }

    fn granted(permits: &[Permit]) -> Vec<bool> {
        permits.iter().map(Permit::is_granted).collect()
    }

    #[test]
    fn permits_beyond_the_limit_wait_and_are_granted_in_order() {
        let lanes = Lanes::new(2);
        let mut permits: Vec<_> = (0..4).map(|number| enter(&lanes, number)).collect();
        assert_eq!(granted(&permits), [true, true, false, false]);
        permits.remove(1);
        assert_eq!(granted(&permits), [true, true, false]);
    }

    #[test]
    fn client_with_many_requests_runs_one_and_other_clients_are_next() {
        let lanes = Lanes::new(2);
        let mut greedy: Vec<_> = (0..3).map(|_| enter(&lanes, 1)).collect();
        assert_eq!(granted(&greedy), [true, false, false]);
        let other = enter(&lanes, 2);
        let third = enter(&lanes, 3);
        assert!(other.is_granted() && !third.is_granted());
        drop(greedy.remove(0));
        assert_eq!(granted(&greedy), [true, false], "its turn came before the third client's");
        drop(greedy.remove(0));
        assert!(third.is_granted() && !greedy[0].is_granted());
    }

    #[test]
    fn permit_dropped_while_waiting_or_granted_leaves_nothing() {
        let lanes = Lanes::new(1);
        let first = enter(&lanes, 1);
        drop(enter(&lanes, 2));
        let third = enter(&lanes, 3);
        drop(first);
        assert!(third.is_granted());
        drop(third);
        let state = lanes.bulk.state();
        assert!(state.running.is_empty() && state.waiting.is_empty() && state.order.is_empty());
    }

    #[test]
    fn grant_notifies_once_and_only_later_grants() {
        let (lanes, calls) = (Lanes::new(1), Arc::new(AtomicUsize::new(0)));
        let notify = || {
            let calls = Arc::clone(&calls);
            Box::new(move || {
                calls.fetch_add(1, Ordering::Relaxed);
            })
        };
        let first = lanes.enter(Lane::Bulk, client(1), notify());
        let second = lanes.enter(Lane::Bulk, client(2), notify());
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        assert!(first.is_wanted_by_others() && !second.is_granted());
        drop(first);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(second.is_granted() && !second.is_wanted_by_others());
    }

    #[test]
    fn work_pauses_for_other_clients_while_little_of_it_has_begun() {
        let lanes = Lanes::new(2);
        let permit = enter(&lanes, 1);
        let mut begun: Vec<_> = (0..2 + MAX_PAUSED_WORK).map(|_| permit.begin()).collect();
        assert!(!begun[0].may_pause());
        begun.pop();
        assert!(begun[0].may_pause());
        drop(begun);
        assert_eq!(lanes.bulk.begun.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn lanes_share_no_permits() {
        let lanes = Lanes::new(1);
        let _bulk: Vec<_> = (0..9).map(|number| enter(&lanes, number)).collect();
        assert!(lanes.enter(Lane::Interactive, client(1), Box::new(|| {})).is_granted());
    }
}
