//! A thousand sources over three replicas: each is polled once in each interval, also around faults.

use std::path::Path;
use std::time::{Duration, Instant};

use hostile::cluster::{Cluster, Tally, eventually};
use hostile::standstill::Pulse;

use super::{LONGEST_GAP, assert_alarms, assert_canaries, pass, report, wait_for_polls};
use crate::server::BINARY;

const SOURCES: usize = 1000;

/// Interval of the sources: fifty polls a second in all.
const INTERVAL: Duration = Duration::from_secs(20);

/// Returns the largest number of doubled polls of one source since a time.
fn most_doubled(cluster: &Cluster, since: Instant) -> usize {
    let all = cluster.upstream.all();
    let now = Instant::now();
    let doubled = |source| {
        let times = all.get(source).into_iter().flatten().map(|poll| poll.at);
        Tally::of(times, INTERVAL, since, now).doubled
    };
    cluster.sources.iter().map(doubled).max().unwrap_or(0)
}

#[test]
#[ignore = "part of make cluster-test"]
fn thousand_sources_are_polled_once_in_each_interval_and_once_more_at_a_takeover() {
    let mut cluster = Cluster::start(Path::new(BINARY), 3, SOURCES, INTERVAL);
    cluster.audit_readings();
    cluster.wait_for_holders(&["a", "b", "c"]);
    wait_for_polls(&cluster, 2);
    let canaries = ["a", "c"].map(|name| cluster.replica(name).canary());

    let (pulse, since) = (Pulse::start().unwrap(), Instant::now());
    pass(&cluster, 4);
    assert_alarms(&cluster, 0);
    let tally = cluster.tally(since);
    report("1,000 sources without faults", tally);
    if pulse.standstills() == 0 {
        assert!((tally.per_interval() - 1.0).abs() <= 0.01, "{tally}");
    }

    let held = cluster.held_by("b");
    let killed = Instant::now();
    cluster.replica("b").kill();
    cluster.wait_for_holders(&["a", "c"]);
    let taken_after = killed.elapsed();
    wait_for_polls(&cluster, 2);
    let tally = cluster.tally(killed);
    report(
        &format!("a replica with {} of them is killed: taken after {taken_after:.1?}", held.len()),
        tally,
    );
    assert!(tally.longest_gap < INTERVAL + LONGEST_GAP, "{tally}");
    assert!(most_doubled(&cluster, killed) <= 1, "{tally}");

    let back = Instant::now();
    cluster.replica("b").start();
    cluster.wait_for_holders(&["a", "b", "c"]);
    eventually("it has its share", || cluster.held_by("b") == held);
    wait_for_polls(&cluster, 2);
    let tally = cluster.tally(back);
    report("it is back", tally);
    assert!(most_doubled(&cluster, back) <= 1, "{tally}");

    let paused = Instant::now();
    cluster.server.pause();
    pass(&cluster, 2);
    cluster.server.resume();
    wait_for_polls(&cluster, 2);
    let tally = cluster.tally(paused);
    report("the database is stopped for two intervals", tally);
    assert!(most_doubled(&cluster, paused) <= 1, "{tally}");

    assert_canaries(canaries);
    let now = Instant::now();
    eventually("all but what the killed replica had not written is recorded", || {
        cluster.missing_observations(now).iter().all(|(source, number)| {
            let at = cluster.upstream.of(source)[number - 1].at;
            held.contains(source) && at < killed && at + Duration::from_secs(5) > killed
        })
    });
    assert_eq!(cluster.doubled_observations(), []);
    assert_eq!(cluster.unlawful_readings(), 0);
}
