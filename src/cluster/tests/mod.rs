//! Leases against a simulated database: single faults with what must follow, and random schedules.

mod database;
mod plans;
mod shared_access;
mod simulation;
mod statements;
mod steps;
mod threads;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use plans::SOURCES;
use simulation::{STEP, Simulation};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Time within which each source has a holder after a fault.
const TAKEOVER: Duration = seconds(15);

/// Returns a simulation of three replicas that have shared out the sources.
fn settled(seed: u64) -> Simulation {
    let mut simulation = Simulation::new(3, seed);
    simulation.run(seconds(10));
    simulation.assert_settled();
    simulation.run(seconds(10));
    simulation.assert_settled();
    simulation
}

/// Sources of each replica.
fn shares(simulation: &Simulation) -> HashMap<usize, HashSet<Arc<str>>> {
    let mut shares: HashMap<usize, HashSet<Arc<str>>> = HashMap::new();
    for (source, holders) in simulation.holders(true) {
        shares.entry(holders[0]).or_default().insert(source);
    }
    shares
}

/// Number of times that a replica began to hold each source since then.
fn takeovers(simulation: &Simulation, since: Duration) -> HashMap<Arc<str>, usize> {
    let mut takeovers = HashMap::new();
    for (at, _, source) in &simulation.holds {
        if *at >= since {
            *takeovers.entry(Arc::clone(source)).or_default() += 1;
        }
    }
    takeovers
}

#[test]
fn nothing_changes_hands_without_faults_and_polls_are_regular() {
    for seed in 0..5 {
        let mut simulation = settled(seed);
        let since = simulation.now;
        simulation.run(seconds(120));
        assert_eq!(takeovers(&simulation, since), HashMap::new());
        simulation.assert_regular(since, STEP);
        assert_eq!(simulation.polls.iter().filter(|(at, ..)| *at > since).count(), 24 * SOURCES);
    }
}

#[test]
fn killed_replica_is_replaced_once_and_takes_its_share_when_it_returns() {
    for seed in 0..5 {
        let mut simulation = settled(seed);
        let before = shares(&simulation);
        let fault = simulation.now;
        simulation.kill(1);
        simulation.run(TAKEOVER);
        simulation.assert_settled();
        let taken = takeovers(&simulation, fault);
        assert!(taken.values().all(|count| *count == 1), "{taken:?}");
        assert_eq!(taken.into_keys().collect::<HashSet<_>>(), before[&1]);

        simulation.run(seconds(10));
        let returned = simulation.now;
        simulation.start(1);
        simulation.run(seconds(30));
        assert_eq!(shares(&simulation), before);
        let taken = takeovers(&simulation, returned);
        assert!(taken.values().all(|count| *count == 1), "{taken:?}");
        // The hand-over doubles, delays and leaves out no poll.
        simulation.assert_regular(returned, 4 * STEP);
    }
}

#[test]
fn replica_that_leaves_hands_over_at_once() {
    let mut simulation = settled(1);
    let fault = simulation.now;
    simulation.leave(0);
    simulation.run(seconds(2));
    simulation.assert_settled();
    simulation.run(seconds(20));
    simulation.assert_regular(fault, seconds(2));
}

#[test]
fn replica_that_hands_over_doubles_and_leaves_out_no_poll() {
    for seed in 0..5 {
        let mut simulation = settled(seed);
        let fault = simulation.now;
        simulation.hand_over(0);
        simulation.run(seconds(3));
        simulation.assert_settled();
        assert!(simulation.holders(true).values().all(|holders| !holders.contains(&0)));
        simulation.leave(0);
        simulation.run(seconds(20));
        simulation.assert_regular(fault, seconds(1) + STEP);
        let taken = takeovers(&simulation, fault);
        assert!(taken.values().all(|count| *count == 1), "{taken:?}");
    }
}

