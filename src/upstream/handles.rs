//! Handles to the sources: their statistics, and requests for polls.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Sender, unbounded};

use super::on_demand::{OnDemand, PollRequest};
use super::queue::Key;
use super::scheduler::Message;
use super::stats::{PollStats, SchedulerStats};

/// Handles to all sources of the latest configuration. They are cheap to clone, never block, and stay valid
/// after the pollers have stopped.
#[derive(Clone)]
pub struct PollerHandles(Arc<Shared>);

struct Shared {
    sources: ArcSwap<Sources>,
    scheduler: Arc<SchedulerStats>,
    messages: Sender<Message>,
    repoll_is_pending: Arc<AtomicBool>,
}

#[derive(Default)]
struct Sources {
    /// In the order of the configuration.
    handles: Vec<PollerHandle>,
    positions: HashMap<Arc<str>, usize>,
}

/// Handle to one source.
#[derive(Debug, Clone)]
pub(super) struct PollerHandle {
    pub(super) key: Key,
    pub(super) name: Arc<str>,
    pub(super) stats: Arc<PollStats>,
    pub(super) on_demand: Arc<OnDemand>,
}

impl PollerHandles {
    /// Creates the handles, which send to the scheduler. `repoll_is_pending` is true while such a message is on
    /// its way.
    pub(super) fn new(
        messages: Sender<Message>,
        scheduler: Arc<SchedulerStats>,
        repoll_is_pending: Arc<AtomicBool>,
    ) -> PollerHandles {
        let sources = ArcSwap::default();
        PollerHandles(Arc::new(Shared { sources, scheduler, messages, repoll_is_pending }))
    }

    /// Replaces the sources.
    pub(super) fn store(&self, handles: Vec<PollerHandle>) {
        let names = handles.iter().map(|handle| handle.name.clone());
        let positions = names.zip(0..).collect();
        self.0.sources.store(Arc::new(Sources { handles, positions }));
    }

    /// Returns the statistics of each source, in the order of the configuration. They are kept after a reload.
    pub fn stats(&self) -> Vec<Arc<PollStats>> {
        self.0.sources.load().handles.iter().map(|handle| handle.stats.clone()).collect()
    }

    /// Calls `each` with the statistics of each source, in the order of the configuration.
    pub fn for_each_stats(&self, mut each: impl FnMut(&PollStats)) {
        self.0.sources.load().handles.iter().for_each(|handle| each(&handle.stats));
    }

    /// Returns the statistics of the scheduler and of the poller threads.
    pub fn scheduler(&self) -> &Arc<SchedulerStats> {
        &self.0.scheduler
    }

    /// Requests a poll of a source; returns `None` if no source has that name.
    pub fn request_poll(&self, source: &str) -> Option<PollRequest> {
        let sources = self.0.sources.load();
        let PollerHandle { key, on_demand, stats, .. } =
            &sources.handles[*sources.positions.get(source)?];
        let now = Instant::now();
        if !stats.is_held() {
            let wait = on_demand.wait(now);
            let is_allowed = wait.is_zero();
            return Some(match is_allowed {
                true => PollRequest::Elsewhere,
                false => PollRequest::TooSoon(wait),
            });
        }
        Some(on_demand.request(now, || self.send(Message::Request(*key, now))))
    }

    /// Polls a source from now on, next at `next`. If that time has passed, or is unknown, it is polled as soon as the
    /// pacer allows. Sources are polled without this call unless the pollers have a [`super::Gate`].
    pub fn hold(&self, source: &str, next: Option<Instant>) {
        if let Some(handle) = self.handle(source) {
            handle.stats.set_held(true);
        }
        self.send(Message::Hold(source.into(), next));
    }

    /// Starts no further poll of a source. The poll in flight goes on; the name is sent to [`super::Gate::released`]
    /// after its report, or at once if there is none.
    pub fn release(&self, source: &str) {
        if let Some(handle) = self.handle(source) {
            handle.stats.set_held(false);
        }
        self.send(Message::Release(source.into()));
    }

    /// Records a poll by another replica that ended `age` ago; `requested_wait` is the time after it for which the
    /// upstream asked us to wait. Requests for polls are then refused as after a poll of our own.
    pub fn polled_elsewhere(&self, source: &str, age: Duration, requested_wait: Duration) {
        let ended = Instant::now().checked_sub(age);
        if let (Some(handle), Some(ended)) = (self.handle(source), ended) {
            handle.on_demand.polled(ended, requested_wait);
        }
    }

    fn handle(&self, source: &str) -> Option<PollerHandle> {
        let sources = self.0.sources.load();
        Some(sources.handles[*sources.positions.get(source)?].clone())
    }

    /// Requests a poll of each source as soon as the pacer allows. For a clock that was set, which may have
    /// failed the latest polls.
    pub fn repoll_all(&self) {
        if !self.0.repoll_is_pending.swap(true, Ordering::Relaxed) {
            self.send(Message::RepollAll);
        }
    }

    /// Sends a message. After the end of the scheduler it has no effect.
    pub(super) fn send(&self, message: Message) {
        let _ = self.0.messages.send(message);
    }

    /// Ends the pause after the last poll of each source.
    #[cfg(test)]
    pub(super) fn allow_poll_requests(&self) {
        for handle in &self.0.sources.load().handles {
            handle.on_demand.end_pause();
        }
    }
}

impl Default for PollerHandles {
    /// Returns the handles of no sources.
    fn default() -> PollerHandles {
        PollerHandles::new(unbounded().0, Arc::default(), Arc::default())
    }
}

impl fmt::Debug for PollerHandles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollerHandles")
            .field("scheduler", &self.0.scheduler)
            .finish_non_exhaustive()
    }
}
