//! Exchange of sessions and failed guesses among the replicas that share a store.
//!
//! A thread of the store takes an [`Outgoing`] from the gate, writes and reads the database in one round trip, and
//! gives the gate what it read, an [`Incoming`]. No request waits for it. Each kind of row merges to the same state in
//! whatever order rows arrive and however often:
//!
//! | row | key | merged by |
//! | --- | --- | --- |
//! | [`SecretRow`] | name | the first one holds |
//! | [`KeyRow`] | account and password hash | the higher generation holds; of one generation the first one, and a retired one over a live one |
//! | [`EndedRow`] | id | union |
//! | [`CountRow`] | kind, fingerprint and process | the higher version holds, and only its process writes it |
//!
//! What was sent counts as unsent until [`Gate::apply`] has the answer. After a failed exchange the gate sends and
//! reads everything again, since it may have been lost, or the database may be another one since. All lists are
//! bounded: what exceeds an exchange follows in the next.
//!
//! Times travel as ages, which the database takes from its own clock, so the clocks of replicas need not agree. Only
//! the expiry of a session is a time of the wall clock: the gate follows the database's if its own is wrong.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::active_rules::ActiveRules;
use super::gate::Gate;
use super::key::{Fingerprint, MacKey};
use super::rules::Limits;
use super::throttle::{Count, Instance};

/// Name of the key that signs device cookies.
pub(super) const DEVICE_KEY: &str = "device_cookies";

/// Name of the key of the fingerprints of addresses, accounts and devices.
const RECORDS_KEY: &str = "fingerprints";

/// Most signing keys that are sent in one exchange.
pub const MAX_KEYS: usize = 256;

/// Most ended sessions that are sent in one exchange.
pub const MAX_ENDED: usize = 1024;

/// Most counts of failures that are sent in one exchange: those with the most failures first.
pub const MAX_COUNTS: usize = 512;

/// Time by which a read overlaps the one before, in microseconds. A transaction that is slow to commit appears within
/// it.
const OVERLAP: i64 = 30_000_000;

/// Longest time for which the database keeps a count that does not change.
const MAX_KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// Difference from the database's clock beyond which that is used for the expiry of sessions, in seconds.
const MAX_CLOCK_DIFFERENCE: i64 = 2;

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

/// State of the exchange.
pub(super) struct ExchangeState {
    /// Time of the database from which the next one reads; `None`: everything.
    since: Option<i64>,
    /// Key of the fingerprints, and whether it is that of the database.
    records_key: [u8; 32],
    is_shared: bool,
}

impl ExchangeState {
    pub(super) fn new(records_key: [u8; 32]) -> ExchangeState {
        ExchangeState { since: None, records_key, is_shared: false }
    }
}

impl Gate {
    fn exchange(&self) -> MutexGuard<'_, ExchangeState> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what the database and the other replicas have to learn, in bounded lists. It stays unsent until
    /// [`Gate::apply`] confirms it.
    pub fn take_outgoing(&self) -> Outgoing {
        let (keys, ended, must_read_all) = self.sessions.outgoing();
        let state = self.exchange();
        let since = state.since.filter(|_| !must_read_all);
        let secret = |name: &str, value| SecretRow { name: name.to_owned(), value };
        let secrets = vec![
            secret(DEVICE_KEY, self.sessions.device_key()),
            secret(RECORDS_KEY, state.records_key),
        ];
        // Before the key is shared, no other replica knows these fingerprints.
        let is_shared = state.is_shared;
        drop(state);
        let counts = if is_shared { self.counts() } else { Vec::new() };
        let secrets = if since.is_some() { Vec::new() } else { secrets };
        Outgoing { since, secrets, keys, ended, counts }
    }

    /// Applies what was read after `sent` was written.
    pub fn apply(&self, sent: &Outgoing, incoming: &Incoming) {
        self.follow_clock(incoming.now);
        let secret = |name: &str| incoming.secrets.iter().find(|row| row.name == name);
        let is_known = self.adopt_records_key(secret(RECORDS_KEY));
        if let Some(row) = secret(DEVICE_KEY)
            && self.sessions.adopt_device_key(row.value)
        {
            self.devices.store(Arc::new(self.sessions.devices()));
        }
        let now = self.unix_time();
        self.sessions.apply(
            (&sent.keys, &sent.ended),
            (&incoming.keys, &incoming.ended),
            sent.since.is_none(),
            now,
        );
        self.passwords.set_replicas(incoming.replicas);
        self.passwords.sent(&sent.counts);
        if let Some(limits) = limits(&self.active_rules()) {
            let now = (self.clock)();
            self.passwords.observe(&incoming.counts, now, &limits);
        }
        // Without the keys the database is not the one that was read before.
        let is_complete = is_known && secret(DEVICE_KEY).is_some();
        self.exchange().since = is_complete.then(|| incoming.now.saturating_sub(OVERLAP));
    }

    /// Notes that an exchange failed, or that it is unknown whether the database has taken it. The next one sends
    /// and reads everything.
    pub fn exchange_failed(&self) {
        self.exchange().since = None;
        self.sessions.resend();
        self.passwords.resend();
    }

    fn counts(&self) -> Vec<CountRow> {
        let limits = limits(&self.active_rules());
        limits.map_or_else(Vec::new, |limits| {
            self.passwords.unsent((self.clock)(), limits.longest_delay, MAX_COUNTS)
        })
    }

    /// Uses the key of the database for the fingerprints from now on. Records under another one are dropped, as they
    /// concern no caller any more. Returns false if the database has none.
    fn adopt_records_key(&self, row: Option<&SecretRow>) -> bool {
        let mut state = self.exchange();
        state.is_shared = row.is_some();
        let Some(row) = row else { return false };
        if state.records_key != row.value {
            state.records_key = row.value;
            self.key.store(Arc::new(MacKey::of(&row.value)));
            self.passwords.clear();
            self.tokens().clear();
        }
        true
    }

    fn follow_clock(&self, now: i64) {
        let own = i64::try_from((self.wall_clock)()).unwrap_or(i64::MAX);
        let difference = (now / 1_000_000).saturating_sub(own);
        let is_wrong = difference.saturating_abs() > MAX_CLOCK_DIFFERENCE;
        self.clock_offset.store(if is_wrong { difference } else { 0 }, Ordering::Relaxed);
    }

    /// Returns the time in seconds since 1970: that of the database if the machine's clock differs from it.
    pub(super) fn unix_time(&self) -> u64 {
        (self.wall_clock)().saturating_add_signed(self.clock_offset.load(Ordering::Relaxed))
    }
}

fn limits(rules: &ActiveRules) -> Option<Limits> {
    rules.accounts.as_ref().map(|accounts| accounts.limits.clone())
}
