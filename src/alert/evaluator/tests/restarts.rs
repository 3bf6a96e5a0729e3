//! Restarts, reloads, and the take-over of the file of another process.

use super::*;

use NoticeKind::{Ended, Fired};

#[test]
fn incident_goes_on_after_a_restart() {
    let mut world = World::new(vec![low(one("a"))]);
    world.report("a", 100.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 0)]);
    world.restart(vec![low(one("a"))]);
    world.pass(1);
    world.report("a", 320.0);
    assert_eq!(world.sent("phone"), [], "within the hysteresis");
    world.restart(vec![Alert { severity: Severity::Critical, ..low(one("a")) }]);
    world.report("a", 360.0);
    assert_eq!(world.sent("phone"), [(Ended, 1, 1)]);
    assert_eq!(world.incidents.len(), 1);
    assert!(world.incidents.values().all(|incident| incident.ended.is_some()));
}

#[test]
fn source_is_not_stale_because_the_server_did_not_run() {
    let rules = || vec![stale(one("a"))];
    let mut world = World::new(rules());
    world.report("a", 1.0);
    for answers in [true, false] {
        world.stop_for(60);
        world.restart(rules());
        world.pass(14);
        assert_eq!(world.sent("phone"), [], "it may answer yet");
        if answers {
            world.report("a", 1.0);
        }
        world.pass(1);
    }
    let start = 60 + 15 + 60;
    assert_eq!(world.sent("phone"), [(Fired, 1, start + 15)]);
}

#[test]
fn rule_that_is_pending_keeps_its_time_over_a_restart() {
    let rule = || Alert { hold: Duration::from_secs(600), ..low(one("a")) };
    let mut world = World::new(vec![rule()]);
    world.report("a", 100.0);
    world.pass(5);
    world.report("a", 100.0);
    world.restart(vec![rule()]);
    world.pass(5);
    world.report("a", 100.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 10)]);
}

#[test]
fn incident_of_a_changed_or_removed_rule_is_withdrawn_with_one_message() {
    let changed = || {
        let mut alert = low(one("a"));
        alert.hold = Duration::from_secs(60);
        alert
    };
    for (name, alerts) in [("changed", vec![changed()]), ("removed", vec![])] {
        for is_reload in [true, false] {
            let mut world = World::new(vec![low(one("a"))]);
            world.report("a", 100.0);
            world.sent("phone");
            match is_reload {
                true => {
                    let now = world.now();
                    world.evaluator.renew(settings(alerts.clone()), now);
                    world.save();
                }
                false => world.restart(alerts.clone()),
            }
            assert_eq!(world.sent("phone"), [(Ended, 1, 0)], "{name} {is_reload}");
            let ended = world.incidents.values().next().unwrap().ended.unwrap();
            assert_eq!(ended.reason, EndReason::Withdrawn);
            assert!(world.states.is_empty(), "{name} {is_reload}");
            world.look();
            assert_eq!(world.sent("phone"), [], "{name} {is_reload}");
        }
    }
}

#[test]
fn changed_rule_starts_anew() {
    let mut world = World::new(vec![low(one("a"))]);
    world.report("a", 100.0);
    let other = Alert { between: Some("00:00-12:00".parse().unwrap()), ..low(one("a")) };
    world.evaluator.renew(settings(vec![other]), time_point(t(0), 0));
    world.look();
    assert_eq!(world.sent("phone"), [(Fired, 1, 0), (Ended, 1, 0), (Fired, 2, 0)]);
}

#[test]
fn unchanged_rule_keeps_its_state_at_a_reload() {
    let mut world = World::new(vec![stale(one("b")), low(one("a"))]);
    world.report("a", 100.0);
    let now = world.now();
    world.evaluator.renew(settings(vec![low(one("a")), stale(one("b"))]), now);
    world.look();
    world.report_at("a", 1, 400.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 0), (Ended, 1, 0)]);
}

#[test]
fn nothing_is_announced_in_standby_and_the_states_of_the_other_process_are_taken_over() {
    let mut world = World::new(vec![low(SourceSelection::All)]);
    world.report("a", 100.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 0)]);
    world.start_in_standby(vec![low(SourceSelection::All)]);
    world.report("a", 90.0);
    world.report("b", 90.0);
    assert_eq!(world.shown().len(), 2, "what it sees is shown");
    assert_eq!((world.sent("phone"), world.incidents.len()), (vec![], 1));
    world.take_over();
    world.look();
    assert_eq!(world.sent("phone"), [(Fired, 2, 0)], "of the source that the other did not see");
    world.report_at("a", 1, 400.0);
    assert_eq!(world.sent("phone"), [(Ended, 1, 0)]);
}

