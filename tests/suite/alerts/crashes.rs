//! `kill -9` at any time: each message arrives, at most one duplicate each, and incidents continue.

use std::collections::BTreeMap;
use std::time::Duration;

use hostile::receiver::{AlertmanagerReceiver, Front, FrontFault};
use hostile::upstream::Upstream;

use super::{FULL, LOW, config, of_rule, wait_for_state, webhook};
use crate::harness::eventually;
use crate::server::Server;

/// Number of kills.
const ROUNDS: usize = 12;

/// Longest time from a change of the level to a kill: a poll, the transition and its message are within it.
const MAX_DELAY_MS: u64 = 1800;

/// Number of messages of each kind, by incident: fires and ends.
type Counts = BTreeMap<String, [usize; 2]>;

fn counts(receiver: &AlertmanagerReceiver) -> Counts {
    let mut counts = Counts::new();
    for posted in of_rule(receiver.posted(), "tank_low") {
        counts.entry(posted.incident).or_default()[usize::from(posted.is_resolved)] += 1;
    }
    counts
}

#[test]
fn kill_9_between_transition_and_send_loses_no_message_and_repeats_at_most_one() {
    let receiver = AlertmanagerReceiver::start(None);
    let upstream = Upstream::answering(FULL);
    // A message waits for half a second, so that kills come before, amid and after its delivery.
    let mut channel = webhook("hook", receiver.address());
    channel["group_wait"] = "500ms".into();
    let config = config(&upstream, [channel]);
    let mut server = Server::start(&config);
    wait_for_state(&server, "inactive");
    let mut random = fastrand::Rng::new();
    let mut delays = Vec::new();
    let mut firing: Option<String> = None;
    for round in 0..ROUNDS {
        let is_low = round % 2 == 0;
        upstream.set(Some(if is_low { LOW } else { FULL }));
        let delay = random.u64(0..MAX_DELAY_MS);
        delays.push(delay);
        std::thread::sleep(Duration::from_millis(delay));
        server.signal("KILL");
        server = server.start_again(&config);
        eventually(&format!("the message of round {round}, {delays:?} ms"), || {
            let counts = counts(&receiver);
            // Each round but the first begins with an incident that fires, or with none.
            let open = counts.iter().filter(|(_, [_, ends])| *ends == 0);
            let open: Vec<&String> = open.map(|(incident, _)| incident).collect();
            match is_low {
                true => {
                    firing = open.first().map(|it| (*it).clone());
                    firing.is_some()
                }
                false => open.is_empty(),
            }
        });
        let state = wait_for_state(&server, if is_low { "firing" } else { "inactive" });
        if is_low {
            assert_eq!(state["incident"].as_str(), firing.as_deref(), "{delays:?} ms");
        }
    }
    let counts = counts(&receiver);
    let repeated: usize = counts.values().flatten().map(|count| count.saturating_sub(1)).sum();
    eprintln!("{repeated} messages repeated after {ROUNDS} kills");
    assert!(repeated <= ROUNDS, "{counts:?}");
    assert_eq!(counts.len(), ROUNDS / 2, "incidents: {counts:?}, {delays:?} ms");
    for (incident, [fires, ends]) in &counts {
        assert!((1..=2).contains(fires) && (1..=2).contains(ends), "{incident}: {counts:?}");
    }
    assert_eq!(receiver.rejected(), [""; 0]);
}

#[test]
fn kill_9_while_a_receiver_hangs_loses_no_message_and_ends_no_incident() {
    let receiver = AlertmanagerReceiver::start(None);
    let front = Front::start(receiver.address(), Some(FrontFault::Hangs));
    let upstream = Upstream::answering(LOW);
    let mut channel = webhook("hook", front.address());
    channel["timeout"] = "1m".into();
    let config = config(&upstream, [channel]);
    let server = Server::start(&config);
    let incident = wait_for_state(&server, "firing")["incident"].clone();
    eventually("a delivery is in progress", || front.connections() == 1);
    server.signal("KILL");
    let server = server.start_again(&config);
    let state = wait_for_state(&server, "firing");
    assert_eq!(state["incident"], incident, "the incident does not continue");
    eventually("the delivery is repeated", || front.connections() == 2);
    assert_eq!(counts(&receiver), Counts::new());
    // A stop waits for the delivery no longer than for requests in flight.
    let mut server = server;
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    front.recover();
    let server = server.start_again(&config);
    eventually("the message arrives", || !counts(&receiver).is_empty());
    upstream.set(Some(FULL));
    wait_for_state(&server, "inactive");
    let expected = Counts::from([(incident.as_str().unwrap().to_owned(), [1, 1])]);
    eventually("its end arrives", || counts(&receiver) == expected);
}
