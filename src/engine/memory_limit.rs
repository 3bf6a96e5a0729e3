//! The limit on the bytes that all connections together hold in buffers: heads and bodies on their
//! way in, responses on their way out, and both as TLS records.
//!
//! A session reports what it holds whenever it is parked or requeued, so the cost is at most one
//! atomic addition for each turn. While a thread drives it, it may hold more: no more than a turn
//! reads and writes, in as many sessions as there are workers. Its [`Charge`] is freed when the
//! session is dropped, on whichever path.
//!
//! Once the sum exceeds `max_buffered_bytes`, the acceptor closes the largest holder of the largest
//! group of connections, parked or queued, until the sum is within the limit again. No thread waits
//! for that. A connection in its turn is closed after it; until then, what it holds is not reclaimed
//! from smaller groups. So the sum may exceed the limit by the largest holders of as many connections
//! as there are workers.
//!
//! A connection that holds at most [`EXEMPT_BYTES`] is never closed for the limit. So clients with
//! small requests are not affected by others that exhaust the memory, and the sum stays bounded: by
//! the limit, or by [`EXEMPT_BYTES`] for each of `max_connections`.
//!
//! Not counted are the fixed cost of a connection, about 0.6 KiB, that of a TLS session, about 8 KiB,
//! and the kernel's buffers, which `TCP_NOTSENT_LOWAT` bounds (see `socket`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes that a connection may hold without being closed for the limit: a head of 4 KiB, in a buffer
/// with room to grow or in an incomplete TLS record. The default limit is a third more than this for
/// each of the default `max_connections`: exempt connections alone cannot exceed it.
pub(super) const EXEMPT_BYTES: usize = 6 << 10;

/// Sum of the bytes held, and its limit.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    limit: AtomicUsize,
    /// `Acquire` and `Release` order it with the held bytes of the slots: an acceptor that sees a
    /// charge also sees them in the connection's slot.
    used: AtomicUsize,
    /// The acceptor has yet to reclaim memory, or found no connection to close since its latest
    /// sweep.
    ///
    /// It guards no other data. `AcqRel` and `Acquire` order it with `used`: an acceptor that sees
    /// the request also sees the bytes for which a thread has made it, so it does not find the limit
    /// kept and clear the request.
    reclaim_requested: AtomicBool,
}

impl MemoryLimit {
    pub(super) fn new(limit: usize) -> MemoryLimit {
        MemoryLimit {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            reclaim_requested: AtomicBool::new(false),
        }
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Returns the number of bytes held now.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    /// Returns the number of bytes held beyond the limit.
    pub(super) fn excess(&self) -> usize {
        self.used().saturating_sub(self.limit.load(Ordering::Relaxed))
    }

    /// Requests a reclaim if the limit is exceeded. Returns true if the acceptor must be woken for
    /// it.
    pub(super) fn request_reclaim(&self) -> bool {
        self.excess() > 0 && !self.reclaim_requested.swap(true, Ordering::AcqRel)
    }

    /// Allows the next request for a reclaim.
    pub(super) fn clear_reclaim(&self) {
        self.reclaim_requested.store(false, Ordering::Release);
    }

    pub(super) fn is_reclaim_requested(&self) -> bool {
        self.reclaim_requested.load(Ordering::Acquire)
    }
}

/// One connection's part of the bytes held, freed when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    memory: Arc<MemoryLimit>,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(memory: &Arc<MemoryLimit>) -> Charge {
        Charge { memory: Arc::clone(memory), bytes: 0 }
    }

    /// Sets the number of bytes that the connection holds.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.memory.used.fetch_add(bytes - self.bytes, Ordering::Release);
        } else if bytes < self.bytes {
            self.memory.used.fetch_sub(self.bytes - bytes, Ordering::Release);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exempt_connections_alone_stay_within_the_default_limit() {
        let settings = crate::Settings::default();
        assert!(settings.max_connections * EXEMPT_BYTES < settings.max_buffered_bytes);
    }

    #[test]
    fn charges_that_change_and_are_dropped_leave_nothing() {
        let memory = Arc::new(MemoryLimit::new(100));
        let (mut one, mut other) = (Charge::new(&memory), Charge::new(&memory));
        one.set(60);
        other.set(50);
        assert_eq!((memory.used(), memory.excess()), (110, 10));
        one.set(20);
        assert_eq!((memory.used(), memory.excess()), (70, 0));
        drop(one);
        assert_eq!(memory.used(), 50);
        drop(other);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn reclaim_is_requested_once_until_it_is_cleared() {
        let memory = Arc::new(MemoryLimit::new(10));
        let mut charge = Charge::new(&memory);
        assert!(!memory.request_reclaim());
        charge.set(11);
        assert!(memory.request_reclaim() && !memory.request_reclaim());
        memory.clear_reclaim();
        assert!(memory.request_reclaim());
    }
}
