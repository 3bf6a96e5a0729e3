//! Checks passwords and throttles guesses.
//!
//! Every attempt goes through the same steps, whether its account exists or not:
//!
//! 1. A caller that must wait is refused, without a comparison.
//! 2. An unknown caller needs a free verification and one of this second's comparisons of unknown
//!    callers ([`ComparisonLimit`](super::comparison_limit::ComparisonLimit)). Otherwise it is
//!    refused, also without a comparison.
//! 3. A repetition of the caller's own latest wrong guess is refused and not charged again.
//! 4. A known caller's guess is compared with the password remembered for its network. If that does
//!    not decide, the caller needs a free verification, one at a time for each account, and one of
//!    this second's comparisons of known callers. A refusal here is charged, as the guess has been
//!    compared: to the account, and to a counter of the caller with more free attempts
//!    ([`FREE_BUSY_ATTEMPTS`](super::ledger::FREE_BUSY_ATTEMPTS)).
//! 5. The attempt is charged as a failure.
//! 6. argon2id decides, against a decoy if there is no such account. A right password is refunded.
//!
//! Steps 1 to 5 are one critical section, so concurrent attempts cannot pass a check together.
//!
//! A caller is known by its device cookie for that account, or by its network, if any account was used
//! there with the right password before. A network is known for all names or for none. Otherwise the
//! responses to wrong guesses would reveal the names used at a shared address.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::accounts::{Account, Accounts};
use super::attempt::{Attempt, AttemptError};
use super::key::Fingerprint;
use super::ledger::{Caller, Ledger};
use super::rows::CountRow;
use super::rules::Limits;
use super::stats::Stats;
use super::throttle::Instance;
use super::verifications::{Permit, Verifications};

/// Checks passwords.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    ledger: Mutex<Ledger>,
    verifications: Verifications,
}

impl Passwords {
    /// Locks the ledger. Apart from allocation, no code that can panic runs while it is locked.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the account if the attempt has its password.
    pub(super) fn check<'a>(
        &self,
        accounts: &'a Accounts,
        attempt: &Attempt<'_>,
        stats: &Stats,
    ) -> Result<&'a Account, AttemptError> {
        let (limits, now) = (&accounts.limits, attempt.now);
        let account = accounts.user(attempt.user);
        let mut ledger = self.ledger();
        let caller = ledger.caller(attempt);
        if let Some(wait) = ledger.wait(caller, attempt, limits) {
            return Err(AttemptError::Throttled(wait));
        }
        let permit = if caller == Caller::Stranger {
            let permit = self.permit(&mut ledger, caller, attempt, accounts)?;
            stats.count_comparison(caller.class());
            if ledger.is_known_wrong(caller, attempt, limits) {
                return Err(AttemptError::Wrong(None));
            }
            permit
        } else {
            if ledger.is_known_wrong(caller, attempt, limits) {
                return Err(AttemptError::Wrong(None));
            }
            let credential = &attempt.guess.fingerprint;
            let is_remembered = |account: &&Account| {
                account.is_remembered(&attempt.network, credential, now, limits.remember)
            };
            if let Some(account) = account.filter(is_remembered) {
                stats.count_comparison(caller.class());
                ledger.refund(caller, attempt, limits);
                ledger.known_networks.insert(account.proof, attempt.network, now);
                return Ok(account);
            }
            let permit = self.permit(&mut ledger, caller, attempt, accounts);
            // The guess may have been compared with a remembered password. If this refusal were not charged,
            // a caller that keeps the verifications busy could guess without limit.
            let permit = permit.inspect_err(|_| ledger.charge_busy(caller, attempt, limits))?;
            stats.count_comparison(caller.class());
            permit
        };
        ledger.charge(caller, attempt, limits);
        drop(ledger);
        let hash = account.map(|account| &account.password_hash);
        let verified = hash.or_else(|| accounts.decoy(&attempt.account)).map(|hash| {
            stats.count_verification();
            hash.verify(attempt.password)
        });
        drop(permit);
        let mut ledger = self.ledger();
        let Ok(matches) = verified.unwrap_or(Ok(false)) else {
            // No memory. The guess was not compared, so the attempt is treated as one refused as busy.
            ledger.refund(caller, attempt, limits);
            if caller != Caller::Stranger {
                ledger.charge_busy(caller, attempt, limits);
            }
            return Err(AttemptError::Busy);
        };
        let Some(account) = account.filter(|_| matches) else {
            return Err(AttemptError::Wrong(ledger.confirm(caller, attempt, limits)));
        };
        ledger.refund(caller, attempt, limits);
        account.remember(attempt.network, attempt.guess.fingerprint, now);
        ledger.known_networks.insert(account.proof, attempt.network, now);
        Ok(account)
    }

    /// Takes a permit for a verification, and counts one of this second's comparisons.
    fn permit(
        &self,
        ledger: &mut Ledger,
        caller: Caller,
        attempt: &Attempt<'_>,
        accounts: &Accounts,
    ) -> Result<Permit<'_>, AttemptError> {
        let (limit, now) = (accounts.limits.verifications, attempt.now);
        let permit = match caller {
            Caller::Stranger => self.verifications.take_unknown(limit, now),
            _ => self.verifications.take_known(attempt.account, limit, now),
        };
        let permit = permit.ok_or(AttemptError::Busy)?;
        ledger.count_comparison(caller, attempt, &accounts.limits)?;
        Ok(permit)
    }

    /// Drops the known networks of all proofs but these, and stops recording networks for others.
    pub(super) fn retain(&self, proofs: HashSet<Fingerprint>) {
        self.ledger().known_networks.retain(proofs);
    }

    /// Returns counts of failures that other replicas have not been sent, at most `max`.
    pub(super) fn unsent(&self, now: Instant, longest: Duration, max: usize) -> Vec<CountRow> {
        self.ledger().unsent(now, longest, max)
    }

    /// Notes that counts were sent.
    pub(super) fn sent(&self, rows: &[CountRow]) {
        self.ledger().sent(rows);
    }

    /// Has all counts sent again.
    pub(super) fn resend(&self) {
        self.ledger().resend();
    }

    /// Takes the counts of other replicas.
    pub(super) fn observe(&self, rows: &[(Instance, CountRow)], now: Instant, limits: &Limits) {
        self.ledger().observe(rows, now, limits);
    }

    /// Sets the number of replicas that share the comparisons of unknown callers.
    pub(super) fn set_replicas(&self, replicas: usize) {
        self.ledger().replicas = replicas.max(1);
    }

    /// Drops all records of callers, whose fingerprints have changed.
    pub(super) fn clear(&self) {
        self.ledger().clear();
    }

    /// Takes permits until none is left for known callers of that limit.
    #[cfg(test)]
    pub(super) fn while_taken<T>(&self, count: usize, run: impl FnOnce() -> T) -> T {
        let now = std::time::Instant::now();
        // Fingerprints of accounts that no other caller names.
        let accounts = (0..count).map(|number| [u8::try_from(number).unwrap_or(u8::MAX); 32]);
        let permits =
            accounts.map_while(|account| self.verifications.take_known(account, count, now));
        let _permits: Vec<_> = permits.collect();
        run()
    }

    /// Returns the number of records of each kind, as [`Ledger::records`] does.
    #[cfg(test)]
    pub(super) fn records(&self) -> [usize; 7] {
        self.ledger().records()
    }
}
