//! Limits of guesses over several replicas.

use super::*;

/// Accounts with the default limits.
fn limited() -> Restricted {
    Restricted { limits: Limits::default(), ..restricted() }
}

/// Number of replicas of a guesser that spreads over all.
const REPLICAS: u8 = 20;

#[test]
fn slow_guesser_that_spreads_over_replicas_gets_the_attempts_of_one() {
    let mut cluster = Cluster::new(REPLICAS, restricted);
    let mut compared = [0; 2];
    for number in 0..200_usize {
        // A guess at the last one reaches the first one with the second exchange.
        cluster.exchange();
        cluster.exchange();
        let replica = &cluster.replicas[number % usize::from(REPLICAS)];
        // From one address, at names that do not exist, and from many addresses at one account.
        let from = address((number % 250) as u8);
        compared[0] +=
            usize::from(replica.try_password(&format!("user {number}"), "guess", HOME) == "401");
        compared[1] +=
            usize::from(replica.try_password("anna", &format!("guess {number}"), &from) == "401");
    }
    // The first one that must wait is compared, and one after each of the waits of 1, 2, 4, … 64 s.
    let limits = Limits::default();
    let free = [limits.failures_per_address, limits.failures_per_account];
    for (compared, free) in compared.into_iter().zip(free) {
        // Two different guesses may have the same tag, by a chance of one in hundreds.
        assert!((free + 8..=free + 10).contains(&compared), "{compared}");
    }
}

#[test]
fn fast_guesser_that_spreads_over_replicas_gets_the_limit_and_what_fits_into_an_exchange() {
    let mut cluster = Cluster::new(REPLICAS, limited);
    let limits = Limits::default();
    let mut compared = 0;
    let mut number = 0_u32;
    // Ten minutes of a botnet: each replica gets a guess of each of five addresses in each interval.
    for _ in 0..1200 {
        for replica in &cluster.replicas {
            for _ in 0..5 {
                number += 1;
                let [_, a, b, c] = number.to_be_bytes();
                let from = format!("10.{a}.{b}.{c}");
                let response = replica.try_password("anna", &format!("guess {number}"), &from);
                compared += usize::from(response == "401");
            }
        }
        cluster.exchange();
    }
    // Before the first exchange each replica compares its share of the strangers' limit, and may do so once more
    // until it has read the counts of those behind it in the order.
    let bound = limits.failures_per_account + 1 + 2 * limits.strangers_per_second;
    assert!(compared <= bound, "{compared} were compared, {bound} are the bound");
    assert!(compared > limits.failures_per_account);
    assert_eq!(cluster.replicas[7].try_password("anna", "right", ELSEWHERE), "429");
    assert_eq!(cluster.replicas[7].try_password("bert", "other", "198.51.100.7"), "403");
}

#[test]
fn wait_holds_at_a_replica_that_has_seen_no_failure_and_ends_as_elsewhere() {
    let mut cluster = Cluster::new(2, restricted);
    let free = Limits::default().failures_per_address;
    for number in 0..free + 4 {
        cluster.replicas[0].try_password(&format!("user {number}"), "guess", HOME);
        // Waits of 1, 2 and 4 s.
        for _ in 0..9 {
            cluster.exchange();
        }
    }
    cluster.replicas[0].try_password("user", "guess", HOME);
    cluster.exchange();
    assert_eq!(cluster.replicas[1].try_password("anna", "right", HOME), "429");
    for _ in 0..2 * 16 {
        cluster.exchange();
    }
    assert_eq!(cluster.replicas[1].try_password("anna", "right", HOME), "ok");
    cluster.exchange();
    assert_eq!(
        cluster.replicas[0].try_password("bert", "other", HOME),
        "403",
        "no wait after a success"
    );
}

#[test]
fn guesses_survive_the_restart_of_every_replica() {
    let mut cluster = Cluster::new(2, restricted);
    for number in 0..40 {
        cluster.replicas[0].try_password(&format!("user {number}"), "guess", HOME);
    }
    cluster.exchange();
    for place in [0, 1] {
        cluster.restart(place, restricted());
    }
    // Under the instance of an earlier process its rows would be read as its own.
    let gate = &cluster.replicas[0].gate;
    for _ in 0..2 {
        let sent = gate.take_outgoing();
        gate.apply(&sent, &cluster.database.run([99; 16], &sent, 2));
    }
    let wrong = |number: u32| cluster.replicas[0].try_password("user", &format!("{number}"), HOME);
    let free = Limits::default().failures_per_address;
    let admitted = (0..40).filter(|number| wrong(*number) == "401").count();
    assert!(admitted <= 1, "{admitted} of {free}");
}

