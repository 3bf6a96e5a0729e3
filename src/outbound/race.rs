//! Order and schedule of connection attempts (RFC 8305 4 and 5), without sockets or a clock.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connect_error::ConnectError;

/// Connection Attempt Delay: time from the start of one attempt to the start of the next
/// (RFC 8305 8, the recommended default).
const CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Shortest Connection Attempt Delay (RFC 8305 8, the recommended minimum). A deadline that is
/// too short for the default delay shortens it to this at most.
const MIN_CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(100);

/// Orders addresses for a race: the families alternate, beginning with that of the first address,
/// and each family keeps its order (RFC 8305 4, with a First Address Family Count of 1).
/// Duplicates are dropped.
pub(super) fn interleave(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let addresses: Vec<SocketAddr> =
        addresses.into_iter().filter(|address| seen.insert(*address)).collect();
    let first_is_ipv4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) =
        addresses.into_iter().partition(|address| address.is_ipv4() == first_is_ipv4);
    let mut second = second.into_iter();
    let mut order = Vec::with_capacity(first.len() + second.len());
    for address in first {
        order.push(address);
        order.extend(second.next());
    }
    order.extend(second);
    order
}

/// Most attempts of one race that are pending at the same time. Each holds a descriptor.
pub(crate) const MAX_PENDING: usize = 4;

/// Age from which on the oldest attempt is closed for the next address, if [`MAX_PENDING`] are pending.
const EVICT_AFTER: Duration = Duration::from_secs(2);

/// The caller's next action.
#[derive(Debug)]
pub(super) enum Step {
    /// Start an attempt to this address and report it to the race.
    Start(SocketAddr),
    /// Wait for a pending attempt to end, but no longer than this.
    Wait(Option<Instant>),
    /// Give up: every attempt failed, or the deadline passed.
    GiveUp(ConnectError),
}

/// Schedule of the attempts of one connection. It owns the pending attempts.
///
/// The caller performs each [`Step`] and reports the outcomes of attempts. The first attempt that
/// connects ends the race: the caller drops the race, and all other attempts with it.
#[derive(Debug)]
pub(super) struct Race<Attempt> {
    /// Number of all addresses.
    addresses: usize,
    untried: VecDeque<SocketAddr>,
    /// Attempts in the order of their starts.
    pending: Vec<(Instant, Attempt)>,
    failures: Vec<io::Error>,
    /// Number of attempts that were closed for a later address.
    evicted: usize,
    /// Connection Attempt Delay of this race.
    delay: Duration,
    /// Earliest start of the next attempt.
    next_start: Instant,
    deadline: Option<Instant>,
}

impl<Attempt> Race<Attempt> {
    /// Schedules attempts to the addresses, in their order, from `now` until the deadline.
    pub(super) fn new(addresses: &[SocketAddr], now: Instant, deadline: Option<Instant>) -> Self {
        let share = deadline.map_or(CONNECTION_ATTEMPT_DELAY, |deadline| {
            let shares = u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
            deadline.saturating_duration_since(now) / shares
        });
        Race {
            addresses: addresses.len(),
            untried: addresses.iter().copied().collect(),
            pending: Vec::new(),
            failures: Vec::new(),
            evicted: 0,
            delay: share.clamp(MIN_CONNECTION_ATTEMPT_DELAY, CONNECTION_ATTEMPT_DELAY),
            next_start: now,
            deadline,
        }
    }

