//! What all threads of an engine share.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use arc_swap::ArcSwap;
use crossbeam_channel::Sender;
use mio::Events;
use slab::Slab;

use super::budget::Budget;
use super::deadline::Epoch;
use super::lanes::Lanes;
use super::limits::{Settings, TRUNCATION_ATTEMPTS, TURN_TIME};
use super::queue::Queue;
use super::ready::Ready;
use super::service::Service;
use super::session::Task;
use super::slot::{Signal, Slot};
use super::socket::Stream;
use super::stats::Stats;
use super::watch::{self, Watch};

/// Work for the usher.
pub(super) enum Errand {
    /// A connection that was called away.
    Slot(Arc<Slot>, Task),
    /// A plain connection beyond the cap, to be answered 503.
    TurnAway(Stream),
    /// There will be no more.
    End,
}

/// See the module's documentation.
pub(super) struct Shared {
    pub(super) service: Arc<dyn Service>,
    /// For connections that begin from now on.
    pub(super) settings: ArcSwap<Settings>,
    pub(super) stats: Arc<Stats>,
    pub(super) epoch: Epoch,
    /// Ready connections.
    pub(super) queue: Queue,
    /// Where the others wait to become ready.
    pub(super) watch: Watch,
    /// Limits on expensive work.
    pub(super) lanes: Lanes,
    /// Limit on what connections hold in buffers.
    pub(super) budget: Arc<Budget>,
    slots: Mutex<Slab<Arc<Slot>>>,
    pub(super) errands: Sender<Errand>,
    /// Each message has one more worker look at the queue and the watch.
    pub(super) calls: Sender<()>,
    /// Keys of closed connections, whose places are free.
    pub(super) closed: Sender<usize>,
    pub(super) acceptor: mio::Waker,
    /// Ready connections are being served: the acceptor is to look after the watch.
    pub(super) alert: AtomicBool,
    /// Workers that serve.
    pub(super) serving: AtomicUsize,
    /// Processors of the machine: more workers that compute would only take turns on them.
    pub(super) processors: usize,
    /// Newcomers with the usher that have no slot.
    pub(super) turned_away: AtomicUsize,
    /// The server is stopping.
    pub(super) draining: AtomicBool,
    /// The last connection is gone, and the threads end.
    stopped: AtomicBool,
}

/// The ends of the channels that are shared.
pub(super) struct Channels {
    pub(super) errands: Sender<Errand>,
    pub(super) calls: Sender<()>,
    pub(super) closed: Sender<usize>,
}

impl Shared {
    pub(super) fn new(
        service: Arc<dyn Service>,
        settings: Settings,
        stats: Stats,
        queue: Queue,
        watch: Watch,
        acceptor: mio::Waker,
        channels: Channels,
    ) -> Shared {
        let Channels { errands, calls, closed } = channels;
        let lanes = Lanes::new(settings.heavy_permits());
        let budget = Arc::new(Budget::new(settings.max_buffered_bytes));
        Shared {
            service,
            lanes,
            budget,
            settings: ArcSwap::from_pointee(settings),
            stats: Arc::new(stats),
            epoch: Epoch::starting(Instant::now()),
            queue,
            watch,
            slots: Mutex::default(),
            errands,
            calls,
            closed,
            acceptor,
            alert: AtomicBool::new(false),
            serving: AtomicUsize::new(0),
            processors: thread::available_parallelism().map_or(1, NonZero::get),
            turned_away: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        }
    }

    /// All open connections by their keys. Nobody holds them while I/O happens.
    pub(super) fn slots(&self) -> MutexGuard<'_, Slab<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what has become ready.
    ///
    /// An event that was taken from the kernel just before its connection closed may find
    /// another under its key: one more read that would block.
    pub(super) fn sight(&self, events: &Events) {
        if events.is_empty() {
            return;
        }
        let now = self.epoch.ticks(Instant::now());
        let slots = self.slots();
        for event in events {
            let Some(slot) = slots.get(event.token().0) else { continue };
            match slot.signal(watch::edges(event), now) {
                Signal::Noted => {}
                Signal::Queue => self.queue.push(Arc::clone(slot)),
                Signal::Usher => self.send_usher(Errand::Slot(Arc::clone(slot), Task::Shed)),
            }
        }
        drop(slots);
        self.stats.set_queue_depth(self.queue.len());
    }

    /// Notes an edge that does not come from the kernel, and queues a connection that waits for
    /// it.
    pub(super) fn signal(&self, slot: &Arc<Slot>, edge: Ready) {
        let now = self.epoch.ticks(Instant::now());
        match slot.signal(edge, now) {
            Signal::Noted => {}
            Signal::Queue => {
                self.queue.push(Arc::clone(slot));
                // The caller may be a thread that never serves.
                if self.watch.is_attended() {
                    self.watch.wake();
                }
            }
            Signal::Usher => self.send_usher(Errand::Slot(Arc::clone(slot), Task::Shed)),
        }
    }

    pub(super) fn send_usher(&self, errand: Errand) {
        // Without an usher the process is on its way out.
        let _ = self.errands.send(errand);
    }

    /// Has one more worker come, if any is free.
    pub(super) fn call_worker(&self) {
        // When it is full, there are as many calls as workers already.
        let _ = self.calls.try_send(());
    }

    /// Interrupts the acceptor's wait.
    pub(super) fn wake_acceptor(&self) {
        if let Err(error) = self.acceptor.wake() {
            // The next sweep finds by itself what it would have been told.
            log::warn!("the acceptor could not be woken: {error}");
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Has the connections reset whose response is cut by the end of the process and would look
    /// complete otherwise. A connection that a worker does not let go of meanwhile is left out.
    pub(super) fn reset_truncated(&self) {
        let mut driven: Vec<_> = self.slots().iter().map(|(_, slot)| Arc::clone(slot)).collect();
        for _ in 0..TRUNCATION_ATTEMPTS {
            driven.retain(|slot| !slot.reset_if_truncated());
            if driven.is_empty() {
                return;
            }
            thread::sleep(TURN_TIME);
        }
    }

    /// Ends the workers and the usher.
    pub(super) fn stop(&self) {
        let workers = self.stats.workers().len();
        self.stopped.store(true, Ordering::Release);
        self.watch.wake();
        for _ in 0..workers {
            self.call_worker();
        }
        self.send_usher(Errand::End);
    }
}

#[cfg(test)]
pub(super) mod fixture;
