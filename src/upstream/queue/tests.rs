//! The queue on a fake clock: whole fleets over several intervals, and single steps.

use std::collections::HashSet;

use jiff::Timestamp;

use super::*;
use crate::upstream::schedule::{Feedback, Origin, Schedule};
use crate::upstream::slots;

mod parked;

const INTERVAL: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Sources that are polled by a clock that the test advances. Each poll takes a tenth of a second and succeeds.
struct Fleet {
    queue: Queue<Schedule>,
    begin: Instant,
    now: Instant,
    slots: Vec<Duration>,
    in_flight: BTreeMap<(Instant, Key), Schedule>,
    /// Source and time of each poll.
    starts: Vec<(Key, Duration)>,
}

impl Fleet {
    fn new(count: usize, hosts: usize, is_fresh: impl Fn(usize) -> bool) -> Fleet {
        let now = Instant::now();
        let mut fleet = Fleet {
            queue: Queue::default(),
            begin: now,
            now,
            slots: Vec::new(),
            in_flight: BTreeMap::new(),
            starts: Vec::new(),
        };
        let names: Vec<String> = (0..count).map(|number| format!("tank_{number}")).collect();
        let names: Vec<(&str, Option<Duration>)> =
            names.iter().map(|name| (name.as_str(), None)).collect();
        let origin = Origin::new(Timestamp::from_second(1_770_000_017).unwrap(), now);
        for (number, slot) in slots::assign(INTERVAL, &names).into_iter().enumerate() {
            let slot = origin.point_after(slot, INTERVAL, now);
            fleet.slots.push(slot.duration_since(now));
            let source = Source {
                task: Schedule::new(INTERVAL, slot),
                name: format!("tank_{number}").into(),
                interval: INTERVAL,
                slot,
                is_early: !is_fresh(number),
                host: format!("host{}", number % hosts).into(),
                limiter: None,
                is_parked: false,
            };
            fleet.queue.insert(number as Key, source, now);
        }
        fleet
    }

    /// Lets time pass, from one event to the next.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while let Some((key, mut schedule)) = self.queue.take(self.now) {
                schedule.begin(self.now);
                self.starts.push((key, self.now.duration_since(self.begin)));
                let ended = self.now + SECOND / 10;
                self.in_flight.insert((ended, key), schedule);
            }
            let ends = self.in_flight.first_key_value().map(|(&(ended, _), _)| ended);
            let next = self.queue.next_start().into_iter().chain(ends).min();
            let Some(next) = next.filter(|next| *next < end) else { break };
            self.now = next;
            while let Some(ended) = self.in_flight.first_entry().filter(|it| it.key().0 <= next) {
                let ((_, key), mut schedule) = ended.remove_entry();
                let due = schedule.next(Feedback::Success, next, 0.5);
                self.queue.done(key, schedule, Next { ended: next, due, may_advance: true }, next);
            }
        }
        self.now = end;
    }

    /// Returns the starts in these seconds.
    fn between(&self, from: u64, to: u64) -> Vec<(Key, Duration)> {
        let is_between = |(_, at): &&(Key, Duration)| *at >= seconds(from) && *at < seconds(to);
        self.starts.iter().filter(is_between).copied().collect()
    }

    /// Returns the starts that are not at a slot.
    fn early(&self) -> Vec<(Key, Duration)> {
        let is_early = |(key, at): &&(Key, Duration)| {
            let slot = self.slots[usize::try_from(*key).unwrap()];
            *at < slot || !(*at - slot).as_nanos().is_multiple_of(INTERVAL.as_nanos())
        };
        self.starts.iter().filter(is_early).copied().collect()
    }
}

/// Returns the most starts in any window of this length.
fn most_within(window: Duration, starts: &[(Key, Duration)]) -> usize {
    let times: Vec<Duration> = starts.iter().map(|(_, at)| *at).collect();
    assert!(times.is_sorted());
    let count = |(begin, at): (usize, &Duration)| {
        times[begin..].iter().take_while(|later| **later < *at + window).count()
    };
    times.iter().enumerate().map(count).max().unwrap_or_default()
}

