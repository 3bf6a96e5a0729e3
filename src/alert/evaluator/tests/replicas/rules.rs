//! Rules that not all replicas know, and rules on the servers themselves.

use super::super::*;
use super::cluster::Cluster;

use NoticeKind::{Ended, Fired};

#[test]
fn rule_that_a_replica_does_not_know_is_left_alone() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cluster.report("a", 100.0);
    cluster.kill("y");
    cluster.start_with("y", vec![]);
    cluster.sent();
    cluster.hand_over("x", "y", "a");
    cluster.report("a", 90.0);
    cluster.pass(60);
    assert_eq!((cluster.sent(), cluster.states("y")), (vec![], vec![]));
    assert_eq!(cluster.states("x"), [("a".to_owned(), "firing")], "it is followed");
    // The configuration comes, and the incident goes on.
    let now = cluster.world.now();
    let node = cluster.nodes.get_mut("y").unwrap();
    node.evaluator.renew(settings(vec![low(one("a"))]), now);
    cluster.rounds();
    cluster.agree("both know the rule");
    cluster.report("a", 400.0);
    assert_eq!(cluster.sent(), [(Ended, 60)]);
    assert_eq!(cluster.incidents().len(), 1);
}

#[test]
fn holder_that_removes_a_rule_withdraws_it_and_a_follower_does_not() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cluster.report("a", 100.0);
    cluster.sent();
    for (name, expected) in [("y", vec![]), ("x", vec![(Ended, 0)])] {
        let now = cluster.world.now();
        let node = cluster.nodes.get_mut(name).unwrap();
        node.evaluator.renew(settings(vec![]), now);
        cluster.rounds();
        assert_eq!(cluster.sent(), expected, "{name}");
    }
    assert_eq!(cluster.incidents()[0].1, Some(EndReason::Withdrawn));
}

#[test]
fn changed_rule_is_withdrawn_by_the_holder_that_has_it() {
    let changed = Alert { hold: Duration::from_secs(60), ..low(one("a")) };
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cluster.report("a", 100.0);
    cluster.sent();
    cluster.kill("y");
    cluster.start_with("y", vec![changed.clone()]);
    assert_eq!(cluster.states("y"), [], "it is another rule");
    cluster.hand_over("x", "y", "a");
    assert_eq!(cluster.sent(), [(Ended, 0)]);
    assert_eq!(cluster.incidents()[0].1, Some(EndReason::Withdrawn));
    cluster.pass(1);
    cluster.report("a", 90.0);
    assert_eq!(cluster.sent(), [(Fired, 1)]);
    let now = cluster.world.now();
    let node = cluster.nodes.get_mut("x").unwrap();
    node.evaluator.renew(settings(vec![changed]), now);
    cluster.rounds();
    cluster.agree("both have the changed rule");
}

#[test]
fn rule_that_no_configuration_has_for_a_day_is_withdrawn() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cluster.report("a", 100.0);
    cluster.kill("y");
    cluster.start_with("y", vec![]);
    cluster.hand_over("x", "y", "a");
    cluster.kill("x");
    cluster.sent();
    cluster.pass(24 * 60 - 1);
    assert_eq!(cluster.sent(), []);
    cluster.pass(2);
    assert_eq!(cluster.sent(), [(Ended, 24 * 60 + 1)]);
    assert_eq!(cluster.incidents()[0].1, Some(EndReason::Withdrawn));
}

