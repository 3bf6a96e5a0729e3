//! Counts failed attempts and delays further ones.
//!
//! An attempt is charged as a failure before the password is compared, and refunded if the password was
//! right. Concurrent attempts therefore cannot pass the check together: the free failures, and then one
//! attempt after each wait, reach a comparison. A caller that must wait is refused and not delayed.
//!
//! Replicas that share a store exchange their counts (`replicas`). What another one has counted reaches this one
//! with the next exchange, and sets the wait here.

mod record;
mod replicas;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use self::record::{Pending, Record};
pub(super) use self::replicas::Count;
pub use self::replicas::Instance;
use super::key::Fingerprint;

/// Growth of waits, and bound of the number of records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    /// Number of failures without a wait.
    pub(super) free: usize,
    /// The first wait.
    pub(super) first: Duration,
    /// The longest wait. One failure is forgotten each time it has passed.
    pub(super) longest: Duration,
    /// Most records.
    pub(super) cap: usize,
}

/// A credential that was tried, and the generation of the rules that it was checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) generation: u64,
    pub(super) fingerprint: Fingerprint,
}

/// Most pending attempts of one record, beyond its free failures. Each attempt beyond the free ones delays the
/// next, so more are pending only if some never got a result. Then the oldest is dropped, and stays counted
/// as a failure.
const EXTRA_PENDING: usize = 8;

/// Failure counters by fingerprint.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    records: HashMap<Fingerprint, Record>,
    /// Incremented by each change that other replicas have to learn of.
    version: u64,
    /// True if such a change may not have been sent.
    has_unsent: bool,
}

impl Backoff {
    /// Returns the wait after a failure, if there have been that many.
    fn delay(&self, failures: usize) -> Option<Duration> {
        let beyond = failures.checked_sub(self.free + 1)?;
        let doubled = u32::try_from(beyond).ok().and_then(|times| 2_u32.checked_pow(times));
        let delay = doubled.and_then(|times| self.first.checked_mul(times));
        Some(delay.unwrap_or(self.longest).min(self.longest))
    }
}

impl Throttle {
    /// Returns the time for which `key` must still wait, if any.
    pub(super) fn wait(&self, key: &Fingerprint, now: Instant) -> Option<Duration> {
        let record = self.records.get(key).filter(|record| record.until > now)?;
        Some(record.until - now)
    }

    /// Returns true if this was the latest wrong guess of `key`. Its repetition reveals nothing, so it
    /// costs neither a verification nor a longer wait: a tab or script that keeps sending an old
    /// password does not lock out its owner.
    pub(super) fn is_known_wrong(&self, key: &Fingerprint, guess: &Guess) -> bool {
        self.records.get(key).is_some_and(|record| record.wrong == Some(*guess))
    }

    /// Returns true if a wrong guess of `key` is on record.
    pub(super) fn has_failed(&self, key: &Fingerprint) -> bool {
        self.records.get(key).is_some_and(|record| record.wrong.is_some())
    }

    /// Counts an attempt as a failure until [`Throttle::refund`]. A guess that is already pending is
    /// not counted again, so parallel requests with one password are charged once. `is_verified` is true if a
    /// verification follows at once.
    pub(super) fn charge(
        &mut self,
        key: &Fingerprint,
        guess: Guess,
        now: Instant,
        backoff: Backoff,
        is_verified: bool,
    ) {
        let record = self.record(key, now, backoff);
        if record.pending.iter().any(|pending| pending.guess == guess) {
            return;
        }
        record.age(now, backoff.longest);
        record.failures += 1;
        let until_before = record.until;
        if let Some(delay) = backoff.delay(record.total(now, backoff.longest)) {
            record.until = now + delay;
        }
        if record.pending.len() >= backoff.free.saturating_add(EXTRA_PENDING) {
            record.pending.remove(0);
        }
        let until_charged = record.until;
        record.pending.push(Pending { guess, until_before, until_charged, is_verified });
        if !is_verified {
            record.at = now;
            self.publish(key);
        }
    }

    /// Returns the record of `key`, a new one if it has none. At the bound another one is evicted for it.
    fn record(&mut self, key: &Fingerprint, now: Instant, backoff: Backoff) -> &mut Record {
        if !self.records.contains_key(key) && self.records.len() >= backoff.cap {
            make_room(&mut self.records, now, backoff);
        }
        self.records.entry(*key).or_insert_with(|| Record::new(now))
    }

