//! A database that is stopped with its sockets open (SIGSTOP), and continues.

use std::time::{Duration, Instant};

use hostile::cluster::eventually;
use hostile::standstill::Pulse;

use super::{
    assert_alarms, assert_canaries, assert_recorded, assert_regular, assert_true_ages, cluster,
    pass, report,
};

/// Time after which the leases have ended, and each holder knows that the database is away.
const UNCONFIRMED: Duration = Duration::from_secs(12);

#[test]
fn database_that_is_stopped_costs_the_history_and_no_poll_and_no_row() {
    let cluster = cluster(Duration::from_secs(3));
    let canaries: Vec<_> = cluster.replicas.iter().map(hostile::cluster::Replica::canary).collect();
    let paused = Instant::now();
    cluster.server.pause();
    cluster.upstream.set_low(true);
    let history = "/api/v1/history?field=s0001.level&hours=1";
    for replica in &cluster.replicas {
        eventually("the history is refused", || replica.get(history).unwrap().code == 503);
    }
    std::thread::sleep(UNCONFIRMED.saturating_sub(paused.elapsed()));
    let (pulse, unconfirmed) = (Pulse::start().unwrap(), Instant::now());
    pass(&cluster, 3);
    for replica in &cluster.replicas {
        assert_true_ages(&cluster, replica);
        assert_eq!(replica.get(history).unwrap().code, 503, "{}", replica.name());
    }
    report("the database is stopped", cluster.tally(paused));
    assert_regular(cluster.tally(unconfirmed), &pulse);

    cluster.server.resume();
    let resumed = Instant::now();
    eventually("the spool is drained", || cluster.missing_observations(resumed).is_empty());
    for replica in &cluster.replicas {
        eventually("the history is back", || replica.get(history).unwrap().code == 200);
    }
    pass(&cluster, 2);
    report("the database continues", cluster.tally(resumed));
    assert_canaries(canaries);
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    assert_eq!(cluster.unlawful_readings(), 0);
}