#[test]
fn file_that_is_readable_late_does_not_double_what_was_announced_meanwhile() {
    let mut world = World::new(vec![low(SourceSelection::All)]);
    world.report("a", 100.0);
    world.evaluator.acknowledge("tank_low", None, &"ann".into(), t(0)).unwrap();
    world.save();
    world.sent("phone");
    // The disk hangs: the rules start anew, and nothing is written.
    let file = (world.states.clone(), world.incidents.clone());
    world.start_in_standby(vec![low(SourceSelection::All)]);
    let now = world.now();
    world.evaluator.activate(Loaded::default(), now);
    world.look();
    assert_eq!(world.sent("phone"), [(Fired, 1, 0)]);
    let duplicate = *world.incidents.keys().last().unwrap();
    (world.states, world.incidents) = file;
    world.take_over();
    assert_eq!(world.sent("phone"), [(Ended, 1, 0)]);
    let ended = world.incidents[&duplicate].ended.map(|ended| ended.reason);
    assert_eq!(ended, Some(EndReason::Duplicate), "the one from before the restart continues");
    assert_eq!(world.shown(), [("a".to_owned(), "acknowledged")]);
    world.look();
    world.report_at("a", 1, 400.0);
    assert_eq!(world.sent("phone"), [(Ended, 1, 0)]);
    assert!(world.incidents.values().all(|incident| incident.ended.is_some()));
}

#[test]
fn step_of_the_clock_that_the_board_has_not_noticed_makes_no_source_stale() {
    let mut world = World::new(vec![stale(one("a"))]);
    world.report("a", 400.0);
    let day = 24 * 60;
    world.set_clock_before_board(day);
    assert_eq!((world.shown(), world.sent("phone")), (vec![], vec![]));
    world.redate_board(day);
    world.look();
    assert_eq!((world.shown(), world.sent("phone")), (vec![], vec![]));
    world.pass(120);
    assert_eq!(world.shown(), [("a".to_owned(), "firing")], "it is stale after its time");
}

#[test]
fn board_that_never_notices_a_step_does_not_silence_the_rules() {
    let mut world = World::new(vec![low(one("a"))]);
    world.report("a", 400.0);
    world.set_clock_before_board(24 * 60);
    world.report("a", 100.0);
    assert_eq!(world.shown(), []);
    world.pass(1);
    assert_eq!(world.shown(), [("a".to_owned(), "firing")]);
}

#[test]
fn window_starts_from_recorded_observations() {
    let gallons = |number| Limit { number, unit: Some(Unit::UsGallon) };
    let condition =
        FieldCondition::Falls { by: gallons(40.0), within: Duration::from_secs(3600), clear: None };
    let rule = AlertRule::Field { sources: one("a"), field: "volume".into(), condition };
    let mut world = World::new(vec![Alert { rule, ..low(one("a")) }]);
    world.pass(60);
    let key = SubjectKey { alert: "tank_low".into(), source: Some("a".into()), replica: None };
    let samples = vec![(t(30), 441.0), (t(45), 420.0)];
    let unit = Some(Unit::UsGallon);
    world.evaluator.backfill(vec![crate::alert::WindowSamples { key, unit, samples }]);
    world.report("a", 400.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 60)]);
}

#[test]
fn incident_of_which_no_present_channel_knows_is_announced_to_them() {
    let only = |channel: &str| Some(vec![channel.into()]);
    let rule = |notify| Alert { notify, ..low(one("a")) };
    let renamed =
        |alerts| Settings { channels: vec!["phone_2".into(), "mail".into()], ..settings(alerts) };
    for (before, after, expected) in [
        // The channel of the rule was renamed, and so was its name in the rule.
        (only("phone"), only("phone_2"), vec!["phone_2"]),
        (only("phone"), None, vec!["phone_2", "mail"]),
        // It had no channel.
        (Some(vec![]), None, vec!["phone_2", "mail"]),
        // Another one knows of it.
        (None, None, vec![]),
        (only("mail"), only("phone_2"), vec![]),
        // There is none.
        (only("phone"), only("phone"), vec![]),
        (only("phone"), Some(vec![]), vec![]),
    ] {
        for is_reload in [true, false] {
            let mut world = World::new(vec![rule(before.clone())]);
            world.report("a", 100.0);
            world.notices.clear();
            let (after, now) = (renamed(vec![rule(after.clone())]), world.now());
            match is_reload {
                true => world.evaluator.renew(after.clone(), now),
                false => {
                    world.start_in_standby(vec![]);
                    world.evaluator.renew(after.clone(), now);
                    world.take_over();
                }
            }
            world.save();
            let of_kind = |world: &World, kind| {
                let notices = world.notices.iter().filter(|notice| notice.key.kind == kind);
                notices.map(|notice| notice.key.channel.to_string()).collect::<Vec<_>>()
            };
            let case = format!("{before:?} {:?} {is_reload}", after.alerts[0].notify);
            assert_eq!(of_kind(&world, Fired), expected, "{case}");
            world.evaluator.renew(after, now);
            world.report_at("a", 1, 400.0);
            assert_eq!(of_kind(&world, Fired), expected, "once: {case}");
            if !expected.is_empty() {
                assert_eq!(of_kind(&world, Ended), expected, "{case}");
            }
        }
    }
}

#[test]
fn incident_of_a_renamed_channel_is_announced_after_the_silence() {
    let mut world = World::new(vec![low(one("a"))]);
    world.report("a", 100.0);
    let now = world.now();
    world.evaluator.silence("tank_low", t(60), "ann", t(0)).unwrap();
    let renamed = Settings { channels: vec!["phone_2".into()], ..settings(vec![low(one("a"))]) };
    world.evaluator.renew(renamed, now);
    world.save();
    assert_eq!(world.sent("phone_2"), []);
    world.pass(60);
    assert_eq!(world.sent("phone_2"), [(Fired, 1, 60)]);
}
