//! Begin and end of the alarms.

use super::AlarmState::{Begins, Over};
use super::*;

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
fn address_that_comes_late_raises_no_alarm_within_a_minute_or_the_grace_period() {
    for kind in [AlarmKind::Route, AlarmKind::Listener] {
        for (grace, quiet) in [(0, 11), (15, 11), (120, 25)] {
            let absent = Verdict::Misconfigured { kind, answered: false };
            let script = Script::of(&[(ADMIN, Verdict::Healthy), (PUBLIC, absent)]);
            let mut scenario = Scenario::new(script, false);
            scenario.monitor.settings.limits.grace = Duration::from_secs(grace);
            scenario.ticks(quiet);
            assert_eq!(scenario.reports(), [], "{kind:?} {grace}");
            scenario.tick();
            assert_eq!(scenario.reports(), [(kind.as_str(), Begins)], "{kind:?} {grace}");
        }
    }
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
