//! The budget for bytes that connections hold in buffers: heads and bodies on their way in,
//! responses on their way out, and both as TLS records.
//!
//! A session reports what it holds whenever a worker lets go of it. While a worker drives it, it may
//! hold more: no more than a turn reads and writes, in as many sessions as there are workers. Once
//! the sum exceeds the limit, the acceptor closes the largest holder of the largest group of
//! addresses, until the sum is below the limit again. Nothing waits for that.
//!
//! A connection that holds at most [`EXEMPT_BYTES`] is never closed for the budget. So one that
//! keeps to small requests is not affected by others that use the budget up, and the sum stays
//! bounded all the same: by the limit, or by [`EXEMPT_BYTES`] for each of `max_connections`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes that a connection may hold without being closed for the budget: a head of 4 KiB, in a
/// buffer with room to grow or in a TLS record that is not whole. The default budget is more than this
/// for each of the default `max_connections`: exempt connections alone cannot use it up.
pub(super) const EXEMPT_BYTES: usize = 6 << 10;

/// Sum of the bytes held, and its limit.
#[derive(Debug)]
pub(super) struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// The acceptor is to close connections, or has found none to close since its latest sweep.
    relief_pending: AtomicBool,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Budget {
        Budget {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            relief_pending: AtomicBool::new(false),
        }
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Bytes held now.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.used() > self.limit.load(Ordering::Relaxed)
    }

    /// Requests relief; true if the acceptor must be woken for it.
    pub(super) fn request_relief(&self) -> bool {
        self.is_exceeded() && !self.relief_pending.swap(true, Ordering::SeqCst)
    }

    /// Allows the next request for relief.
    pub(super) fn clear_relief(&self) {
        self.relief_pending.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_relief_pending(&self) -> bool {
        self.relief_pending.load(Ordering::SeqCst)
    }
}

/// One connection's part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    pub(super) fn new(budget: &Arc<Budget>) -> Charge {
        Charge { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Sets the bytes that the connection holds.
    pub(super) fn set(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.budget.used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else if bytes < self.bytes {
            self.budget.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
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
    fn exempt_connections_alone_do_not_use_up_the_default_budget() {
        let settings = crate::engine::Settings::default();
        assert!(settings.max_connections * EXEMPT_BYTES < settings.max_buffered_bytes);
    }

    #[test]
    fn charges_that_change_and_end_leave_nothing() {
        let budget = Arc::new(Budget::new(100));
        let (mut one, mut other) = (Charge::new(&budget), Charge::new(&budget));
        one.set(60);
        other.set(50);
        assert_eq!((budget.used(), budget.is_exceeded()), (110, true));
        one.set(20);
        assert_eq!((budget.used(), budget.is_exceeded()), (70, false));
        drop(one);
        assert_eq!(budget.used(), 50);
        drop(other);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn relief_is_requested_once_until_it_is_cleared() {
        let budget = Arc::new(Budget::new(10));
        let mut charge = Charge::new(&budget);
        assert!(!budget.request_relief());
        charge.set(11);
        assert!(budget.request_relief() && !budget.request_relief());
        budget.clear_relief();
        assert!(budget.request_relief());
    }
}
