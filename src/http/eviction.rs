//! Who gives way when there is no place for a newcomer.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;

use super::addresses::{Addresses, Visitor};
use super::budget::EXEMPT_BYTES;
use super::limits::{EVICTION_BATCH, EVICTION_SHARE};
use super::slot::{Place, Slot};
use super::stats::ConnectionState;

/// How ready a connection is to give way; the least goes first: the largest crowd's before
/// others', then by standing, and of equals the one that has waited longest for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidacy {
    crowd: Reverse<u32>,
    standing: Standing,
    since: u64,
}

/// What would be lost with a connection, in growing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Its last response is written.
    Lingering,
    /// It is between two requests.
    Idle,
    /// Its request or response has been under way for longer than [`eviction_grace`].
    ///
    /// [`eviction_grace`]: super::Settings::eviction_grace
    Overdue,
    /// It is young and has not got through its handshake, or not said anything at all. A server
    /// that spared these would be closed to everybody by whoever opens enough of them in a
    /// second; one that takes the oldest of them gives each newcomer the same chance.
    Unproven,
}

/// The ticks before which a connection must have been waiting to count as old.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cutoffs {
    /// Bound for a connection in a request or a response:
    /// [`eviction_grace`](super::Settings::eviction_grace) ago.
    pub(super) in_request: u64,
    /// Bound for a connection before its first byte:
    /// [`UNPROVEN_GRACE`](super::limits::UNPROVEN_GRACE) ago.
    pub(super) unproven: u64,
}

impl Candidacy {
    /// `None` for one that is driven or queued, or is young and in a request.
    fn of(slot: &Slot, cutoffs: Cutoffs, addresses: &Addresses) -> Option<Candidacy> {
        if slot.place() != Place::Parked {
            return None;
        }
        let (state, since) = (slot.state(), slot.since());
        let standing = match state {
            ConnectionState::Lingering => Standing::Lingering,
            ConnectionState::Idle => Standing::Idle,
            _ if since < cutoffs.unproven => Standing::Overdue,
            ConnectionState::Handshaking => Standing::Unproven,
            _ if !slot.has_spoken() => Standing::Unproven,
            _ if since < cutoffs.in_request => Standing::Overdue,
            _ => return None,
        };
        Some(Candidacy { crowd: Reverse(addresses.crowd(slot.visitor)), standing, since })
    }
}

/// Candidates, looked up for many newcomers at a time: a look goes through all connections.
#[derive(Default)]
pub(super) struct Candidates {
    queue: VecDeque<Arc<Slot>>,
    /// There were none; looked up again after the next sweep.
    exhausted: bool,
}

impl Candidates {
    /// The next candidate of all. It may have become busy since it was looked up.
    pub(super) fn next(
        &mut self,
        slots: &Slab<Arc<Slot>>,
        addresses: &Addresses,
        cutoffs: Cutoffs,
    ) -> Option<Arc<Slot>> {
        if self.queue.is_empty() && !self.exhausted {
            self.queue = look(slots, addresses, cutoffs);
            // Where connections are few a look costs little, and is taken for every newcomer.
            let is_costly = slots.len() > EVICTION_SHARE * EVICTION_BATCH;
            self.exhausted = is_costly && self.queue.is_empty();
        }
        self.queue.pop_front()
    }

    /// Returns true if the next candidate takes a look at all connections.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Leaves a candidate to the next newcomer.
    pub(super) fn put_back(&mut self, candidate: Arc<Slot>) {
        self.queue.push_front(candidate);
    }
}

fn look(slots: &Slab<Arc<Slot>>, addresses: &Addresses, cutoffs: Cutoffs) -> VecDeque<Arc<Slot>> {
    let mut found: Vec<(Candidacy, &Arc<Slot>)> = slots
        .iter()
        .filter_map(|(_, slot)| Some((Candidacy::of(slot, cutoffs, addresses)?, slot)))
        .collect();
    // If candidates are few, only the first are taken: the last may be a connection that was
    // accepted a moment ago, and whose request is on its way.
    let most = (found.len() / EVICTION_SHARE).clamp(1, EVICTION_BATCH).min(found.len());
    if most > 0 {
        found.select_nth_unstable_by_key(most - 1, |(candidacy, _)| *candidacy);
        found.truncate(most);
        found.sort_unstable_by_key(|(candidacy, _)| *candidacy);
    }
    found.into_iter().map(|(_, slot)| Arc::clone(slot)).collect()
}

/// Connections that wait, for their clients or for a worker, and hold more than is exempt from the
/// budget: those of the largest group of addresses first, and of these the largest holders.
pub(super) fn largest_holders(slots: &Slab<Arc<Slot>>, addresses: &Addresses) -> Vec<Arc<Slot>> {
    let mut holders: Vec<((u32, usize), &Arc<Slot>)> = slots
        .iter()
        .map(|(_, slot)| slot)
        .filter(|slot| slot.held_bytes() > EXEMPT_BYTES)
        .filter(|slot| matches!(slot.place(), Place::Parked | Place::Queued))
        .map(|slot| ((addresses.crowd(slot.visitor), slot.held_bytes()), slot))
        .collect();
    holders.sort_unstable_by_key(|(rank, _)| Reverse(*rank));
    holders.into_iter().map(|(_, slot)| Arc::clone(slot)).collect()
}

/// The candidate among one visitor's connections.
pub(super) fn candidate_of(
    visitor: Visitor,
    slots: &Slab<Arc<Slot>>,
    addresses: &Addresses,
    cutoffs: Cutoffs,
) -> Option<Arc<Slot>> {
    slots
        .iter()
        .map(|(_, slot)| slot)
        .filter(|slot| slot.visitor == Some(visitor))
        .filter_map(|slot| Some((Candidacy::of(slot, cutoffs, addresses)?, slot)))
        .min_by_key(|(candidacy, _)| *candidacy)
        .map(|(_, slot)| Arc::clone(slot))
}
