//! Rows that replicas exchange through the store: see `exchange`.

use std::time::{Duration, Instant};

use super::key::Fingerprint;
use super::throttle::{Count, Instance};

/// Most signing keys that are sent in one exchange.
pub const MAX_KEYS: usize = 256;

/// Most ended sessions that are sent in one exchange.
pub const MAX_ENDED: usize = 1024;

/// Most counts of failures that are sent in one exchange: those with the most failures first.
pub const MAX_COUNTS: usize = 512;

/// Longest time for which the database keeps a count that does not change.
const MAX_KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// A random key that all replicas use: that of the first one.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// Name of the key.
    pub name: String,
    /// The key.
    pub value: [u8; 32],
}

/// Signing key of the sessions of an account with one password hash.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Name of the account.
    pub account: String,
    /// Fingerprint of the password hash, which does not reveal it.
    pub password: [u8; 16],
    /// Incremented each time that the key is replaced.
    pub generation: i64,
    /// Fingerprint of the key, which does not reveal it. Ended sessions name it.
    pub id: [u8; 16],
    /// The key, encrypted under the password hash: the configuration has that, and the database has not.
    pub sealed: [u8; 48],
    /// True if no session with this key, or with an earlier one, is valid.
    pub is_retired: bool,
}

/// A session that was signed out before its expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedRow {
    /// Its random number.
    pub id: [u8; 16],
    /// Fingerprint of the key that signed it.
    pub key: [u8; 16],
    /// Expiry, in seconds since 1970.
    pub expires: i64,
}

/// Failed guesses of one caller, or at one account, as one process has counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountRow {
    /// Kind of the counter.
    pub kind: i16,
    /// Fingerprint of the caller or the account.
    pub key: [u8; 32],
    /// Version, which the process increments.
    pub version: i64,
    /// Number of failures.
    pub failures: i32,
    /// Milliseconds since the start of the period after which the next failure is forgotten.
    pub since_age: i64,
    /// Milliseconds since the latest failure.
    pub latest_age: i64,
    /// Tag of the latest wrong guess, below 4096; -1 if there is none.
    pub tag: i16,
    /// Milliseconds after which no failure is left, so that the row can be deleted.
    pub keep: i64,
}

/// Rows to write, and the range of rows to read.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Reads rows that were changed at this time of the database or later, in microseconds since 1970; `None`: all.
    pub since: Option<i64>,
    /// Keys that are proposed.
    pub secrets: Vec<SecretRow>,
    /// Signing keys.
    pub keys: Vec<KeyRow>,
    /// Ended sessions.
    pub ended: Vec<EndedRow>,
    /// Failures that this process has counted.
    pub counts: Vec<CountRow>,
}

/// Rows that were read, after those of the [`Outgoing`] were written.
#[derive(Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Time of the database, in microseconds since 1970.
    pub now: i64,
    /// Number of live replicas, with this one.
    pub replicas: usize,
    /// All keys.
    pub secrets: Vec<SecretRow>,
    /// Signing keys.
    pub keys: Vec<KeyRow>,
    /// Ended sessions.
    pub ended: Vec<EndedRow>,
    /// Failures that other processes have counted.
    pub counts: Vec<(Instance, CountRow)>,
}

impl CountRow {
    /// Returns the row of a count.
    pub(super) fn of(
        kind: i16,
        key: Fingerprint,
        count: &Count,
        now: Instant,
        longest: Duration,
    ) -> CountRow {
        let age = |at: Instant| now.saturating_duration_since(at);
        let failures = i32::try_from(count.failures).unwrap_or(i32::MAX);
        let left = longest.saturating_mul(failures.unsigned_abs()).saturating_sub(age(count.since));
        CountRow {
            kind,
            key,
            version: i64::try_from(count.version).unwrap_or(i64::MAX),
            failures,
            since_age: millis(age(count.since)),
            latest_age: millis(age(count.at)),
            tag: count.tag.and_then(|tag| i16::try_from(tag).ok()).unwrap_or(-1),
            keep: millis(left.min(MAX_KEEP)),
        }
    }

    /// Returns the count of the row.
    pub(super) fn count(&self, now: Instant) -> Count {
        let ago = |age: i64| {
            let age = Duration::from_millis(u64::try_from(age).unwrap_or_default());
            now.checked_sub(age).unwrap_or(now)
        };
        Count {
            version: u64::try_from(self.version).unwrap_or_default(),
            failures: usize::try_from(self.failures).unwrap_or_default(),
            since: ago(self.since_age),
            at: ago(self.latest_age),
            tag: u16::try_from(self.tag).ok(),
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
