use jiff::SignedDuration;

use super::*;
use crate::alert::NoticeKind::{self, Ended, Fired, Reminder};
use crate::alert::store::Claims;
use crate::alert::test_notices::{at, notice};

/// Returns a point in time by both clocks: 1000 s since boot is the beginning of 2026.
pub(super) fn t(seconds: i64) -> TimePoint {
    TimePoint { wall: at(seconds), boot: Duration::from_secs((1000 + seconds).try_into().unwrap()) }
}

pub(super) fn outbox(group_wait: u64, max_per_hour: u32) -> Outbox {
    let settings = OutboxSettings { group_wait: Duration::from_secs(group_wait), max_per_hour };
    Outbox::new(settings, fastrand::Rng::with_seed(1))
}

/// Adds saved notices, made at the time.
pub(super) fn restore(outbox: &mut Outbox, time: i64, notices: &[(u64, NoticeKind, u32)]) {
    let notices = notices.iter().map(|&(id, kind, number)| notice(id, kind, number, time));
    outbox.restore(notices.map(Arc::new), t(time));
}

/// Returns the message that is to be sent at the time, or the wait in seconds; `None` if the outbox is idle.
pub(super) fn next(outbox: &mut Outbox, time: i64) -> Option<Result<Delivery, u64>> {
    match outbox.next(t(time)) {
        Next::Send(delivery) => Some(Ok(delivery)),
        Next::Wait(wait) => Some(Err(wait.as_secs())),
        Next::Idle => None,
    }
}

pub(super) fn send(outbox: &mut Outbox, time: i64) -> Delivery {
    next(outbox, time).unwrap().unwrap()
}

pub(super) fn content(delivery: &Delivery) -> Vec<(u64, NoticeKind, u32)> {
    let keys = delivery.notices.iter().map(|notice| &notice.key);
    keys.map(|key| (key.incident.0, key.kind, key.number)).collect()
}

pub(super) fn error(fault: DeliveryFault) -> DeliveryError {
    DeliveryError::new(fault, "no")
}

#[test]
fn notice_is_sent_once_it_is_saved_or_after_two_seconds_and_marked() {
    for (saved_after, expected_unsaved) in [(Some(1), false), (None, true)] {
        let mut outbox = outbox(0, 60);
        let notice = Arc::new(notice(1, Fired, 0, 0));
        outbox.push([notice.clone()], t(0));
        assert_eq!(next(&mut outbox, 0).unwrap().unwrap_err(), 2);
        if saved_after.is_some() {
            outbox.saved([&notice.key]);
        } else {
            assert_eq!(next(&mut outbox, 1).unwrap().unwrap_err(), 1);
        }
        let delivery = send(&mut outbox, if saved_after.is_some() { 1 } else { 2 });
        assert_eq!(delivery.unsaved, expected_unsaved);
        assert!(next(&mut outbox, 2).is_none(), "it is in flight");
        outbox.sent(t(2));
        assert_eq!(outbox.take_done(), std::slice::from_ref(&notice.key));
        assert!(next(&mut outbox, 9).is_none());
    }
}

#[test]
fn notices_due_within_the_wait_of_the_first_are_one_message_oldest_first() {
    let mut outbox = outbox(30, 60);
    restore(&mut outbox, 0, &[(7, Fired, 0)]);
    assert_eq!(next(&mut outbox, 0).unwrap().unwrap_err(), 30);
    restore(&mut outbox, 20, &[(3, Fired, 0)]);
    assert_eq!(next(&mut outbox, 20).unwrap().unwrap_err(), 10);
    let delivery = send(&mut outbox, 30);
    assert_eq!(content(&delivery), [(7, Fired, 0), (3, Fired, 0)]);
    assert_eq!(delivery.now, at(30));
    outbox.sent(t(31));
    restore(&mut outbox, 31, &[(4, Fired, 0)]);
    assert_eq!(next(&mut outbox, 31).unwrap().unwrap_err(), 30, "the next window");
}

#[test]
fn notices_of_one_incident_are_merged() {
    for (waiting, expected) in [
        (vec![(1, Fired, 0), (1, Ended, 0)], vec![(1, Fired, 0), (1, Ended, 0)]),
        (vec![(1, Fired, 0), (1, Reminder, 1), (1, Reminder, 2)], vec![(1, Fired, 0)]),
        (vec![(1, Reminder, 1), (1, Reminder, 2)], vec![(1, Reminder, 2)]),
        (vec![(1, Reminder, 2), (1, Ended, 0)], vec![(1, Ended, 0)]),
        (vec![(1, Ended, 0), (1, Reminder, 2)], vec![(1, Ended, 0)]),
        (vec![(1, Ended, 0)], vec![(1, Ended, 0)]),
        (vec![(1, Reminder, 1), (2, Fired, 0)], vec![(1, Reminder, 1), (2, Fired, 0)]),
        (vec![(1, Fired, 0), (1, Fired, 0)], vec![(1, Fired, 0)]),
    ] {
        let mut outbox = outbox(0, 60);
        restore(&mut outbox, 0, &waiting);
        assert_eq!(content(&send(&mut outbox, 0)), expected, "{waiting:?}");
        outbox.sent(t(0));
        let unique: HashSet<_> = waiting.iter().collect();
        assert_eq!(outbox.take_done().len(), unique.len(), "all are deleted: {waiting:?}");
    }
}

