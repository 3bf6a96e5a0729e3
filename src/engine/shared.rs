//! State that all threads of an engine share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::{Poll, Registry, Token};

use super::lanes::Lanes;
use super::limits::{Settings, TRUNCATION_ATTEMPTS};
use super::memory_limit::MemoryLimit;
use super::new_listeners::{NewListeners, Registered};
use super::scheduler::{Epoll, Scheduler, Slot, SlotToken, Waker};
use super::service::Service;
use super::session::{Session, Task};
use super::socket::Stream;
use super::stats::Stats;
use super::turn_budget::TURN_TIME;

/// Token of the acceptor's waker in its own epoll instance, where listeners count up from zero.
const WAKE_ACCEPTOR: Token = Token(usize::MAX);

/// Work for the reaper.
pub(super) enum ReaperTask {
    /// Drive a connection that was claimed.
    Drive(Arc<Slot<Session>>, Task),
    /// Answer a plain connection beyond the cap with 503.
    Reject(Stream),
    /// End the thread.
    End,
}

/// State that the acceptor, the workers and the reaper share.
pub(super) struct Shared {
    pub(super) service: Arc<dyn Service>,
    /// Settings of connections that begin from now on.
    pub(super) settings: ArcSwap<Settings>,
    pub(super) stats: Arc<Stats>,
    pub(super) scheduler: Scheduler<Session>,
    /// Registers connections' sockets with the scheduler's epoll instance.
    pub(super) registry: Registry,
    /// Limits on expensive work.
    pub(super) lanes: Lanes,
    pub(super) memory: Arc<MemoryLimit>,
    /// Adds listeners to the acceptor's.
    pub(super) new_listeners: NewListeners,
    reaper: Sender<ReaperTask>,
    /// Sends the tokens of connections that were closed to the acceptor.
    pub(super) closed: Sender<SlotToken>,
    /// Number of connections beyond the cap in the channel to the reaper.
    pub(super) rejections_pending: AtomicUsize,
    /// The server is stopping.
    pub(super) draining: AtomicBool,
}

/// Receiving ends of the channels in [`Shared`].
pub(super) struct Receivers {
    /// Received by the reaper.
    pub(super) tasks: Receiver<ReaperTask>,
    /// Received by the acceptor.
    pub(super) closed: Receiver<SlotToken>,
    /// Received by the acceptor.
    pub(super) listeners: Receiver<Registered>,
}

impl Shared {
    /// Creates the state of an engine whose acceptor polls `acceptor`.
    ///
    /// # Errors
    /// The system gives no epoll instance or eventfd.
    pub(super) fn new(
        service: Arc<dyn Service>,
        settings: Settings,
        acceptor: &Poll,
    ) -> io::Result<(Arc<Shared>, Receivers)> {
        let (epoll, registry, waker) = Epoll::new()?;
        let (new_listeners, listeners) = NewListeners::new(acceptor)?;
        let acceptor = Waker::new(acceptor, WAKE_ACCEPTOR)?;
        let (reaper, tasks) = unbounded();
        let (closed, closed_tokens) = unbounded();
        let stats = Arc::new(Stats::new(settings.workers));
        let to_reaper = reaper.clone();
        let reap = Box::new(move |slot| {
            let _ = to_reaper.send(ReaperTask::Drive(slot, Task::Shed));
        });
        let shared = Arc::new(Shared {
            service,
            scheduler: Scheduler::new(epoll, waker, acceptor, Arc::clone(&stats), reap),
            stats,
            registry,
            lanes: Lanes::new(settings.heavy_permits()),
            memory: Arc::new(MemoryLimit::new(settings.max_buffered_bytes)),
            settings: ArcSwap::from_pointee(settings),
            new_listeners,
            reaper,
            closed,
            rejections_pending: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        });
        Ok((shared, Receivers { tasks, closed: closed_tokens, listeners }))
    }

    /// Sends a task to the reaper. Fails silently without a reaper, when the process is about to end.
    pub(super) fn send_reaper(&self, task: ReaperTask) {
        let _ = self.reaper.send(task);
    }

    /// Resets, at its close, each connection whose response the end of the process truncates and would
    /// look complete otherwise. Skips a connection that a worker does not park meanwhile.
    pub(super) fn reset_truncated(&self) {
        let mut left: Vec<Arc<Slot<Session>>> = self.scheduler.slots().iter().cloned().collect();
        for _ in 0..TRUNCATION_ATTEMPTS {
            left.retain(|slot| !slot.try_inspect(Session::reset_if_truncated));
            if left.is_empty() {
                return;
            }
            thread::sleep(TURN_TIME);
        }
    }

    /// Ends the workers and the reaper.
    pub(super) fn stop(&self) {
        self.scheduler.stop();
        self.send_reaper(ReaperTask::End);
    }
}

#[cfg(test)]
pub(super) mod fixture;
