//! Pauses of this process and of the machine.

use super::AlarmState::{Begins, Over};
use super::*;

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
        fn obstacle(&self, _: Option<ServeOptions>) -> Option<String> {
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