#[test]
fn what_arrives_in_flight_waits_and_is_joined_after_a_failure() {
    let mut first = outbox(0, 60);
    restore(&mut first, 0, &[(1, Fired, 0)]);
    let key = send(&mut first, 0).key;
    restore(&mut first, 1, &[(1, Reminder, 1), (1, Ended, 0), (2, Fired, 0)]);
    assert!(next(&mut first, 1).is_none());
    let Failed::Retry(wait) = first.failed(error(DeliveryFault::Transient), t(2)) else {
        panic!("it is not dropped")
    };
    assert!(wait <= MIN_BACKOFF);
    assert!(next(&mut first, 2).unwrap().is_err(), "the backoff");
    let joined = send(&mut first, 7);
    assert_eq!(content(&joined), [(1, Fired, 0), (1, Ended, 0), (2, Fired, 0)]);
    assert_ne!(joined.key, key);
    first.failed(error(DeliveryFault::Transient), t(8));
    assert_eq!(send(&mut first, 100).key, joined.key, "the same notices have the same key");

    let mut second = outbox(0, 60);
    restore(&mut second, 0, &[(1, Fired, 0)]);
    send(&mut second, 0);
    restore(&mut second, 1, &[(1, Ended, 0)]);
    second.sent(t(1));
    assert_eq!(content(&send(&mut second, 1)), [(1, Ended, 0)]);
}

#[test]
fn end_waits_for_a_fire_that_quiet_hours_defer() {
    let mut outbox = outbox(0, 60);
    let mut fired = notice(1, Fired, 0, 0);
    fired.due = at(1000);
    outbox.restore([Arc::new(fired)], t(0));
    restore(&mut outbox, 10, &[(1, Ended, 0)]);
    assert_eq!(next(&mut outbox, 10).unwrap().unwrap_err(), 990);
    assert_eq!(content(&send(&mut outbox, 1000)), [(1, Fired, 0), (1, Ended, 0)]);
}

#[test]
fn reminder_that_could_not_be_sent_for_an_hour_is_dropped() {
    for (age, expected) in [(3600, true), (3601, false)] {
        let mut outbox = outbox(0, 60);
        restore(&mut outbox, 0, &[(1, Reminder, 1)]);
        assert_eq!(next(&mut outbox, age).is_some(), expected, "{age}");
        assert_eq!(outbox.take_done().len(), usize::from(!expected));
    }
}

#[test]
fn refused_message_is_sent_again_within_a_minute_and_at_once_with_other_settings() {
    let mut outbox = outbox(0, 60);
    restore(&mut outbox, 0, &[(1, Fired, 0)]);
    send(&mut outbox, 0);
    let Failed::Retry(wait) = outbox.failed(error(DeliveryFault::Refused), t(0)) else {
        panic!("it is not dropped")
    };
    assert!(wait <= MIN_REFUSED && wait >= MIN_REFUSED / 2, "{wait:?}");
    assert!(next(&mut outbox, 1).unwrap().is_err());
    outbox.renew(OutboxSettings { group_wait: Duration::ZERO, max_per_hour: 1 });
    send(&mut outbox, 1);
    outbox.failed(error(DeliveryFault::Refused), t(1));
    send(&mut outbox, 61);
}

#[test]
fn quota_bounds_the_messages_of_any_hour() {
    let mut outbox = outbox(0, 2);
    for time in [0, 100] {
        restore(&mut outbox, time, &[(time.unsigned_abs(), Fired, 0)]);
        send(&mut outbox, time);
        outbox.sent(t(time));
    }
    restore(&mut outbox, 200, &[(200, Fired, 0)]);
    assert_eq!(next(&mut outbox, 200).unwrap().unwrap_err(), 3400);
    restore(&mut outbox, 300, &[(300, Fired, 0)]);
    assert_eq!(content(&send(&mut outbox, 3600)), [(200, Fired, 0), (300, Fired, 0)]);
    outbox.sent(t(3600));
    restore(&mut outbox, 3601, &[(4, Fired, 0)]);
    assert_eq!(next(&mut outbox, 3601).unwrap().unwrap_err(), 99);
}

