//! The monitor over a scripted server and restarter, with a clock that the test sets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use crossbeam_channel::bounded;

use super::*;
use crate::supervisor::alarm::{AlarmReport, AlarmState};
use crate::supervisor::restart::{Eligibility, RestartError};

/// A server and its restarter in one, which follow a script and count calls.
#[derive(Clone)]
struct Fake(Rc<RefCell<Script>>);

struct Script {
    verdicts: Vec<(&'static str, Verdict)>,
    fault: Option<String>,
    obstacle: Option<String>,
    eligibility: Result<Eligibility, String>,
    outcome: Result<String, RestartError>,
    scoreboards: u32,
    restarts: u32,
    checks: u32,
}

const ADMIN: &str = "http://admin";
const PUBLIC: &str = "https://public";
const NAME: Verdict = Verdict::Misconfigured { kind: AlarmKind::CertificateName, answered: true };
const LOOKUP: Verdict = Verdict::Misconfigured { kind: AlarmKind::NameLookup, answered: false };

impl Default for Script {
    fn default() -> Script {
        Script {
            verdicts: vec![(ADMIN, Verdict::Unresponsive)],
            fault: None,
            obstacle: None,
            eligibility: Ok(Eligibility::Eligible),
            outcome: Ok("done".to_owned()),
            scoreboards: 0,
            restarts: 0,
            checks: 0,
        }
    }
}

impl Script {
    fn of(verdicts: &[(&'static str, Verdict)]) -> Script {
        Script { verdicts: verdicts.to_vec(), ..Script::default() }
    }
}

impl Server for Fake {
    fn refresh(&mut self, _: bool) -> Option<String> {
        self.0.borrow().fault.clone()
    }

    fn probe(&mut self) -> Result<Vec<Outcome>, Duration> {
        let script = self.0.borrow();
        let outcome = |(target, verdict): &(&str, Verdict)| Outcome {
            target: (*target).to_owned(),
            verdict: *verdict,
            text: format!("{target}: {verdict:?}"),
        };
        Ok(script.verdicts.iter().map(outcome).collect())
    }

    fn obstacle(&self) -> Option<String> {
        self.0.borrow().obstacle.clone()
    }

    fn scoreboard(&self) -> Result<String, String> {
        self.0.borrow_mut().scoreboards += 1;
        Err("late".to_owned())
    }
}

impl Restarter for Fake {
    fn eligibility(&mut self) -> Result<Eligibility, String> {
        self.0.borrow_mut().checks += 1;
        self.0.borrow().eligibility.clone()
    }

    fn restart(&mut self) -> Result<String, RestartError> {
        self.0.borrow_mut().restarts += 1;
        self.0.borrow().outcome.clone()
    }

    fn resume(&mut self) -> Option<String> {
        None
    }
}

/// A monitor of a fake, its clock, and the alarms that it has reported.
struct Scenario {
    fake: Fake,
    monitor: Monitor,
    now: Rc<Cell<Moment>>,
    reports: Arc<Mutex<Vec<AlarmReport>>>,
}

impl Scenario {
    fn new(script: Script, is_dry_run: bool) -> Scenario {
        let fake = Fake(Rc::new(RefCell::new(script)));
        let now = Rc::new(Cell::new(Moment::now()));
        let reports = Arc::new(Mutex::new(Vec::new()));
        let (clock, sink) = (Rc::clone(&now), Arc::clone(&reports));
        let limits = RestartLimits { failures: 2, max_restarts: 2, grace: Duration::ZERO };
        let settings = MonitorSettings { name: "well".to_owned(), limits, is_dry_run };
        let monitor = Monitor::new(
            settings,
            Box::new(fake.clone()),
            Box::new(fake.clone()),
            Alarms::new(Box::new(move |report| sink.lock().unwrap().push(report))),
            Box::new(move || clock.get()),
        );
        Scenario { fake, monitor, now, reports }
    }

    fn pass(&self, time: Duration) {
        let Moment { instant, boot } = self.now.get();
        self.now.set(Moment { instant: instant + time, boot: boot + time });
    }

    /// Lets five seconds pass in steps, then probes.
    fn tick(&mut self) -> &mut Scenario {
        for _ in 0..5 {
            self.pass(STEP);
            self.monitor.note_pause(STEP);
        }
        self.monitor.tick();
        self
    }

    fn ticks(&mut self, count: u32) -> &mut Scenario {
        for _ in 0..count {
            self.tick();
        }
        self
    }

    fn set(&self, verdicts: &[(&'static str, Verdict)]) {
        self.fake.0.borrow_mut().verdicts = verdicts.to_vec();
    }

    fn restarts(&self) -> u32 {
        self.fake.0.borrow().restarts
    }

    /// Returns the kinds and states of the alarms reported since the last call.
    fn reports(&self) -> Vec<(&'static str, AlarmState)> {
        let mut reports = self.reports.lock().unwrap();
        reports.drain(..).map(|report| (report.kind.as_str(), report.state)).collect()
    }
}

use AlarmState::{Begins, Over};

#[test]
fn eligible_server_is_restarted_within_the_limit() {
    let broken = || RestartError::Unfinished("broken".to_owned());
    let refused = || RestartError::NotBegun("refused".to_owned());
    let alone = || Ok(Eligibility::Ineligible("supervisord reports STOPPED".to_owned()));
    let verdict = |verdict| Script::of(&[(ADMIN, verdict)]);
    for (case, script, is_dry_run, expected) in [
        ("eligible", Script::default(), false, (2, 2)),
        ("a dry run", Script::default(), true, (0, 2)),
        ("healthy", verdict(Verdict::Healthy), false, (0, 0)),
        ("not probed", verdict(Verdict::NotProbed), false, (0, 0)),
        ("stopped", Script { eligibility: alone(), ..Script::default() }, false, (0, 0)),
        (
            "given up",
            Script { eligibility: Ok(Eligibility::GaveUp(String::new())), ..Script::default() },
            false,
            (0, 0),
        ),
        (
            "no answer",
            Script { eligibility: Err(String::new()), ..Script::default() },
            false,
            (0, 0),
        ),
        ("unfinished", Script { outcome: Err(broken()), ..Script::default() }, false, (2, 2)),
        // Not counted as a restart, so every second tick tries again.
        ("not begun", Script { outcome: Err(refused()), ..Script::default() }, false, (10, 10)),
        // Whatever else is wrong, a server that is silent is restarted.
        (
            "a certificate for another name, and silent",
            Script::of(&[(ADMIN, Verdict::Unresponsive), (PUBLIC, NAME)]),
            false,
            (2, 2),
        ),
        (
            "silent to visitors only",
            Script::of(&[(ADMIN, Verdict::Healthy), (PUBLIC, Verdict::Unresponsive)]),
            false,
            (2, 2),
        ),
        (
            "a certificate for another name",
            Script::of(&[(ADMIN, Verdict::Healthy), (PUBLIC, NAME)]),
            false,
            (0, 0),
        ),
        ("no admin listener to probe", Script::of(&[(PUBLIC, NAME)]), false, (0, 0)),
        ("no lookup", Script::of(&[(PUBLIC, LOOKUP)]), false, (0, 0)),
        (
            "no lookup, and silent",
            Script::of(&[(ADMIN, Verdict::Unresponsive), (PUBLIC, LOOKUP)]),
            false,
            (2, 2),
        ),
        (
            "not probed, and silent",
            Script::of(&[(ADMIN, Verdict::NotProbed), (PUBLIC, Verdict::Unresponsive)]),
            false,
            (2, 2),
        ),
    ] {
        let mut scenario = Scenario::new(script, is_dry_run);
        scenario.ticks(20);
        let script = scenario.fake.0.borrow();
        assert_eq!((script.restarts, script.scoreboards), expected, "{case}");
    }
}

#[test]
fn server_that_would_not_start_again_is_not_restarted() {
    let mut scenario = Scenario::new(Script::default(), false);
    scenario.fake.0.borrow_mut().obstacle = Some("pumphouse.toml:1:1: bad\nworse".to_owned());
    scenario.ticks(6);
    assert_eq!((scenario.restarts(), scenario.reports()), (0, vec![("would_not_start", Begins)]));
    scenario.fake.0.borrow_mut().obstacle = None;
    scenario.ticks(2);
    assert_eq!((scenario.restarts(), scenario.reports()), (1, vec![("would_not_start", Over)]));
}

#[test]
fn fault_that_a_restart_does_not_cure_is_no_failure_in_a_row() {
    let failed = [(ADMIN, Verdict::Unresponsive)];
    // A server that answers ends the row; a lookup that fails says nothing.
    for (between, restarts) in [(NAME, 0), (LOOKUP, 1)] {
        let mut scenario = Scenario::new(Script::of(&failed), false);
        scenario.tick();
        scenario.set(&[(PUBLIC, between)]);
        scenario.tick();
        scenario.set(&failed);
        scenario.tick();
        assert_eq!(scenario.restarts(), restarts, "{between:?}");
    }
}

#[test]
fn alarm_about_a_probe_lasts_until_its_address_is_known_to_be_well() {
    let mut scenario =
        Scenario::new(Script::of(&[(ADMIN, Verdict::Healthy), (PUBLIC, NAME)]), false);
    scenario.ticks(3);
    assert_eq!(scenario.reports(), [("certificate_name", Begins)]);
    for unknown in [Verdict::Unresponsive, Verdict::NotProbed] {
        scenario.set(&[(ADMIN, Verdict::Healthy), (PUBLIC, unknown)]);
        scenario.tick();
        assert!(scenario.monitor.alarms.has(AlarmKind::CertificateName), "{unknown:?}");
    }
    assert_eq!(scenario.reports(), [("not_probed", Begins)]);
    scenario.set(&[(ADMIN, Verdict::Healthy), (PUBLIC, LOOKUP)]);
    scenario.tick();
    let expected = [("certificate_name", Over), ("name_lookup", Begins), ("not_probed", Over)];
    assert_eq!(scenario.reports(), expected);
    scenario.set(&[(ADMIN, Verdict::Healthy), (PUBLIC, Verdict::Healthy)]);
    scenario.tick();
    assert_eq!(scenario.reports(), [("name_lookup", Over)]);
    // An address that is no longer probed.
    scenario.set(&[(ADMIN, Verdict::Healthy), (PUBLIC, NAME)]);
    scenario.tick();
    scenario.set(&[(ADMIN, Verdict::Healthy)]);
    scenario.tick();
    assert_eq!(scenario.reports(), [("certificate_name", Begins), ("certificate_name", Over)]);
}

#[test]
fn certificate_that_is_being_renewed_raises_no_alarm() {
    let untrusted =
        Verdict::Misconfigured { kind: AlarmKind::CertificateUntrusted, answered: true };
    let mut scenario = Scenario::new(Script::of(&[(PUBLIC, untrusted)]), false);
    scenario.ticks(14);
    scenario.set(&[(PUBLIC, Verdict::Healthy)]);
    scenario.tick();
    scenario.set(&[(PUBLIC, untrusted)]);
    scenario.ticks(14);
    assert_eq!(scenario.reports(), []);
    scenario.tick();
    assert_eq!(scenario.reports(), [("certificate_untrusted", Begins)]);
}

#[test]
fn alarm_about_restarts_begins_when_they_are_used_up_and_ends_with_health() {
    let mut scenario = Scenario::new(Script::default(), false);
    scenario.ticks(5);
    assert_eq!((scenario.restarts(), scenario.reports()), (2, vec![]));
    scenario.ticks(10);
    assert_eq!((scenario.restarts(), scenario.reports()), (2, vec![("restarts_used_up", Begins)]));
    scenario.set(&[(ADMIN, Verdict::Healthy)]);
    scenario.tick();
    assert_eq!(scenario.reports(), [("restarts_used_up", Over)]);

    let mut scenario = Scenario::new(Script::default(), false);
    scenario.fake.0.borrow_mut().outcome = Err(RestartError::Unfinished("broken".to_owned()));
    scenario.ticks(2);
    assert_eq!(scenario.reports(), [("restart_failed", Begins)]);
    scenario.fake.0.borrow_mut().outcome = Ok("done".to_owned());
    scenario.ticks(2);
    assert_eq!(scenario.reports(), [("restart_failed", Over)]);
}

#[test]
fn program_that_was_given_up_and_supervisord_that_is_silent_raise_alarms() {
    let gave_up = || Ok(Eligibility::GaveUp("given up".to_owned()));
    let mut scenario = Scenario::new(Script { eligibility: gave_up(), ..Script::default() }, false);
    scenario.ticks(2);
    assert_eq!(scenario.reports(), [("gave_up", Begins)]);
    // An operator starts it: seen at the next tick, before it is healthy.
    scenario.fake.0.borrow_mut().eligibility = Ok(Eligibility::Ineligible("starting".to_owned()));
    scenario.tick();
    assert_eq!(scenario.reports(), [("gave_up", Over)]);

    // A connection that does not work is found while the server is healthy, and not at each tick.
    let mut scenario = Scenario::new(Script::of(&[(ADMIN, Verdict::Healthy)]), false);
    scenario.fake.0.borrow_mut().eligibility = Err("permission denied".to_owned());
    scenario.ticks(12);
    assert_eq!(scenario.reports(), [("supervisord_unreachable", Begins)]);
    assert_eq!(scenario.fake.0.borrow().checks, 1);
    scenario.fake.0.borrow_mut().eligibility = Ok(Eligibility::Eligible);
    scenario.ticks(12);
    assert_eq!(scenario.reports(), [("supervisord_unreachable", Over)]);
}

#[test]
fn files_that_cannot_be_used_raise_an_alarm() {
    let mut scenario = Scenario::new(Script::of(&[(ADMIN, Verdict::Healthy)]), false);
    scenario.fake.0.borrow_mut().fault = Some("pumphouse.toml:1:1: bad".to_owned());
    scenario.ticks(2);
    assert_eq!(scenario.reports(), [("configuration", Begins)]);
    scenario.fake.0.borrow_mut().fault = None;
    scenario.tick();
    assert_eq!(scenario.reports(), [("configuration", Over)]);
}

#[test]
fn failures_before_and_after_a_pause_of_this_process_are_not_in_a_row() {
    let stop = |scenario: &Scenario| scenario.pass(Duration::from_secs(60));
    let suspend = |scenario: &Scenario| {
        let Moment { instant, boot } = scenario.now.get();
        scenario.now.set(Moment { instant, boot: boot + Duration::from_secs(3600) });
    };
    type Pause<'a> = (&'a str, &'a dyn Fn(&Scenario), u32);
    let none = |_: &Scenario| {};
    let pauses: [Pause<'_>; 3] =
        [("none", &none, 1), ("stopped", &stop, 0), ("suspended", &suspend, 0)];
    for (case, pause, restarts) in pauses {
        let mut scenario = Scenario::new(Script::default(), false);
        scenario.tick();
        pause(&scenario);
        scenario.tick();
        assert_eq!(scenario.restarts(), restarts, "{case}");
        // A server that does not wake up is restarted in the end.
        scenario.ticks(4);
        assert!(scenario.restarts() > 0, "{case}");
    }
}

#[test]
fn probe_during_a_pause_is_discarded() {
    /// A server each second probe of which was cut off by a pause.
    struct Paused(Duration, bool);
    impl Server for Paused {
        fn refresh(&mut self, _: bool) -> Option<String> {
            None
        }
        fn probe(&mut self) -> Result<Vec<Outcome>, Duration> {
            self.1 = !self.1;
            let (target, text) = (ADMIN.to_owned(), "late".to_owned());
            let failed = vec![Outcome { target, verdict: Verdict::Unresponsive, text }];
            if self.1 { Ok(failed) } else { Err(self.0) }
        }
        fn obstacle(&self) -> Option<String> {
            None
        }
        fn scoreboard(&self) -> Result<String, String> {
            Err(String::new())
        }
    }
    // A short pause is a busy machine, on which a server that hangs is restarted as well.
    for (pause, restarts) in [(60, 0), (2, 2)] {
        let mut scenario = Scenario::new(Script::default(), false);
        scenario.monitor.server = Box::new(Paused(Duration::from_secs(pause), false));
        scenario.ticks(10);
        assert_eq!(scenario.restarts(), restarts, "{pause} s");
    }
}

#[test]
fn machine_that_does_not_let_this_process_run_raises_an_alarm() {
    let mut scenario = Scenario::new(Script::default(), false);
    for _ in 0..6 {
        scenario.pass(Duration::from_secs(4));
        scenario.monitor.note_pause(STEP);
        scenario.tick();
    }
    assert_eq!((scenario.restarts(), scenario.reports()), (0, vec![("not_probed", Begins)]));
    scenario.tick();
    assert_eq!(scenario.reports(), [("not_probed", Over)]);
}

#[test]
fn server_that_sheds_visitors_for_a_minute_raises_an_alarm() {
    let shed = Verdict::Misconfigured { kind: AlarmKind::Overloaded, answered: true };
    let mut scenario =
        Scenario::new(Script::of(&[(ADMIN, Verdict::Healthy), (PUBLIC, shed)]), false);
    scenario.ticks(11);
    assert_eq!(scenario.reports(), []);
    scenario.tick();
    assert_eq!((scenario.restarts(), scenario.reports()), (0, vec![("overloaded", Begins)]));
}

#[test]
fn server_that_crashes_after_each_start_raises_an_alarm() {
    let starting = || Ok(Eligibility::Ineligible("started 3 s ago".to_owned()));
    let mut scenario =
        Scenario::new(Script { eligibility: starting(), ..Script::default() }, false);
    // Healthy at each third tick.
    for tick in 0..63 {
        let verdict = if tick % 3 == 2 { Verdict::Healthy } else { Verdict::Unresponsive };
        scenario.set(&[(ADMIN, verdict)]);
        scenario.tick();
    }
    assert_eq!((scenario.restarts(), scenario.reports()), (0, vec![("not_healthy", Begins)]));
    scenario.set(&[(ADMIN, Verdict::Healthy)]);
    scenario.ticks(14);
    assert_eq!(scenario.reports(), [("not_healthy", Over)]);
}

#[test]
fn alarms_of_probes_end_when_an_operator_stops_the_program() {
    let mut scenario =
        Scenario::new(Script::of(&[(ADMIN, Verdict::Healthy), (PUBLIC, NAME)]), false);
    scenario.tick();
    assert_eq!(scenario.reports(), [("certificate_name", Begins)]);
    scenario.fake.0.borrow_mut().eligibility = Ok(Eligibility::Stopped("STOPPED".to_owned()));
    scenario.set(&[(ADMIN, Verdict::Unresponsive), (PUBLIC, LOOKUP)]);
    scenario.ticks(100);
    let expected = [("certificate_name", Over), ("name_lookup", Begins), ("name_lookup", Over)];
    assert_eq!(scenario.reports(), expected);
}

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
