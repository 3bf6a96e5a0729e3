//! Take-overs and hand-overs in each state: what is sent is what a single server sends.

use super::super::*;
use super::cluster::Cluster;

/// One step of a story.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Time passes, and the tank is observed.
    Tank(i64, f64),
    /// Time passes.
    Pass(i64),
    Acknowledge,
    Silence(i64),
    Unsilence,
}

use Step::{Acknowledge, Pass, Silence, Tank, Unsilence};

/// Way in which another replica gets the source.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Handed,
    Killed,
    Stopped,
}

fn rule() -> Alert {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    Alert { hold: minutes(10), repeat: vec![minutes(30), minutes(60)], ..low(one("a")) }
}

/// Stories with the state in which each ends before the last steps.
fn stories() -> Vec<(&'static str, Vec<Step>)> {
    vec![
        ("inactive", vec![Tank(1, 400.0), Tank(1, 200.0), Tank(10, 190.0), Tank(5, 400.0)]),
        ("pending", vec![Tank(1, 200.0), Tank(5, 190.0), Tank(6, 180.0), Tank(2, 400.0)]),
        ("pending, then clear", vec![Tank(1, 200.0), Tank(5, 190.0), Tank(2, 400.0), Pass(30)]),
        (
            "firing, with reminders",
            vec![Tank(1, 200.0), Tank(11, 190.0), Pass(30), Pass(60), Pass(60), Tank(3, 500.0)],
        ),
        (
            "acknowledged",
            vec![Tank(1, 200.0), Tank(11, 190.0), Acknowledge, Pass(90), Tank(3, 500.0)],
        ),
        (
            "silenced before the fire",
            vec![Silence(60), Tank(1, 200.0), Tank(11, 190.0), Pass(70), Tank(3, 500.0)],
        ),
        (
            "silenced after the fire",
            vec![Tank(1, 200.0), Tank(11, 190.0), Silence(60), Pass(40), Unsilence, Pass(40)],
        ),
        (
            "within the hysteresis",
            vec![Tank(1, 200.0), Tank(11, 190.0), Tank(5, 320.0), Tank(5, 360.0), Pass(40)],
        ),
        (
            "again",
            vec![Tank(1, 200.0), Tank(11, 190.0), Tank(5, 400.0), Tank(5, 200.0), Tank(11, 150.0)],
        ),
    ]
}

fn single(story: &[Step]) -> Vec<(NoticeKind, i64)> {
    let mut world = World::new(vec![rule()]);
    for step in story {
        let now = world.now().wall;
        match *step {
            Tank(minutes, gallons) => {
                world.pass(minutes);
                world.report("a", gallons);
            }
            Pass(minutes) => world.pass(minutes),
            Acknowledge => {
                world.evaluator.acknowledge("tank_low", None, &"ann".into(), now).unwrap();
            }
            Silence(minutes) => {
                let until = now + SignedDuration::from_mins(minutes);
                world.evaluator.silence("tank_low", until, "ann", now).unwrap();
            }
            Unsilence => world.evaluator.unsilence("tank_low", "ann", now).unwrap(),
        }
        world.look();
    }
    world.sent("phone").into_iter().map(|(kind, _, minute)| (kind, minute)).collect()
}

fn change(cluster: &mut Cluster, change: Change, holder: &mut &'static str) {
    let other = if *holder == "x" { "y" } else { "x" };
    match change {
        Change::Handed => cluster.hand_over(holder, other, "a"),
        Change::Killed => {
            cluster.kill(holder);
            cluster.take(other, "a");
            cluster.rounds();
            cluster.start(holder);
        }
        // Its lease has ended while it did not run; it learns of it by a write that is refused, or from the leases.
        Change::Stopped => {
            cluster.take(other, "a");
            cluster.turn(other);
            cluster.nodes[*holder].handle.lose(vec!["a".into()]);
            cluster.rounds();
        }
    }
    *holder = other;
}

