//! Counts failed attempts and makes further ones wait.
//!
//! An attempt is charged as a failure before the password is compared, and refunded if the
//! password was right. Concurrent attempts therefore cannot pass the check together: exactly the
//! free failures, and one attempt after each wait, reach a comparison. No caller is held; one that
//! has to wait is refused.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::key::Fingerprint;

/// Growth of waits, and number of records kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Failures that cost nothing.
    pub(super) free: usize,
    /// The first wait.
    pub(super) first: Duration,
    /// The longest wait; one failure is forgotten in each such time.
    pub(super) longest: Duration,
    /// Records at most.
    pub(super) cap: usize,
}

/// A credential that was tried, under the rules that it was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) generation: u64,
    pub(super) fingerprint: Fingerprint,
}

/// Attempts of one record whose outcome is open, beyond its free ones. An attempt beyond the free
/// ones makes the next wait, so more are open only where some were never decided; then the one
/// that is open longest is dropped, and stays counted as a failure.
const SPARE_PENDING: usize = 8;

/// Failures, counted by whatever the fingerprints stand for.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    records: HashMap<Fingerprint, Record>,
}

#[derive(Debug, Clone)]
struct Record {
    failures: usize,
    /// Start of the time after which the next failure is forgotten.
    since: Instant,
    /// End of the wait.
    until: Instant,
    /// The latest guess that was wrong.
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

    fn is_over(&self, now: Instant) -> bool {
        self.failures == 0 && self.until <= now
    }

    fn take_pending(&mut self, guess: &Guess) -> Option<Pending> {
        let place = self.pending.iter().position(|pending| pending.guess == *guess)?;
        Some(self.pending.remove(place))
    }
}

impl Throttle {
    /// Time that `key` still has to wait, if any.
    pub(super) fn wait(&self, key: &Fingerprint, now: Instant) -> Option<Duration> {
        let record = self.records.get(key).filter(|record| record.until > now)?;
        Some(record.until - now)
    }

    /// Returns true if this was the latest wrong guess of `key`. Trying it again teaches neither
    /// side anything, so it costs neither a verification nor a longer wait: a tab or a script that
    /// goes on sending an old password does not shut out its owner.
    pub(super) fn is_known_wrong(&self, key: &Fingerprint, guess: &Guess) -> bool {
        self.records.get(key).is_some_and(|record| record.wrong == Some(*guess))
    }

    /// Returns true if a wrong guess of `key` is on record.
    pub(super) fn has_failed(&self, key: &Fingerprint) -> bool {
        self.records.get(key).is_some_and(|record| record.wrong.is_some())
    }

    /// Counts an attempt as a failure until [`Throttle::refund`]. The same guess that is pending
    /// already is not counted twice, so parallel requests with one password cost one charge.
    pub(super) fn charge(&mut self, key: &Fingerprint, guess: Guess, now: Instant, pace: Pace) {
        if !self.records.contains_key(key) && self.records.len() >= pace.cap {
            make_room(&mut self.records, now, pace);
        }
        let record = self.records.entry(*key).or_insert_with(|| Record::new(now));
        if record.pending.iter().any(|pending| pending.guess == guess) {
            return;
        }
        record.age(now, pace.longest);
        record.failures += 1;
        let until_before = record.until;
        if let Some(beyond) = record.failures.checked_sub(pace.free + 1) {
            let doubled = u32::try_from(beyond).ok().and_then(|times| 2_u32.checked_pow(times));
            let delay = doubled.and_then(|times| pace.first.checked_mul(times));
            record.until = now + delay.unwrap_or(pace.longest).min(pace.longest);
        }
        if record.pending.len() >= pace.free.saturating_add(SPARE_PENDING) {
            record.pending.remove(0);
        }
        record.pending.push(Pending { guess, until_before, until_charged: record.until });
    }

