//! Notices of replicas that end between save, send and mark.

use super::super::*;
use super::cluster::Cluster;

use NoticeKind::{Ended, Fired};

fn dying(is_sending: bool) -> Cluster {
    let mut cluster = Cluster::new(vec![low(one("a"))]);
    cluster.nodes.get_mut("x").unwrap().is_sending = is_sending;
    cluster.world.report("a", 100.0);
    cluster
}

#[test]
fn notice_is_adopted_and_sent_once_if_its_replica_ends_before_it_sends() {
    let mut cluster = dying(false);
    cluster.rounds();
    assert_eq!(cluster.sent(), []);
    cluster.kill("x");
    cluster.take("y", "a");
    cluster.rounds();
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    cluster.start("x");
    cluster.report("a", 500.0);
    assert_eq!(cluster.sent(), [(Ended, 0)]);
}

#[test]
fn notice_is_sent_twice_only_if_its_replica_ends_between_send_and_mark() {
    let mut cluster = dying(true);
    // The replica has sent it, and has not done the exchange that marks it.
    cluster.turn("x");
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    cluster.kill("x");
    cluster.take("y", "a");
    cluster.rounds();
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    assert!(cluster.rows.lock().unwrap().notices.is_empty());
}

#[test]
fn notice_that_was_not_saved_is_made_again_by_the_new_holder() {
    let mut cluster = dying(true);
    let (snapshot, now) = (cluster.world.snapshot(), cluster.world.now());
    cluster.nodes.get_mut("x").unwrap().evaluator.look(&snapshot, now);
    cluster.kill("x");
    cluster.take("y", "a");
    cluster.rounds();
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    assert_eq!(cluster.incidents().len(), 1);
}

#[test]
fn of_several_replicas_one_adopts_a_notice() {
    let mut cluster = dying(false);
    cluster.rounds();
    cluster.start("z");
    cluster.kill("x");
    cluster.rounds();
    assert_eq!(cluster.sent(), [(Fired, 0)]);
    assert_eq!(cluster.incidents().len(), 1);
}