    /// Returns the next action as of `now`.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        let ended = self.pending.is_empty() && self.untried.is_empty();
        if ended || self.deadline.is_some_and(|deadline| now >= deadline) {
            return Step::GiveUp(self.error(!ended));
        }
        let next_start = self.next_start();
        if now >= next_start
            && let Some(address) = self.untried.pop_front()
        {
            if self.pending.len() >= MAX_PENDING {
                self.pending.remove(0);
                self.evicted += 1;
            }
            self.next_start = now + self.delay;
            return Step::Start(address);
        }
        let next_start = (!self.untried.is_empty()).then_some(next_start);
        Step::Wait(next_start.into_iter().chain(self.deadline).min())
    }

    /// Returns the earliest start of the next attempt, which at the cap the oldest must allow.
    fn next_start(&self) -> Instant {
        match self.pending.first() {
            Some((oldest, _)) if self.pending.len() >= MAX_PENDING => {
                self.next_start.max(*oldest + EVICT_AFTER)
            }
            _ => self.next_start,
        }
    }

    /// Adds the attempt that the last step requested, started at `now`.
    pub(super) fn started(&mut self, attempt: Attempt, now: Instant) {
        self.pending.push((now, attempt));
    }

    /// Returns the pending attempts in the order of their starts.
    pub(super) fn pending(&self) -> impl Iterator<Item = &Attempt> {
        self.pending.iter().map(|(_, attempt)| attempt)
    }

    /// Removes the pending attempts that have ended, by their numbers in [`Race::pending`].
    pub(super) fn take_ended(&mut self, ended: &[usize]) -> Vec<Attempt> {
        let (mut number, mut taken) = (0, Vec::new());
        for (start, attempt) in std::mem::take(&mut self.pending) {
            match ended.contains(&number) {
                true => taken.push(attempt),
                false => self.pending.push((start, attempt)),
            }
            number += 1;
        }
        taken
    }

    /// Records the failure of an attempt. The next one starts at once (RFC 8305 5).
    pub(super) fn attempt_failed(&mut self, error: io::Error, now: Instant) {
        self.failures.push(error);
        self.next_start = self.next_start.min(now);
    }

    fn error(&mut self, timed_out: bool) -> ConnectError {
        ConnectError {
            addresses: self.addresses,
            failures: std::mem::take(&mut self.failures),
            unanswered: self.pending.len() + self.evicted,
            untried: self.untried.len(),
            timed_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 80)).collect()
    }

    fn refused() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    /// Performs a step that must start an attempt, which is named by its address.
    fn start(race: &mut Race<SocketAddr>, now: Instant) -> SocketAddr {
        let Step::Start(address) = race.step(now) else { panic!("starts nothing: {race:?}") };
        race.started(address, now);
        address
    }

    fn fail(race: &mut Race<SocketAddr>, now: Instant) {
        race.take_ended(&[0]);
        race.attempt_failed(refused(), now);
    }

    #[track_caller]
    fn assert_waits(race: &mut Race<SocketAddr>, now: Instant, expected: Option<Instant>) {
        let step = race.step(now);
        assert!(matches!(step, Step::Wait(until) if until == expected), "{step:?}");
    }

    #[test]
    fn interleave_alternates_families_from_the_first_address_on() {
        for (given, ordered) in [
            (&["a::1", "a::2", "a::3", "1.1.1.1"][..], &["a::1", "1.1.1.1", "a::2", "a::3"][..]),
            (&["1.1.1.1", "1.1.1.2", "a::1", "a::2"], &["1.1.1.1", "a::1", "1.1.1.2", "a::2"]),
            (&["a::1", "1.1.1.1", "1.1.1.2"], &["a::1", "1.1.1.1", "1.1.1.2"]),
            (&["a::1", "a::1", "a::2", "1.1.1.1", "a::1"], &["a::1", "1.1.1.1", "a::2"]),
            (&["1.1.1.1", "1.1.1.1"], &["1.1.1.1"]),
            (&[], &[]),
        ] {
            assert_eq!(interleave(addresses(given)), addresses(ordered), "{given:?}");
        }
    }

    #[test]
    fn race_without_answers_staggers_attempts() {
        let begun = Instant::now();
        let deadline = begun + 10 * SECOND;
        let all = addresses(&["a::1", "1.1.1.1", "a::2"]);
        let mut race = Race::new(&all, begun, Some(deadline));
        for (number, address) in (0..).zip(&all) {
            let due = begun + number * CONNECTION_ATTEMPT_DELAY;
            if number > 0 {
                assert_waits(&mut race, due - Duration::from_millis(1), Some(due));
            }
            assert_eq!(start(&mut race, due), *address);
        }
        assert_waits(&mut race, begun + SECOND, Some(deadline));
        let Step::GiveUp(error) = race.step(deadline) else { panic!("continues") };
        assert!(error.timed_out());
        assert_eq!((error.unanswered, error.untried), (3, 0));
    }

    #[test]
    fn race_after_a_failure_starts_the_next_attempt_at_once() {
        let begun = Instant::now();
        let mut race = Race::new(&addresses(&["a::1", "1.1.1.1", "a::2"]), begun, None);
        start(&mut race, begun);
        assert_waits(&mut race, begun, Some(begun + CONNECTION_ATTEMPT_DELAY));
        fail(&mut race, begun);
        start(&mut race, begun);
        // The delay counts from the latest start again.
        assert_waits(&mut race, begun, Some(begun + CONNECTION_ATTEMPT_DELAY));
        fail(&mut race, begun);
        start(&mut race, begun);
        assert_waits(&mut race, begun, None);
        fail(&mut race, begun);
        let Step::GiveUp(error) = race.step(begun) else { panic!("continues") };
        assert!(!error.timed_out());
        assert_eq!(error.failures.len(), 3);
    }

    #[test]
    fn race_at_its_cap_closes_the_oldest_attempt_after_a_while() {
        let begun = Instant::now();
        let texts: Vec<String> = (1..=MAX_PENDING + 1).map(|n| format!("10.0.0.{n}")).collect();
        let all = addresses(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let mut race = Race::new(&all, begun, None);
        for number in 0..MAX_PENDING as u32 {
            start(&mut race, begun + number * CONNECTION_ATTEMPT_DELAY);
        }
        let evicts_at = begun + EVICT_AFTER;
        assert_waits(&mut race, begun + SECOND, Some(evicts_at));
        assert_eq!(start(&mut race, evicts_at), all[MAX_PENDING]);
        assert_eq!(race.pending().copied().collect::<Vec<_>>(), all[1..]);
        assert_eq!(race.error(true).unanswered, all.len());
    }

    #[test]
    fn race_with_a_short_deadline_shortens_the_delay() {
        let begun = Instant::now();
        let delay = |count: usize, bound: Duration| {
            let all: Vec<_> = (0..count).map(|_| addresses(&["a::1"])[0]).collect();
            Race::<SocketAddr>::new(&all, begun, Some(begun + bound)).delay
        };
        assert_eq!(delay(2, 10 * SECOND), CONNECTION_ATTEMPT_DELAY);
        assert_eq!(delay(4, SECOND), SECOND / 5);
        assert_eq!(delay(16, SECOND), MIN_CONNECTION_ATTEMPT_DELAY);
        assert_eq!(delay(2, Duration::ZERO), MIN_CONNECTION_ATTEMPT_DELAY);
    }

    proptest! {
        /// The schedule keeps its rules with any failures and any delays of the caller.
        #[test]
        fn race_with_any_events_keeps_its_rules(
            count in 0_u8..20,
            bound in 0_u64..12_000,
            events in proptest::collection::vec((0_u64..700, any::<bool>()), 0..60),
        ) {
            let begun = Instant::now();
            let deadline = begun + Duration::from_millis(bound);
            let all: Vec<SocketAddr> =
                (0..count).map(|n| SocketAddr::from(([10, 0, 0, n], 80))).collect();
            let mut race = Race::new(&all, begun, Some(deadline));
            let (mut now, mut started, mut failed) = (begun, Vec::new(), 0);
            let (mut last_start, mut may_hurry) = (None::<Instant>, true);
            for (wait, fails) in events {
                match race.step(now) {
                    Step::Start(address) => {
                        prop_assert!(now < deadline);
                        let in_time = last_start.is_none_or(|last| now >= last + race.delay);
                        prop_assert!(in_time || may_hurry, "too early");
                        race.started(address, now);
                        started.push(address);
                        (last_start, may_hurry) = (Some(now), false);
                    }
                    Step::Wait(until) => {
                        prop_assert!(until.is_some_and(|until| now < until && until <= deadline));
                        if fails && race.pending().next().is_some() {
                            fail(&mut race, now);
                            (failed, may_hurry) = (failed + 1, true);
                        }
                        now += Duration::from_millis(wait);
                    }
                    Step::GiveUp(error) => {
                        prop_assert_eq!(error.failures.len(), failed);
                        let ended = race.pending().next().is_none() && error.untried == 0;
                        prop_assert!(ended || now >= deadline);
                        prop_assert_eq!(error.timed_out(), !ended);
                        prop_assert_eq!(
                            error.failures.len() + error.unanswered + error.untried,
                            all.len()
                        );
                        break;
                    }
                }
                prop_assert!(race.pending().count() <= MAX_PENDING);
                prop_assert_eq!(&started[..], &all[..started.len()], "each once, in order");
            }
        }
    }

    #[test]
    fn race_after_its_deadline_starts_nothing() {
        let begun = Instant::now();
        let mut race = Race::<()>::new(&addresses(&["a::1", "1.1.1.1"]), begun, Some(begun));
        let Step::GiveUp(error) = race.step(begun) else { panic!("starts") };
        assert_eq!((error.timed_out(), error.untried), (true, 2));
    }
}
