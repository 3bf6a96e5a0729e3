//! Fakes of the kernel, of sockets and of sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize as StdAtomicUsize};
use std::time::Duration;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};

use super::super::{Poller, Scheduler, Slot, SlotToken, Wake};
use crate::ready::Ready;
use crate::stats::{ConnectionState, Stats};

/// Most workers of a model.
const WORKERS: usize = 2;

/// An epoll instance with an eventfd.
pub(super) struct Kernel {
    pending: Mutex<Pending>,
    changed: Condvar,
}

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel { pending: Mutex::default(), changed: Condvar::new() }
    }
}

#[derive(Default)]
struct Pending {
    events: Vec<(SlotToken, Ready)>,
    is_woken: bool,
}

impl Kernel {
    /// Reports edges of a socket.
    pub(super) fn report(&self, token: SlotToken, edges: Ready) {
        self.pending.lock().unwrap().events.push((token, edges));
        self.changed.notify_one();
    }
}

/// The thread's end of a [`Kernel`].
pub(super) struct FakePoller {
    kernel: Arc<Kernel>,
    events: Vec<(SlotToken, Ready)>,
}

impl FakePoller {
    pub(super) fn new(kernel: &Arc<Kernel>) -> FakePoller {
        FakePoller { kernel: Arc::clone(kernel), events: Vec::new() }
    }
}

impl Poller for FakePoller {
    type Waker = FakeWaker;

    fn poll(&mut self, timeout: Option<Duration>) {
        let mut pending = self.kernel.pending.lock().unwrap();
        while timeout.is_none() && pending.events.is_empty() && !pending.is_woken {
            pending = self.kernel.changed.wait(pending).unwrap();
        }
        pending.is_woken = false;
        self.events = std::mem::take(&mut pending.events);
    }

    fn events(&self) -> impl Iterator<Item = (SlotToken, Ready)> {
        self.events.iter().copied()
    }
}

/// Wakes the thread that polls a [`Kernel`].
pub(super) struct FakeWaker(Arc<Kernel>);

impl Wake for FakeWaker {
    fn wake(&self) {
        self.0.pending.lock().unwrap().is_woken = true;
        self.0.changed.notify_one();
    }
}

/// A connection as its driver sees it, outside of the slot's mutex: so the slot's word alone has to
/// keep threads apart, and to order what they do.
#[derive(Default)]
pub(super) struct Connection {
    /// Bytes in the socket.
    unread: AtomicUsize,
    /// Number of drives, by a counter that all threads see at once.
    drives: StdAtomicUsize,
    /// The same number, written and read without any ordering.
    drives_seen: AtomicUsize,
    is_driven: AtomicBool,
}

impl Connection {
    /// The client sends a byte.
    pub(super) fn receive(&self) {
        self.unread.fetch_add(1, Ordering::AcqRel);
    }

    /// Reads until the socket is empty. Panics if another thread drives the connection, or if not
    /// everything is visible that the threads which drove it before have written.
    pub(super) fn drive(&self) -> usize {
        let relaxed = Ordering::Relaxed;
        assert!(!self.is_driven.swap(true, relaxed), "two threads drive one connection");
        let drives = self.drives.load(relaxed);
        assert_eq!(self.drives_seen.load(relaxed), drives, "the previous drive is not visible");
        let read = self.unread.swap(0, Ordering::AcqRel);
        self.drives.store(drives + 1, relaxed);
        self.drives_seen.store(drives + 1, relaxed);
        self.is_driven.store(false, relaxed);
        read
    }
}

pub(super) type FakeSlot = Slot<Arc<Connection>>;

/// Creates a parked slot that is in no table.
pub(super) fn slot(token: SlotToken) -> (Arc<FakeSlot>, Arc<Connection>) {
    let connection = Arc::new(Connection::default());
    let state = ConnectionState::Reading;
    let slot = Slot::new(token, None, Arc::clone(&connection), state, u64::MAX, 0);
    (Arc::new(slot), connection)
}

/// The channel to the reaper.
pub(super) struct Reaper {
    tasks: Mutex<Vec<Arc<FakeSlot>>>,
    sent: Condvar,
}

impl Default for Reaper {
    fn default() -> Reaper {
        Reaper { tasks: Mutex::default(), sent: Condvar::new() }
    }
}

impl Reaper {
    fn send(&self, slot: Arc<FakeSlot>) {
        self.tasks.lock().unwrap().push(slot);
        self.sent.notify_one();
    }

    /// Waits for a connection.
    pub(super) fn receive(&self) -> Arc<FakeSlot> {
        let mut tasks = self.tasks.lock().unwrap();
        loop {
            match tasks.pop() {
                Some(slot) => return slot,
                None => tasks = self.sent.wait(tasks).unwrap(),
            }
        }
    }
}

/// A scheduler of fakes.
pub(super) struct Engine {
    pub(super) scheduler: Scheduler<Arc<Connection>, FakePoller>,
    pub(super) kernel: Arc<Kernel>,
    /// Epoll instance of the acceptor.
    pub(super) acceptor: Arc<Kernel>,
    pub(super) reaper: Arc<Reaper>,
}

impl Engine {
    pub(super) fn new() -> Arc<Engine> {
        let (kernel, acceptor) = (Arc::new(Kernel::default()), Arc::new(Kernel::default()));
        let reaper = Arc::new(Reaper::default());
        let reaped = Arc::clone(&reaper);
        let scheduler = Scheduler::new(
            FakePoller::new(&kernel),
            FakeWaker(Arc::clone(&kernel)),
            FakeWaker(Arc::clone(&acceptor)),
            // The workers of a model leave their entries alone, whose ages depend on the clock.
            Arc::new(Stats::new(WORKERS)),
            Box::new(move |slot| reaped.send(slot)),
        );
        Arc::new(Engine { scheduler, kernel, acceptor, reaper })
    }

    /// Opens a connection, parked until its client sends something.
    pub(super) fn open(&self) -> (Arc<FakeSlot>, Arc<Connection>) {
        let mut slots = self.scheduler.slots();
        let (slot, connection) = slot(slots.next_token());
        slots.insert(Arc::clone(&slot));
        (slot, connection)
    }

    /// The client of a connection sends a byte, and the kernel reports the edge.
    pub(super) fn send(&self, slot: &FakeSlot, connection: &Connection) {
        connection.receive();
        self.kernel.report(slot.token, Ready::READ);
    }

    /// Stops the engine, its acceptor included.
    pub(super) fn stop(&self) {
        self.scheduler.stop();
        FakeWaker(Arc::clone(&self.acceptor)).wake();
    }
}

/// Drives a connection until it parks. Returns the number of bytes read.
pub(super) fn drive_until_parked(slot: &FakeSlot, connection: &Connection) -> usize {
    let mut read = 0;
    loop {
        read += connection.drive();
        if slot.park(Ready::READ, ConnectionState::Reading, u64::MAX, 0).is_ok() {
            return read;
        }
    }
}