#[test]
fn source_that_no_configuration_has_for_a_day_is_withdrawn_once_by_the_first_replica() {
    let mut cluster = Cluster::new(vec![low(SourceSelection::All)]);
    cluster.report("a", 100.0);
    cluster.sent();
    for name in ["x", "y"] {
        cluster.kill(name);
        cluster.start(name);
        let settings = settings(vec![low(SourceSelection::All)]);
        let sources = settings.sources[1..].to_vec();
        let now = cluster.world.now();
        let node = cluster.nodes.get_mut(name).unwrap();
        node.evaluator.renew(Settings { sources, ..settings }, now);
        cluster.rounds();
    }
    assert_eq!(cluster.sent(), []);
    cluster.pass(3 * 24 * 60);
    assert_eq!(cluster.sent(), [], "another replica may have it, which is away");
    cluster.rows.lock().unwrap().unlisted.insert("a".into());
    let read_all = |cluster: &mut Cluster| {
        let instances: Vec<_> = cluster.nodes.values().map(|node| node.instance).collect();
        cluster.rows.lock().unwrap().away.extend(instances);
        cluster.rounds();
        cluster.rows.lock().unwrap().away.clear();
        cluster.rounds();
    };
    read_all(&mut cluster);
    cluster.pass(24 * 60 - 1);
    assert_eq!(cluster.sent(), []);
    // A replica has it for a moment.
    cluster.rows.lock().unwrap().unlisted.clear();
    read_all(&mut cluster);
    cluster.rows.lock().unwrap().unlisted.insert("a".into());
    read_all(&mut cluster);
    cluster.pass(24 * 60 - 1);
    assert_eq!(cluster.sent(), []);
    cluster.pass(1);
    assert_eq!(cluster.sent(), [(Ended, 5 * 24 * 60 - 1)]);
    assert_eq!(cluster.incidents()[0].1, Some(EndReason::Withdrawn));
    let rows = cluster.rows.lock().unwrap();
    assert!(rows.notices.is_empty() && rows.states.values().all(|(state, _)| state.is_none()));
}

fn failing() -> Alert {
    let rule = AlertRule::Server(ServerCondition::HistoryFailing);
    Alert { name: "history_failing".into(), rule, ..low(SourceSelection::All) }
}

fn look_at_server(cluster: &mut Cluster, name: &str, is_met: bool) {
    let now = cluster.world.now();
    let node = cluster.nodes.get_mut(name).unwrap();
    node.evaluator.look_at_server(|_| ServerState::met(is_met), now);
    cluster.rounds();
}

#[test]
fn each_replica_has_its_own_state_and_all_show_which() {
    let mut cluster = Cluster::new(vec![failing()]);
    look_at_server(&mut cluster, "x", true);
    look_at_server(&mut cluster, "y", true);
    cluster.agree("both");
    let shown = [("x".to_owned(), "firing"), ("y".to_owned(), "firing")];
    assert_eq!(cluster.states("y"), shown);
    assert!(cluster.shown("x").contains("Site (replica y)"));
    assert_eq!(cluster.sent().len(), 2);
    look_at_server(&mut cluster, "x", false);
    cluster.agree("one");
    assert_eq!(cluster.states("y"), [("y".to_owned(), "firing")]);
    assert_eq!(cluster.sent(), [(Ended, 0)]);
}

#[test]
fn incident_of_a_server_goes_on_after_its_restart() {
    let mut cluster = Cluster::new(vec![failing()]);
    look_at_server(&mut cluster, "x", true);
    cluster.sent();
    cluster.kill("x");
    cluster.pass(5);
    assert_eq!(cluster.states("y"), [("x".to_owned(), "firing")]);
    cluster.start("x");
    look_at_server(&mut cluster, "x", true);
    cluster.agree("after the restart");
    assert_eq!((cluster.sent(), cluster.incidents().len()), (vec![], 1));
    look_at_server(&mut cluster, "x", false);
    assert_eq!(cluster.sent(), [(Ended, 5)]);
}

#[test]
fn incidents_of_a_replica_that_is_gone_are_withdrawn_once() {
    let mut cluster = Cluster::new(vec![failing()]);
    cluster.start("z");
    look_at_server(&mut cluster, "x", true);
    cluster.sent();
    cluster.kill("x");
    cluster.pass(9);
    assert_eq!(cluster.sent(), []);
    cluster.pass(1);
    assert_eq!(cluster.sent(), [(Ended, 10)]);
    assert_eq!(cluster.incidents()[0].1, Some(EndReason::Withdrawn));
    cluster.agree("of those that run");
    // It comes back, and fires anew.
    cluster.start("x");
    look_at_server(&mut cluster, "x", true);
    assert_eq!(cluster.sent(), [(Fired, 10)]);
    cluster.agree("after its return");
}
