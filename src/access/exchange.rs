//! Exchange of sessions and failed guesses among the replicas that share a store.
//!
//! A thread of the store takes an [`Outgoing`] from the gate, writes and reads the database in one round trip, and
//! gives the gate what it read, an [`Incoming`]. No request waits for it. Each kind of row merges to the same state in
//! whatever order rows arrive and however often:
//!
//! | row | key | merged by |
//! | --- | --- | --- |
//! | [`SecretRow`] | name | the first one holds |
//! | [`KeyRow`](super::KeyRow) | account and password hash | the higher generation holds; of one generation the first one, and a retired one over a live one |
//! | [`EndedRow`](super::EndedRow) | id | union |
//! | [`CountRow`] | kind, fingerprint and process | the higher version holds, and only its process writes it |
//!
//! Rows that were sent count as unsent until [`Gate::apply`] has the answer. After a failed exchange the gate sends and
//! reads everything again, since it may have been lost, or the database may be another one since. All lists are
//! bounded: what exceeds an exchange follows in the next.
//!
//! Times travel as ages, which the database takes from its own clock, so the clocks of replicas need not agree. Only
//! the expiry of a session is a time of the wall clock: the gate follows the database's if its own is wrong.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::active_rules::ActiveRules;
use super::gate::Gate;
use super::key::MacKey;
use super::rows::{CountRow, Incoming, MAX_COUNTS, Outgoing, SecretRow};
use super::rules::Limits;

/// Name of the key that signs device cookies.
const DEVICE_KEY: &str = "device_cookies";

/// Name of the key of the fingerprints of addresses, accounts and devices.
const RECORDS_KEY: &str = "fingerprints";

/// Time by which a read overlaps the one before, in microseconds. A transaction that is slow to commit appears within
/// it.
const OVERLAP: i64 = 30_000_000;

/// Difference from the database's clock beyond which that is used for the expiry of sessions, in seconds.
const MAX_CLOCK_DIFFERENCE: i64 = 2;

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
        if is_known && secret(DEVICE_KEY).is_some() {
            self.exchange().since = Some(incoming.now.saturating_sub(OVERLAP));
        } else {
            // The database is not the one that was read before: it lacks also what that has taken.
            self.exchange_failed();
        }
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