#[test]
fn stopped_replica_polls_nothing_before_a_round_trip() {
    for seed in 0..5 {
        let mut simulation = settled(seed);
        let before = shares(&simulation);
        simulation.replicas[2].is_paused = true;
        simulation.run(seconds(20));
        simulation.assert_settled();
        let continued = simulation.now;
        simulation.replicas[2].is_paused = false;
        // The database does not answer at first.
        simulation.replicas[2].loses_requests = true;
        simulation.run(seconds(1));
        assert!(simulation.polls.iter().all(|(at, by, _)| *at < continued || *by != 2));
        simulation.replicas[2].loses_requests = false;
        simulation.run(seconds(15));
        assert_eq!(shares(&simulation), before);
    }
}

#[test]
fn short_stop_changes_nothing() {
    let mut simulation = settled(3);
    let since = simulation.now;
    simulation.replicas[0].is_paused = true;
    simulation.run(seconds(4));
    simulation.replicas[0].is_paused = false;
    simulation.run(seconds(20));
    assert_eq!(takeovers(&simulation, since), HashMap::new());
}

#[test]
fn all_poll_on_unconfirmed_while_the_database_is_away_and_keep_their_sources() {
    for seed in 0..10 {
        for is_frozen in [false, true] {
            let mut simulation = settled(seed);
            let before = shares(&simulation);
            let since = simulation.now;
            simulation.database_is_frozen = is_frozen;
            simulation.database_is_down = !is_frozen;
            simulation.run(seconds(30));
            assert_eq!(simulation.unconfirmed.len(), 3);
            simulation.assert_settled();
            (simulation.database_is_down, simulation.database_is_frozen) = (false, false);
            simulation.run(seconds(20));
            assert_eq!(simulation.unconfirmed.len(), 0);
            assert_eq!(takeovers(&simulation, since), HashMap::new(), "{seed} {is_frozen}");
            assert_eq!(shares(&simulation), before);
            simulation.assert_regular(since, seconds(5));
        }
    }
}

#[test]
fn replica_that_is_cut_off_polls_on_until_it_learns_of_another_holder() {
    let mut simulation = settled(4);
    let before = shares(&simulation);
    simulation.replicas[0].loses_replies = true;
    simulation.run(seconds(4));
    // Its requests arrive, so its lease is renewed by the database, which it cannot know.
    simulation.run(seconds(10));
    assert!(simulation.unconfirmed.contains(&0));
    simulation.replicas[0].loses_requests = true;
    simulation.run(TAKEOVER);
    let doubled = simulation.holders(true);
    for source in &before[&0] {
        assert_eq!(doubled[source].len(), 2, "{source}");
    }
    (simulation.replicas[0].loses_requests, simulation.replicas[0].loses_replies) = (false, false);
    simulation.run(seconds(4));
    assert!(simulation.holders(true).values().all(|holders| holders.len() == 1));
    simulation.run(seconds(10));
    assert_eq!(shares(&simulation), before);
}

#[test]
fn promotion_that_loses_transactions_doubles_no_confirmed_holder() {
    for seed in 0..40 {
        let mut simulation = settled(seed);
        // Transactions to lose: a replica returns and takes its share.
        simulation.kill(1);
        simulation.run(TAKEOVER);
        simulation.start(1);
        let time = simulation.random.u64(200..4000);
        simulation.run(Duration::from_millis(time));
        let lost = simulation.random.usize(0..60);
        simulation.promote(lost);
        simulation.run(TAKEOVER);
        simulation.assert_settled();
        let since = simulation.now;
        simulation.run(seconds(20));
        assert_eq!(takeovers(&simulation, since), HashMap::new());
    }
}

#[test]
fn clock_that_is_set_while_a_replica_ends_delays_no_takeover_and_no_poll() {
    const HOUR: i64 = 3_600_000;
    for (seed, (step, is_promoted)) in (0..).zip([(-HOUR, false), (-HOUR, true), (HOUR, true)]) {
        let mut simulation = settled(seed);
        let (before, fault) = (shares(&simulation), simulation.now);
        simulation.kill(1);
        if is_promoted {
            simulation.promote(0);
        }
        simulation.database.set_clock(step);
        simulation.run(TAKEOVER);
        simulation.assert_settled();
        let taken = takeovers(&simulation, fault);
        assert_eq!(taken.into_keys().collect::<HashSet<_>>(), before[&1], "{step} {is_promoted}");
        let since = simulation.now;
        simulation.run(seconds(20));
        simulation.assert_regular(since, 4 * STEP);
    }
}

