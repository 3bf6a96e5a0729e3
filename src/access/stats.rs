//! What the gate counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request was refused, as `auth_failures_total{reason}` names it. A request without
/// credentials is no failure: browsers begin with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The credentials cannot be understood.
    Malformed,
    /// No such user, or not the password.
    Password,
    /// No such token.
    Token,
    /// The account lacks the scope.
    Scope,
    /// Another site's page would have changed something.
    CrossSite,
    /// Too many failures before.
    Throttled,
    /// As many verifications as may run were running, or had run for known callers in this second.
    Busy,
    /// Unknown callers had used up the comparisons of this second.
    StrangerLimit,
    /// Asked for under a name that is not this server's.
    Host,
}

impl FailureReason {
    /// Every reason.
    pub const ALL: [FailureReason; 9] = [
        FailureReason::Malformed,
        FailureReason::Password,
        FailureReason::Token,
        FailureReason::Scope,
        FailureReason::CrossSite,
        FailureReason::Throttled,
        FailureReason::Busy,
        FailureReason::StrangerLimit,
        FailureReason::Host,
    ];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureReason::Malformed => "malformed",
            FailureReason::Password => "password",
            FailureReason::Token => "token",
            FailureReason::Scope => "scope",
            FailureReason::CrossSite => "cross_site",
            FailureReason::Throttled => "throttled",
            FailureReason::Busy => "busy",
            FailureReason::StrangerLimit => "stranger_limit",
            FailureReason::Host => "host",
        }
    }
}

/// Class of a caller in `auth_comparisons_total{caller}`: known callers have had a right password
/// here before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerClass {
    /// A caller from a network where an account was used rightly, or with a device cookie.
    Known,
    /// Any other.
    Stranger,
}

impl CallerClass {
    /// Both classes.
    pub const ALL: [CallerClass; 2] = [CallerClass::Known, CallerClass::Stranger];

    /// The label's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            CallerClass::Known => "known",
            CallerClass::Stranger => "stranger",
        }
    }
}

/// The gate's counters.
#[derive(Debug, Default)]
pub struct Stats {
    failures: [AtomicU64; FailureReason::ALL.len()],
    verifications: AtomicU64,
    comparisons: [AtomicU64; CallerClass::ALL.len()],
}

impl Stats {
    /// Requests refused for that reason since the start.
    pub fn failures(&self, reason: FailureReason) -> u64 {
        self.failures[reason as usize].load(Ordering::Relaxed)
    }

    /// Passwords verified by argon2id since the start, right or wrong.
    pub fn verifications(&self) -> u64 {
        self.verifications.load(Ordering::Relaxed)
    }

    /// Passwords of such callers that were compared since the start: with a remembered one, by
    /// argon2id, or those of unknown callers with their latest wrong one.
    pub fn comparisons(&self, caller: CallerClass) -> u64 {
        self.comparisons[caller as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count_failure(&self, reason: FailureReason) {
        self.failures[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_verification(&self) {
        self.verifications.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_comparison(&self, caller: CallerClass) {
        self.comparisons[caller as usize].fetch_add(1, Ordering::Relaxed);
    }
}