#[test]
fn outbox_is_bounded_and_the_next_message_states_what_was_dropped() {
    let mut outbox = outbox(0, 60);
    let max = u64::try_from(MAX_WAITING).unwrap();
    restore(&mut outbox, 0, &[(max + 1, Fired, 0), (max + 2, Fired, 0), (max + 2, Ended, 0)]);
    restore(&mut outbox, 5, &[(max + 3, Reminder, 1)]);
    let fires = |ids: std::ops::Range<u64>| ids.map(|id| (id, Fired, 0)).collect::<Vec<_>>();
    restore(&mut outbox, 6, &fires(0..max - 3));
    assert_eq!(outbox.status(t(6)).dropped, 1, "the reminder first");
    restore(&mut outbox, 7, &fires(max - 3..max - 2));
    assert_eq!(outbox.status(t(7)).dropped, 3, "then the incident that has ended");
    restore(&mut outbox, 8, &fires(max - 2..max));
    assert_eq!(outbox.status(t(8)).dropped, 4, "then the oldest");
    let delivery = send(&mut outbox, 8);
    assert_eq!((delivery.notices.len(), delivery.dropped), (MAX_WAITING, 4));
    assert!(!content(&delivery).contains(&(max + 1, Fired, 0)));
    outbox.failed(error(DeliveryFault::Transient), t(8));
    assert_eq!(send(&mut outbox, 20).dropped, 4, "until a message is sent");
    outbox.sent(t(20));
    restore(&mut outbox, 21, &[(1, Ended, 0)]);
    assert_eq!(send(&mut outbox, 21).dropped, 0);
    assert_eq!(outbox.take_done().len(), MAX_WAITING + 4);
}

#[test]
fn many_notices_at_once_are_bounded() {
    let mut outbox = outbox(0, 60);
    let many: Vec<_> = (0..3 * MAX_WAITING as u64).map(|id| (id, Fired, 0)).collect();
    restore(&mut outbox, 0, &many);
    assert_eq!(outbox.status(t(0)).waiting, MAX_WAITING);
    assert_eq!(outbox.status(t(0)).dropped, 2 * MAX_WAITING as u64);
}

#[test]
fn clock_that_is_set_back_by_a_year_holds_no_message() {
    let year = 365 * 24 * 3600;
    for (deferral, expected) in [(0, 0), (600, 600), (i64::from(u32::MAX), 24 * 3600)] {
        let mut outbox = outbox(0, 60);
        let mut fired = notice(1, Fired, 0, 0);
        fired.due = fired.at + SignedDuration::from_secs(deferral);
        outbox.restore([Arc::new(fired)], t(0));
        let set_back = |seconds: i64| TimePoint { wall: at(seconds - year), ..t(seconds) };
        if expected > 0 {
            let Next::Wait(wait) = outbox.next(set_back(0)) else { panic!("{deferral}") };
            assert_eq!(wait, Duration::from_secs(expected.try_into().unwrap()));
        }
        assert!(matches!(outbox.next(set_back(expected)), Next::Send(_)), "{deferral}");
    }
    // By the clock that is set forward, it is due.
    let mut outbox = outbox(0, 60);
    let mut fired = notice(1, Fired, 0, 0);
    fired.due = at(600);
    outbox.restore([Arc::new(fired)], t(0));
    let set = TimePoint { wall: at(year), ..t(1) };
    assert!(matches!(outbox.next(set), Next::Send(_)));
}

#[test]
fn status_distinguishes_what_waits_from_what_is_deferred() {
    let mut outbox = outbox(0, 60);
    let mut deferred = notice(1, Fired, 0, 0);
    deferred.due = at(1000);
    outbox.restore([Arc::new(deferred)], t(0));
    assert_eq!(outbox.status(t(0)), OutboxStatus { deferred: 1, ..OutboxStatus::default() });
    restore(&mut outbox, 5, &[(2, Fired, 0)]);
    restore(&mut outbox, 6, &[(3, Fired, 0)]);
    send(&mut outbox, 7);
    restore(&mut outbox, 8, &[(4, Fired, 0)]);
    let status = outbox.status(t(8));
    assert_eq!((status.waiting, status.deferred, status.oldest), (3, 1, Some(at(5))));
    outbox.failed(error(DeliveryFault::Transient), t(9));
    send(&mut outbox, 60);
    outbox.failed(error(DeliveryFault::Refused), t(61));
    let status = outbox.status(t(70));
    assert_eq!(status.waited, Duration::from_secs(65));
    let last = status.last_error.unwrap();
    assert_eq!((last.since, last.fault), (at(9), DeliveryFault::Refused));
    outbox.renew(OutboxSettings { group_wait: Duration::ZERO, max_per_hour: 60 });
    send(&mut outbox, 70);
    outbox.sent(t(70));
    let status = outbox.status(t(70));
    assert_eq!((status.sent, status.failed, status.last_error), (1, 2, None));
}

