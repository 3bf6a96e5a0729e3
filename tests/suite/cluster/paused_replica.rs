//! A replica that is stopped past its lease (SIGSTOP), with polls in flight, and continues.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hostile::cluster::eventually;

use super::{
    INTERVAL, LONGEST_GAP, assert_alarms, assert_canaries, cluster, report, wait_for_polls,
};

/// Time that the upstream takes for an answer, so that polls are in flight when the replica is stopped.
const DELAY: Duration = Duration::from_millis(400);

#[test]
fn replica_stopped_past_its_lease_writes_no_reading_and_no_observation_twice() {
    let mut cluster = cluster(INTERVAL);
    let held = cluster.held_by("b");
    let canaries: Vec<_> =
        ["a", "c"].into_iter().map(|name| cluster.replica(name).canary()).collect();
    cluster.upstream.delay(DELAY);
    eventually("a poll of the replica is in flight", || {
        held.iter()
            .any(|source| cluster.upstream.of(source).last().is_some_and(|poll| !poll.is_answered))
    });
    let stopped = Instant::now();
    cluster.replica("b").pause();
    cluster.upstream.set_low(true);
    cluster.wait_for_holders(&["a", "c"]);
    wait_for_polls(&cluster, 2);
    let taken = cluster.tally_of(&held, stopped);
    report("a replica is stopped, its sources", taken);
    assert!(taken.longest_gap < LONGEST_GAP, "{taken}");

    let resumed = Instant::now();
    cluster.replica("b").resume();
    cluster.wait_for_holders(&["a", "b", "c"]);
    cluster.upstream.delay(Duration::ZERO);
    wait_for_polls(&cluster, 2);
    let returned = cluster.tally(resumed);
    report("the replica continues", returned);
    assert!(returned.doubled <= held.len(), "one poll of the takeover for each source: {returned}");
    assert_eq!(cluster.unlawful_readings(), 0, "readings of an ended lease are refused");
    assert_canaries(canaries);
    assert_alarms(&cluster, 0);

    // A poll whose deadline has passed while the replica was stopped may have failed; its answer was never read.
    let now = Instant::now();
    eventually("all but polls in flight at the stop is recorded", || {
        let missing = cluster.missing_observations(now);
        let sources: BTreeSet<&String> = missing.iter().map(|(source, _)| source).collect();
        sources.len() == missing.len()
            && missing.iter().all(|(source, number)| {
                let at = cluster.upstream.of(source)[number - 1].at;
                held.contains(source) && at < stopped + DELAY && at + 4 * DELAY > stopped
            })
    });
    assert_eq!(cluster.doubled_observations(), []);
}
