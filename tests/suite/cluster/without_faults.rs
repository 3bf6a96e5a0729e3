//! Replicas at rest and at work, without faults.

use std::path::Path;
use std::time::{Duration, Instant};

use hostile::cluster::{Cluster, eventually};
use hostile::standstill::Pulse;

use super::{
    INTERVAL, assert_alarms, assert_recorded, assert_regular, assert_true_ages, cluster, pass,
    report,
};
use crate::server::BINARY;

#[test]
fn replicas_without_faults_poll_each_source_once_in_each_interval() {
    let cluster = cluster(INTERVAL);
    let (pulse, since) = (Pulse::start().unwrap(), Instant::now());
    let holders = cluster.holders();
    pass(&cluster, 8);
    let tally = cluster.tally(since);
    report("without faults", tally);
    assert_regular(tally, &pulse);
    for replica in &cluster.replicas {
        assert_true_ages(&cluster, replica);
    }
    assert_alarms(&cluster, 0);
    assert_recorded(&cluster);
    if pulse.standstills() == 0 {
        assert_eq!(cluster.holders(), holders, "leases stay where they are");
    }
    assert_eq!(cluster.unlawful_readings(), 0);
}

#[test]
fn replicas_at_rest_have_equal_bodies_and_pass_requests_for_polls_to_the_holder() {
    let cluster = Cluster::start(Path::new(BINARY), 3, 9, Duration::from_secs(3600));
    cluster.wait_for_holders(&["a", "b", "c"]);
    let mut tags = Vec::new();
    eventually("the status of all replicas is the same", || {
        let answers = cluster.replicas.iter().map(|it| it.get("/api/v1/status").unwrap());
        let answers: Vec<_> = answers.collect();
        tags = answers.iter().map(|it| it.field("etag").unwrap().to_owned()).collect();
        answers.iter().all(|it| it.body == answers[0].body && tags[0] == it.field("etag").unwrap())
    });
    // A validator of one replica is one of the others.
    let condition = format!("If-None-Match: {}\r\n", tags[0]);
    for replica in &cluster.replicas {
        let answer = replica.ask("GET", "/api/v1/status", &condition).unwrap();
        assert_eq!(answer.code, 304, "{}", replica.name());
    }
    // Each source at one replica, since a second request would be too soon.
    let holders: Vec<_> = cluster.holders().into_iter().collect();
    for (replica, holders) in cluster.replicas.iter().zip(holders.chunks(3)) {
        for (source, holder) in holders {
            let polled = cluster.upstream.of(source).len();
            // One that was polled a moment ago is refused by its holder.
            let name = replica.name();
            eventually(&format!("{name} has {source} of {holder} polled"), || {
                let target = format!("/api/v1/sources/{source}/poll");
                let answer = replica.ask("POST", &target, "").unwrap();
                answer.code == 202 && eventually_polled(&cluster, source, polled)
            });
        }
    }
    assert_recorded(&cluster);
}

/// Waits for the poll after the first `polled` ones; returns false if none comes.
fn eventually_polled(cluster: &Cluster, source: &str, polled: usize) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        if cluster.upstream.of(source).len() > polled {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