#[test]
fn retry_after_a_failure_does_not_wait_for_the_group_again() {
    let mut outbox = outbox(600, 60);
    restore(&mut outbox, 0, &[(1, Fired, 0)]);
    assert!(next(&mut outbox, 0).unwrap().is_err());
    send(&mut outbox, 600);
    outbox.failed(error(DeliveryFault::Transient), t(600));
    send(&mut outbox, 605);
}

#[test]
fn message_that_was_sent_in_part_is_tried_again_soon() {
    let mut outbox = outbox(0, 60);
    restore(&mut outbox, 0, &[(1, Fired, 0), (2, Fired, 0)]);
    let mut time = 0;
    let mut fail = |outbox: &mut Outbox, progress| {
        send(outbox, time);
        let error = DeliveryError { progress, ..error(DeliveryFault::Transient) };
        let Failed::Retry(wait) = outbox.failed(error, t(time)) else { panic!("no retry") };
        time += 2000;
        wait
    };
    for _ in 0..6 {
        fail(&mut outbox, Progress::Nothing);
    }
    assert!(fail(&mut outbox, Progress::Nothing) > 4 * MIN_BACKOFF);
    assert!(fail(&mut outbox, Progress::Part) <= MIN_BACKOFF);
    assert!(fail(&mut outbox, Progress::Part) <= MIN_BACKOFF);
}

#[test]
fn message_that_some_receivers_do_not_take_is_done_and_its_failure_is_shown() {
    let mut outbox = outbox(0, 60);
    let done = || DeliveryError { progress: Progress::Done, ..error(DeliveryFault::Refused) };
    for (time, id) in [(0, 1), (10, 2)] {
        restore(&mut outbox, time, &[(id, Fired, 0)]);
        send(&mut outbox, time);
        assert_eq!(outbox.failed(done(), t(time)), Failed::Sent);
        assert_eq!(outbox.take_done().len(), 1);
        let status = outbox.status(t(time));
        assert_eq!((status.sent, status.failed, status.waiting), (id, 0, 0));
        let shown = status.last_error.unwrap();
        assert_eq!((shown.fault, shown.since), (DeliveryFault::Refused, at(0)));
    }
    restore(&mut outbox, 20, &[(3, Fired, 0)]);
    send(&mut outbox, 20);
    outbox.sent(t(20));
    assert_eq!(outbox.status(t(20)).last_error, None);
}

#[test]
fn saved_notice_waits_while_its_claim_has_ended_and_not_for_ever() {
    let mut outbox = outbox(0, 60);
    let boot = |seconds: i64| Some(t(seconds).boot);
    restore(&mut outbox, 0, &[(1, Fired, 0)]);
    outbox.claim(boot(0));
    assert_eq!(next(&mut outbox, 0).unwrap().unwrap_err(), 300);
    // One that is made meanwhile, and cannot be saved.
    outbox.push([Arc::new(notice(2, Fired, 0, 10))], t(10));
    assert_eq!(content(&send(&mut outbox, 12)), [(2, Fired, 0)]);
    outbox.sent(t(12));
    assert_eq!(next(&mut outbox, 299).unwrap().unwrap_err(), 1);
    // The database answers: the claim holds on.
    outbox.claim(boot(307));
    assert_eq!(content(&send(&mut outbox, 299)), [(1, Fired, 0)]);
    outbox.failed(error(DeliveryFault::Transient), t(299));
    // It does not: late is better than never.
    outbox.claim(boot(320));
    assert_eq!(next(&mut outbox, 400).unwrap().unwrap_err(), 220);
    assert_eq!(content(&send(&mut outbox, 620)), [(1, Fired, 0)]);
}

#[test]
fn notice_that_another_replica_sends_is_removed_and_not_deleted() {
    let mut outbox = outbox(0, 60);
    restore(&mut outbox, 0, &[(1, Fired, 0), (2, Fired, 0)]);
    outbox.push([Arc::new(notice(3, Fired, 0, 0))], t(0));
    let claims = |outbox: &Outbox| {
        let mut claims = Claims::default();
        outbox.add_claims(&mut claims);
        let saved: Vec<u64> = claims.saved.iter().map(|of| of.key.incident.0).collect();
        (saved, claims.done.len())
    };
    assert_eq!(claims(&outbox), (vec![1, 2], 0), "the other one is not saved");
    let taken = notice(1, Fired, 0, 0).key;
    outbox.taken(&[&taken].into_iter().collect());
    assert_eq!(content(&send(&mut outbox, 2)), [(2, Fired, 0), (3, Fired, 0)]);
    outbox.sent(t(2));
    assert_eq!(claims(&outbox), (vec![], 2), "until the store has learnt of it");
    assert_eq!(outbox.take_done().len(), 2);
    assert_eq!(claims(&outbox), (vec![], 0));
}
