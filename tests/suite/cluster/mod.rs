//! Replicas that share a database: polls per interval, observations, and pages, without faults and during each.
//!
//! `make cluster-test` runs all of it, and `make test` all but the ignored tests. The counts are printed. Polls and
//! rows are counted and conditions waited for, so that a slow machine fails no test.

mod backup;
mod database_faults;
mod examples;
mod killed_replica;
mod paused_database;
mod paused_replica;
mod sign_in;
mod without_faults;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hostile::cluster::{Cluster, Replica, Tally, eventually};
use hostile::standstill::Pulse;
use jiff::Timestamp;

use crate::server::BINARY;

/// Number of sources of a cluster, of which each of three replicas gets some.
const SOURCES: usize = 12;

/// Interval of the sources.
const INTERVAL: Duration = Duration::from_secs(2);

/// Time from the takeover of a source to the latest one that is accepted. The design has 15 s.
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// Returns three replicas that poll regularly, each its share, in a database that counts unlawful writes.
fn cluster(interval: Duration) -> Cluster {
    let cluster = Cluster::start(Path::new(BINARY), 3, SOURCES, interval);
    cluster.audit_readings();
    cluster.wait_for_holders(&["a", "b", "c"]);
    wait_for_polls(&cluster, 2);
    cluster
}

/// Waits until each source has been polled this number of times from now on.
fn wait_for_polls(cluster: &Cluster, count: usize) {
    let begun = Instant::now();
    eventually(&format!("each source is polled {count} times"), || {
        let all = cluster.upstream.all();
        cluster
            .sources
            .iter()
            .all(|source| all[source].iter().filter(|poll| poll.at > begun).count() >= count)
    });
}

/// Requires that no observation is missing or doubled, once what is in flight has been written.
fn assert_recorded(cluster: &Cluster) {
    let now = Instant::now();
    eventually("each observation is recorded", || cluster.missing_observations(now).is_empty());
    assert_eq!(cluster.doubled_observations(), []);
}

/// Requires that each source was polled once in each interval, but for one at each standstill of the machine.
fn assert_regular(tally: Tally, pulse: &Pulse) {
    let irregular = tally.doubled + tally.left_out;
    let excused = pulse.standstills() * SOURCES * 2;
    assert!(irregular <= excused, "{tally}; {excused} are excused");
}

/// Requires that a replica dates each reading as the upstream knows it, and marks as stale what is old.
fn assert_true_ages(cluster: &Cluster, replica: &Replica) {
    /// Most difference in seconds: a response takes its time, and pages are rounded to a second.
    const TOLERANCE: f64 = 2.5;
    let status = replica.status();
    let (now, clock) = (Instant::now(), Timestamp::now());
    for source in &cluster.sources {
        let shown = &status["sources"][source];
        let number = shown["values"]["count"]["value"].as_f64().unwrap() as usize;
        let fetched: Timestamp = shown["fetched_at"].as_str().unwrap().parse().unwrap();
        let age = clock.duration_since(fetched).as_secs_f64();
        let polled = cluster.upstream.of(source)[number - 1].at;
        let expected = now.duration_since(polled).as_secs_f64();
        let name = replica.name();
        assert!((age - expected).abs() < TOLERANCE, "{source} at {name}, {expected} s: {shown}");
        // Readings turn stale after three intervals.
        let stale_after = 3.0 * cluster.interval.as_secs_f64();
        if (age - stale_after).abs() > TOLERANCE {
            assert_eq!(shown["state"] == "stale", age > stale_after, "{source} at {name}: {shown}");
        }
    }
}

/// Prints the counts of a test.
fn report(subject: &str, tally: Tally) {
    eprintln!("cluster: {subject}: {tally}");
}

/// Waits for this number of intervals.
fn pass(cluster: &Cluster, intervals: u32) {
    thread::sleep(cluster.interval * intervals);
}
