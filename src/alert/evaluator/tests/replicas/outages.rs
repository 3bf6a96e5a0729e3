//! Sources that are held while the database is away, without their rows.

use super::super::*;
use super::cluster::Cluster;

use NoticeKind::{Ended, Fired};

/// Cuts all replicas off the database.
fn cut_off(cluster: &mut Cluster) {
    let instances = cluster.nodes.values().map(|node| node.instance);
    cluster.rows.lock().unwrap().away.extend(instances);
    cluster.rounds();
}

fn reconnect(cluster: &mut Cluster) {
    cluster.rows.lock().unwrap().away.clear();
    cluster.rounds();
}

/// Starts `x` again while the database is away. It holds the source as it did before.
fn restart_away(cluster: &mut Cluster) {
    cut_off(cluster);
    cluster.kill("x");
    cluster.start_away("x");
    assert_eq!(cluster.states("x"), [], "it holds nothing");
    cluster.nodes["x"].handle.hold(vec![("a".into(), 1)]);
    cluster.rounds();
}

/// Lets the database answer. The leases are those of the process before, so `x` takes its source again.
fn reconnect_and_take(cluster: &mut Cluster) {
    reconnect(cluster);
    cluster.take("x", "a");
    cluster.rounds();
    cluster.agree("after the outage");
    assert_eq!(cluster.states("y"), [("a".to_owned(), "firing")]);
}

#[test]
fn replica_that_starts_while_the_database_is_away_evaluates_what_it_held() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    restart_away(&mut cluster);
    cluster.report("a", 100.0);
    assert_eq!(cluster.states("x"), [("a".to_owned(), "firing")]);
    let mut cluster = Cluster::new(vec![stale(one("a"))]);
    cluster.report("a", 100.0);
    restart_away(&mut cluster);
    cluster.pass(16);
    assert_eq!(cluster.states("x"), [("a".to_owned(), "firing")]);
    reconnect_and_take(&mut cluster);
}

#[test]
fn alarm_of_the_outage_fires_again_at_the_next_holder() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    restart_away(&mut cluster);
    cluster.report("a", 100.0);
    reconnect_and_take(&mut cluster);
    assert_eq!(cluster.sent(), [(Fired, 0), (Ended, 0), (Fired, 0)]);
    cluster.report("a", 500.0);
    cluster.agree("at the end");
    assert!(cluster.incidents().iter().all(|(_, ended)| ended.is_some()));
}

#[test]
fn incident_from_before_the_outage_goes_on_and_another_one_of_the_outage_is_its_duplicate() {
    for is_other in [false, true] {
        let mut cluster = Cluster::new(vec![low(one("a"))]);
        cluster.report("a", 100.0);
        assert_eq!(cluster.sent(), [(Fired, 0)]);
        cut_off(&mut cluster);
        cluster.world.pass(1);
        if is_other {
            // Within the hysteresis: this observation begins no incident.
            cluster.report("a", 320.0);
        }
        restart_away(&mut cluster);
        cluster.world.pass(1);
        cluster.report("a", 90.0);
        assert_eq!(cluster.states("x"), [("a".to_owned(), "firing")]);
        reconnect_and_take(&mut cluster);
        let expected = if is_other { vec![(Fired, 2), (Ended, 2)] } else { vec![] };
        assert_eq!(cluster.sent(), expected);
        cluster.report("a", 500.0);
        assert_eq!(cluster.sent(), [(Ended, 2)]);
        let ends = cluster.incidents().into_iter().filter_map(|(_, ended)| ended);
        let ends: Vec<EndReason> = ends.collect();
        assert_eq!(ends.len(), 1 + usize::from(is_other));
        assert_eq!(ends.contains(&EndReason::Duplicate), is_other);
        assert!(ends.contains(&EndReason::Resolved));
    }
}

#[test]
fn source_that_is_taken_over_just_before_the_outage_goes_on_from_its_rows_after_it() {
    for is_known in [true, false] {
        let mut cluster = Cluster::new(vec![low(one("a"))]);
        let y = cluster.nodes["y"].instance;
        if !is_known {
            cluster.rows.lock().unwrap().away.insert(y);
        }
        cluster.world.report("a", 100.0);
        cluster.turn("x");
        cluster.turn("x");
        cluster.turn("y");
        assert_eq!(cluster.sent(), [(Fired, 0)]);
        cluster.rows.lock().unwrap().away.insert(y);
        cluster.kill("x");
        cluster.take("y", "a");
        // Within the hysteresis: this observation begins no incident.
        cluster.world.pass(1);
        cluster.world.report("a", 320.0);
        cluster.rounds();
        let known = [("a".to_owned(), "firing")];
        assert_eq!(cluster.states("y") == known, is_known);
        reconnect(&mut cluster);
        assert_eq!(cluster.states("y"), known, "the row has it");
        assert_eq!((cluster.sent(), cluster.incidents().len()), (vec![], 1));
        cluster.report("a", 500.0);
        assert_eq!(cluster.sent(), [(Ended, 1)]);
        assert_eq!(cluster.incidents()[0].1, Some(EndReason::Resolved));
    }
}
