//! Compares passwords, and slows guessing down.
//!
//! Every attempt goes through the same steps, whether its account exists or not:
//!
//! 1. A caller that has to wait is refused. Its guess is compared with nothing.
//! 2. The caller's own latest wrong guess, again, is refused for free.
//! 3. A known caller's guess is compared with the password remembered for its network.
//! 4. A verification has to be free, and one of this second's comparisons for callers of the same
//!    class ([`ComparisonLimit`]). Known callers have one verification at a time for each account.
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
use super::comparison_limit::{ComparisonLimit, PerSecond};
use super::key::Fingerprint;
use super::known_networks::KnownNetworks;
use super::rules::Limits;
use super::stats::{CallerClass, Stats};
use super::throttle::{Pace, Throttle};
use super::verifications::Verifications;

/// Verifications for known callers in any second: for all accounts, and for one of them. A password
/// that is remembered for the caller's network costs none.
const KNOWN_PER_SECOND: PerSecond = PerSecond { all: 20, of_group: 8 };

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

/// Everything that slows guessing down.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    ledger: Mutex<Ledger>,
    verifications: Verifications,
}

#[derive(Debug, Default)]
struct Ledger {
    by_address: Throttle,
    /// Failures of unknown callers, by the account that they named.
    by_account: Throttle,
    /// Failures from known networks, by the account that they named. Without it the owner of one
    /// account could make many networks known, and guess at another account from each of them.
    by_account_known: Throttle,
    by_device: Throttle,
    /// Failures by device cookies, by the account that they were issued for. Only callers that have
    /// had its right password can fill it.
    by_account_device: Throttle,
    known: KnownNetworks,
    /// Groups are neighbourhoods.
    strangers: ComparisonLimit,
    /// Groups are accounts.
    known_callers: ComparisonLimit,
}

/// Evidence by which an attempt's caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// A device cookie for this account.
    Device(Fingerprint),
    /// Its network.
    Network,
    Stranger,
}

impl Caller {
    fn class(self) -> CallerClass {
        match self {
            Caller::Stranger => CallerClass::Stranger,
            Caller::Device(_) | Caller::Network => CallerClass::Known,
        }
    }
}

impl Ledger {
    fn caller(&self, attempt: &Attempt<'_>) -> Caller {
        match attempt.device {
            Some(device) => Caller::Device(device),
            None if self.known.contains(&attempt.network) => Caller::Network,
            None => Caller::Stranger,
        }
    }

