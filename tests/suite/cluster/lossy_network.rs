//! Packets between a replica and the database that are lost in one direction, in a network namespace.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hostile::cluster::{Cluster, Poll, Relay, eventually};

use super::{
    INTERVAL, LONGEST_GAP, SOURCES, assert_alarms, assert_canaries, report, settle, wait_for_polls,
};
use crate::namespaces::{is_inside, run_in_root};
use crate::server::BINARY;

const SETUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/cluster/lossy_network.sh");

/// Direction in which packets are lost.
#[derive(Clone, Copy)]
enum Lost {
    /// Packets from the database: statements arrive there and are executed.
    Answers,
    /// Packets to the database.
    Requests,
}

impl Lost {
    /// Loses packets of the relay's port from now on, or none.
    fn set(self, is_lost: bool, port: u16) {
        let change = if is_lost { "add" } else { "del" };
        let side = match self {
            Lost::Answers => "sport",
            Lost::Requests => "dport",
        };
        let mut ip = Command::new("ip");
        ip.args(["rule", change, "pref", "10", "ipproto", "tcp", side, &port.to_string()]);
        hostile::program::run(ip.arg("blackhole"), "").unwrap();
    }
}

#[test]
#[ignore = "part of make cluster-test"]
fn replica_that_receives_no_packet_of_the_database_doubles_polls_and_no_row() {
    run_in_root("cluster::lossy_network::answers_are_lost", SETUP);
}

#[test]
#[ignore = "part of make cluster-test"]
fn replica_whose_packets_do_not_reach_the_database_doubles_polls_and_no_row() {
    run_in_root("cluster::lossy_network::requests_are_lost", SETUP);
}

#[test]
#[ignore = "the inner half of another test"]
fn answers_are_lost() {
    if is_inside() {
        lose(Lost::Answers);
    }
}

#[test]
#[ignore = "the inner half of another test"]
fn requests_are_lost() {
    if is_inside() {
        lose(Lost::Requests);
    }
}

fn lose(lost: Lost) {
    let mut cluster = Cluster::new(Path::new(BINARY), SOURCES, INTERVAL);
    let line = Relay::start(cluster.server.port());
    for name in ["a", "b", "c"] {
        cluster.add(name);
    }
    let own = format!(":{}/", cluster.server.port());
    let url = cluster.database.url.replace(&own, &format!(":{}/", line.port()));
    let config = cluster.config().set("store.url", url);
    cluster.replica("b").configure(config);
    settle(&mut cluster);
    let held = cluster.held_by("b");
    let canary = cluster.replica("b").canary();
    let cut = Instant::now();
    lost.set(true, line.port());
    cluster.upstream.set_low(true);
    cluster.wait_for_holders(&["a", "c"]);
    wait_for_polls(&cluster, 3);
    let tally = cluster.tally_of(&held, cut);
    report("packets of a replica are lost, its sources", tally);
    assert!(tally.longest_gap < LONGEST_GAP, "{tally}");
    lost.set(false, line.port());
    let back = Instant::now();
    cluster.wait_for_holders(&["a", "b", "c"]);
    wait_for_polls(&cluster, 2);
    report("the packets arrive again", cluster.tally(back));
    assert_canaries([canary]);
    // Two replicas have seen the alarms of these sources.
    assert_alarms(&cluster, held.len());
    let now = Instant::now();
    eventually("each observation is recorded, but of two polls in one second one", || {
        let missing = cluster.missing_observations(now);
        missing.iter().all(|(source, number)| {
            let polls = cluster.upstream.of(source);
            let at = polls[number - 1].at;
            let near = |poll: &&Poll| {
                poll.at.max(at).duration_since(poll.at.min(at)) < Duration::from_millis(1500)
            };
            polls.iter().filter(near).count() > 1
        })
    });
    let missing = cluster.missing_observations(now).len();
    eprintln!("cluster: {missing} observations are of the same second as another one");
    assert_eq!(cluster.doubled_observations(), []);
    assert_eq!(cluster.unlawful_readings(), 0);
}