#[test]
fn three_thousand_sources_start_paced_and_are_spread_from_the_second_interval_on() {
    let mut fleet = Fleet::new(3000, 3000, |_| false);
    fleet.run(seconds(60 * 5));
    let polled: HashSet<Key> = fleet.between(0, 60).iter().map(|(key, _)| *key).collect();
    assert_eq!(polled.len(), 3000, "each is polled at its slot at the latest");
    assert!(most_within(SECOND, &fleet.early()) <= 50);
    assert!(fleet.early().len() >= 1000, "{}", fleet.early().len());
    for interval in 1..5 {
        let polls = fleet.between(60 * interval, 60 * (interval + 1));
        let keys: HashSet<Key> = polls.iter().map(|(key, _)| *key).collect();
        assert_eq!((polls.len(), keys.len()), (3000, 3000), "interval {interval}");
    }
    let later = fleet.between(60, 300);
    assert!(later.iter().all(|poll| !fleet.early().contains(poll)), "all at their slots");
    let fullest = most_within(INTERVAL / 10, &later);
    assert!(fullest <= 600, "{fullest}");
    for key in 0..3000 {
        let times: Vec<Duration> =
            fleet.starts.iter().filter(|(polled, _)| *polled == key).map(|(_, at)| *at).collect();
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        let gaps: Vec<Duration> = gaps.collect();
        assert!(gaps.iter().all(|gap| *gap >= INTERVAL && *gap < 2 * INTERVAL), "{key}: {gaps:?}");
    }
}

#[test]
fn early_starts_at_one_host_are_five_a_second() {
    let mut fleet = Fleet::new(600, 10, |_| false);
    fleet.run(seconds(180));
    let early = fleet.early();
    assert!(most_within(SECOND, &early) <= 50);
    for host in 0..10 {
        let of_host: Vec<(Key, Duration)> =
            early.iter().filter(|(key, _)| key % 10 == host).copied().collect();
        assert!(of_host.len() > 20, "{}", of_host.len());
        assert!(most_within(SECOND, &of_host) <= 5);
    }
    // Sources of one slow host delay those of no other.
    let mut mixed = Fleet::new(200, 1, |_| false);
    let now = mixed.now;
    let lone = Source {
        name: "lone".into(),
        task: Schedule::new(INTERVAL, now + INTERVAL),
        interval: INTERVAL,
        slot: now + INTERVAL,
        is_early: true,
        host: "lone".into(),
        limiter: None,
        is_parked: false,
    };
    mixed.slots.push(INTERVAL);
    mixed.queue.insert(200, lone, now);
    mixed.run(SECOND);
    assert!(mixed.starts.iter().any(|(key, _)| *key == 200));
}

#[test]
fn few_sources_on_hosts_of_their_own_start_within_a_second() {
    for count in 1..=10 {
        let mut fleet = Fleet::new(count, count, |_| false);
        fleet.run(SECOND);
        assert_eq!(fleet.starts.len(), count);
    }
}

#[test]
fn source_with_a_fresh_reading_waits_for_its_slot() {
    let mut fleet = Fleet::new(200, 200, |number| number % 2 == 0);
    fleet.run(INTERVAL);
    for (number, slot) in fleet.slots.iter().enumerate().step_by(2) {
        let polls = fleet.starts.iter().filter(|(key, _)| *key == number as Key);
        assert_eq!(polls.map(|(_, at)| *at).collect::<Vec<_>>(), [*slot]);
    }
    let odd = fleet.starts.iter().filter(|(key, at)| key % 2 == 1 && *at < seconds(3));
    assert_eq!(odd.count(), 100);
}

#[test]
fn repoll_and_resume_are_paced_and_keep_the_slots() {
    let mut fleet = Fleet::new(1000, 1000, |_| true);
    fleet.run(seconds(90));
    let polls = |fleet: &Fleet, from, to| fleet.between(from, to).len();
    let before = polls(&fleet, 60, 90);
    fleet.queue.repoll_all(fleet.now);
    fleet.queue.repoll_all(fleet.now);
    fleet.run(seconds(30));
    let early = fleet.early();
    assert!(most_within(SECOND, &early) <= 50);
    let again: HashSet<Key> = fleet.between(90, 120).iter().map(|(key, _)| *key).collect();
    assert_eq!(again.len(), 1000, "all are polled again");
    assert!(early.len() + polls(&fleet, 90, 120) >= before);
    fleet.run(seconds(60));
    assert_eq!(polls(&fleet, 120, 180), 1000, "then at their slots again");

    // The machine is suspended for an hour, in which the clock of the instants stands still.
    let earlier = fleet.early().len();
    fleet.queue.resume(seconds(3600), fleet.now);
    fleet.run(seconds(30));
    let missed = &fleet.early()[earlier..];
    assert!(missed.len() >= 700, "{}", missed.len());
    let again: HashSet<Key> = fleet.between(180, 210).iter().map(|(key, _)| *key).collect();
    let in_flight = fleet.between(179, 180).len();
    assert!(again.len() >= 1000 - in_flight, "all but those in flight were missed");
    assert!(most_within(SECOND, missed) <= 50);
}