#[test]
fn old_password_that_a_script_sends_to_all_replicas_counts_once() {
    let mut cluster = Cluster::new(REPLICAS, restricted);
    for round in 0..3 {
        for replica in &cluster.replicas {
            assert_eq!(replica.try_password("anna", "old", HOME), "401", "{round}");
        }
        cluster.exchange();
    }
    for replica in &cluster.replicas {
        assert_eq!(replica.try_password("anna", "right", HOME), "ok");
    }
}

#[test]
fn lost_and_replayed_counts_are_counted_once() {
    let mut cluster = Cluster::new(2, restricted);
    let guess = |cluster: &Cluster, number: u32| {
        cluster.replicas[0].try_password("user", &format!("guess {number}"), HOME)
    };
    let mut earlier = Vec::new();
    for number in 0..3 {
        guess(&cluster, number);
        earlier.push(cluster.replicas[0].gate.take_outgoing());
    }
    cluster.replicas[0].gate.exchange_failed();
    for sent in earlier.iter().rev().chain(&earlier) {
        cluster.database.write(instance(0), sent);
    }
    cluster.exchange();
    cluster.exchange();
    let rows: Vec<_> = cluster.database.counts.values().map(|(row, _)| row.failures).collect();
    assert_eq!(rows, [3, 3], "the address and the account");
    // Two of five are left to the other replica, and one more begins the waits.
    let wrong =
        |number: u32| cluster.replicas[1].try_password("user", &format!("else {number}"), HOME);
    let admitted = (0..10).filter(|number| wrong(*number) == "401").count();
    assert_eq!(admitted, Limits::default().failures_per_address + 1 - 3);
}

#[test]
fn flood_of_addresses_and_names_is_bounded_in_each_exchange_and_in_memory() {
    let limits = Limits { strangers_per_second: 100_000, max_throttled: 600, ..Limits::default() };
    let accounts = || Restricted { limits: limits.clone(), ..restricted() };
    let mut cluster = Cluster::new(2, accounts);
    for number in 0..1500_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        cluster.replicas[0].try_password(
            &format!("user {number}"),
            "x",
            &format!("10.{a}.{b}.{c}"),
        );
    }
    let victim = |cluster: &Cluster, number: u32| {
        cluster.replicas[0].try_password("anna", &format!("guess {number}"), HOME)
    };
    for number in 0..10 {
        victim(&cluster, number);
    }
    let sent = cluster.replicas[0].gate.take_outgoing();
    assert_eq!(sent.counts.len(), MAX_COUNTS);
    assert_eq!(sent.counts[0].failures, 6, "those with the most failures are first");
    assert!(sent.counts.iter().all(|row| row.keep <= 15 * 60 * 1000 * 6));
    for _ in 0..20 {
        cluster.exchange();
    }
    let ([addresses, accounts, ..], _) = cluster.replicas[1].gate.records();
    assert!(addresses <= 600 && accounts <= 600, "{addresses}, {accounts}");
    assert!(cluster.replicas[0].gate.take_outgoing().counts.is_empty());
}

#[test]
fn replicas_without_the_database_limit_by_what_they_know() {
    let mut cluster = Cluster::new(2, restricted);
    for number in 0..3 {
        cluster.replicas[0].try_password("user", &format!("guess {number}"), HOME);
    }
    cluster.exchange();
    let wrong = |cluster: &Cluster, place: usize, number: u32| {
        cluster.replicas[place].try_password("user", &format!("later {number}"), HOME) == "401"
    };
    cluster.replicas.iter().for_each(|replica| replica.gate.exchange_failed());
    let admitted: Vec<usize> =
        [0, 1].map(|place| (0..20).filter(|number| wrong(&cluster, place, *number)).count()).into();
    assert_eq!(admitted, [3, 3]);
}
