//! Outcomes of probes that lead to a restart, and those that do not.

use super::AlarmState::{Begins, Over};
use super::*;

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
