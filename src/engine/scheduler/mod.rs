//! The scheduler: which thread drives which connection, and when. This is the place where the
//! engine's concurrency is explained.
//!
//! # Leader/Followers
//!
//! All connections are registered with one epoll instance, and the workers take turns at it. This is
//! the Leader/Followers pattern (Schmidt, Stal, Rohnert and Buschmann, *Pattern-Oriented Software
//! Architecture*, volume 2); tokio's `multi_thread/park.rs` shares its driver in the same way.
//!
//! 1. A worker that finds the run queue empty becomes the **leader**: it locks the
//!    [`IoDriver`] and blocks in `epoll_wait`.
//! 2. The leader dispatches the events: it pushes each connection that waited for one of them onto
//!    the [`RunQueue`]. Then it unlocks the driver.
//! 3. It serves from the run queue itself until that is empty, and becomes the leader again.
//! 4. A worker that finds the driver locked is a **follower**: it sleeps until it is called.
//!
//! In the common case no second thread is on the path of a request: the worker that takes its event
//! from the kernel serves it. An engine in which the acceptor waits for readiness and hands each
//! connection to a worker needs two wake-ups of another thread, which cost more than the request
//! itself. Here a leader that begins to serve wakes the acceptor for the [`StallCheck`], unless one
//! is requested already. That is beside the request's path, and the acceptor then wakes once per check
//! interval until a worker is parked again.
//!
//! Two threads call followers. A worker that has served for [`HELP_AFTER`] and sees more to do calls
//! one, as long as fewer workers serve than there are processors. And the acceptor calls one when
//! its [`StallCheck`] finds that the workers make no progress: while every worker serves or blocks
//! in a handler, no thread is in `epoll_wait`, so the acceptor polls in their place. A worker that
//! always has more to do polls by itself every [`POLL_INTERVAL`].
//!
//! # Places of a connection
//!
//! ```text
//!            wanted edge              a worker takes it
//! ┌────────┐ ───────────► ┌────────┐ ─────────────────► ┌────────┐   done    ┌────────┐
//! │ Parked │              │ Queued │                    │ Driven │ ────────► │ Closed │
//! └────────┘              └────────┘ ◄───────────────── └────────┘           └────────┘
//!  ▲  │ │                     │ │       turn used up      │  ▲                    ▲
//!  │  │ │ deadline, drain,    │ │ queue_timeout (shed),   │  │ the reaper         │
//!  │  │ │ edge after shedding │ │ deadline of a response  │  │ takes it           │
//!  │  │ └─────► ┌─────────┐ ◄─┘ │                         │  │                    │
//!  │  │         │ Claimed │ ────┼─────────────────────────┼──┘                    │
//!  │  │         └─────────┘     │                         │                       │
//!  │  └─────────────────────────┴─────── evicted ─────────┼───────────────────────┘
//!  └──────────────── parks until an edge or a deadline ─┘
//! ```
//!
//! A new connection is parked until its client sends something.
//!
//! | place | threads that may touch the connection |
//! | --- | --- |
//! | Parked | the thread that dispatches events, and any thread that frees a permit, may queue it, or claim it for the reaper if it was shed; the acceptor may claim or evict it |
//! | Queued | one worker takes it; the acceptor may claim, shed or evict it |
//! | Claimed | the reaper takes it |
//! | Driven | the thread that took it, alone: it reads, writes, parses and calls the service |
//! | Closed | the acceptor removes it from the [`SlotTable`] |
//!
//! Two others hold the session's mutex for a moment without having taken the connection, and only if
//! it is free: [`Slot::try_inspect`], at the end of a drain that has timed out, and an eviction, which
//! locks the mutex before it swaps the word and leaves a connection that it then finds driven.
//!
//! The place is part of the connection's atomic word (`slot.rs`), and each arrow is one
//! compare-and-swap. A connection is driven by the thread whose swap moved it to `Driven`. An edge
//! that arrives while a connection is driven is stored in the word, and parking fails if it is one
//! that the connection waits for: so no edge is lost, and neither side waits for the other.
//!
//! A stale event cannot reach another connection. A thread may take an event from the kernel, and
//! reach the slot table only after that connection was closed and its key was given to a new one.
//! The token of an event therefore includes a generation, which the table compares.
//!
//! # Memory orderings
//!
//! * **The word**: `AcqRel`. A thread that takes a connection sees all that the thread which parked,
//!   queued or claimed it wrote before, as if a lock had passed from one to the other. The fields
//!   beside the word (deadline, state, ...) are `Relaxed`: the sweep reads them after an `Acquire`
//!   load of the word. They may belong to a later turn than the word does; so whatever the sweep
//!   decides takes effect by a swap that fails if the connection is at another place, and a session
//!   checks its deadline itself before it expires. The swap compares the place and not the turn: a
//!   connection that has waited for `queue_timeout`, and is taken, driven for a turn and queued again
//!   between the sweep's load of its tick and the swap, is shed after all. Its next call of the
//!   service gets 503; a response under way is finished. The session is in a mutex because unsafe code is forbidden;
//!   nothing relies on its ordering.
//! * **Run queue and parked leader**: `fence(SeqCst)` on both sides, as in Dekker's algorithm. The
//!   leader stores `parked`, then loads the queue's length; a producer stores the length, then loads
//!   `parked`. With a weaker order each could miss the other's store (a store buffer suffices), and
//!   the connection would wait for an unrelated event. With the fences at least one sees the other:
//!   the leader does not block, or the producer wakes it.
//! * **Stall check**: the same pair. A leader that leaves stores `parked`, then loads
//!   `stall_check_requested`; the acceptor clears that flag, then loads `parked`. Either the leader
//!   sees the flag cleared and requests another check, or the acceptor sees that the leader has left,
//!   and sets the flag again.
//! * **Wake-ups** are sticky: an eventfd that is written before `epoll_wait` ends that call at once.
//!   The kernel orders the write before the return from the wait.
//!
//! Two rules prevent a gap without a leader. Unless another worker is parked,
//!
//! 1. a worker requests a stall check before it drives the first connection of a run. It may have
//!    come back from an event that queued nothing; the thread that queues a connection afterwards
//!    finds no worker parked and wakes none.
//! 2. a worker requests one before it sleeps as a follower. The thread that holds the driver may be
//!    the acceptor, or a worker that only polls between two connections and then blocks in a handler.
//!    Neither will lead, and the leader that found the driver locked would sleep as a follower for as
//!    long.
//!
//! # Checks
//!
//! The models in `models` run this module under [loom], with a fake in the place of epoll: `cargo test
//! --package pumphouse-web-engine --features model models::` (part of `make test`). They check that no
//! wake-up is lost, that no two threads drive one connection, and that no stale event reaches another
//! connection.
//!
//! [loom]: https://docs.rs/loom