    /// Notes that other replicas have to learn of the record of `key`.
    fn publish(&mut self, key: &Fingerprint) {
        let Some(record) = self.records.get_mut(key) else { return };
        self.version += 1;
        record.changed = self.version;
        self.has_unsent = true;
    }

    /// Reverts the charge for a guess that was right, and the wait that it caused.
    pub(super) fn refund(&mut self, key: &Fingerprint, guess: &Guess) {
        let Some(record) = self.records.get_mut(key) else { return };
        let Some(pending) = record.take_pending(guess) else { return };
        record.failures = record.failures.saturating_sub(1);
        if record.until == pending.until_charged {
            record.until = pending.until_before;
        }
        if !pending.is_verified {
            self.publish(key);
        }
    }

    /// Makes the charge for a wrong guess final; returns the wait that `key` now has.
    pub(super) fn confirm(
        &mut self,
        key: &Fingerprint,
        guess: Guess,
        now: Instant,
    ) -> Option<Duration> {
        let record = self.records.get_mut(key)?;
        record.take_pending(&guess);
        record.wrong = Some(guess);
        record.at = now;
        let wait = (record.until > now).then(|| record.until - now);
        self.publish(key);
        wait
    }

    /// Returns the counts that other replicas have not been sent, by key.
    pub(super) fn unsent(&mut self) -> Vec<(Fingerprint, Count)> {
        if !self.has_unsent {
            return Vec::new();
        }
        let is_unsent = |record: &Record| {
            record.changed > record.sent && (record.sent > 0 || record.published() > 0)
        };
        let unsent = self.records.iter().filter(|(_, record)| is_unsent(record));
        let unsent: Vec<(Fingerprint, Count)> = unsent
            .map(|(key, record)| {
                let (version, failures) = (record.changed, record.published());
                let (since, at, tag) = (record.since, record.at, record.tag());
                (*key, Count { version, failures, since, at, tag })
            })
            .collect();
        self.has_unsent = !unsent.is_empty();
        unsent
    }

    /// Notes that a version of a count was sent.
    pub(super) fn sent(&mut self, key: &Fingerprint, version: u64) {
        if let Some(record) = self.records.get_mut(key) {
            record.sent = record.sent.max(version);
        }
    }

    /// Has every count sent again.
    pub(super) fn resend(&mut self) {
        self.records.values_mut().for_each(|record| record.sent = 0);
        self.has_unsent = true;
    }

    /// Takes the count of another process, and sets the wait that follows from the failures of all.
    pub(super) fn observe(
        &mut self,
        key: &Fingerprint,
        instance: Instance,
        count: Count,
        now: Instant,
        backoff: Backoff,
    ) {
        if count.failures == 0 && !self.records.contains_key(key) {
            return;
        }
        let record = self.record(key, now, backoff);
        record.age(now, backoff.longest);
        if !record.others.observe(instance, count) {
            return;
        }
        let own = (record.failures > 0).then_some(record.at);
        let latest = record.others.latest().max(own).unwrap_or(now).min(now);
        if let Some(delay) = backoff.delay(record.total(now, backoff.longest)) {
            record.until = record.until.max(latest + delay);
        }
    }

    /// Drops all records.
    pub(super) fn clear(&mut self) {
        self.records.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }
}