    /// Takes back the charge for a guess that proved right, and the wait that it set.
    pub(super) fn refund(&mut self, key: &Fingerprint, guess: &Guess) {
        let Some(record) = self.records.get_mut(key) else { return };
        let Some(pending) = record.take_pending(guess) else { return };
        record.failures = record.failures.saturating_sub(1);
        if record.until == pending.until_charged {
            record.until = pending.until_before;
        }
    }

    /// Settles the charge for a guess that proved wrong; returns the wait that `key` now has.
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

/// Evicts the records with the fewest failures first: to make the server forget one that has
/// failed often, an attacker needs as many others that have failed as often.
fn make_room(records: &mut HashMap<Fingerprint, Record>, now: Instant, pace: Pace) {
    records.retain(|_, record| {
        record.age(now, pace.longest);
        !record.is_over(now)
    });
    while records.len() >= pace.cap.max(1) {
        let least = records.iter().min_by_key(|(_, record)| (record.failures, record.until));
        let Some(least) = least.map(|(key, _)| *key) else { return };
        records.remove(&least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace =
        Pace { free: 2, first: Duration::from_secs(1), longest: Duration::from_secs(5), cap: 4 };

    fn guess(number: u8) -> Guess {
        Guess { generation: 1, fingerprint: [number; 32] }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A wrong guess, from its charge to its end.
    fn fail(throttle: &mut Throttle, key: u8, number: u8, now: Instant) -> Option<Duration> {
        throttle.charge(&[key; 32], guess(number), now, PACE);
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
    fn charge_counts_before_the_outcome_is_known() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..3 {
            assert_eq!(throttle.wait(&[0; 32], now), None);
            throttle.charge(&[0; 32], guess(number), now, PACE);
        }
        assert_eq!(throttle.wait(&[0; 32], now), Some(seconds(1)), "three attempts under way");
    }

    #[test]
    fn refund_restores_failures_and_wait() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        fail(&mut throttle, 0, 0, now);
        fail(&mut throttle, 0, 1, now);
        for _ in 0..9 {
            // Twice, as by two requests of one page.
            throttle.charge(&[0; 32], guess(9), now, PACE);
            throttle.charge(&[0; 32], guess(9), now, PACE);
            throttle.refund(&[0; 32], &guess(9));
            throttle.refund(&[0; 32], &guess(9));
            assert_eq!(throttle.wait(&[0; 32], now), None);
        }
        assert_eq!(fail(&mut throttle, 0, 2, now), Some(seconds(1)), "two failures were kept");
        // A refund does not shorten the wait that another attempt has set.
        let later = now + seconds(1);
        throttle.charge(&[0; 32], guess(9), later, PACE);
        throttle.charge(&[0; 32], guess(3), later, PACE);
        throttle.refund(&[0; 32], &guess(9));
        assert_eq!(throttle.wait(&[0; 32], later), Some(seconds(4)));
    }

    #[test]
    fn latest_wrong_guess_is_known_while_the_rules_stand() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..9 {
            fail(&mut throttle, 0, number, now);
        }
        assert!(throttle.is_known_wrong(&[0; 32], &guess(8)));
        assert!(!throttle.is_known_wrong(&[0; 32], &guess(7)));
        assert!(!throttle.is_known_wrong(&[0; 32], &Guess { generation: 2, ..guess(8) }));
        assert!(!throttle.is_known_wrong(&[1; 32], &guess(8)));
        // An attempt whose outcome is open is not known to be wrong.
        throttle.charge(&[0; 32], guess(20), now, PACE);
        assert!(!throttle.is_known_wrong(&[0; 32], &guess(20)));
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
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
    fn records_are_bounded_and_the_worst_are_kept() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..3 {
            fail(&mut throttle, 200, number, now);
        }
        for key in 0..100 {
            fail(&mut throttle, key, 1, now);
            assert!(throttle.len() <= PACE.cap);
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
            throttle.charge(&[0; 32], guess(number), now, PACE);
        }
        assert_eq!(throttle.records[&[0; 32]].pending.len(), PACE.free + SPARE_PENDING);
        assert_eq!(throttle.records[&[0; 32]].failures, 100);
    }
}
