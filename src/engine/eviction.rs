//! Who gives way when there is no place for a newcomer.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;

use super::addresses::{Addresses, ClientNet};
use super::budget::EXEMPT_BYTES;
use super::limits::{EVICTION_BATCH, EVICTION_SHARE};
use super::session::Session;
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
    /// It waits for a worker, and has had one before. Clients that send without a pause are always
    /// here: if these were spared, a full house of them would be closed to new connections. One
    /// that waits for its first turn is spared.
    Queued,
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
    /// `None` for one that is driven, waits for its first turn, or is young and in a request.
    fn of(slot: &Slot, cutoffs: Cutoffs, addresses: &Addresses) -> Option<Candidacy> {
        let crowd = Reverse(addresses.crowd(slot.visitor));
        match slot.place() {
            Place::Parked => {}
            // Each turn renews `since`, so these are ordered by age.
            Place::Queued if slot.has_spoken() => {
                let (standing, since) = (Standing::Queued, slot.opened());
                return Some(Candidacy { crowd, standing, since });
            }
            _ => return None,
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
        Some(Candidacy { crowd, standing, since })
    }

    fn candidate(self, slot: &Arc<Slot>) -> Candidate {
        Candidate { slot: Arc::clone(slot), standing: self.standing }
    }
}

/// A connection that may be evicted. It may have become busy since it was looked up.
pub(super) struct Candidate {
    slot: Arc<Slot>,
    standing: Standing,
}

impl Candidate {
    /// The client that holds it.
    pub(super) fn visitor(&self) -> Option<ClientNet> {
        self.slot.visitor
    }

    /// Key of its slot.
    pub(super) fn key(&self) -> usize {
        self.slot.key
    }

    /// Takes its session to drop it, unless it has become busy.
    pub(super) fn take(&self) -> Option<Session> {
        match self.standing {
            Standing::Queued => self.slot.evict_waiting(),
            _ => self.slot.evict(),
        }
    }
}

/// Candidates, looked up for many newcomers at a time: a look goes through all connections.
#[derive(Default)]
pub(super) struct Candidates {
    queue: VecDeque<Candidate>,
    /// There were none; looked up again after the next sweep.
    exhausted: bool,
}

impl Candidates {
    /// The next candidate of all.
    pub(super) fn next(
        &mut self,
        slots: &Slab<Arc<Slot>>,
        addresses: &Addresses,
        cutoffs: Cutoffs,
    ) -> Option<Candidate> {
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
    pub(super) fn put_back(&mut self, candidate: Candidate) {
        self.queue.push_front(candidate);
    }
}

fn look(slots: &Slab<Arc<Slot>>, addresses: &Addresses, cutoffs: Cutoffs) -> VecDeque<Candidate> {
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
    found.into_iter().map(|(candidacy, slot)| candidacy.candidate(slot)).collect()
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
    visitor: ClientNet,
    slots: &Slab<Arc<Slot>>,
    addresses: &Addresses,
    cutoffs: Cutoffs,
) -> Option<Candidate> {
    slots
        .iter()
        .map(|(_, slot)| slot)
        .filter(|slot| slot.visitor == Some(visitor))
        .filter_map(|slot| Some((Candidacy::of(slot, cutoffs, addresses)?, slot)))
        .min_by_key(|(candidacy, _)| *candidacy)
        .map(|(candidacy, slot)| candidacy.candidate(slot))
}