#[test]
fn source_that_changes_is_polled_by_those_that_know_it_as_it_is() {
    let mut simulation = settled(6);
    let holder = |simulation: &Simulation| simulation.holders(true)["s7"][0];
    let first = holder(&simulation);
    // One against two: the two poll it. On a tie, or with most replicas, the new one.
    simulation.reconfigure(first, "s7");
    simulation.run(seconds(8));
    assert_ne!(holder(&simulation), first);
    let second = holder(&simulation);
    simulation.reconfigure(second, "s7");
    simulation.run(seconds(8));
    assert!([first, second].contains(&holder(&simulation)));
    (0..3).for_each(|number| simulation.reconfigure(number, "s7"));
    simulation.run(seconds(8));
    assert_eq!(holder(&simulation), first);
    simulation.assert_settled();
}

#[test]
fn request_for_a_poll_reaches_the_holder_within_a_second_and_acts_once() {
    let mut simulation = settled(7);
    let holder = simulation.holders(true)["s5"][0];
    for _ in 0..3 {
        simulation.request_poll((holder + 1) % 3, "s5");
        simulation.request_poll((holder + 1) % 3, "unknown");
    }
    simulation.run(Duration::from_millis(1300));
    assert_eq!(simulation.requested.len(), 1);
    simulation.run(seconds(20));
    assert_eq!(simulation.requested.len(), 1);
    simulation.request_poll((holder + 2) % 3, "s5");
    simulation.run(seconds(2));
    assert_eq!(simulation.requested.len(), 2);
}

/// Number of random schedules.
const SCHEDULES: u64 = 40;

#[test]
fn random_faults_never_double_a_confirmed_holder_and_end_with_one_each() {
    let extra = std::env::var("CLUSTER_SCHEDULES").ok().and_then(|count| count.parse().ok());
    for seed in 0..extra.unwrap_or(SCHEDULES) {
        random_faults(seed);
    }
}

fn random_faults(seed: u64) {
    let count = 2 + usize::try_from(seed % 4).unwrap();
    let mut simulation = Simulation::new(count, 1000 + seed);
    for _ in 0..simulation.random.u32(10..50) {
        let number = simulation.random.usize(0..count);
        match simulation.random.u32(0..17) {
            0 => simulation.kill(number),
            1 => simulation.leave(number),
            2..=4 => simulation.start(number),
            5 | 6 => simulation.replicas[number].is_paused ^= true,
            7 => simulation.replicas[number].loses_requests ^= true,
            8 => simulation.replicas[number].loses_replies ^= true,
            9 => simulation.database_is_down ^= true,
            10 => simulation.database_is_frozen ^= true,
            11 | 12 => {
                let lost = simulation.random.usize(0..80);
                simulation.promote(lost);
            }
            13 => {
                let changes = ["s4", "s1", "-s6", "-s2", "*s8"];
                let change = simulation.random.choice(changes).unwrap();
                simulation.reconfigure(number, change);
            }
            14 => simulation.reconfigure(number, ""),
            15 => simulation.hand_over(number),
            _ => simulation.request_poll(number, "s3"),
        }
        let time = simulation.random.u64(50..6000);
        simulation.run(Duration::from_millis(time));
    }
    (simulation.database_is_down, simulation.database_is_frozen) = (false, false);
    for number in 0..count {
        let replica = &mut simulation.replicas[number];
        (replica.is_paused, replica.loses_requests, replica.loses_replies) = (false, false, false);
        simulation.start(number);
        simulation.reconfigure(number, "");
    }
    simulation.run(TAKEOVER);
    simulation.assert_settled();
    let since = simulation.now;
    simulation.run(seconds(15));
    let taken = takeovers(&simulation, since);
    // A replica that was started last may take its share now.
    assert!(taken.values().all(|count| *count <= 1), "{seed}: {taken:?}");
    simulation.assert_settled();
}
