//! `make attack` at a small scale: every mode at once, each scenario, and canaries that must all be
//! served.

use std::path::Path;
use std::time::Duration;

use hostile::burst::burst;
use hostile::canary::{Canary, visit};
use hostile::client::TEST_TIMEOUT;
use hostile::config::Config;
use hostile::dense_history::DenseHistory;
use hostile::mode::Mode;
use hostile::proc;
use hostile::scenario::Scenario::{
    self, AdminClients, AdminConnects, AdminPipelines, ExpensiveQueries, LogReaderStops,
    ManyParameters, PasswordGuesses, Pipelines, SourcePages, StalledBodies, StalledReaders,
};
use hostile::scenario::{Findings, Scale};
use hostile::swarm::{Plan, Swarm};
use hostile::target::Target;
use pumphouse_web::engine::Settings;

use crate::server::BINARY;

#[test]
fn hostile_clients_in_every_mode_no_canary_missed() {
    let target =
        Target::start(Path::new(BINARY), Config::https().set("server.max_connections", 300))
            .unwrap();
    // The admin listener starts last: once it answers, every thread runs.
    target.admin_page("/healthz").unwrap();
    let threads = proc::status(target.process(), "Threads");
    let canary = Canary::start(target.address, target.config.clone(), TEST_TIMEOUT);
    // More than the cap, so that some are evicted. Each address holds several connections, so there
    // is always a larger group than the canary's to evict from, even while the machine is slow.
    let mut swarm = Swarm::new(Plan {
        addresses: 4,
        ..Plan::new(target.address, &target.config, &Mode::ATTACK, 480)
    })
    .unwrap();
    swarm.run(Duration::from_secs(6), |_| {});
    let canary = canary.stop();
    assert!(canary.missed.is_empty(), "{:?}", canary.missed);
    assert!(!canary.served.is_empty());
    for (mode, tally) in swarm.tallies() {
        assert!(tally.opened > 0, "{}", mode);
        if mode.allowance(&Settings::default()) == Some(Duration::ZERO) {
            assert!(tally.closed > 0, "refused: {}", mode);
        }
    }
    let now = proc::status(target.process(), "Threads");
    assert!(now <= threads, "from {threads} threads to {now}");
    let board = target.admin_page("/scoreboard").unwrap();
    assert!(board.contains("\"accept_queues\":[{"), "{board}");
    drop(swarm);
    crate::harness::eventually("all connections are closed", || {
        let metrics = target.admin_page("/metrics").unwrap();
        ["handshaking", "reading", "writing", "idle"]
            .iter()
            .all(|state| metrics.contains(&format!("pumphouse_connections{{state=\"{state}\"}} 0")))
    });
}

#[test]
fn burst_of_connects_beyond_the_cap_is_closed() {
    const CAP: usize = 200;
    let target =
        Target::start(Path::new(BINARY), Config::https().set("server.max_connections", CAP))
            .unwrap();
    let burst = burst(target.address, 2 * CAP, CAP, TEST_TIMEOUT).unwrap();
    assert_eq!(burst.held.max(CAP), CAP, "connections beyond the cap are open: {burst:?}");
    visit(target.address, &target.config, TEST_TIMEOUT).unwrap();
}

/// Runs a scenario against the debug binary, long enough for several rounds of each attacker, and
/// requires that it has no faults.
fn withstand(scenario: Scenario) -> Findings {
    let scale = Scale {
        time: Duration::from_secs(6),
        connections: 300,
        history: DenseHistory { interval: 300 },
        step_timeout: TEST_TIMEOUT / 6,
        admin_attempts: 16,
        // The admin listener's cap is 128 then, below the number of clients.
        descriptors: Some(1024),
        watched: false,
    };
    let outcome = scenario.run(Path::new(BINARY), &scale).unwrap();
    assert_eq!(outcome.faults(), Vec::<String>::new(), "{}", scenario);
    outcome.findings
}

#[test]
fn pipelined_expensive_queries_no_canary_missed() {
    let responses = withstand(ExpensiveQueries).responses.unwrap();
    assert!(responses.total() > 0);
}

#[test]
fn pipelined_source_pages_no_canary_missed() {
    let responses = withstand(SourcePages).responses.unwrap();
    assert!(responses.of(200) > 0, "{responses}");
}

#[test]
fn pipelined_many_parameters_no_canary_missed() {
    let responses = withstand(ManyParameters).responses.unwrap();
    assert!(responses.total() > 0);
}

#[test]
fn stalled_bodies_no_canary_missed() {
    withstand(StalledBodies);
}

#[test]
fn stalled_readers_no_canary_missed() {
    withstand(StalledReaders);
}

#[test]
fn admin_listener_misused_by_64_clients_serves_healthz() {
    withstand(AdminClients);
}

#[test]
fn admin_listener_connected_to_in_a_loop_serves_healthz() {
    assert!(withstand(AdminConnects).opened.unwrap() > 0);
}

#[test]
fn admin_listener_full_of_pipelines_serves_healthz() {
    withstand(AdminPipelines);
}

#[test]
fn public_listener_full_of_pipelines_no_canary_missed() {
    withstand(Pipelines);
}

#[test]
fn right_guess_of_a_throttled_stranger_is_refused_and_the_owner_served() {
    let responses = withstand(PasswordGuesses).responses.unwrap();
    assert!(responses.of(429) > 0, "{responses}");
}

#[test]
fn unread_log_requests_are_served_and_term_ends_the_process() {
    withstand(LogReaderStops);
}
