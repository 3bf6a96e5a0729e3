//! Notices that follow from the states, and their times.

use super::*;

use NoticeKind::{Ended, Fired, Reminder};

#[test]
fn incident_is_announced_once_to_each_channel_and_so_is_its_end() {
    let mut world = World::new(vec![low(one("a"))]);
    for gallons in [400.0, 299.0, 280.0, 320.0, 349.0] {
        world.pass(5);
        world.report("a", gallons);
        world.report("a", gallons);
    }
    let phone: Vec<_> = world.notices.iter().map(|notice| &*notice.key.channel).collect();
    assert_eq!(phone, ["phone", "mail"]);
    assert_eq!(world.sent("phone"), [(Fired, 1, 10)]);
    assert_eq!(world.shown(), [("a".into(), "firing")]);
    world.pass(5);
    world.report("a", 350.0);
    assert_eq!(world.sent("mail"), [(Ended, 1, 30)]);
    assert_eq!(world.shown(), []);
    let kinds: Vec<_> = world.events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["alert_fired", "alert_ended"]);
    assert_eq!(world.incidents.len(), 1);
    // Again: another incident.
    world.report_at("a", 31, 100.0);
    assert_eq!(world.sent("phone"), [(Fired, 2, 30)]);
}

#[test]
fn what_is_bad_at_the_start_fires() {
    let mut world = World::new(vec![low(one("a"))]);
    world.report("a", 100.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 0)]);
}

#[test]
fn null_and_stale_values_freeze_a_rule_and_the_rule_on_stale_sources_speaks() {
    let mut world = World::new(vec![low(one("a")), stale(one("a"))]);
    world.report("a", 100.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 0)]);
    world.pass(5);
    world.report("a", None);
    world.pass(14);
    assert_eq!(world.sent("phone"), []);
    world.pass(1);
    assert_eq!(world.sent("phone"), [(Fired, 2, 20)], "of silent");
    assert_eq!(world.shown(), [("a".into(), "firing"), ("a".into(), "firing")]);
    world.report("a", 400.0);
    assert_eq!(world.sent("phone"), [(Ended, 1, 20), (Ended, 2, 20)]);
}

#[test]
fn source_that_never_answers_is_stale_after_its_time() {
    let mut world = World::new(vec![stale(SourceSelection::All)]);
    world.pass(14);
    assert_eq!(world.shown(), []);
    world.report("b", 1.0);
    world.pass(1);
    assert_eq!(world.shown(), [("a".into(), "firing")]);
}

#[test]
fn rule_over_many_has_a_state_for_each_source() {
    let mut world = World::new(vec![low(SourceSelection::Group("north".into()))]);
    world.report("a", 100.0);
    world.report("b", 100.0);
    world.report_at("a", 1, 400.0);
    assert_eq!(world.sent("phone"), [(Fired, 1, 0), (Fired, 2, 0), (Ended, 1, 0)]);
    assert_eq!(world.shown(), [("b".into(), "firing")]);
}

#[test]
fn reminders_follow_until_acknowledged_and_the_last_pause_repeats() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let repeat = vec![minutes(15), minutes(60)];
    let mut world = World::new(vec![Alert { repeat, ..low(one("a")) }]);
    world.report("a", 100.0);
    for _ in 0..200 {
        world.pass(1);
        world.report("a", 100.0);
    }
    let expected = [
        (Fired, 1, 0),
        (Reminder, 1, 15),
        (Reminder, 1, 75),
        (Reminder, 1, 135),
        (Reminder, 1, 195),
    ];
    assert_eq!(world.sent("phone"), expected);
    world.evaluator.acknowledge("tank_low", None, &"ann".into(), world.now().wall).unwrap();
    world.save();
    assert_eq!(world.shown(), [("a".into(), "acknowledged")]);
    world.pass(600);
    assert_eq!(world.sent("phone"), []);
    world.report("a", 400.0);
    assert_eq!(world.sent("phone"), [(Ended, 1, 800)]);
}

#[test]
fn year_in_suspend_makes_one_reminder() {
    let repeat = vec![Duration::from_secs(900)];
    let mut world = World::new(vec![Alert { repeat, ..low(one("a")) }]);
    world.report("a", 100.0);
    world.pass(366 * 24 * 60);
    assert_eq!(world.sent("phone").len(), 2);
}

#[test]
fn quiet_hours_defer_what_is_not_critical() {
    let quiet = Some("22:00-07:00".parse().unwrap());
    for (severity, due) in [(Severity::Warning, 7 * 60), (Severity::Critical, 60)] {
        let mut world = World::new(vec![Alert { quiet, severity, ..low(one("a")) }]);
        world.pass(60);
        world.report("a", 100.0);
        world.pass(600);
        world.report("a", 400.0);
        assert_eq!(world.sent("mail"), [(Fired, 1, due), (Ended, 1, 660)], "{severity:?}");
    }
}

#[test]
fn rule_that_cannot_be_applied_is_shown_at_once_and_so_is_its_end() {
    let mut world = World::new(vec![low(one("a"))]);
    let fault =
        |world: &mut World| world.evaluator.publish().map(|view| view.alerts[0].fault.clone());
    world.report("a", 400.0);
    assert_eq!(fault(&mut world), Some(None));
    world.report_value("a", 1, Value::number(3.0, Unit::Bar));
    assert!(fault(&mut world).is_some_and(|fault| fault.is_some()), "a pressure has no gallons");
    world.report_at("a", 2, 400.0);
    assert_eq!(fault(&mut world), Some(None));
}

#[test]
fn rule_names_its_channels() {
    let notify = Some(vec!["mail".into(), "gone".into()]);
    let mut world = World::new(vec![Alert { notify, ..low(one("a")) }]);
    world.report("a", 100.0);
    let channels: Vec<_> = world.notices.iter().map(|notice| &*notice.key.channel).collect();
    assert_eq!(channels, ["mail"], "a channel that does not exist gets nothing");
}
