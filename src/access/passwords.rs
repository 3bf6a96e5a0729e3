//! Compares passwords, and slows guessing down.
//!
//! Every attempt goes through the same steps, whether its account exists or not:
//!
//! 1. A caller that has to wait is refused. Its guess is compared with nothing.
//! 2. An unknown caller needs a free verification and one of this second's comparisons of unknown
//!    callers ([`ComparisonLimit`](super::comparison_limit::ComparisonLimit)). Without them it is
//!    refused, and its guess is compared with nothing either.
//! 3. The caller's own latest wrong guess, again, is refused and not charged again.
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
//! A caller is known by its device cookie for that account, or by its network, where any account
//! was used rightly before. It is known for every name or for none: otherwise a caller at a shared
//! address could list the names that are used there by the answers to wrong guesses.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::accounts::{Account, Accounts};
use super::attempt::Attempt;
use super::key::Fingerprint;
use super::ledger::{Caller, Ledger};
use super::stats::Stats;
use super::verifications::{Permit, Verifications};

/// Reason for which a password was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is wrong, or there is no such account; with the wait that this failure cost.
    Wrong(Option<Duration>),
    /// The caller has to wait.
    Throttled(Duration),
    /// Every verification that the caller may use is taken, or used up in this second.
    Busy,
    /// Unknown callers have used up the comparisons of this second.
    StrangerLimit,
}

/// Compares passwords.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    ledger: Mutex<Ledger>,
    verifications: Verifications,
}

impl Passwords {
    /// No code that could panic runs while it is held, except for allocation.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account, if the attempt has its password.
    pub(super) fn check<'a>(
        &self,
        accounts: &'a Accounts,
        attempt: &Attempt<'_>,
        stats: &Stats,
    ) -> Result<&'a Account, Refusal> {
        let (limits, now) = (&accounts.limits, attempt.now);
        let account = accounts.user(attempt.user);
        let mut ledger = self.ledger();
        let caller = ledger.caller(attempt);
        if let Some(wait) = ledger.wait(caller, attempt, limits) {
            return Err(Refusal::Throttled(wait));
        }
        let permit = if caller == Caller::Stranger {
            let permit = self.permit(&mut ledger, caller, attempt, accounts)?;
            stats.count_comparison(caller.class());
            if ledger.is_known_wrong(caller, attempt, limits) {
                return Err(Refusal::Wrong(None));
            }
            permit
        } else {
            if ledger.is_known_wrong(caller, attempt, limits) {
                return Err(Refusal::Wrong(None));
            }
            let credential = &attempt.guess.fingerprint;
            let recognises = |account: &&Account| {
                account.recognises(&attempt.network, credential, now, limits.remember)
            };
            if let Some(account) = account.filter(recognises) {
                stats.count_comparison(caller.class());
                ledger.refund(caller, attempt, limits);
                ledger.known.insert(account.proof, attempt.network, now);
                return Ok(account);
            }
            let permit = self.permit(&mut ledger, caller, attempt, accounts);
            // The guess may have been compared. Were a refusal free, a caller that keeps the
            // verifications busy could guess without limit.
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
            // As when every verification is taken: a stranger's guess was compared with nothing.
            ledger.refund(caller, attempt, limits);
            if caller != Caller::Stranger {
                ledger.charge_busy(caller, attempt, limits);
            }
            return Err(Refusal::Busy);
        };
        let Some(account) = account.filter(|_| matches) else {
            return Err(Refusal::Wrong(ledger.confirm(caller, attempt, limits)));
        };
        ledger.refund(caller, attempt, limits);
        account.remember(attempt.network, attempt.guess.fingerprint, now);
        ledger.known.insert(account.proof, attempt.network, now);
        Ok(account)
    }

    /// Takes a verification, and one of this second's comparisons.
    fn permit(
        &self,
        ledger: &mut Ledger,
        caller: Caller,
        attempt: &Attempt<'_>,
        accounts: &Accounts,
    ) -> Result<Permit<'_>, Refusal> {
        let (limit, now) = (accounts.limits.verifications, attempt.now);
        let permit = match caller {
            Caller::Stranger => self.verifications.take_unknown(limit, now),
            _ => self.verifications.take_known(attempt.account, limit, now),
        };
        let permit = permit.ok_or(Refusal::Busy)?;
        ledger.count_comparison(caller, attempt, &accounts.limits)?;
        Ok(permit)
    }

    /// Keeps the known networks of these proofs, and records none of any other from now on.
    pub(super) fn retain(&self, proofs: HashSet<Fingerprint>) {
        self.ledger().known.retain(proofs);
    }

    /// Takes permits until none is left for known callers of that limit.
    #[cfg(test)]
    pub(super) fn while_taken<T>(&self, count: usize, run: impl FnOnce() -> T) -> T {
        let now = std::time::Instant::now();
        // Accounts of no other caller.
        let others = (0..count).map(|number| [u8::try_from(number).unwrap_or(u8::MAX); 32]);
        let permits = others.map_while(|other| self.verifications.take_known(other, count, now));
        let _permits: Vec<_> = permits.collect();
        run()
    }

    /// See [`Ledger::records`].
    #[cfg(test)]
    pub(super) fn records(&self) -> [usize; 7] {
        self.ledger().records()
    }
}