mod followers;
mod io_driver;
#[cfg(all(test, feature = "model"))]
mod models;
mod poller;
mod run_queue;
mod slot;
mod slot_table;
mod stall_check;
mod sync;

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use self::followers::Followers;
use self::io_driver::IoDriver;
pub(super) use self::poller::{Epoll, Poller, Wake, Waker};
use self::run_queue::RunQueue;
use self::slot::Signal;
pub(super) use self::slot::{Place, Slot};
pub(super) use self::slot_table::{SlotTable, SlotToken};
pub(super) use self::stall_check::StallCheck;
use self::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, fence, lock};
use super::activity::{Activity, WorkerState};
use super::deadline::Epoch;
use super::ready::Ready;
use super::stats::{ConnectionState, Stats};

/// Time for which a worker serves before it calls a follower, if there is more to do.
const HELP_AFTER: Duration = Duration::from_micros(200);

/// Interval at which a worker that always has more to do polls for events.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// Sends a connection that was shed to the reaper, once its client sends more.
pub(super) type Reap<S> = Box<dyn Fn(Arc<Slot<S>>) + Send + Sync>;

/// State by which the threads of an engine share its connections.
pub(super) struct Scheduler<S, P: Poller = Epoll> {
    driver: IoDriver<P>,
    run_queue: RunQueue<S>,
    slots: Mutex<SlotTable<S>>,
    followers: Followers,
    /// Interrupts the acceptor's wait.
    acceptor: P::Waker,
    stall_check_requested: AtomicBool,
    /// Number of workers that serve.
    serving: AtomicUsize,
    /// Number of processors: more workers that compute would only take turns on them.
    processors: usize,
    /// The last connection is closed, and the threads end.
    stopped: AtomicBool,
    stats: Arc<Stats>,
    /// Start of the ticks in slots.
    pub(super) epoch: Epoch,
    reap: Reap<S>,
}

