//! Replicas that cannot reach the database, and evaluate on.

use super::super::*;
use super::cluster::Cluster;

use NoticeKind::{Ended, Fired};

/// Cuts `x` off the database. Its source goes to `y`.
fn cut_off(cluster: &mut Cluster) {
    let instance = cluster.nodes["x"].instance;
    cluster.rows.lock().unwrap().away.insert(instance);
    cluster.take("y", "a");
    cluster.rounds();
}

fn reconnect(cluster: &mut Cluster) {
    cluster.rows.lock().unwrap().away.clear();
    cluster.rounds();
}

#[test]
fn both_sides_fire_the_same_incident_and_the_claims_let_one_send_what_was_saved() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cut_off(&mut cluster);
    cluster.report("a", 100.0);
    assert_eq!(cluster.states("x"), cluster.states("y"), "both evaluate");
    assert_eq!(cluster.sent(), [(Fired, 0)], "the other one is not saved");
    reconnect(&mut cluster);
    assert_eq!(cluster.sent(), [], "it is taken");
    cluster.agree("after the partition");
    assert_eq!(cluster.incidents().len(), 1, "of the same observation");
    cluster.report("a", 500.0);
    assert_eq!(cluster.sent(), [(Ended, 0)]);
    cluster.agree("at the end");
}

#[test]
fn incident_of_the_cut_off_side_ends_if_the_holder_has_another_one_or_none() {
    for (is_firing, expected) in [(true, EndReason::Duplicate), (false, EndReason::Resolved)] {
        let mut cluster = Cluster::new(vec![low(one("a"))]);
        cut_off(&mut cluster);
        // Only the side that is cut off sees this observation.
        cluster.world.report("a", 100.0);
        cluster.turn("x");
        cluster.world.pass(1);
        cluster.report("a", if is_firing { 90.0 } else { 400.0 });
        if !is_firing {
            // The end has been seen there, too, and its incident begins again.
            cluster.world.report_at("a", 1, 100.0);
            cluster.turn("x");
            cluster.world.report_at("a", 1, 400.0);
        }
        reconnect(&mut cluster);
        cluster.agree("after the partition");
        let incidents = cluster.incidents();
        let reasons: Vec<_> = incidents.iter().filter_map(|(_, ended)| *ended).collect();
        assert!(reasons.contains(&expected), "{incidents:?}");
        let open = incidents.iter().filter(|(_, ended)| ended.is_none()).count();
        assert_eq!(open, usize::from(is_firing), "{incidents:?}");
        cluster.world.pass(1);
        cluster.report("a", 500.0);
        cluster.agree("at the end");
        assert!(cluster.incidents().iter().all(|(_, ended)| ended.is_some()));
    }
}

#[test]
fn source_whose_holder_was_cut_off_alone_goes_on() {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    let instance = cluster.nodes["x"].instance;
    cluster.report("a", 100.0);
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    cluster.rows.lock().unwrap().away.insert(instance);
    cluster.pass(1);
    cluster.report("a", 400.0);
    assert_eq!(cluster.sent(), [], "saved first");
    reconnect(&mut cluster);
    assert_eq!(cluster.sent(), [(Ended, 1)]);
    cluster.agree("after the partition");
    assert_eq!(cluster.incidents()[0].1, Some(EndReason::Resolved));
}

#[test]
fn write_of_a_stale_holder_is_refused_and_it_follows() {
    let mut cluster = Cluster::new(vec![low(SourceSelection::All)]);
    cluster.report("a", 100.0);
    cluster.sent();
    // It did not run while its lease ended, and does not know.
    cluster.take("y", "a");
    cluster.turn("y");
    cluster.turn("y");
    cluster.world.pass(1);
    cluster.world.report("a", 400.0);
    cluster.turn("y");
    cluster.world.report("a", 90.0);
    cluster.rounds();
    cluster.agree("after the refusal");
    let open = cluster.incidents().iter().filter(|(_, ended)| ended.is_none()).count();
    assert_eq!(open, 1);
    cluster.report("b", 100.0);
    assert_eq!(cluster.states("y").len(), 2, "the other source is held still");
    cluster.agree("other source");
}
