//! Counts failed attempts and delays further ones.
//!
//! An attempt is charged as a failure before the password is compared, and refunded if the password was
//! right. Concurrent attempts therefore cannot pass the check together: the free failures, and then one
//! attempt after each wait, reach a comparison. A caller that must wait is refused and not delayed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

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
}

#[derive(Debug, Clone)]
struct Record {
    failures: usize,
    /// Start of the period after which the next failure is forgotten.
    since: Instant,
    /// End of the wait.
    until: Instant,
    /// The latest wrong guess.
    wrong: Option<Guess>,
    pending: Vec<Pending>,
}

/// A charge that may be refunded.
#[derive(Debug, Clone, Copy)]
struct Pending {
    guess: Guess,
    until_before: Instant,
    until_charged: Instant,
}

impl Record {
    fn new(now: Instant) -> Record {
        Record { failures: 0, since: now, until: now, wrong: None, pending: Vec::new() }
    }

    /// Forgets one failure for each `longest` that has passed.
    fn age(&mut self, now: Instant, longest: Duration) {
        let elapsed = now.saturating_duration_since(self.since);
        let forgotten = elapsed.as_nanos() / longest.as_nanos().max(1);
        let forgotten = u32::try_from(forgotten).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_sub(forgotten as usize);
        self.since = if self.failures == 0 { now } else { self.since + longest * forgotten };
    }

    fn is_expired(&self, now: Instant) -> bool {
        self.failures == 0 && self.until <= now
    }

    fn take_pending(&mut self, guess: &Guess) -> Option<Pending> {
        let place = self.pending.iter().position(|pending| pending.guess == *guess)?;
        Some(self.pending.remove(place))
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
    /// not counted again, so parallel requests with one password are charged once.
    pub(super) fn charge(
        &mut self,
        key: &Fingerprint,
        guess: Guess,
        now: Instant,
        backoff: Backoff,
    ) {
        if !self.records.contains_key(key) && self.records.len() >= backoff.cap {
            make_room(&mut self.records, now, backoff);
        }
        let record = self.records.entry(*key).or_insert_with(|| Record::new(now));
        if record.pending.iter().any(|pending| pending.guess == guess) {
            return;
        }
        record.age(now, backoff.longest);
        record.failures += 1;
        let until_before = record.until;
        if let Some(beyond) = record.failures.checked_sub(backoff.free + 1) {
            let doubled = u32::try_from(beyond).ok().and_then(|times| 2_u32.checked_pow(times));
            let delay = doubled.and_then(|times| backoff.first.checked_mul(times));
            record.until = now + delay.unwrap_or(backoff.longest).min(backoff.longest);
        }
        if record.pending.len() >= backoff.free.saturating_add(EXTRA_PENDING) {
            record.pending.remove(0);
        }
        record.pending.push(Pending { guess, until_before, until_charged: record.until });
    }

    /// Reverts the charge for a guess that was right, and the wait that it caused.
    pub(super) fn refund(&mut self, key: &Fingerprint, guess: &Guess) {
        let Some(record) = self.records.get_mut(key) else { return };
        let Some(pending) = record.take_pending(guess) else { return };
        record.failures = record.failures.saturating_sub(1);
        if record.until == pending.until_charged {
            record.until = pending.until_before;
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
        (record.until > now).then(|| record.until - now)
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
        let least = records.iter().min_by_key(|(_, record)| (record.failures, record.until));
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
        throttle.charge(&[key; 32], guess(number), now, BACKOFF);
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
            throttle.charge(&[0; 32], guess(number), now, BACKOFF);
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
            throttle.charge(&[0; 32], guess(9), now, BACKOFF);
            throttle.charge(&[0; 32], guess(9), now, BACKOFF);
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
        throttle.charge(&[0; 32], guess(9), later, BACKOFF);
        throttle.charge(&[0; 32], guess(3), later, BACKOFF);
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
        throttle.charge(&[0; 32], guess(20), now, BACKOFF);
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
            throttle.charge(&[0; 32], guess(number), now, BACKOFF);
        }
        assert_eq!(throttle.records[&[0; 32]].pending.len(), BACKOFF.free + EXTRA_PENDING);
        assert_eq!(throttle.records[&[0; 32]].failures, 100);
    }
}