impl<S, P: Poller> Scheduler<S, P> {
    /// Creates a scheduler for as many workers as `stats` has.
    pub(super) fn new(
        poller: P,
        waker: P::Waker,
        acceptor: P::Waker,
        stats: Arc<Stats>,
        reap: Reap<S>,
    ) -> Scheduler<S, P> {
        Scheduler {
            driver: IoDriver::new(poller, waker),
            run_queue: RunQueue::default(),
            slots: Mutex::new(SlotTable::default()),
            followers: Followers::new(stats.workers().len()),
            acceptor,
            stall_check_requested: AtomicBool::new(false),
            serving: AtomicUsize::new(0),
            processors: thread::available_parallelism().map_or(1, NonZero::get),
            stopped: AtomicBool::new(false),
            stats,
            epoch: Epoch::starting(sync::now()),
            reap,
        }
    }

    /// Locks the table of open connections. No thread does I/O while it holds the lock.
    pub(super) fn slots(&self) -> MutexGuard<'_, SlotTable<S>> {
        lock(&self.slots)
    }

    /// Runs a worker until the engine stops. `drive` drives a connection, with the edges that have
    /// arrived, from the time given, and returns the time at which it has parked, requeued or
    /// closed it.
    pub(super) fn work(
        &self,
        activity: &Activity,
        mut drive: impl FnMut(&Arc<Slot<S>>, Ready, Instant) -> Instant,
    ) {
        while !self.is_stopped() {
            self.serve(activity, &mut drive);
            if !self.lead() {
                self.request_stall_check();
                self.followers.wait();
            }
        }
    }

    /// Serves until the run queue is empty.
    fn serve(
        &self,
        activity: &Activity,
        drive: &mut impl FnMut(&Arc<Slot<S>>, Ready, Instant) -> Instant,
    ) {
        let Some(mut next) = self.run_queue.pop() else { return };
        // `lead` may have found the queue empty: another thread has queued the connection since, and
        // woke no leader because none was parked.
        self.request_stall_check();
        let mut started = sync::now();
        let (mut polled, mut now) = (started, started);
        self.serving.fetch_add(1, Ordering::Relaxed);
        loop {
            if let Some(edges) = next.take_queued() {
                activity.begin();
                now = drive(&next, edges, now);
                if now.duration_since(started) >= HELP_AFTER && !self.run_queue.is_empty() {
                    started = now;
                    if self.serving.load(Ordering::Relaxed) < self.processors {
                        self.followers.call_one();
                    }
                }
                if now.duration_since(polled) >= POLL_INTERVAL && !self.run_queue.is_empty() {
                    polled = now;
                    self.poll_now();
                }
            }
            match self.run_queue.pop() {
                Some(slot) => next = slot,
                None => break,
            }
        }
        activity.enter(WorkerState::Waiting);
        self.serving.fetch_sub(1, Ordering::Relaxed);
    }

    /// Leads: blocks until there is something to do, and dispatches the events. Returns false
    /// without blocking if another thread holds the driver.
    fn lead(&self) -> bool {
        let may_block = || self.run_queue.is_empty() && !self.is_stopped();
        self.driver.park(may_block, |poller| {
            self.dispatch(poller.events());
            // Before the driver is unlocked: the kernel may preempt this thread before it serves.
            if !self.run_queue.is_empty() {
                self.request_stall_check();
            }
        })
    }

    /// Dispatches the events that are there, unless another thread holds the driver.
    pub(super) fn poll_now(&self) {
        self.driver.poll_now(|poller| self.dispatch(poller.events()));
    }

    /// Queues the connections that wait for these events.
    fn dispatch(&self, events: impl Iterator<Item = (SlotToken, Ready)>) {
        let mut events = events.peekable();
        if events.peek().is_none() {
            return;
        }
        let now = self.epoch.ticks(sync::now());
        let slots = self.slots();
        for (token, edges) in events {
            let Some(slot) = slots.get(token) else { continue };
            match slot.signal(edges, now) {
                Signal::Noted => {}
                Signal::Queue => self.run_queue.push(Arc::clone(slot)),
                Signal::Reap => (self.reap)(Arc::clone(slot)),
            }
        }
        drop(slots);
        self.stats.set_queue_depth(self.run_queue.len());
    }

    /// Adds an edge that does not come from the kernel, and queues the connection if it waits for
    /// that edge.
    pub(super) fn signal(&self, slot: &Arc<Slot<S>>, edge: Ready) {
        match slot.signal(edge, self.epoch.ticks(sync::now())) {
            Signal::Noted => {}
            Signal::Queue => {
                self.run_queue.push(Arc::clone(slot));
                self.stats.set_queue_depth(self.run_queue.len());
                self.wake_leader();
            }
            Signal::Reap => (self.reap)(Arc::clone(slot)),
        }
    }

    /// Queues a driven connection that used up its turn. A thread that does not serve from the queue
    /// itself calls [`Scheduler::wake_leader`] afterwards.
    pub(super) fn requeue(
        &self,
        slot: &Arc<Slot<S>>,
        state: ConnectionState,
        deadline: u64,
        now: u64,
    ) {
        slot.requeue(state, deadline, now);
        self.run_queue.push_again(Arc::clone(slot));
        self.stats.set_queue_depth(self.run_queue.len());
    }

    /// Ends the leader's wait if a worker is parked. If none is, a worker will check the run queue
    /// before it parks, or the acceptor's stall check, which each worker has requested that serves or
    /// sleeps, calls one.
    pub(super) fn wake_leader(&self) {
        fence(Ordering::SeqCst);
        if self.driver.is_parked() {
            self.driver.wake();
        }
    }

    /// Requests the acceptor's [`StallCheck`] unless a worker is parked, because the calling worker
    /// does not lead.
    ///
    /// If the load of `parked` returns an old `true`, the worker that stored it has left since. That
    /// worker calls this function too before it drives a connection or sleeps, and its own load
    /// returns the `false` that it stored, or the `true` of a worker that has parked later.
    fn request_stall_check(&self) {
        fence(Ordering::SeqCst);
        if !self.driver.is_parked()
            && !self.stall_check_requested.load(Ordering::Relaxed)
            && !self.stall_check_requested.swap(true, Ordering::Relaxed)
        {
            self.wake_acceptor();
        }
    }

    /// Interrupts the acceptor's wait. Should that fail, its next sweep does what is due.
    pub(super) fn wake_acceptor(&self) {
        self.acceptor.wake();
    }

    /// Returns the number of connections in the run queue.
    pub(super) fn queued(&self) -> usize {
        self.run_queue.len()
    }

    /// Drops entries of the run queue whose connections are not queued any more.
    pub(super) fn prune(&self) {
        self.run_queue.prune();
        self.stats.set_queue_depth(self.run_queue.len());
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Ends the workers, once they have nothing to do.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.driver.wake();
        self.followers.call_all();
    }
}
