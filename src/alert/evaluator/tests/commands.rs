//! Acknowledgements and silences.

use super::*;
use crate::alert::CommandError;

use NoticeKind::{Ended, Fired, Reminder};

#[test]
fn acknowledgement_is_of_what_fires_and_the_first_one_stays() {
    let mut world = World::new(vec![low(SourceSelection::All)]);
    let now = world.now().wall;
    let (ann, bob) = (Arc::from("ann"), Arc::from("bob"));
    let evaluator = &mut world.evaluator;
    assert_eq!(evaluator.acknowledge("none", None, &ann, now), Err(CommandError::UnknownAlert));
    assert_eq!(evaluator.acknowledge("tank_low", None, &ann, now), Err(CommandError::NotFiring));
    world.report("a", 100.0);
    world.report("b", 100.0);
    let evaluator = &mut world.evaluator;
    let of_c = evaluator.acknowledge("tank_low", Some("c"), &ann, now);
    assert_eq!(of_c, Err(CommandError::NotFiring));
    evaluator.acknowledge("tank_low", Some("b"), &ann, now).unwrap();
    evaluator.acknowledge("tank_low", None, &bob, now).unwrap();
    world.save();
    let by = world.incidents.values().map(|incident| &*incident.acknowledged.as_ref().unwrap().by);
    assert_eq!(by.collect::<Vec<_>>(), ["bob", "ann"]);
    let known = world.events.iter().filter(|e| e.kind == EventKind::AlertAcknowledged).count();
    assert_eq!(known, 2);
}

#[test]
fn fault_of_a_rule_over_many_names_the_first_source() {
    let fault = |sources, celsius: &[&'static str]| {
        let mut world = World::new(vec![low(sources)]);
        for source in ["a", "b"] {
            match celsius.contains(&source) {
                true => world.report_value(source, 0, Value::number(20.0, Unit::Celsius)),
                false => world.report(source, 400.0),
            }
        }
        world.evaluator.rules[0].view = None;
        let view = world.evaluator.publish().unwrap();
        view.alerts[0].fault.as_deref().map(str::to_owned)
    };
    let reason = "the threshold is in gal, but the values are in degC";
    assert_eq!(fault(SourceSelection::All, &[]), None);
    assert_eq!(fault(one("b"), &["b"]), Some(reason.to_owned()));
    assert_eq!(fault(SourceSelection::All, &["b"]), Some(format!("not on b: {reason}")));
    let both = Some(format!("not on a (and 1 more): {reason}"));
    assert_eq!(fault(SourceSelection::All, &["a", "b"]), both);
}

#[test]
fn acknowledgement_survives_a_restart() {
    let mut world = World::new(vec![low(one("a"))]);
    world.report("a", 100.0);
    world.evaluator.acknowledge("tank_low", None, &"ann".into(), t(0)).unwrap();
    world.save();
    world.restart(vec![low(one("a"))]);
    assert_eq!(world.shown(), [("a".into(), "acknowledged")]);
}

#[test]
fn nothing_is_sent_of_what_fires_and_ends_in_a_silence() {
    let mut world = World::new(vec![low(one("a"))]);
    world.evaluator.silence("tank_low", t(60), "ann", t(0)).unwrap();
    world.save();
    world.report("a", 100.0);
    assert_eq!(world.shown(), [("a".into(), "silenced")]);
    world.pass(30);
    world.report("a", 400.0);
    assert_eq!(world.sent("phone"), []);
    assert_eq!(world.incidents.len(), 1, "it is in the history of incidents");
}

#[test]
fn silences_are_events_with_their_authors() {
    let mut world = World::new(vec![low(one("a"))]);
    world.evaluator.silence("tank_low", t(60), "ann", t(0)).unwrap();
    world.evaluator.unsilence("tank_low", "bob", t(30)).unwrap();
    world.evaluator.unsilence("tank_low", "bob", t(31)).unwrap();
    world.save();
    let events: Vec<_> =
        world.events.iter().map(|e| (e.kind, e.source.as_deref(), &*e.detail)).collect();
    let begin = format!("tank_low: until {} by ann", crate::timestamp::Rfc3339(t(60)));
    assert_eq!(
        events,
        [
            (EventKind::AlertSilenced, Some("a"), begin.as_str()),
            (EventKind::AlertUnsilenced, Some("a"), "tank_low: ended by bob"),
        ],
        "a silence that has ended does not end again"
    );
}

#[test]
fn what_fires_at_the_end_of_a_silence_is_announced_then() {
    let mut world = World::new(vec![low(one("a"))]);
    world.evaluator.silence("tank_low", t(60), "ann", t(0)).unwrap();
    world.report("a", 100.0);
    world.restart(vec![low(one("a"))]);
    world.pass(59);
    assert_eq!(world.sent("phone"), []);
    world.pass(1);
    assert_eq!(world.sent("phone"), [(Fired, 1, 60)]);
    world.report("a", 400.0);
    assert_eq!(world.sent("phone"), [(Ended, 1, 60)]);
}

#[test]
fn what_was_announced_before_a_silence_is_not_forgotten() {
    let mut world = World::new(vec![low(one("a")), low_named("other")]);
    world.report("a", 100.0);
    assert_eq!(world.sent("phone").len(), 2);
    world.evaluator.silence("tank_low", t(60), "ann", t(0)).unwrap();
    world.evaluator.silence("other", t(60), "ann", t(0)).unwrap();
    world.save();
    world.pass(30);
    world.evaluator.unsilence("other", "bob", t(30)).unwrap();
    world.save();
    assert_eq!(world.sent("phone"), [(Reminder, 2, 30)], "it fires still");
    world.report("a", 400.0);
    // The phone shows the alert, so it gets the end during the silence, too.
    assert_eq!(world.sent("phone"), [(Ended, 1, 30), (Ended, 2, 30)]);
}

#[test]
fn silence_keeps_its_length_when_the_clock_is_set() {
    for step in [-1_500, 1_500] {
        let mut world = World::new(vec![low(one("a"))]);
        world.evaluator.silence("tank_low", t(60), "ann", t(0)).unwrap();
        world.save();
        world.set_clock(step);
        world.restart(vec![low(one("a"))]);
        world.report("a", 100.0);
        world.pass(59);
        assert_eq!(world.sent("phone"), [], "{step}");
        world.pass(1);
        assert_eq!(world.sent("phone"), [(Fired, 1, step + 60)], "{step}");
    }
}

fn low_named(name: &str) -> Alert {
    Alert { name: name.into(), ..low(one("a")) }
}
