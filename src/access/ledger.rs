//! Records of password attempts: failure counters, known networks, and the comparisons of the last
//! second.

mod replicas;

use std::time::Duration;

use super::attempt::{Attempt, AttemptError};
use super::comparison_limit::{ComparisonLimit, PerSecond};
use super::key::Fingerprint;
use super::known_networks::KnownNetworks;
use super::rules::Limits;
use super::stats::CallerClass;
use super::throttle::{Backoff, Throttle};

/// Number of attempts of one known caller that may be refused as busy before it must wait.
///
/// Each may have been compared with a remembered password, so their number is bounded. The bound is higher
/// than that of failures, because scripts with right passwords of many accounts behind one address are also
/// refused as busy if they run at the same time. Guesses at one account stay bounded by
/// `failures_per_account`.
pub(super) const FREE_BUSY_ATTEMPTS: usize = 64;

/// Most verifications for known callers in any second, in total and for one account. A password that
/// is remembered for the caller's network needs none.
const KNOWN_PER_SECOND: PerSecond = PerSecond { all: 20, of_group: 8 };

/// Evidence by which the caller of an attempt is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A device cookie of this account.
    Device(Fingerprint),
    /// Its network, on which an account was used with the right password.
    Network,
    /// No evidence: the caller is unknown.
    Stranger,
}

impl Caller {
    pub(super) fn class(self) -> CallerClass {
        match self {
            Caller::Stranger => CallerClass::Stranger,
            Caller::Device(_) | Caller::Network => CallerClass::Known,
        }
    }
}

/// Records of all attempts.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Number of replicas that share the comparisons of unknown callers.
    pub(super) replicas: usize,
    by_address: Throttle,
    /// Failures of unknown callers, by the account named.
    by_account: Throttle,
    /// Failures from known networks, by the account named. Without it, the owner of one account could
    /// make many networks known and guess at another account from each of them.
    by_account_known: Throttle,
    by_device: Throttle,
    /// Failures of devices, by the account of their cookies. Only callers that once had its right
    /// password can fill it.
    by_account_device: Throttle,
    /// Attempts of known callers that were refused as busy, by network or device.
    busy: Throttle,
    pub(super) known_networks: KnownNetworks,
    /// Comparisons for unknown callers, grouped by neighbourhood.
    strangers: ComparisonLimit,
    /// Comparisons for known callers, grouped by account.
    known_callers: ComparisonLimit,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger {
            replicas: 1,
            by_address: Throttle::default(),
            by_account: Throttle::default(),
            by_account_known: Throttle::default(),
            by_device: Throttle::default(),
            by_account_device: Throttle::default(),
            busy: Throttle::default(),
            known_networks: KnownNetworks::default(),
            strangers: ComparisonLimit::default(),
            known_callers: ComparisonLimit::default(),
        }
    }
}

/// One of the failure counters that an attempt concerns.
struct Counter<'a> {
    throttle: &'a mut Throttle,
    key: Fingerprint,
    backoff: Backoff,
}

impl Counter<'_> {
    fn charge(self, attempt: &Attempt<'_>, is_verified: bool) {
        self.throttle.charge(&self.key, attempt.guess, attempt.now, self.backoff, is_verified);
    }
}

/// The counters of an attempt. Unknown callers, known networks and devices have separate records, so
/// failures of unknown callers never make a known caller wait.
struct Counters<'a> {
    /// Failures of the caller.
    own: Counter<'a>,
    /// Failures at the account, of all callers of the same kind.
    account: Counter<'a>,
    /// The caller's attempts that were refused as busy.
    busy: Counter<'a>,
}

impl<'a> Counters<'a> {
    fn all(self) -> [Counter<'a>; 3] {
        [self.own, self.account, self.busy]
    }
}

impl Ledger {
    pub(super) fn caller(&self, attempt: &Attempt<'_>) -> Caller {
        match attempt.device {
            Some(device) => Caller::Device(device),
            None if self.known_networks.contains(&attempt.network) => Caller::Network,
            None => Caller::Stranger,
        }
    }