#[test]
fn take_over_in_any_state_sends_what_a_single_server_sends() {
    for (name, story) in stories() {
        let expected = single(&story);
        for way in [Change::Handed, Change::Killed, Change::Stopped] {
            // Once before one of the steps, or before each.
            let every = story.len();
            for at in 0..=every {
                let case = format!("{name}, {way:?} at {at}");
                let mut cluster = Cluster::new(vec![rule()]);
                let mut holder = "x";
                for (index, step) in story.iter().enumerate() {
                    if at == index || at == every {
                        change(&mut cluster, way, &mut holder);
                        cluster.agree(&case);
                    }
                    let take =
                        |cluster: &mut Cluster, command: &dyn Fn(&mut Evaluator, Timestamp)| {
                            let follower = if holder == "x" { "y" } else { "x" };
                            let run = |evaluator: &mut Evaluator, now| {
                                command(evaluator, now);
                                Ok(())
                            };
                            cluster.command(follower, run).unwrap();
                            cluster.rounds();
                        };
                    match *step {
                        Tank(minutes, gallons) => {
                            cluster.pass(minutes);
                            cluster.report("a", gallons);
                        }
                        Pass(minutes) => cluster.pass(minutes),
                        Acknowledge => take(&mut cluster, &|evaluator, now| {
                            evaluator.acknowledge("tank_low", None, &"ann".into(), now).unwrap();
                        }),
                        Silence(minutes) => take(&mut cluster, &|evaluator, now| {
                            let until = now + SignedDuration::from_mins(minutes);
                            evaluator.silence("tank_low", until, "ann", now).unwrap();
                        }),
                        Unsilence => take(&mut cluster, &|evaluator, now| {
                            evaluator.unsilence("tank_low", "ann", now).unwrap();
                        }),
                    }
                    cluster.agree(&case);
                }
                assert_eq!(cluster.sent(), expected, "{case}");
                let rows = cluster.rows.lock().unwrap();
                assert!(rows.notices.is_empty(), "{case}: each one is marked as sent");
                let open = rows.incidents.values().filter(|(of, _)| of.ended.is_none()).count();
                let (begun, ended) =
                    (count(&expected, NoticeKind::Fired), count(&expected, NoticeKind::Ended));
                assert_eq!((rows.incidents.len(), open), (begun, begun - ended), "{case}");
                drop(rows);
                let fires =
                    cluster.events.iter().filter(|of| **of == EventKind::AlertFired).count();
                let ends = cluster.events.iter().filter(|of| **of == EventKind::AlertEnded).count();
                assert_eq!((fires, ends), (begun, ended), "{case}: events");
            }
        }
    }
}

fn count(notices: &[(NoticeKind, i64)], kind: NoticeKind) -> usize {
    notices.iter().filter(|(of, _)| *of == kind).count()
}

#[test]
fn window_is_known_at_a_take_over() {
    let gallons = |number| Limit { number, unit: Some(Unit::UsGallon) };
    let condition =
        FieldCondition::Falls { by: gallons(40.0), within: Duration::from_secs(3600), clear: None };
    let rule = AlertRule::Field { sources: one("a"), field: "volume".into(), condition };
    let mut cluster = Cluster::new(vec![Alert { rule, ..low(one("a")) }]);
    for gallons in [441.0, 430.0, 420.0] {
        cluster.report("a", gallons);
        cluster.pass(10);
    }
    cluster.kill("x");
    cluster.take("y", "a");
    cluster.report("a", 400.0);
    assert_eq!(cluster.sent(), [(NoticeKind::Fired, 30)]);
}

#[test]
fn source_that_turns_stale_fires_at_its_holder() {
    let mut cluster = Cluster::new(vec![stale(SourceSelection::All)]);
    cluster.report("a", 1.0);
    cluster.report("b", 1.0);
    cluster.pass(10);
    cluster.hand_over("x", "y", "a");
    cluster.pass(10);
    assert_eq!(cluster.sent().len(), 2);
    cluster.agree("stale");
    assert_eq!(cluster.states("x"), [("a".to_owned(), "firing"), ("b".to_owned(), "firing")]);
    cluster.report("a", 1.0);
    assert_eq!(cluster.sent(), [(NoticeKind::Ended, 20)]);
    cluster.agree("stale");
}
