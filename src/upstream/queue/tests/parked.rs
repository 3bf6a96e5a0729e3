//! Sources that other replicas poll for a time.

use super::*;

#[test]
fn parked_source_is_not_due_and_continues_at_the_time_that_is_given() {
    let (mut queue, now) = single(None);
    queue.insert(2, Source { is_early: true, ..source("two", now, None) }, now);
    queue.insert(3, Source { is_parked: true, is_early: true, ..source("three", now, None) }, now);
    queue.park(1);
    queue.park(2);
    queue.repoll_all(now);
    queue.resume(SECOND, now);
    assert_eq!((queue.take(now + seconds(7200)), queue.request(1, now)), (None, Some(&"one")));
    assert_eq!(queue.take(now + seconds(7200)), None);

    // The turn of the pacer that it had before counts no more.
    let now = now + seconds(10);
    queue.unpark(2, Some(now + seconds(30)), now);
    assert_eq!(queue.take(now + seconds(29)), None);
    assert_eq!(queue.take(now + seconds(30)), Some((2, "two")));
    // One that is parked during its poll is not due after it.
    queue.park(2);
    assert!(queue.is_in_flight(Some(2), "two") && !queue.is_in_flight(Some(1), "one"));
    queue.request(2, now);
    assert!(queue.done(2, "two", in_an_hour(now), now), "the request is over");
    assert!(!queue.is_in_flight(Some(2), "two"));
    assert_eq!(queue.take(now + seconds(7200)), None);
    // One that is held again during its poll goes on.
    let later = now + seconds(60);
    queue.unpark(2, Some(later), now);
    assert_eq!(queue.take(later), Some((2, "two")));
    queue.park(2);
    assert!(queue.unpark(2, None, later).is_none());
    queue.done(2, "two", in_an_hour(later), later);
    assert_eq!(queue.take(later), None);
    assert_eq!(queue.take(later + seconds(3600)), Some((2, "two")));
    // A time that has passed, and none, are missed polls.
    queue.unpark(1, Some(now), later);
    assert_eq!(queue.take(later), Some((1, "one")));
    queue.unpark(3, None, later);
    assert_eq!(queue.take(later + SECOND), Some((3, "three")));
}

#[test]
fn sources_that_change_hands_are_polled_once_in_each_interval() {
    let late = Duration::from_millis(5);
    // Each replica has the same grid. The reply of the database has been on its way for some milliseconds.
    let mut fleet = Fleet::new(100, 100, |_| true);
    fleet.run(seconds(180));
    for key in 0..100 {
        fleet.queue.park(key);
    }
    let next = |fleet: &Fleet, key: Key| {
        let slot = fleet.slots[usize::try_from(key).unwrap()];
        fleet.begin + seconds(180) + slot + late
    };
    for key in 0..100 {
        let (now, next) = (fleet.now, next(&fleet, key));
        // One whose poll is in flight goes on.
        if let Some((schedule, point)) = fleet.queue.unpark(key, Some(next), now) {
            *schedule = Schedule::continued(INTERVAL, point);
        }
    }
    fleet.run(seconds(180));
    for key in 0..100 {
        let times = fleet.starts.iter().filter(|(polled, _)| *polled == key).map(|(_, at)| *at);
        let times: Vec<Duration> = times.collect();
        assert_eq!(times.len(), 6, "{key}: {times:?}");
        let mut gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        let is_regular = |gap: Duration| gap + late >= INTERVAL && gap <= INTERVAL + late;
        assert!(gaps.all(is_regular), "{key}: {times:?}");
    }
}

#[test]
fn parked_source_waits_for_the_poll_of_its_earlier_configuration() {
    let (mut queue, now) = single(None);
    queue.request(1, now);
    assert_eq!(queue.take(now), Some((1, "one")));
    queue.remove(1);
    queue.insert(2, Source { is_early: true, ..source("one", now, None) }, now);
    queue.park(2);
    assert!(queue.is_in_flight(Some(2), "one") && !queue.contains(1) && queue.contains(2));
    queue.unpark(2, None, now);
    assert_eq!(queue.take(now), None);
    queue.park(2);
    queue.done(1, "one", in_an_hour(now), now);
    assert!(!queue.is_in_flight(Some(2), "one"));
    assert_eq!(queue.take(now + seconds(7200)), None);
    queue.unpark(2, None, now);
    assert_eq!(queue.take(now), Some((2, "one")));
}
