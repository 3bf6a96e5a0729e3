//! A replica that is stopped (SIGTERM) while it sends a message, or before it has sent one.

use std::path::Path;
use std::time::Duration;

use hostile::cluster::{Cluster, eventually};
use hostile::receiver::HttpAnswer;

use super::SECOND_MESSAGE;
use crate::server::BINARY;

/// Time that the receiver takes for its response. It is longer than a stop waits for a channel if no time is left.
const SLOW: Duration = Duration::from_secs(2);

/// Waits until both replicas run and the source is where it stays; returns its holder.
fn settled_holder(cluster: &Cluster) -> String {
    let mut holder = None;
    eventually("the source is where it stays", || {
        let leases = &cluster.replicas[0].admin_get("/scoreboard").unwrap().json()["leases"];
        let lease = &leases["sources"][0];
        let is_settled = lease["holder"] == lease["designated"];
        let are_both_live = leases["live"].as_array().is_some_and(|live| live.len() == 2);
        holder =
            lease["holder"].as_str().filter(|_| is_settled && are_both_live).map(str::to_owned);
        holder.is_some()
    });
    holder.unwrap()
}

#[test]
fn message_of_a_replica_that_is_stopped_while_or_before_it_is_sent_arrives_once() {
    let mut cluster = Cluster::start(Path::new(BINARY), 2, 1, Duration::from_secs(2));
    let alarms = |cluster: &Cluster, have_ended: bool| {
        let alarms = cluster.alarms(have_ended);
        let sent = cluster.sources.len() - alarms.missing.len();
        sent + alarms.doubled + alarms.other_incidents
    };
    cluster.receiver.answer(HttpAnswer::TakesSlowly(SLOW));
    let holder = settled_holder(&cluster);
    cluster.upstream.set_low(true);
    eventually("the alarm arrives, and its response does not yet", || alarms(&cluster, false) > 0);
    cluster.replica(&holder).stop();
    std::thread::sleep(SECOND_MESSAGE);
    assert_eq!(alarms(&cluster, false), 1, "{}", cluster.replica(&holder).log());

    cluster.receiver.answer(HttpAnswer::Takes);
    cluster.replica(&holder).start();
    assert_eq!(settled_holder(&cluster), holder, "it takes its share again");
    cluster.upstream.set_low(false);
    eventually("the alarm has ended", || {
        let alerts = cluster.replica(&holder).get("/api/v1/alerts/low").unwrap().json();
        alerts["state"] == "inactive" || alarms(&cluster, true) > 0
    });
    // Its message waits for others.
    cluster.replica(&holder).stop();
    eventually("the end of the alarm arrives", || alarms(&cluster, true) > 0);
    std::thread::sleep(SECOND_MESSAGE);
    assert_eq!(alarms(&cluster, true), 1, "{}", cluster.replica(&holder).log());
    assert_eq!(alarms(&cluster, false), 1);
}
