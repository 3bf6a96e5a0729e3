//! A standby that is promoted without the latest transactions.

use super::super::*;
use super::cluster::Cluster;

use NoticeKind::{Ended, Fired};

#[test]
fn state_incident_message_and_commands_that_the_standby_lacks_are_written_again() {
    let mut cluster = Cluster::new(vec![low(SourceSelection::All)]);
    cluster.nodes.get_mut("x").unwrap().is_sending = false;
    let standby = cluster.standby();
    cluster.report("a", 100.0);
    let ann: Arc<str> = "ann".into();
    cluster.command("y", |of, now| of.acknowledge("tank_low", None, &ann, now)).unwrap();
    cluster.command("y", |of, now| of.silence("tank_low", t(60), "ann", now)).unwrap();
    cluster.rounds();
    let shown = cluster.shown("y");
    assert_eq!(cluster.states("y"), [("a".to_owned(), "silenced")]);
    assert_eq!((cluster.sent(), cluster.incidents().len()), (vec![], 1));
    cluster.promote(standby);
    cluster.agree("after the promotion");
    assert_eq!(cluster.shown("y"), shown);
    assert_eq!(cluster.incidents().len(), 1);
    cluster.start("z");
    cluster.agree("of the rows alone");
    cluster.nodes.get_mut("x").unwrap().is_sending = true;
    cluster.rounds();
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    assert!(cluster.rows.lock().unwrap().notices.is_empty());
}

#[test]
fn end_that_the_standby_lacks_is_written_again() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cluster.report("a", 100.0);
    let standby = cluster.standby();
    cluster.report("a", 500.0);
    assert_eq!(cluster.sent(), [(Fired, 0), (Ended, 0)]);
    cluster.promote(standby);
    cluster.agree("after the promotion");
    assert_eq!(cluster.states("y"), []);
    assert_eq!(cluster.incidents()[0].1, Some(EndReason::Resolved));
    assert_eq!(cluster.sent(), []);
}

#[test]
fn message_whose_deletion_the_standby_lacks_is_sent_again() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cluster.nodes.get_mut("x").unwrap().is_sending = false;
    cluster.report("a", 100.0);
    let standby = cluster.standby();
    cluster.nodes.get_mut("x").unwrap().is_sending = true;
    cluster.rounds();
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    cluster.promote(standby);
    assert_eq!(cluster.sent(), [(Fired, 0)], "it is not left for a later process");
    assert!(cluster.rows.lock().unwrap().notices.is_empty());
}

#[test]
fn nothing_is_written_again_to_a_database_that_lacks_nothing() {
    let mut cluster = Cluster::new(vec![Alert {
        repeat: vec![Duration::from_secs(1800)],
        ..low(SourceSelection::All)
    }]);
    cluster.report("a", 100.0);
    cluster.report("b", 100.0);
    let ann: Arc<str> = "ann".into();
    cluster.command("y", |of, now| of.acknowledge("tank_low", Some("a"), &ann, now)).unwrap();
    cluster.command("y", |of, now| of.silence("tank_low", t(20), "ann", now)).unwrap();
    cluster.pass(40);
    cluster.sent();
    let before = format!("{:#?}", cluster.standby());
    // An outage, after which all rows are read.
    let instances: Vec<_> = cluster.nodes.values().map(|node| node.instance).collect();
    cluster.rows.lock().unwrap().away.extend(instances);
    cluster.rounds();
    cluster.rows.lock().unwrap().away.clear();
    cluster.rounds();
    assert_eq!(format!("{:#?}", cluster.standby()), before);
    assert_eq!(cluster.sent(), []);
}
