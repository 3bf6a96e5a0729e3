//! Eviction: which connection is closed to make room for a new one, or to free buffers.
//!
//! At the connection cap the acceptor closes one connection for each new one. It takes connections
//! of the largest group first (all connections of one client, see [`ClientCounts::size_class`]),
//! within a group by [`EvictionClass`], and within a class the one that has waited longest. A new
//! connection never evicts one of a smaller group than its own.
//!
//! Candidates are found by a scan over all connections, so a scan returns several of them, for the
//! next new connections.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use super::client_counts::ClientCounts;
use super::client_net::ClientNet;
use super::memory_limit::EXEMPT_BYTES;
use super::scheduler::{Place, Slot, SlotTable, SlotToken};
use super::session::Session;
use super::stats::ConnectionState;

/// A scan returns one in so many candidates.
const SCAN_SHARE: usize = 8;

/// Most candidates that a scan returns.
const SCAN_BATCH: usize = 64;

/// Order of eviction: the least key goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct EvictionKey {
    size_class: Reverse<u32>,
    class: EvictionClass,
    since: u64,
}

/// Class of a connection by what its client would lose, in growing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EvictionClass {
    /// Its last response is written.
    Lingering,
    /// It is between two requests.
    Idle,
    /// Its request or response has been incomplete for longer than [`eviction_grace`].
    ///
    /// [`eviction_grace`]: super::Settings::eviction_grace
    Overdue,
    /// It was accepted a moment ago, and has not finished its handshake or not sent anything.
    ///
    /// If these were exempt, a client that opens enough connections in a second would shut out all
    /// others for that second. As the oldest goes first, each new connection has the same chance.
    Unproven,
    /// It waits for a worker, and has been driven before.
    ///
    /// Clients that send without a pause are always here. If these were exempt, they could fill the
    /// table for ever. A connection that waits for its first turn is exempt.
    Queued,
}

/// Ticks since which a connection must have waited to be evicted, by class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cutoffs {
    /// Cutoff of a connection in a request or a response:
    /// [`eviction_grace`](super::Settings::eviction_grace) ago.
    pub(super) grace: u64,
    /// Cutoff of a connection that has sent nothing: [`UNPROVEN_GRACE`](super::limits::UNPROVEN_GRACE) ago.
    pub(super) unproven: u64,
}

impl EvictionKey {
    /// Returns `None` for a connection that is driven, that waits for its first turn, or whose
    /// request or response has been incomplete for a short time only.
    fn of(slot: &Slot<Session>, cutoffs: Cutoffs, counts: &ClientCounts) -> Option<EvictionKey> {
        let size_class = Reverse(counts.size_class(slot.client_net));
        match slot.place() {
            Place::Parked => {}
            Place::Queued if slot.was_driven() => {
                // Each turn renews `since`, so these are ordered by age.
                let (class, since) = (EvictionClass::Queued, slot.opened());
                return Some(EvictionKey { size_class, class, since });
            }
            _ => return None,
        }
        let (state, since) = (slot.state(), slot.since());
        let class = match state {
            ConnectionState::Lingering => EvictionClass::Lingering,
            ConnectionState::Idle => EvictionClass::Idle,
            _ if since < cutoffs.unproven => EvictionClass::Overdue,
            ConnectionState::Handshaking => EvictionClass::Unproven,
            _ if !slot.was_driven() => EvictionClass::Unproven,
            _ if since < cutoffs.grace => EvictionClass::Overdue,
            _ => return None,
        };
        Some(EvictionKey { size_class, class, since })
    }

    fn candidate(self, slot: &Arc<Slot<Session>>) -> Candidate {
        Candidate { slot: Arc::clone(slot), class: self.class }
    }
}

/// A connection that may be evicted. It may have become busy since the scan.
pub(super) struct Candidate {
    slot: Arc<Slot<Session>>,
    class: EvictionClass,
}

impl Candidate {
    /// Returns the client that the connection counts for.
    pub(super) fn client_net(&self) -> Option<ClientNet> {
        self.slot.client_net
    }

    pub(super) fn token(&self) -> SlotToken {
        self.slot.token
    }

    /// Closes the connection and returns its session, unless it has become busy.
    pub(super) fn evict(&self) -> Option<Session> {
        match self.class {
            EvictionClass::Queued => self.slot.evict_waiting(),
            _ => self.slot.evict(),
        }
    }
}

