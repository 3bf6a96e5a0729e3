//! Commands at replicas that do not hold the source.

use super::super::*;
use super::cluster::Cluster;
use crate::alert::{
    Acknowledged, Acknowledgement, CommandError, FollowedChanges, Instance, Silence,
};

use NoticeKind::{Ended, Fired, Reminder};

fn firing() -> Cluster {
    let repeat = vec![Duration::from_secs(3600)];
    let mut cluster = Cluster::new(vec![Alert { repeat, ..low(SourceSelection::All) }]);
    cluster.report("a", 100.0);
    cluster.sent();
    cluster
}

#[test]
fn command_at_a_follower_holds_there_at_once_and_everywhere_soon() {
    let mut cluster = firing();
    let ann: Arc<str> = "ann".into();
    cluster.command("y", |of, now| of.acknowledge("tank_low", None, &ann, now)).unwrap();
    assert_eq!(cluster.states("y"), [("a".to_owned(), "acknowledged")]);
    assert_eq!(cluster.states("x"), [("a".to_owned(), "firing")]);
    // The holder writes a state that it has from before.
    cluster.world.report("a", 90.0);
    cluster.turn("x");
    cluster.turn("y");
    assert_eq!(cluster.states("y"), [("a".to_owned(), "acknowledged")]);
    cluster.rounds();
    cluster.agree("acknowledged");
    cluster.pass(120);
    assert_eq!(cluster.sent(), [], "no reminders");
    let of_kind = |kind| cluster.events.iter().filter(|event| **event == kind).count();
    assert_eq!(of_kind(EventKind::AlertAcknowledged), 1);
    let rows = cluster.rows.lock().unwrap();
    let known = rows.incidents.values().map(|(of, _)| of.acknowledged.clone().unwrap().by);
    assert_eq!(known.collect::<Vec<_>>(), ["ann".into()], "the holder has saved it");
}

#[test]
fn errors_are_those_of_the_holder() {
    let mut cluster = firing();
    let ann: Arc<str> = "ann".into();
    for (alert, source, expected) in [
        ("none", None, Err(CommandError::UnknownAlert)),
        ("tank_low", Some("b"), Err(CommandError::NotFiring)),
        ("tank_low", Some("a"), Ok(())),
        ("tank_low", None, Ok(())),
    ] {
        for name in ["y", "x"] {
            let result = cluster.command(name, |of, now| of.acknowledge(alert, source, &ann, now));
            assert_eq!(result, expected, "{alert} {source:?} {name}");
            cluster.rounds();
        }
    }
}

#[test]
fn first_acknowledgement_holds_at_all_replicas() {
    let mut cluster = firing();
    for (name, by) in [("y", "bob"), ("x", "ann")] {
        let by: Arc<str> = by.into();
        cluster.command(name, |of, now| of.acknowledge("tank_low", None, &by, now)).unwrap();
    }
    cluster.rounds();
    cluster.agree("both at the same time");
    let shown = cluster.shown("y");
    assert!(shown.contains("ann") && !shown.contains("bob"), "{shown}");
}

#[test]
fn silence_of_a_follower_quiets_the_holder_and_its_end_is_announced_once() {
    let mut cluster = firing();
    cluster.command("y", |of, now| of.silence("tank_low", t(60), "ann", now)).unwrap();
    cluster.rounds();
    cluster.agree("silenced");
    cluster.report("b", 100.0);
    assert_eq!(cluster.sent(), []);
    cluster.pass(59);
    assert_eq!(cluster.sent(), []);
    cluster.pass(1);
    let mut sent = cluster.sent();
    sent.sort_unstable();
    assert_eq!(sent, [(Fired, 60), (Reminder, 60)]);
    cluster.agree("after the silence");
    cluster.report("b", 500.0);
    assert_eq!(cluster.sent(), [(Ended, 60)]);
}

#[test]
fn later_command_on_a_silence_wins_wherever_it_came() {
    for names in [["x", "y"], ["y", "x"]] {
        let mut cluster = firing();
        cluster.command(names[0], |of, now| of.silence("tank_low", t(60), "ann", now)).unwrap();
        cluster.rounds();
        cluster.command(names[1], |of, now| of.unsilence("tank_low", "bob", now)).unwrap();
        cluster.rounds();
        cluster.agree("not silenced");
        assert_eq!(cluster.sent(), [(Reminder, 0)], "{names:?}");
        assert_eq!(cluster.states("x"), [("a".to_owned(), "firing")]);
        // At the same time, without knowing of each other: the same one wins everywhere.
        for (name, until) in [(names[0], 30), (names[1], 40)] {
            cluster.command(name, |of, now| of.silence("tank_low", t(until), "ann", now)).unwrap();
        }
        cluster.rounds();
        cluster.agree("silenced");
    }
}

#[test]
fn facts_that_are_repeated_or_old_change_nothing() {
    let mut cluster = firing();
    cluster.command("y", |of, now| of.silence("tank_low", t(60), "ann", now)).unwrap();
    cluster.rounds();
    let incident = cluster.incidents()[0].0;
    let silence = |minute, until, instance| Silence {
        alert: "tank_low".into(),
        until: t(until),
        by: "eve".into(),
        set_at: t(minute),
        instance: Instance(instance),
    };
    let before = cluster.shown("x");
    let now = cluster.world.now();
    let node = cluster.nodes.get_mut("x").unwrap();
    for silences in [vec![silence(0, 90, 0)], vec![silence(-5, 90, 9), silence(-4, -4, 9)]] {
        node.evaluator.follow(FollowedChanges { silences, ..FollowedChanges::default() }, now);
    }
    assert_eq!(cluster.shown("x"), before);
    let fact = |by: &str, minute| Acknowledged {
        incident: IncidentId(incident),
        by: Acknowledgement { by: by.into(), at: t(minute) },
    };
    let node = cluster.nodes.get_mut("x").unwrap();
    let acknowledgements = vec![fact("ann", 1), fact("ann", 1), fact("bob", 2)];
    let changes = FollowedChanges { acknowledgements, ..FollowedChanges::default() };
    node.evaluator.follow(changes, now);
    assert!(cluster.shown("x").contains("ann") && !cluster.shown("x").contains("bob"));
    // An acknowledgement of an incident that has ended.
    cluster.report("a", 500.0);
    let before = cluster.shown("x");
    let node = cluster.nodes.get_mut("x").unwrap();
    let acknowledgements = vec![fact("eve", 0)];
    let changes = FollowedChanges { acknowledgements, ..FollowedChanges::default() };
    node.evaluator.follow(changes, now);
    assert_eq!(cluster.shown("x"), before);
}
