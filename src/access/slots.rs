//! How many verifications run at once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts those that run. Nobody waits for one to end.
#[derive(Debug, Default)]
pub(super) struct Slots(AtomicUsize);

/// Leave to run one verification, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot<'a>(&'a AtomicUsize);

impl Slots {
    /// A slot, if fewer than `limit` are taken.
    pub(super) fn take(&self, limit: usize) -> Option<Slot<'_>> {
        let more = |taken| (taken < limit).then_some(taken + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Slot(&self.0))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_and_each_comes_back() {
        let slots = Slots::default();
        let one = slots.take(2);
        let two = slots.take(2);
        assert!(one.is_some() && two.is_some() && slots.take(2).is_none());
        assert!(slots.take(3).is_some());
        drop(one);
        assert!(slots.take(1).is_none());
        assert!(slots.take(2).is_some());
    }
}
