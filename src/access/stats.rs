//! Counters of the gate.

use std::sync::atomic::{AtomicU64, Ordering};

use strum::{EnumCount, IntoStaticStr, VariantArray};

/// Reason for which a request was refused: the label of `auth_failures_total{reason}`. A request without
/// credentials is not counted, since browsers begin with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FailureReason {
    /// The credentials cannot be parsed.
    Malformed,
    /// No such user, or a wrong password.
    Password,
    /// No such token.
    Token,
    /// The account lacks the scope.
    Scope,
    /// An unsafe method on behalf of another site's page.
    CrossSite,
    /// The caller must wait after too many failures.
    Throttled,
    /// All verifications were taken, or used up by known callers in the last second.
    Busy,
    /// Unknown callers had used up the comparisons of the last second.
    StrangerLimit,
    /// The host is not a name of this server.
    Host,
}

impl FailureReason {
    /// Returns the label's value.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Class of a caller: the label of `auth_comparisons_total{caller}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum CallerClass {
    /// The caller has a device cookie, or its network was used with a right password before.
    Known,
    /// Any other caller.
    Stranger,
}

impl CallerClass {
    /// Returns the label's value.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The gate's counters.
#[derive(Debug, Default)]
pub struct Stats {
    failures: [AtomicU64; FailureReason::COUNT],
    verifications: AtomicU64,
    comparisons: [AtomicU64; CallerClass::COUNT],
}

impl Stats {
    /// Returns the number of requests refused for a reason since the start.
    pub fn failures(&self, reason: FailureReason) -> u64 {
        self.failures[reason as usize].load(Ordering::Relaxed)
    }

    /// Returns the number of passwords verified by argon2id since the start, right or wrong.
    pub fn verifications(&self) -> u64 {
        self.verifications.load(Ordering::Relaxed)
    }

    /// Returns the number of passwords of such callers that were compared since the start: with a
    /// remembered one, by argon2id, or, for unknown callers, with their latest wrong one.
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
