//! The loop over ticks, events and signals.

use crossbeam_channel::bounded;

use super::*;

#[test]
fn monitor_ends_with_supervisord_or_at_a_stop_request() {
    let (tick, ticks) = bounded(3);
    let (_gave_up, gave_up) = bounded(1);
    let (_request, requests) = bounded(1);
    let scenario = Scenario::new(Script::default(), false);
    (0..3).for_each(|_| tick.send(()).unwrap());
    drop(tick);
    let source = TickSource::Supervisord { ticks, gave_up };
    let Scenario { fake, monitor, .. } = scenario;
    monitor.run(&source, &requests);
    assert_eq!(fake.0.borrow().restarts, 1, "two of the three ticks led to a restart");

    let (request, requests) = bounded(1);
    request.send(signals::Request::Stop).unwrap();
    Scenario::new(Script::default(), false).monitor.run(&TickSource::Timer, &requests);
}

#[test]
fn message_of_supervisord_that_it_gave_up_raises_the_alarm_at_once() {
    let (_tick, ticks) = bounded(1);
    let (gave_up, given_up) = bounded(1);
    let (request, requests) = bounded(1);
    let scenario = Scenario::new(Script::of(&[(ADMIN, Verdict::Healthy)]), false);
    let Scenario { fake, monitor, reports, .. } = scenario;
    gave_up.send(()).unwrap();
    // The first check finds it running. The message leads to a second one.
    struct Later(Fake);
    impl Restarter for Later {
        fn eligibility(&mut self) -> Result<Eligibility, String> {
            let checks = self.0.eligibility().map(|_| self.0.0.borrow().checks)?;
            Ok(match checks {
                1 => Eligibility::Eligible,
                _ => Eligibility::GaveUp("given up".to_owned()),
            })
        }
        fn process(&self) -> Option<i32> {
            None
        }
        fn restart(&mut self) -> Result<String, RestartError> {
            self.0.restart()
        }
        fn resume(&mut self) -> Option<String> {
            None
        }
    }
    let mut monitor = monitor;
    monitor.restarter = Box::new(Later(fake));
    let stopper = Arc::clone(&reports);
    let stopper = std::thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(60);
        while stopper.lock().unwrap().is_empty() {
            assert!(Instant::now() < deadline, "no alarm");
            std::thread::yield_now();
        }
        request.send(signals::Request::Stop).unwrap();
    });
    monitor.run(&TickSource::Supervisord { ticks, gave_up: given_up }, &requests);
    stopper.join().unwrap();
    assert_eq!(reports.lock().unwrap()[0].kind, AlarmKind::GaveUp);
}
