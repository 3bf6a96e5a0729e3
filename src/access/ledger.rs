//! Records of password attempts: counters of failures, known networks, and the comparisons of the
//! latest second.

use std::time::Duration;

use super::attempt::Attempt;
use super::comparison_limit::{ComparisonLimit, PerSecond};
use super::key::Fingerprint;
use super::known_networks::KnownNetworks;
use super::passwords::Refusal;
use super::rules::Limits;
use super::stats::CallerClass;
use super::throttle::{Pace, Throttle};

/// Attempts of one known caller that are refused as busy before it has to wait.
///
/// Each may have been compared with a remembered password, so their number is bounded. It is larger
/// than that of failures, because the honest scripts of many accounts behind one address find the
/// verifications taken too if they run at the same moment. Guesses at one account stay bounded by
/// `failures_per_account`.
pub(super) const FREE_BUSY_ATTEMPTS: usize = 64;

/// Verifications for known callers in any second: for all accounts, and for one of them. A password
/// that is remembered for the caller's network costs none.
const KNOWN_PER_SECOND: PerSecond = PerSecond { all: 20, of_group: 8 };

/// Evidence by which an attempt's caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A device cookie for this account.
    Device(Fingerprint),
    /// Its network.
    Network,
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

/// Everything that is recorded of attempts.
#[derive(Debug, Default)]
pub(super) struct Ledger {
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
    /// Attempts of known callers that were refused as busy, by network or device.
    busy: Throttle,
    pub(super) known: KnownNetworks,
    /// Groups are neighbourhoods.
    strangers: ComparisonLimit,
    /// Groups are accounts.
    known_callers: ComparisonLimit,
}

/// One of the records that an attempt concerns.
struct Counter<'a> {
    throttle: &'a mut Throttle,
    key: Fingerprint,
    pace: Pace,
}

impl Counter<'_> {
    fn charge(self, attempt: &Attempt<'_>) {
        self.throttle.charge(&self.key, attempt.guess, attempt.now, self.pace);
    }
}

/// The counters of an attempt. Unknown callers, those from known networks and devices have records
/// of their own, so failures of unknown callers never make a known one wait.
struct Counters<'a> {
    /// Failures of the caller.
    own: Counter<'a>,
    /// Failures at the account, whichever caller of the same kind sent them.
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
            None if self.known.contains(&attempt.network) => Caller::Network,
            None => Caller::Stranger,
        }
    }

    fn counters(&mut self, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) -> Counters<'_> {
        let (own, key, account) = match caller {
            Caller::Device(device) => (&mut self.by_device, device, &mut self.by_account_device),
            Caller::Network => (&mut self.by_address, attempt.network, &mut self.by_account_known),
            Caller::Stranger => (&mut self.by_address, attempt.network, &mut self.by_account),
        };
        let counter = |throttle, key, free| Counter { throttle, key, pace: pace(limits, free) };
        Counters {
            own: counter(own, key, limits.failures_per_address),
            account: counter(account, attempt.account, limits.failures_per_account),
            busy: counter(&mut self.busy, key, FREE_BUSY_ATTEMPTS),
        }
    }

    /// Returns the time that the caller still has to wait, if any.
    pub(super) fn wait(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> Option<Duration> {
        let counters = self.counters(caller, attempt, limits).all().into_iter();
        counters.filter_map(|it| it.throttle.wait(&it.key, attempt.now)).max()
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
        own.charge(attempt);
        account.charge(attempt);
    }

    /// Counts a known caller's attempt that is refused as busy, until [`Ledger::refund`]. It does
    /// not depend on whether the account exists or its password is remembered.
    pub(super) fn charge_busy(&mut self, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) {
        let Counters { account, busy, .. } = self.counters(caller, attempt, limits);
        account.charge(attempt);
        busy.charge(attempt);
    }

    /// Takes back every charge for a guess that proved right.
    pub(super) fn refund(&mut self, caller: Caller, attempt: &Attempt<'_>, limits: &Limits) {
        for counter in self.counters(caller, attempt, limits).all() {
            counter.throttle.refund(&counter.key, &attempt.guess);
        }
    }

    /// Settles the charges for a guess that proved wrong; returns the wait that it cost.
    pub(super) fn confirm(
        &mut self,
        caller: Caller,
        attempt: &Attempt<'_>,
        limits: &Limits,
    ) -> Option<Duration> {
        let counters = self.counters(caller, attempt, limits).all().into_iter();
        counters.filter_map(|it| it.throttle.confirm(&it.key, attempt.guess, attempt.now)).max()
    }

    /// Counts a comparison, or returns the reason for which the caller may have none.
    pub(super) fn count_comparison(
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
        // IPv6, leaves the other half to the rest. Networks with a wrong guess on record leave a
        // quarter to the others: they can repeat that guess without being charged.
        let limit = limits.strangers_per_second;
        let spared = if self.by_address.has_failed(&attempt.network) { limit / 4 } else { 0 };
        let allowed = PerSecond { all: limit - spared, of_group: limit.div_ceil(2) };
        let has_one = self.strangers.take(attempt.neighbourhood, allowed, attempt.now);
        has_one.then_some(()).ok_or(Refusal::StrangerLimit)
    }

    /// Number of records, of addresses, of accounts by unknown callers and from known networks, of
    /// devices, of accounts by devices, of callers refused as busy, and of known networks.
    #[cfg(test)]
    pub(super) fn records(&self) -> [usize; 7] {
        let Ledger { by_address, by_account, by_account_known, .. } = self;
        let Ledger { by_device, by_account_device, busy, known, .. } = self;
        let [a, b, c, d, e, f] =
            [by_address, by_account, by_account_known, by_device, by_account_device, busy]
                .map(Throttle::len);
        [a, b, c, d, e, f, known.len()]
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
