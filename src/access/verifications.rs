//! Limits concurrent verifications of passwords, with a share reserved for known callers.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::key::Fingerprint;

/// Time for which unknown callers are refused after a known caller was refused because every permit was taken.
/// It is longer than the `Retry-After` sent to the known caller, so that its retry succeeds.
const CLAIM: Duration = Duration::from_secs(3);

/// Count of running verifications. A caller that gets no permit is refused and not delayed.
#[derive(Debug, Default)]
pub(super) struct Verifications(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    count: usize,
    /// Accounts whose password is being verified for a known caller.
    known_accounts: HashSet<Fingerprint>,
    claimed_until: Option<Instant>,
}

/// Permission to run one verification, released on drop.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    verifications: &'a Verifications,
    /// Account that a known caller named; `None` for an unknown caller.
    account: Option<Fingerprint>,
}

impl Verifications {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a permit for a known caller, if fewer than `limit` are taken and none for a known caller
    /// of the same account. The owner of one account, with any number of devices and networks,
    /// therefore leaves the other permits to the owners of other accounts.
    pub(super) fn take_known(
        &self,
        account: Fingerprint,
        limit: usize,
        now: Instant,
    ) -> Option<Permit<'_>> {
        let mut running = self.running();
        if running.known_accounts.contains(&account) {
            return None;
        }
        if running.count >= limit {
            running.claimed_until = Some(now + CLAIM);
            return None;
        }
        running.count += 1;
        running.known_accounts.insert(account);
        Some(Permit { verifications: self, account: Some(account) })
    }

    /// Returns a permit for an unknown caller. Unknown callers leave the last permit to known ones,
    /// and every permit for [`CLAIM`] after a known caller found all of them taken.
    pub(super) fn take_unknown(&self, limit: usize, now: Instant) -> Option<Permit<'_>> {
        let mut running = self.running();
        let is_claimed = running.claimed_until.is_some_and(|until| until > now);
        if is_claimed || running.count >= limit.saturating_sub(1).max(1) {
            return None;
        }
        running.count += 1;
        Some(Permit { verifications: self, account: None })
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut running = self.verifications.running();
        running.count -= 1;
        if let Some(account) = self.account {
            running.known_accounts.remove(&account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: Fingerprint = [1; 32];
    const BERT: Fingerprint = [2; 32];

    #[test]
    fn unknown_callers_leave_the_last_permit() {
        let (verifications, now) = (Verifications::default(), Instant::now());
        let one = verifications.take_unknown(2, now);
        assert!(one.is_some() && verifications.take_unknown(2, now).is_none());
        let two = verifications.take_known(ANNA, 2, now);
        assert!(two.is_some());
        drop(one);
        assert!(verifications.take_unknown(2, now).is_none(), "one permit is taken");
        drop(two);
        assert!(verifications.take_unknown(2, now).is_some());
    }

    #[test]
    fn known_callers_of_one_account_leave_a_permit_to_the_owner_of_another() {
        let (verifications, now) = (Verifications::default(), Instant::now());
        let annas = verifications.take_known(ANNA, 2, now);
        assert!(annas.is_some() && verifications.take_known(ANNA, 2, now).is_none());
        let berts = verifications.take_known(BERT, 2, now);
        assert!(berts.is_some(), "the other permit");
        drop((annas, berts));
        // An unknown caller and one account hold both permits. The owner of another account is next.
        let stranger = verifications.take_unknown(2, now);
        let annas = verifications.take_known(ANNA, 2, now);
        assert!(stranger.is_some() && annas.is_some());
        assert!(verifications.take_known(BERT, 2, now).is_none());
        drop((stranger, annas));
        let retry = now + Duration::from_secs(1);
        assert!(verifications.take_unknown(2, retry).is_none(), "reserved for the refused caller");
        let annas = verifications.take_known(ANNA, 2, retry);
        assert!(annas.is_some() && verifications.take_known(BERT, 2, retry).is_some());
    }

    #[test]
    fn known_caller_that_was_refused_gets_the_only_permit_next() {
        let (verifications, now) = (Verifications::default(), Instant::now());
        let stranger = verifications.take_unknown(1, now);
        assert!(stranger.is_some() && verifications.take_known(ANNA, 1, now).is_none());
        drop(stranger);
        let retry = now + Duration::from_secs(1);
        assert!(verifications.take_unknown(1, retry).is_none());
        assert!(verifications.take_known(ANNA, 1, retry).is_some());
        assert!(verifications.take_unknown(1, now + CLAIM).is_some(), "a claim ends");
    }
}
