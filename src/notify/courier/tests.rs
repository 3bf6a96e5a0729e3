use std::sync::Mutex;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::*;
use crate::alert::Notice;
use crate::alert::NoticeKind::{Ended, Fired};
use crate::alert::test_notices::{at, notice};
use crate::kernel::clock::tests::{FakeClock, time_point};

const AMPLE: Duration = Duration::from_secs(20);

/// Answer of a channel's server to one message.
enum Behavior {
    Accept,
    Fail(DeliveryFault),
    /// Asks to wait for some seconds.
    Wait(u64),
    Panic,
    /// Hangs until the channel is disconnected, and then accepts.
    Hang(Receiver<()>),
}

/// A channel that follows a list, and then accepts everything.
struct Fake {
    behaviors: Mutex<std::vec::IntoIter<Behavior>>,
    attempts: Sender<(Delivery, Duration)>,
}

impl Deliver for Fake {
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let behavior = self.behaviors.lock().unwrap().next().unwrap_or(Behavior::Accept);
        let left = deadline.saturating_duration_since(Instant::now());
        self.attempts.send((delivery.clone(), left)).unwrap();
        match behavior {
            Behavior::Accept => Ok(()),
            Behavior::Fail(fault) => Err(DeliveryError::new(fault, "no")),
            Behavior::Wait(seconds) => Err(DeliveryError {
                retry_after: Some(Duration::from_secs(seconds)),
                ..DeliveryError::new(DeliveryFault::Transient, "wait")
            }),
            Behavior::Panic => panic!("a defect, for the test"),
            Behavior::Hang(hang) => {
                let _ = hang.recv();
                Ok(())
            }
        }
    }
}

fn fake(behaviors: Vec<Behavior>) -> (Box<dyn Deliver>, Receiver<(Delivery, Duration)>) {
    let (attempts, attempted) = unbounded();
    let fake = Fake { behaviors: Mutex::new(behaviors.into_iter()), attempts };
    (Box::new(fake), attempted)
}

struct Running {
    courier: Courier,
    handle: CourierHandle,
    attempted: Receiver<(Delivery, Duration)>,
    done: Receiver<Vec<NoticeKey>>,
}

const OUTBOX: OutboxSettings = OutboxSettings { group_wait: Duration::ZERO, max_per_hour: 1000 };

/// Starts a courier whose clock can be advanced.
fn start_with(behaviors: Vec<Behavior>, clock: Clock) -> Running {
    let (deliver, attempted) = fake(behaviors);
    Running { attempted, ..start_over(deliver, clock) }
}

/// Starts a courier over a channel, whose attempts it does not report.
fn start_over(deliver: Box<dyn Deliver>, clock: Clock) -> Running {
    let (send, done) = unbounded();
    let on_done = Box::new(move |keys| {
        let _ = send.send(keys);
    });
    let mut courier = Courier::new("phone".into(), OUTBOX, clock, Claim::unlimited());
    assert!(!courier.is_running());
    courier.run(1, OUTBOX, deliver, AMPLE, on_done).unwrap();
    Running { handle: courier.handle(), courier, attempted: crossbeam_channel::never(), done }
}

fn start(behaviors: Vec<Behavior>) -> Running {
    start_with(behaviors, Clock::system())
}

fn fired(id: u64) -> Arc<Notice> {
    Arc::new(notice(id, Fired, 0, 0))
}

fn key(id: u64) -> NoticeKey {
    fired(id).key.clone()
}

impl Running {
    fn attempted(&self) -> Delivery {
        self.attempted.recv_timeout(AMPLE).unwrap().0
    }

    /// Lets time pass until the next attempt.
    fn attempted_later(&self, clock: &FakeClock) -> Delivery {
        for _ in 0..10_000 {
            if let Ok((delivery, _)) = self.attempted.recv_timeout(Duration::from_millis(2)) {
                return delivery;
            }
            clock.advance(Duration::from_secs(60));
            // Wakes the thread.
            self.handle.saved(&[]);
        }
        panic!("there is no attempt")
    }

    fn done(&self) -> Vec<NoticeKey> {
        self.done.recv_timeout(AMPLE).unwrap()
    }
}

