//! Bounds how many passwords are verified at once, and keeps a share for known callers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time for which unknown callers are refused after a known caller found the only verification
/// taken.
/// Longer than the `Retry-After` that this caller was sent, so that it comes back in time.
const CLAIM: Duration = Duration::from_secs(3);

/// Running verifications. No caller waits for one to end.
#[derive(Debug, Default)]
pub(super) struct Verifications(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    count: usize,
    claimed_until: Option<Instant>,
}

/// Permission to run one verification, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit<'a>(&'a Verifications);

impl Verifications {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit for a known caller, if fewer than `limit` are taken.
    pub(super) fn take_known(&self, limit: usize, now: Instant) -> Option<Permit<'_>> {
        let mut running = self.running();
        if running.count >= limit {
            running.claimed_until = Some(now + CLAIM);
            return None;
        }
        running.count += 1;
        Some(Permit(self))
    }

    /// A permit for an unknown caller. Unknown callers leave the last permit to known ones. Where
    /// there is one permit only, they leave it for [`CLAIM`] after a known caller was refused.
    pub(super) fn take_unknown(&self, limit: usize, now: Instant) -> Option<Permit<'_>> {
        let mut running = self.running();
        let is_claimed = limit <= 1 && running.claimed_until.is_some_and(|until| until > now);
        if is_claimed || running.count >= limit.saturating_sub(1).max(1) {
            return None;
        }
        running.count += 1;
        Some(Permit(self))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.running().count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_callers_leave_the_last_permit() {
        let (verifications, now) = (Verifications::default(), Instant::now());
        let one = verifications.take_unknown(2, now);
        assert!(one.is_some() && verifications.take_unknown(2, now).is_none());
        let two = verifications.take_known(2, now);
        assert!(two.is_some() && verifications.take_known(2, now).is_none());
        drop(one);
        assert!(verifications.take_unknown(2, now).is_none(), "one permit is taken");
        drop(two);
        assert!(
            verifications.take_unknown(2, now).is_some(),
            "a claim matters for one permit only"
        );
    }

    #[test]
    fn known_caller_that_was_refused_gets_the_only_permit_next() {
        let (verifications, now) = (Verifications::default(), Instant::now());
        let stranger = verifications.take_unknown(1, now);
        assert!(stranger.is_some() && verifications.take_known(1, now).is_none());
        drop(stranger);
        let retry = now + Duration::from_secs(1);
        assert!(verifications.take_unknown(1, retry).is_none());
        assert!(verifications.take_known(1, retry).is_some());
        assert!(verifications.take_unknown(1, now + CLAIM).is_some(), "a claim ends");
    }
}
