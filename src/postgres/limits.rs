//! Limits of time that the server holds to within a transaction.

use std::time::Duration;

/// Limits of one transaction. The server ends what exceeds them, so that nothing outlives its caller there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most time of one statement.
    pub(crate) statement: Duration,
    /// Most time that a statement waits for a lock.
    pub(crate) lock: Duration,
    /// Most time that the server waits for this client within the transaction.
    pub(crate) idle: Duration,
}

impl Limits {
    /// Returns limits of the same time for each.
    pub(crate) const fn all(time: Duration) -> Limits {
        Limits { statement: time, lock: time, idle: time }
    }

    /// Returns the limits, of which none is longer than a part of `time`. The server then ends a statement, and answers,
    /// before a caller that waits for `time` takes it for one that does not answer.
    pub(crate) fn within(self, time: Duration) -> Limits {
        let most = time / 20 * 17;
        let Limits { statement, lock, idle } = self;
        Limits { statement: statement.min(most), lock: lock.min(most), idle }
    }

    /// Statement that sets the three.
    pub(super) const SQL: &'static str = "SELECT set_config('statement_timeout', $1, true), \
        set_config('lock_timeout', $2, true), \
        set_config('idle_in_transaction_session_timeout', $3, true)";

    /// Returns the parameters of [`Limits::SQL`].
    pub(super) fn values(&self) -> [String; 3] {
        // 0 would be no limit.
        [self.statement, self.lock, self.idle]
            .map(|limit| format!("{}ms", limit.as_millis().clamp(1, i32::MAX as u128)))
    }
}
