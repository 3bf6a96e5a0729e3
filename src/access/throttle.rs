//! Slows guessing down: failures are counted, and each beyond the free ones costs a wait that
//! doubles. Whoever has to wait is refused at once; nobody is held.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::key::Fingerprint;

/// How fast waits grow, and how many are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Failures that cost nothing.
    pub(super) free: usize,
    /// The first wait.
    pub(super) first: Duration,
    /// The longest; one failure is forgotten in each such time.
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

/// Whether a guess may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It may.
    Free,
    /// It must wait so long.
    Wait(Duration),
    /// It was the last one that failed. To try it again tells nothing new to either side, so it
    /// costs neither a verification nor a longer wait: a script or a tab that goes on with an old
    /// password does not shut out the one who types the new one.
    KnownWrong,
}

/// Failures, counted by whatever the fingerprints stand for.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    records: Mutex<HashMap<Fingerprint, Record>>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: usize,
    /// From when on failures are forgotten.
    since: Instant,
    /// Until when it has to wait.
    until: Instant,
    latest: Guess,
}

impl Record {
    /// Forgets what is long enough ago.
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
}

impl Throttle {
    /// Nothing is done while it is held that could panic, so what is in it is whole.
    fn records(&self) -> MutexGuard<'_, HashMap<Fingerprint, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How `whom` stands with that guess.
    pub(super) fn standing(&self, whom: &Fingerprint, guess: &Guess, now: Instant) -> Standing {
        match self.records().get(whom) {
            None => Standing::Free,
            Some(record) if record.latest == *guess => Standing::KnownWrong,
            Some(record) if record.until > now => Standing::Wait(record.until - now),
            Some(_) => Standing::Free,
        }
    }

    /// Counts a failure; gives the wait that it costs, if any.
    pub(super) fn count(
        &self,
        whom: &Fingerprint,
        guess: Guess,
        now: Instant,
        pace: Pace,
    ) -> Option<Duration> {
        let mut records = self.records();
        if !records.contains_key(whom) && records.len() >= pace.cap {
            make_room(&mut records, now, pace);
        }
        let fresh = Record { failures: 0, since: now, until: now, latest: guess };
        let record = records.entry(*whom).or_insert(fresh);
        record.age(now, pace.longest);
        record.failures += 1;
        record.latest = guess;
        let beyond = record.failures.checked_sub(pace.free + 1)?;
        let doubled = u32::try_from(beyond).ok().and_then(|times| 2_u32.checked_pow(times));
        let delay = doubled.and_then(|times| pace.first.checked_mul(times));
        let delay = delay.unwrap_or(pace.longest).min(pace.longest);
        record.until = now + delay;
        Some(delay)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.records().len()
    }
}

/// Whoever has failed least goes first: to make the server forget somebody who has failed often,
/// as many others must have failed as often.
fn make_room(records: &mut HashMap<Fingerprint, Record>, now: Instant, pace: Pace) {
    records.retain(|_, record| {
        record.age(now, pace.longest);
        !record.is_over(now)
    });
    while records.len() >= pace.cap.max(1) {
        let least = records.iter().min_by_key(|(_, record)| (record.failures, record.until));
        let Some(least) = least.map(|(whom, _)| *whom) else { return };
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

    #[test]
    fn waits_double_up_to_the_longest() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let costs: Vec<_> =
            (0..8).map(|number| throttle.count(&[0; 32], guess(number), now, PACE)).collect();
        let wait = |length| Some(seconds(length));
        assert_eq!(costs, [None, None, wait(1), wait(2), wait(4), wait(5), wait(5), wait(5)]);
    }

    #[test]
    fn whoever_has_waited_may_try_and_others_need_not_wait() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let (whom, fresh) = ([0; 32], guess(99));
        let standing = |after| throttle.standing(&whom, &fresh, now + after);
        for number in 0..2 {
            throttle.count(&whom, guess(number), now, PACE);
            assert_eq!(standing(seconds(0)), Standing::Free);
        }
        throttle.count(&whom, guess(2), now, PACE);
        assert_eq!(standing(seconds(0)), Standing::Wait(seconds(1)));
        assert_eq!(standing(seconds(1)), Standing::Free);
        assert_eq!(throttle.standing(&[1; 32], &fresh, now), Standing::Free);
    }

    #[test]
    fn the_same_guess_again_is_known_to_be_wrong_as_long_as_the_rules_stand() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..9 {
            throttle.count(&[0; 32], guess(number), now, PACE);
        }
        assert_eq!(throttle.standing(&[0; 32], &guess(8), now), Standing::KnownWrong);
        assert_eq!(throttle.standing(&[0; 32], &guess(7), now), Standing::Wait(seconds(5)));
        let under_others = Guess { generation: 2, ..guess(8) };
        assert_eq!(throttle.standing(&[0; 32], &under_others, now), Standing::Wait(seconds(5)));
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for number in 0..4 {
            throttle.count(&[0; 32], guess(number), start, PACE);
        }
        // Four failures; after two spans two are left, so the next is the third.
        let cost = throttle.count(&[0; 32], guess(4), start + seconds(11), PACE);
        assert_eq!(cost, Some(seconds(1)));
        // Whoever goes on at the pace of the longest wait stays where they are.
        let mut now = start + seconds(11);
        for number in 0..20 {
            now += seconds(5);
            let cost = throttle.count(&[0; 32], guess(number), now, PACE);
            assert_eq!(cost, Some(seconds(1)));
        }
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_kept() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..3 {
            throttle.count(&[200; 32], guess(0), now, PACE);
        }
        for number in 0..100 {
            throttle.count(&[number; 32], guess(1), now, PACE);
            assert!(throttle.len() <= PACE.cap);
        }
        let standing = throttle.standing(&[200; 32], &guess(9), now);
        assert_eq!(standing, Standing::Wait(seconds(1)));
        // Those whose failures are forgotten leave before anybody else.
        throttle.count(&[201; 32], guess(0), now + seconds(100), PACE);
        assert_eq!(throttle.len(), 1);
    }
}