#[test]
fn notice_is_sent_with_a_deadline_and_reported_as_done() {
    let running = start(Vec::new());
    let pushed = fired(1);
    running.handle.push([Arc::clone(&pushed)]);
    running.handle.saved(&[NoticeKey { channel: "mail".into(), ..pushed.key.clone() }]);
    running.handle.saved(std::slice::from_ref(&pushed.key));
    let (delivery, left) = running.attempted.recv_timeout(AMPLE).unwrap();
    assert!(left <= AMPLE && !delivery.unsaved);
    assert_eq!(delivery.notices, [Arc::clone(&pushed)]);
    assert_eq!(running.done(), std::slice::from_ref(&pushed.key));
    let status = running.handle.status();
    assert_eq!((status.sent, status.waiting), (1, 0));
    assert!(running.courier.stop(Instant::now() + AMPLE).is_ok());
    assert!(matches!(running.handle.send_test(pushed, AMPLE), Err(TestError::Stopped)));
}

#[test]
fn channel_that_hangs_holds_up_neither_its_handles_nor_a_stop() {
    let (release, hang) = bounded(0);
    let running = start(vec![Behavior::Hang(hang)]);
    running.handle.restore([fired(1)]);
    running.attempted();
    // All of these return, though the delivery hangs.
    let max = super::super::outbox::MAX_WAITING;
    running.handle.push((2..max as u64 + 1002).map(fired));
    let status = running.handle.status();
    assert_eq!((status.waiting, status.dropped), (max + 1, 1000));
    assert_eq!(running.handle.notices().len(), max + 1);
    let busy = running.handle.send_test(fired(9), Duration::from_millis(10));
    assert!(matches!(busy, Err(TestError::Busy)));
    let Running { courier, handle, done, .. } = running;
    drop(courier);
    // The delivery ends after the stop, and is marked as sent. Nothing else is sent.
    drop(release);
    let marked: Vec<NoticeKey> = done.iter().flatten().collect();
    assert!(marked.contains(&key(1)));
    assert_eq!(handle.status().sent, 1);
}

#[test]
fn stop_waits_for_a_delivery_until_its_deadline() {
    let (_release, hang) = bounded(0);
    let running = start(vec![Behavior::Hang(hang)]);
    running.handle.restore([fired(1)]);
    running.attempted();
    let deadline = Instant::now() + Duration::from_millis(10);
    assert!(running.courier.stop(deadline).is_err());
    assert!(running.done.is_empty());
}

#[test]
fn refused_message_is_sent_again_with_other_settings_also_if_they_came_meanwhile() {
    let (release, hang) = bounded::<()>(0);
    let running = start(vec![Behavior::Fail(DeliveryFault::Refused)]);
    running.handle.restore([fired(1)]);
    let refused = running.attempted();
    let (deliver, attempted) = fake(vec![Behavior::Hang(hang), Behavior::Accept]);
    running.courier.renew(Some(OUTBOX), AMPLE, deliver);
    let (again, _) = attempted.recv_timeout(AMPLE).unwrap();
    assert_eq!(again.key, refused.key);
    drop(release);
    assert_eq!(running.done(), [key(1)]);
}

#[test]
fn retry_on_request_ends_the_wait_of_a_channel_that_refuses() {
    let running = start(vec![Behavior::Fail(DeliveryFault::Refused)]);
    running.handle.restore([fired(1)]);
    let refused = running.attempted();
    eventually_failed(&running.handle, 1);
    running.handle.retry_now();
    assert_eq!(running.attempted().key, refused.key);
    assert_eq!(running.done(), [key(1)]);
}

/// Waits until the outcomes of that many failed attempts are recorded.
fn eventually_failed(handle: &CourierHandle, attempts: u64) {
    eventually(|| handle.status().failed == attempts);
}

fn eventually(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < AMPLE);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn settings_that_come_during_an_attempt_that_is_refused_end_the_wait() {
    /// Refuses once the channel is disconnected.
    struct Refusing(Receiver<()>, Sender<()>);
    impl Deliver for Refusing {
        fn deliver(&self, _: &Delivery, _: Instant) -> Result<(), DeliveryError> {
            self.1.send(()).unwrap();
            let _ = self.0.recv();
            let fault = DeliveryFault::Refused;
            Err(DeliveryError::new(fault, "no"))
        }
    }
    let (release, hang) = bounded(0);
    let (begin, begun) = bounded(1);
    let running = start_over(Box::new(Refusing(hang, begin)), Clock::system());
    running.handle.restore([fired(1)]);
    begun.recv_timeout(AMPLE).unwrap();
    let (deliver, attempted) = fake(Vec::new());
    running.courier.renew(Some(OUTBOX), AMPLE, deliver);
    drop(release);
    assert_eq!(attempted.recv_timeout(AMPLE).unwrap().0.notices, [fired(1)]);
    assert_eq!(running.done(), [key(1)]);
    assert!(running.handle.notices().is_empty());
}