#[test]
fn missed_polls_are_paced() {
    let mut fleet = Fleet::new(1000, 1000, |_| true);
    fleet.run(seconds(60));
    // The process is stopped for 20 s.
    fleet.now += seconds(20);
    let before = fleet.starts.len();
    fleet.run(seconds(25));
    let after = &fleet.starts[before..];
    let early: Vec<(Key, Duration)> =
        fleet.early().into_iter().filter(|poll| after.contains(poll)).collect();
    // Those that were due in the last second are late, and not missed.
    let at_once = after.iter().filter(|(_, at)| *at == seconds(80)).count();
    assert!(at_once < 60, "{at_once}");
    assert!(most_within(SECOND, &early[at_once..]) <= 51, "{early:?}");
    fleet.run(seconds(75));
    assert_eq!(fleet.between(120, 180).len(), 1000);
}

/// Returns a queue with one source, which is due after an hour.
fn single(limiter: Option<Arc<RateLimiter>>) -> (Queue<&'static str>, Instant) {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.insert(1, source("one", now, limiter), now);
    (queue, now)
}

fn source(
    task: &'static str,
    now: Instant,
    limiter: Option<Arc<RateLimiter>>,
) -> Source<&'static str> {
    let interval = seconds(3600);
    let slot = now + interval;
    Source {
        task,
        name: task.into(),
        interval,
        slot,
        is_early: false,
        host: "h".into(),
        limiter,
        is_parked: false,
    }
}

fn in_an_hour(now: Instant) -> Next {
    Next { ended: now, due: now + seconds(3600), may_advance: true }
}

#[test]
fn one_poll_of_a_source_is_in_flight_whatever_asks_for_another() {
    let (mut queue, now) = single(None);
    assert_eq!(queue.take(now), None);
    assert_eq!(queue.request(1, now), Some(&"one"));
    assert_eq!(queue.request(1, now), Some(&"one"), "the same poll");
    assert_eq!(queue.take(now), Some((1, "one")));
    assert_eq!((queue.take(now), queue.in_flight()), (None, 1));
    // Nothing starts a second poll.
    assert_eq!(queue.request(1, now), None);
    queue.repoll_all(now);
    queue.resume(seconds(9999), now);
    let later = now + seconds(3600);
    assert_eq!((queue.take(later), queue.next_start()), (None, None));
    // The poll satisfies the request, and the repoll follows it.
    assert!(queue.done(1, "one", in_an_hour(later), later));
    assert_eq!(queue.take(later), Some((1, "one")));
    assert!(!queue.done(1, "one", in_an_hour(later), later), "the request was satisfied");
    assert_eq!((queue.take(later), queue.in_flight()), (None, 0));
    assert_eq!(queue.next_start(), Some(later + seconds(3600)));
    assert_eq!(queue.request(2, now), None, "no such source");
}

#[test]
fn request_between_the_end_of_a_poll_and_its_report_starts_another() {
    let (mut queue, now) = single(None);
    for (requested, starts) in [(5, false), (15, true)] {
        queue.request(1, now);
        assert_eq!(queue.take(now), Some((1, "one")));
        assert_eq!(queue.request(1, now + seconds(requested)), None);
        let ended = now + seconds(10);
        assert!(queue.done(1, "one", in_an_hour(ended), now + seconds(20)));
        let started = queue.take(now + seconds(20));
        assert_eq!(started.is_some(), starts, "{requested}");
    }
}

#[test]
fn wait_that_the_upstream_requested_is_not_cut_short_by_a_repoll() {
    let (mut queue, now) = single(None);
    queue.request(1, now);
    queue.take(now);
    queue.repoll_all(now);
    queue.done(1, "one", Next { may_advance: false, ..in_an_hour(now) }, now);
    queue.repoll_all(now);
    assert_eq!(queue.take(now + seconds(3599)), None);
    assert_eq!(queue.take(now + seconds(3600)), Some((1, "one")));
}