/// Evicts the records with the fewest failures first. To make the server forget a record with many
/// failures, an attacker needs as many others with as many failures.
fn make_room(records: &mut HashMap<Fingerprint, Record>, now: Instant, backoff: Backoff) {
    records.retain(|_, record| {
        record.age(now, backoff.longest);
        !record.is_expired(now)
    });
    while records.len() >= backoff.cap.max(1) {
        let rank = |record: &Record| (record.total(now, backoff.longest), record.until);
        let least = records.iter().min_by_key(|(_, record)| rank(record));
        let Some(least) = least.map(|(key, _)| *key) else { return };
        records.remove(&least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff =
        Backoff { free: 2, first: Duration::from_secs(1), longest: Duration::from_secs(5), cap: 4 };

    fn guess(number: u8) -> Guess {
        Guess { generation: 1, fingerprint: [number; 32] }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Charges and confirms a wrong guess.
    fn fail(throttle: &mut Throttle, key: u8, number: u8, now: Instant) -> Option<Duration> {
        throttle.charge(&[key; 32], guess(number), now, BACKOFF, true);
        throttle.confirm(&[key; 32], guess(number), now)
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let costs: Vec<_> = (0..8).map(|number| fail(&mut throttle, 0, number, now)).collect();
        let wait = |length| Some(seconds(length));
        assert_eq!(costs, [None, None, wait(1), wait(2), wait(4), wait(5), wait(5), wait(5)]);
    }

    #[test]
    fn wait_ends_and_concerns_one_key() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..2 {
            fail(&mut throttle, 0, number, now);
            assert_eq!(throttle.wait(&[0; 32], now), None);
        }
        fail(&mut throttle, 0, 2, now);
        assert_eq!(throttle.wait(&[0; 32], now), Some(seconds(1)));
        assert_eq!(throttle.wait(&[0; 32], now + seconds(1)), None);
        assert_eq!(throttle.wait(&[1; 32], now), None);
    }

    #[test]
    fn pending_charge_counts_as_failure() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..3 {
            assert_eq!(throttle.wait(&[0; 32], now), None);
            throttle.charge(&[0; 32], guess(number), now, BACKOFF, true);
        }
        assert_eq!(throttle.wait(&[0; 32], now), Some(seconds(1)), "three pending attempts");
    }

    #[test]
    fn refund_restores_failures_and_wait() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        fail(&mut throttle, 0, 0, now);
        fail(&mut throttle, 0, 1, now);
        for _ in 0..9 {
            // Twice, as by two requests of one page.
            throttle.charge(&[0; 32], guess(9), now, BACKOFF, true);
            throttle.charge(&[0; 32], guess(9), now, BACKOFF, true);
            throttle.refund(&[0; 32], &guess(9));
            throttle.refund(&[0; 32], &guess(9));
            assert_eq!(throttle.wait(&[0; 32], now), None);
        }
        assert_eq!(
            fail(&mut throttle, 0, 2, now),
            Some(seconds(1)),
            "the two failures still count"
        );
        // A refund does not shorten the wait that another attempt has set.
        let later = now + seconds(1);
        throttle.charge(&[0; 32], guess(9), later, BACKOFF, true);
        throttle.charge(&[0; 32], guess(3), later, BACKOFF, true);
        throttle.refund(&[0; 32], &guess(9));
        assert_eq!(throttle.wait(&[0; 32], later), Some(seconds(4)));
    }

    #[test]
    fn latest_wrong_guess_is_known_until_the_rules_change() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..9 {
            fail(&mut throttle, 0, number, now);
        }
        assert!(throttle.is_known_wrong(&[0; 32], &guess(8)));
        assert!(!throttle.is_known_wrong(&[0; 32], &guess(7)));
        assert!(!throttle.is_known_wrong(&[0; 32], &Guess { generation: 2, ..guess(8) }));
        assert!(!throttle.is_known_wrong(&[1; 32], &guess(8)));
        // An attempt whose outcome is open is not known to be wrong.
        throttle.charge(&[0; 32], guess(20), now, BACKOFF, true);
        assert!(!throttle.is_known_wrong(&[0; 32], &guess(20)));
    }

    #[test]
    fn failures_expire_one_after_each_longest_wait() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..4 {
            fail(&mut throttle, 0, number, start);
        }
        // Four failures; after two spans two are left, so the next is the third.
        assert_eq!(fail(&mut throttle, 0, 4, start + seconds(11)), Some(seconds(1)));
        // An attempt at each longest wait keeps the count as it is.
        let mut now = start + seconds(11);
        for number in 0..20 {
            now += seconds(5);
            assert_eq!(fail(&mut throttle, 0, number, now), Some(seconds(1)));
        }
    }

    #[test]
    fn records_beyond_the_cap_evict_those_with_the_fewest_failures() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..3 {
            fail(&mut throttle, 200, number, now);
        }
        for key in 0..100 {
            fail(&mut throttle, key, 1, now);
            assert!(throttle.len() <= BACKOFF.cap);
        }
        assert_eq!(throttle.wait(&[200; 32], now), Some(seconds(1)));
        // Records whose failures are all forgotten go first.
        fail(&mut throttle, 201, 0, now + seconds(100));
        assert_eq!(throttle.len(), 1);
    }

    #[test]
    fn pending_attempts_of_a_record_are_bounded() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..100 {
            throttle.charge(&[0; 32], guess(number), now, BACKOFF, true);
        }
        assert_eq!(throttle.records[&[0; 32]].pending.len(), BACKOFF.free + EXTRA_PENDING);
        assert_eq!(throttle.records[&[0; 32]].failures, 100);
    }
}