#[test]
fn message_that_makes_the_channel_panic_thrice_holds_up_no_other_and_is_kept() {
    let clock = fake_clock();
    let panics = (0..3).map(|_| Behavior::Panic).collect();
    let running = start_with(panics, clock.clock());
    running.handle.restore([fired(1)]);
    for _ in 0..3 {
        running.attempted_later(&clock);
    }
    eventually_failed(&running.handle, 3);
    running.handle.restore([Arc::new(notice(2, Ended, 0, 0))]);
    for id in [2, 1] {
        assert_eq!(running.attempted_later(&clock).notices[0].key.incident.0, id);
        assert_eq!(running.done()[0].incident.0, id);
    }
    let status = running.handle.status();
    assert_eq!((status.sent, status.failed, status.dropped), (2, 3, 0));
}

#[test]
fn tests_in_a_loop_hold_up_no_message() {
    let (release, hang) = bounded(0);
    let running = start(vec![Behavior::Hang(hang)]);
    let test = |number| {
        let handle = running.handle.clone();
        std::thread::spawn(move || handle.send_test(fired(number), AMPLE))
    };
    let mut tests = vec![test(100)];
    assert_eq!(running.attempted().notices[0].key.incident.0, 100);
    tests.extend([101, 102].map(test));
    eventually(|| running.handle.waiting_tests() == 2);
    running.handle.restore([fired(1)]);
    drop(release);
    let order: Vec<u64> = (0..3).map(|_| running.attempted().notices[0].key.incident.0).collect();
    assert_eq!(order[0], 1, "{order:?}");
    tests.into_iter().for_each(|test| assert_eq!(test.join().unwrap(), Ok(())));
}

#[test]
fn courier_whose_thread_has_ended_keeps_its_messages_and_gets_another_thread() {
    let (deliver, attempted) = fake(Vec::new());
    let mut courier =
        Courier::new("phone".into(), OUTBOX, fake_clock().clock(), Claim::unlimited());
    let handle = courier.handle();
    handle.restore([fired(1)]);
    // A defect: the thread ends while a message is in flight.
    let inbox = handle.inbox(OUTBOX);
    assert!(matches!(inbox.next().next, Next::Send(_)));
    drop(inbox);
    assert!(!courier.is_running());
    handle.restore([fired(2)]);
    assert_eq!((handle.status().waiting, handle.notices().len()), (2, 2));
    courier.run(2, OUTBOX, deliver, AMPLE, Box::new(drop)).unwrap();
    assert_eq!(attempted.recv_timeout(AMPLE).unwrap().0.notices, [fired(1), fired(2)]);
}

#[test]
fn wait_that_the_server_has_asked_for_is_kept_unless_the_settings_of_the_channel_change() {
    for (is_changed, expected) in [(false, 1), (true, 2)] {
        let clock = fake_clock();
        let running = start_with(vec![Behavior::Wait(3600)], clock.clock());
        running.handle.restore([fired(1)]);
        running.attempted();
        eventually_failed(&running.handle, 1);
        let (deliver, attempted) = fake(Vec::new());
        running.courier.renew(is_changed.then_some(OUTBOX), AMPLE, deliver);
        running.handle.retry_now();
        // A test is sent after what is due.
        running.handle.send_test(fired(100), AMPLE).unwrap();
        assert_eq!(attempted.len(), expected, "{is_changed}");
    }
}

#[test]
fn transient_failure_is_tried_again_with_the_same_key() {
    let clock = fake_clock();
    let fail = Behavior::Fail(DeliveryFault::Transient);
    let running = start_with(vec![fail], clock.clock());
    running.handle.restore([fired(1)]);
    let first = running.attempted();
    assert_eq!(running.attempted_later(&clock).key, first.key);
    assert_eq!(running.done(), [key(1)]);
}

#[test]
fn test_message_is_sent_at_once_and_has_an_outcome() {
    let running = start(vec![Behavior::Accept, Behavior::Fail(DeliveryFault::Refused)]);
    let test = || running.handle.send_test(fired(5), AMPLE);
    assert_eq!(test(), Ok(()));
    let Err(TestError::Delivery(error)) = test() else { panic!("it was refused") };
    assert_eq!((error.fault, &*error.message), (DeliveryFault::Refused, "no"));
    assert_eq!(running.handle.status(), Default::default(), "the outbox is not involved");
}

/// Returns clocks that only the test advances.
fn fake_clock() -> FakeClock {
    FakeClock::new(time_point(at(10), 0))
}