#[test]
fn limited_source_starts_at_its_reservation_and_reserves_once() {
    let limiter = Arc::new(RateLimiter::new(seconds(10)));
    let (mut queue, now) = single(Some(Arc::clone(&limiter)));
    queue.insert(2, source("two", now, Some(Arc::clone(&limiter))), now);
    queue.request(1, now);
    queue.request(2, now);
    assert_eq!(queue.take(now), Some((1, "one")));
    assert_eq!(queue.take(now), None);
    queue.repoll_all(now);
    assert_eq!(queue.request(2, now), None, "its poll is coming");
    assert_eq!(queue.take(now + seconds(9)), None);
    assert_eq!(queue.take(now + seconds(10)), Some((2, "two")));
    assert!(queue.done(2, "two", in_an_hour(now), now + seconds(11)));
    assert_eq!(limiter.reserve(now), now + seconds(20), "one reservation for each poll");
}

#[test]
fn changed_source_waits_for_its_poll_in_flight() {
    let (mut queue, now) = single(None);
    let changed = |task| Source { is_early: true, name: "one".into(), ..source(task, now, None) };
    queue.request(1, now);
    assert_eq!(queue.take(now), Some((1, "one")));
    // Changed twice while its poll is in flight.
    queue.remove(1);
    queue.insert(2, changed("two"), now);
    assert_eq!(queue.request(2, now), None);
    queue.remove(2);
    queue.insert(3, changed("three"), now);
    assert_eq!((queue.take(now + seconds(7200)), queue.in_flight()), (None, 1));
    assert!(!queue.done(1, "one", in_an_hour(now), now));
    assert_eq!(queue.take(now), Some((3, "three")));
    queue.remove(3);
    assert_eq!(queue.in_flight(), 1);
    queue.done(3, "three", in_an_hour(now), now);
    assert_eq!((queue.in_flight(), queue.next_start()), (0, None));
    assert!(queue.retired.is_empty() && queue.entries.is_empty());
    // Without a poll in flight it starts at once.
    queue.insert(4, source("one", now, None), now);
    queue.remove(4);
    queue.insert(5, changed("five"), now + SECOND);
    assert_eq!(queue.take(now + SECOND), Some((5, "five")));
}

#[test]
fn source_that_is_removed_and_added_again_waits_for_its_poll_in_flight() {
    let (mut queue, now) = single(None);
    let early = |task| Source { is_early: true, ..source(task, now, None) };
    queue.request(1, now);
    assert_eq!(queue.take(now), Some((1, "one")));
    // Two configurations without the source, then two with it, and another source meanwhile.
    queue.remove(1);
    queue.remove(1);
    queue.repoll_all(now);
    queue.resume(SECOND, now);
    assert_eq!(queue.request(1, now), None);
    queue.insert(2, early("one"), now);
    queue.insert(3, early("other"), now);
    assert_eq!((queue.take(now), queue.take(now + SECOND)), (Some((3, "other")), None));
    queue.remove(2);
    queue.insert(4, early("one"), now);
    queue.remove(4);
    assert_eq!((queue.take(now + seconds(7200)), queue.in_flight()), (None, 2));
    queue.insert(5, early("one"), now);
    assert_eq!(queue.take(now + SECOND), None);
    queue.done(1, "one", in_an_hour(now), now + SECOND);
    assert_eq!(queue.take(now + SECOND), Some((5, "one")));
    assert!(queue.retired.is_empty());
    assert_eq!(queue.entries.keys().collect::<Vec<_>>(), [&3, &5]);
}

#[test]
fn removed_source_is_polled_no_more() {
    let (mut queue, now) = single(None);
    queue.insert(2, Source { is_early: true, ..source("two", now, None) }, now);
    queue.repoll_all(now);
    queue.remove(1);
    queue.remove(2);
    assert_eq!(queue.take(now + seconds(7200)), None);
    assert_eq!(queue.next_start(), None);
}

#[test]
fn reserved_starts_that_have_passed_are_apart_again() {
    let limiter = Arc::new(RateLimiter::new(seconds(2)));
    let (mut queue, now) = (Queue::default(), Instant::now());
    for key in 0..4 {
        queue.insert(key, source("one", now, Some(Arc::clone(&limiter))), now);
        queue.request(key, now);
    }
    assert!(queue.take(now).is_some());
    assert!(queue.take(now).is_none(), "three are reserved");
    // No poll was permitted for a while.
    let mut later = now + seconds(30);
    for _ in 0..3 {
        while queue.take(later).is_none() {
            later += SECOND / 10;
        }
        assert!(queue.take(later).is_none());
        later += SECOND * 19 / 10;
        assert!(queue.take(later).is_none());
    }
}