    /// Counters of the attempt's failures: first the caller's own record, then that of the
    /// account. Unknown callers, those from known networks and devices have records of their own,
    /// so failures of unknown callers never make a known one wait.
    fn counters(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> [(&mut Throttle, Fingerprint, Pace); 2] {
        let per_address = pace(limits, limits.failures_per_address);
        let per_account = pace(limits, limits.failures_per_account);
        let (own, caller, of_account) = match caller {
            Caller::Device(device) => (&mut self.by_device, device, &mut self.by_account_device),
            Caller::Network => (&mut self.by_address, attempt.network, &mut self.by_account_known),
            Caller::Stranger => (&mut self.by_address, attempt.network, &mut self.by_account),
        };
        [(own, caller, per_address), (of_account, attempt.account, per_account)]
    }

    /// Counts a comparison, or returns the reason for which the caller may have none.
    fn count_comparison(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        if caller != Caller::Stranger {
            let has_one = self.known_callers.take(attempt.account, KNOWN_PER_SECOND, attempt.now);
            return has_one.then_some(()).ok_or(Refusal::Busy);
        }
        // One neighbourhood gets half, so an attacker who owns one, with its 65,536 networks of
        // IPv6, leaves the other half to the rest.
        let all = limits.strangers_per_second;
        let allowed = PerSecond { all, of_group: all.div_ceil(2) };
        let has_one = self.strangers.take(attempt.neighbourhood, allowed, attempt.now);
        has_one.then_some(()).ok_or(Refusal::StrangerLimit)
    }
}

/// Growth of waits after so many free failures.
pub(super) fn pace(limits: &Limits, free: usize) -> Pace {
    Pace {
        free,
        first: limits.first_delay,
        longest: limits.longest_delay,
        cap: limits.max_throttled,
    }
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
        let (limits, now, guess) = (&accounts.limits, attempt.now, &attempt.guess);
        let account = accounts.user(attempt.user);
        let mut ledger = self.ledger();
        let caller = ledger.caller(attempt);
        let waits = ledger.counters(caller, attempt, limits).into_iter();
        if let Some(wait) = waits.filter_map(|(throttle, key, _)| throttle.wait(&key, now)).max() {
            return Err(Refusal::Throttled(wait));
        }
        let [(own, key, _), _] = ledger.counters(caller, attempt, limits);
        if own.is_known_wrong(&key, guess) {
            return Err(Refusal::Wrong(None));
        }
        if caller != Caller::Stranger
            && let Some(account) = account
            && account.recognises(&attempt.network, &guess.fingerprint, now, limits.remember)
        {
            stats.count_comparison(caller.class());
            ledger.known.insert(account.proof, attempt.network, now);
            return Ok(account);
        }
        let permit = match caller {
            Caller::Stranger => self.verifications.take_unknown(limits.verifications, now),
            _ => self.verifications.take_known(attempt.account, limits.verifications, now),
        };
        let permit = permit.ok_or(Refusal::Busy).and_then(|permit| {
            ledger.count_comparison(caller, attempt, limits)?;
            Ok(permit)
        });
        let permit = permit.inspect_err(|_| {
            if caller != Caller::Stranger {
                // The guess may have been compared with a remembered password. Were it free, a
                // caller that keeps the verifications busy could guess without limit.
                charge(&mut ledger, caller, attempt, limits);
            }
        })?;
        charge(&mut ledger, caller, attempt, limits);
        drop(ledger);
        stats.count_comparison(caller.class());
        let hash = account.map(|account| &account.password_hash);
        let verified = hash.or_else(|| accounts.decoy(&attempt.account)).map(|hash| {
            stats.count_verification();
            hash.verify(attempt.password)
        });
        drop(permit);
        let mut ledger = self.ledger();
        let counters = ledger.counters(caller, attempt, limits).into_iter();
        let Ok(matches) = verified.unwrap_or(Ok(false)) else {
            // As when every verification is taken: free for a stranger, whose guess was compared
            // with nothing.
            if caller == Caller::Stranger {
                counters.for_each(|(throttle, key, _)| throttle.refund(&key, guess));
            }
            return Err(Refusal::Busy);
        };
        let Some(account) = account.filter(|_| matches) else {
            let waits =
                counters.filter_map(|(throttle, key, _)| throttle.confirm(&key, *guess, now));
            return Err(Refusal::Wrong(waits.max()));
        };
        counters.for_each(|(throttle, key, _)| throttle.refund(&key, guess));
        account.remember(attempt.network, guess.fingerprint, now);
        ledger.known.insert(account.proof, attempt.network, now);
        Ok(account)
    }

    /// Drops the known networks of every proof that is not one of these.
    pub(super) fn retain(&self, proofs: &HashSet<Fingerprint>) {
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

    /// Number of records, of addresses, of accounts by unknown callers and from known networks, of
    /// devices, of accounts by devices, and of known networks.
    #[cfg(test)]
    pub(super) fn records(&self) -> [usize; 6] {
        let ledger = self.ledger();
        let Ledger { by_address, by_account, by_account_known, .. } = &*ledger;
        let Ledger { by_device, by_account_device, known, .. } = &*ledger;
        let throttles = [by_address, by_account, by_account_known, by_device, by_account_device];
        let [a, b, c, d, e] = throttles.map(Throttle::len);
        [a, b, c, d, e, known.len()]
    }
}

fn charge(ledger: &mut Ledger, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) {
    for (throttle, key, pace) in ledger.counters(caller, attempt, limits) {
        throttle.charge(&key, attempt.guess, attempt.now, pace);
    }
}
