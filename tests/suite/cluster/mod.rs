//! Replicas that share a database: polls per interval, observations, alarms and pages, without faults and during each.
//!
//! `make cluster-test` runs all of it, and `make test` all but the ignored tests. The counts are printed. Polls and
//! rows are counted and conditions waited for, so that a slow machine fails no test.

mod backup;
mod database_faults;
mod examples;
mod killed_replica;
mod lossy_network;
mod paused_database;
mod paused_replica;
mod sign_in;
mod stopped_replica;
mod thousand_sources;
mod without_faults;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hostile::canary::Canary;
use hostile::cluster::{Cluster, Replica, Tally, eventually};
use hostile::standstill::Pulse;
use jiff::Timestamp;

use crate::server::BINARY;

/// Number of sources of a cluster, of which each of three replicas gets some.
const SOURCES: usize = 12;

/// Interval of the sources.
const INTERVAL: Duration = Duration::from_secs(2);

/// Interval in which a source can change hands between two polls, also on a busy machine.
const HAND_OVER_INTERVAL: Duration = Duration::from_secs(5);

/// Time from the takeover of a source to the latest one that is accepted. The design has 15 s.
const LONGEST_GAP: Duration = Duration::from_secs(30);

/// Time within which a second message of an alarm would arrive.
const SECOND_MESSAGE: Duration = Duration::from_secs(5);

/// Returns three replicas that poll regularly, each its share, in a database that counts unlawful writes.
fn cluster(interval: Duration) -> Cluster {
    let cluster = Cluster::start(Path::new(BINARY), 3, SOURCES, interval);
    cluster.audit_readings();
    cluster.wait_for_holders(&["a", "b", "c"]);
    wait_for_polls(&cluster, 2);
    cluster
}

/// Starts all replicas, and waits until each polls its share.
fn settle(cluster: &mut Cluster) {
    for replica in &mut cluster.replicas {
        replica.start();
    }
    cluster.wait_for_readings();
    cluster.audit_readings();
    cluster.wait_for_holders(&["a", "b", "c"]);
    wait_for_polls(cluster, 2);
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

/// Requires messages about the alarms of all sources, which [`set_low`](hostile::cluster::PollLog::set_low) has raised,
/// and about their ends, with at most this many messages or incidents doubled for each of the two.
fn assert_alarms(cluster: &Cluster, excused: usize) {
    for have_ended in [false, true] {
        cluster.upstream.set_low(!have_ended);
        let subject = if have_ended { "ends of alarms" } else { "alarms" };
        eventually(&format!("a message of each source: {subject}"), || {
            cluster.alarms(have_ended).missing.is_empty()
        });
    }
    // A second message would come within a claim's time, or the grouping of messages.
    thread::sleep(SECOND_MESSAGE);
    for have_ended in [false, true] {
        let alarms = cluster.alarms(have_ended);
        eprintln!("cluster: {}: {alarms}", if have_ended { "resolved" } else { "firing" });
        let doubled = alarms.doubled + alarms.other_incidents;
        assert!(doubled <= excused, "{alarms}; {excused} are excused");
    }
}

/// Requires that all visits of canaries were answered, and prints their times.
fn assert_canaries(canaries: impl IntoIterator<Item = Canary>) {
    for canary in canaries {
        let visits = canary.stop();
        assert!(visits.missed.is_empty(), "{:?}", visits.missed);
        eprintln!("cluster: canary: {}, slowest {:?}", visits.tally(), visits.quantile(1.0));
    }
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
