//! A replica that is killed, and comes back.

use std::time::{Duration, Instant};

use hostile::cluster::eventually;
use hostile::standstill::Pulse;

use super::{
    HAND_OVER_INTERVAL, LONGEST_GAP, assert_alarms, assert_canaries, assert_regular, cluster,
    report, wait_for_polls,
};

/// Age of the newest observation that a replica may not have written when it is killed. It writes each second.
const UNWRITTEN: Duration = Duration::from_secs(5);

#[test]
fn replica_that_is_killed_is_replaced_and_takes_its_share_when_it_is_back() {
    let mut cluster = cluster(HAND_OVER_INTERVAL);
    let held = cluster.held_by("b");
    let canaries: Vec<_> =
        ["a", "c"].into_iter().map(|name| cluster.replica(name).canary()).collect();
    // Its alarms fire, and it is killed before or while it sends them.
    cluster.upstream.set_low(true);
    wait_for_polls(&cluster, 1);
    let killed = Instant::now();
    cluster.replica("b").kill();
    cluster.wait_for_holders(&["a", "c"]);
    wait_for_polls(&cluster, 3);
    let taken = cluster.tally_of(&held, killed);
    report("a replica is killed, its sources", taken);
    let others: Vec<String> =
        cluster.sources.iter().filter(|source| !held.contains(*source)).cloned().collect();
    report("a replica is killed, other sources", cluster.tally_of(&others, killed));
    assert!(taken.longest_gap < LONGEST_GAP, "{taken}");
    assert!(taken.doubled <= held.len(), "one poll of the takeover for each source: {taken}");

    let (pulse, back) = (Pulse::start().unwrap(), Instant::now());
    cluster.replica("b").start();
    // Each source changes hands once no poll of it is near.
    eventually("it has the share that it had", || cluster.held_by("b") == held);
    wait_for_polls(&cluster, 2);
    let returned = cluster.tally(back);
    report("the replica is back", returned);
    assert_regular(returned, &pulse);

    assert_canaries(canaries);
    // The killed replica may have sent a message without marking it.
    assert_alarms(&cluster, held.len());
    let now = Instant::now();
    eventually("all but what the killed replica had not written is recorded", || {
        cluster.missing_observations(now).iter().all(|(source, number)| {
            let at = cluster.upstream.of(source)[number - 1].at;
            held.contains(source) && at < killed && at + UNWRITTEN > killed
        })
    });
    assert_eq!(cluster.doubled_observations(), []);
    assert_eq!(cluster.unlawful_readings(), 0);
}