    fn counters(&mut self, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) -> Counters<'_> {
        let (own, key, account) = match caller {
            Caller::Device(device) => (&mut self.by_device, device, &mut self.by_account_device),
            Caller::Network => (&mut self.by_address, attempt.network, &mut self.by_account_known),
            Caller::Stranger => (&mut self.by_address, attempt.network, &mut self.by_account),
        };
        let counter =
            |throttle, key, free| Counter { throttle, key, backoff: backoff(limits, free) };
        Counters {
            own: counter(own, key, limits.failures_per_address),
            account: counter(account, attempt.account, limits.failures_per_account),
            busy: counter(&mut self.busy, key, FREE_BUSY_ATTEMPTS),
        }
    }

    /// Returns the time for which the caller must still wait, if any.
    pub(super) fn wait(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> Option<Duration> {
        let counters = self.counters(caller, attempt, limits).all().into_iter();
        counters.filter_map(|counter| counter.throttle.wait(&counter.key, attempt.now)).max()
    }

    /// Returns true if the guess was the caller's latest wrong one.
    pub(super) fn is_known_wrong(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> bool {
        let own = self.counters(caller, attempt, limits).own;
        own.throttle.is_known_wrong(&own.key, &attempt.guess)
    }

    /// Counts the attempt as a failure until [`Ledger::refund`].
    pub(super) fn charge(&mut self, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) {
        let Counters { own, account, .. } = self.counters(caller, attempt, limits);
        own.charge(attempt, true);
        account.charge(attempt, true);
    }

    /// Counts a known caller's attempt that is refused as busy, until [`Ledger::refund`]. Names without an
    /// account are charged like those with one.
    pub(super) fn charge_busy(&mut self, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) {
        let Counters { account, busy, .. } = self.counters(caller, attempt, limits);
        account.charge(attempt, false);
        busy.charge(attempt, false);
    }

    /// Reverts every charge for a guess, as its password was right or was not compared.
    pub(super) fn refund(&mut self, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) {
        for counter in self.counters(caller, attempt, limits).all() {
            counter.throttle.refund(&counter.key, &attempt.guess);
        }
    }

    /// Makes the charges for a wrong guess final; returns the wait that it caused.
    pub(super) fn confirm(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> Option<Duration> {
        let counters = self.counters(caller, attempt, limits).all().into_iter();
        counters
            .filter_map(|counter| {
                counter.throttle.confirm(&counter.key, attempt.guess, attempt.now)
            })
            .max()
    }

    /// Counts a comparison, or returns the reason for which the caller is refused one.
    pub(super) fn count_comparison(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> Result<(), AttemptError> {
        if caller != Caller::Stranger {
            let is_granted =
                self.known_callers.take(attempt.account, KNOWN_PER_SECOND, attempt.now);
            return is_granted.then_some(()).ok_or(AttemptError::Busy);
        }
        // One neighbourhood gets at most half. An attacker that owns one, with its 65,536 IPv6 networks,
        // thus leaves the other half to other callers. Networks with a wrong guess on record get three
        // quarters at most, since they can repeat that guess without being charged.
        // Replicas share the limit, so that they compare no more together.
        let limit = (limits.strangers_per_second / self.replicas).max(1);
        let reserved = if self.by_address.has_failed(&attempt.network) { limit / 4 } else { 0 };
        let allowed = PerSecond { all: limit - reserved, of_group: limit.div_ceil(2) };
        let is_granted = self.strangers.take(attempt.neighbourhood, allowed, attempt.now);
        is_granted.then_some(()).ok_or(AttemptError::StrangerLimit)
    }

    /// Returns the number of records of each kind, in the order of the fields: addresses, accounts by unknown
    /// callers, accounts from known networks, devices, accounts by devices, busy callers, known networks.
    #[cfg(test)]
    pub(super) fn records(&self) -> [usize; 7] {
        let Ledger { by_address, by_account, by_account_known, .. } = self;
        let Ledger { by_device, by_account_device, busy, known_networks, .. } = self;
        let [a, b, c, d, e, f] =
            [by_address, by_account, by_account_known, by_device, by_account_device, busy]
                .map(Throttle::len);
        [a, b, c, d, e, f, known_networks.len()]
    }
}

/// Returns the growth of waits after `free` free failures.
pub(super) fn backoff(limits: &Limits, free: usize) -> Backoff {
    Backoff {
        free,
        first: limits.first_delay,
        longest: limits.longest_delay,
        cap: limits.max_throttled,
    }
}
