//! The monitor over a scripted server and restarter, with a clock that the test sets.

mod alarms;
mod pauses;
mod restarts;
mod run;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use super::*;
use crate::supervisor::alarm::{AlarmReport, AlarmState};
use crate::supervisor::restart::{Eligibility, RestartError};
use crate::supervisor::serve_options::ServeOptions;

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

    fn obstacle(&self, _: Option<ServeOptions>) -> Option<String> {
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

    fn process(&self) -> Option<i32> {
        None
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
        let settings =
            MonitorSettings { name: "well".to_owned(), limits, is_dry_run, read_options: |_| None };
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