/// Candidates that the latest scan has found.
#[derive(Default)]
pub(super) struct Candidates {
    queue: VecDeque<Candidate>,
    /// The latest scan found none; the next is after the next sweep.
    exhausted: bool,
}

impl Candidates {
    /// Returns the next candidate, by a scan if there is none from the latest.
    pub(super) fn next(
        &mut self,
        slots: &SlotTable<Session>,
        counts: &ClientCounts,
        cutoffs: Cutoffs,
    ) -> Option<Candidate> {
        if self.queue.is_empty() && !self.exhausted {
            self.queue = scan(slots, counts, cutoffs);
            // A scan of few connections is cheap enough to repeat for every new one.
            let is_costly = slots.len() > SCAN_SHARE * SCAN_BATCH;
            self.exhausted = is_costly && self.queue.is_empty();
        }
        self.queue.pop_front()
    }

    /// Returns true if the next candidate takes a scan.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Leaves a candidate to the next new connection.
    pub(super) fn put_back(&mut self, candidate: Candidate) {
        self.queue.push_front(candidate);
    }
}

fn scan(
    slots: &SlotTable<Session>,
    counts: &ClientCounts,
    cutoffs: Cutoffs,
) -> VecDeque<Candidate> {
    let mut found: Vec<(EvictionKey, &Arc<Slot<Session>>)> = slots
        .iter()
        .filter_map(|slot| Some((EvictionKey::of(slot, cutoffs, counts)?, slot)))
        .collect();
    // A share only: the last of few candidates may be a connection that was accepted a moment ago,
    // and whose request is on its way.
    let most = (found.len() / SCAN_SHARE).clamp(1, SCAN_BATCH).min(found.len());
    if most > 0 {
        found.select_nth_unstable_by_key(most - 1, |(key, _)| *key);
        found.truncate(most);
        found.sort_unstable_by_key(|(key, _)| *key);
    }
    found.into_iter().map(|(key, slot)| key.candidate(slot)).collect()
}

/// Returns the candidate among one client's connections.
pub(super) fn candidate_of(
    client_net: ClientNet,
    slots: &SlotTable<Session>,
    counts: &ClientCounts,
    cutoffs: Cutoffs,
) -> Option<Candidate> {
    slots
        .iter()
        .filter(|slot| slot.client_net == Some(client_net))
        .filter_map(|slot| Some((EvictionKey::of(slot, cutoffs, counts)?, slot)))
        .min_by_key(|(key, _)| *key)
        .map(|(key, slot)| key.candidate(slot))
}

/// A connection that holds more than [`EXEMPT_BYTES`] in buffers.
pub(super) struct Holder {
    pub(super) slot: Arc<Slot<Session>>,
    /// Size of its client's group: see [`ClientCounts::size_class`].
    size_class: u32,
    /// Bytes that it held at the end of its latest turn.
    pub(super) bytes: usize,
}

/// Returns the open connections that hold more than [`EXEMPT_BYTES`]: those of the largest group
/// first, and within a group the largest holders.
pub(super) fn largest_holders(slots: &SlotTable<Session>, counts: &ClientCounts) -> Vec<Holder> {
    let mut holders: Vec<Holder> = slots
        .iter()
        .filter(|slot| slot.place() != Place::Closed)
        .map(|slot| Holder {
            slot: Arc::clone(slot),
            size_class: counts.size_class(slot.client_net),
            bytes: slot.held_bytes(),
        })
        .filter(|holder| holder.bytes > EXEMPT_BYTES)
        .collect();
    holders.sort_unstable_by_key(|holder| Reverse((holder.size_class, holder.bytes)));
    holders
}

/// Bytes of connections that could not be closed because a thread drives them. They are reclaimed
/// after the turn, and until then not from connections of smaller groups.
#[derive(Default)]
pub(super) struct DeferredBytes {
    in_larger_groups: usize,
    in_this_group: usize,
    size_class: Option<u32>,
}

impl DeferredBytes {
    /// Returns the number of deferred bytes of larger groups than the holder's. Holders come in the
    /// order of [`largest_holders`].
    pub(super) fn ahead_of(&mut self, holder: &Holder) -> usize {
        if self.size_class.replace(holder.size_class) != Some(holder.size_class) {
            self.in_larger_groups += std::mem::take(&mut self.in_this_group);
        }
        self.in_larger_groups
    }

    /// Defers the holder that [`DeferredBytes::ahead_of`] was last called for.
    pub(super) fn add(&mut self, holder: &Holder) {
        self.in_this_group += holder.bytes;
    }
}
