//! The sweep over all connections: deadlines, gauges, and the limit on buffered bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strum::EnumCount;

use super::Acceptor;
use crate::eviction::{Candidates, DeferredBytes, largest_holders};
use crate::scheduler::{Place, Slot};
use crate::session::{Session, Task};
use crate::shared::ReaperTask;
use crate::stats::{CloseReason, ConnectionState, ShedReason};

/// Interval of the sweeps while connections are open: the precision of all deadlines.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

impl Acceptor {
    /// Claims the connections whose time is over for the reaper, and counts the others by state.
    pub(super) fn sweep(&mut self, now: Instant) {
        let scheduler = &self.shared.scheduler;
        let tick = scheduler.epoch.ticks(now);
        let queue_timeout =
            u64::try_from(self.settings.queue_timeout.as_millis()).unwrap_or(u64::MAX);
        let mut counts = [0; ConnectionState::COUNT];
        let slots = scheduler.slots();
        for slot in slots.iter() {
            let state = match slot.place() {
                Place::Parked => {
                    self.expire_if_overdue(slot, Place::Parked, tick);
                    slot.state()
                }
                // A response under way cannot become a 503: it has until its own deadline.
                Place::Queued if slot.state().is_answered() => {
                    self.expire_if_overdue(slot, Place::Queued, tick);
                    ConnectionState::Queued
                }
                Place::Queued => {
                    if slot.since().saturating_add(queue_timeout) <= tick && slot.shed() {
                        self.shared.stats.count_shed(ShedReason::QueueTimeout);
                        self.shared.send_reaper(ReaperTask::Drive(Arc::clone(slot), Task::Shed));
                    }
                    ConnectionState::Queued
                }
                Place::Driven | Place::Claimed => ConnectionState::Active,
                Place::Closed => continue,
            };
            counts[state as usize] += 1;
        }
        drop(slots);
        scheduler.prune();
        self.shared.stats.set_connections(counts);
        self.shared.memory.clear_reclaim();
        self.reclaim_memory();
        self.shared.stats.set_buffered_bytes(self.shared.memory.used());
        self.candidates = Candidates::default();
        self.counts.clear_unevictable();
        self.next_sweep = now + SWEEP_INTERVAL;
    }

    fn expire_if_overdue(&self, slot: &Arc<Slot<Session>>, at: Place, tick: u64) {
        if slot.deadline() <= tick && slot.claim(at) {
            self.shared.send_reaper(ReaperTask::Drive(Arc::clone(slot), Task::Expire));
        }
    }

    /// Makes a pass over the holders of buffered bytes if the limit is exceeded, and requests
    /// another if it still is. The acceptor accepts connections between two passes.
    ///
    /// If the pass closes none, because the holders are exempt, driven, or of smaller groups than
    /// driven ones that hold the excess, the request for a reclaim stays until the next sweep.
    pub(super) fn reclaim_memory(&mut self) {
        let excess = self.shared.memory.excess();
        if excess > 0 && self.close_largest_holders(excess) == 0 {
            return;
        }
        self.shared.memory.clear_reclaim();
        if self.shared.memory.request_reclaim() {
            self.shared.scheduler.wake_acceptor();
        }
    }

    /// Closes the largest holders until `excess` bytes are reclaimed. Returns the number of
    /// connections closed.
    ///
    /// Bytes that are charged meanwhile are left to the next pass: their holders are not in this
    /// one's list, and smaller groups would be closed for them.
    fn close_largest_holders(&mut self, mut excess: usize) -> usize {
        let mut closed = 0;
        let mut deferred = DeferredBytes::default();
        let holders = largest_holders(&self.shared.scheduler.slots(), &self.counts);
        for holder in holders {
            excess = excess.min(self.shared.memory.excess());
            if excess <= deferred.ahead_of(&holder) {
                break;
            }
            let session = holder.slot.evict_waiting();
            if self.close_evicted(holder.slot.token, session, CloseReason::Memory) {
                closed += 1;
                excess = excess.saturating_sub(holder.bytes);
                self.memory_log.warn(format_args!(
                    "connections hold more than max_buffered_bytes ({} bytes): closed the largest \
                     holder ({} bytes) of the largest group of addresses",
                    self.settings.max_buffered_bytes, holder.bytes
                ));
            } else {
                deferred.add(&holder);
            }
        }
        closed
    }
}
