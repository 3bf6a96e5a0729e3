//! Password guesses at full speed: few are verified, and other clients are served meanwhile.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hostile::client::{connect_tls, read_response};
use hostile::config::Config;
use serde_json::json;

use super::{basic, request, text, token, with_throttled_anna};
use crate::harness::eventually;
use crate::server::{Server, code};

/// Sends guesses at full speed on one connection, until this number of them were throttled.
fn guess_until_throttled(server: &Server, times: usize, attempt: impl Fn(usize) -> String) {
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    let mut throttled = 0;
    for number in 0..MAX_GUESSES {
        stream.write_all(attempt(number).as_bytes()).unwrap();
        let answer = read_response(&mut stream).unwrap();
        match code(text(&answer)) {
            429 => throttled += 1,
            401 | 503 => {}
            code => panic!("a guess was answered {code}"),
        }
        if throttled == times {
            return;
        }
    }
    panic!("{MAX_GUESSES} guesses, and throttled {throttled} times");
}

/// Number of guesses on one connection after which the test fails.
const MAX_GUESSES: usize = 1_000_000;

/// Runs an attack on several connections, while canaries visit that must all be served. Returns the
/// number of their visits.
fn under_attack(server: &Server, good: &[(&str, String)], attack: impl Fn(usize) + Sync) -> usize {
    let visits = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..8)
            .map(|number| {
                let attack = &attack;
                scope.spawn(move || attack(number))
            })
            .collect();
        while !attackers.iter().all(|attacker| attacker.is_finished()) {
            for (target, credentials) in good {
                let answer = server.ask(&request("GET", target, credentials, "192.0.2.1"));
                assert_eq!(code(&answer), 200, "{target}: {answer}");
                visits.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    visits.into_inner()
}

#[test]
fn brute_force_costs_few_verifications_and_delays_no_other_client() {
    /// Number of throttled guesses after which an attacking connection ends.
    const REFUSALS: usize = 200;
    /// Number of guesses that were being verified when the first delay began.
    const UNDER_WAY: usize = 4;
    let (token, read) = token(&[]);
    let config = with_throttled_anna()
        .set("auth.max_throttled", 64)
        .set("auth.longest_delay", "1h")
        .append(&read)
        // So that this machine can send from many addresses.
        .set("server.trusted_proxies", ["127.0.0.1"]);
    let server = Server::start(&config);
    let good = [
        ("/api/v1/status", basic("anna", "right")),
        ("/api/v1/status", format!("Bearer {token}")),
        ("/ping", String::new()),
    ];
    let verified = || server.metric("pumphouse_auth_verifications_total");
    let anna = server.ask(&request("GET", "/", &good[0].1, "192.0.2.1"));
    assert_eq!((code(&anna), verified()), (200, 1));

    // From one address, against one account and against many names.
    let visits = under_attack(&server, &good, |attacker| {
        guess_until_throttled(&server, REFUSALS, |number| {
            let name = if number % 2 == 0 { "anna".to_owned() } else { format!("user{number}") };
            let credentials = basic(&name, &format!("{attacker}-{number}"));
            request("GET", "/", &credentials, "198.51.100.1")
        });
    });
    assert!(visits >= good.len());
    let after_one = verified();
    assert!(after_one <= 1 + 6 + UNDER_WAY, "{after_one} verifications");

    // From many addresses, against one account.
    under_attack(&server, &good, |attacker| {
        guess_until_throttled(&server, REFUSALS, |number| {
            let from = format!("203.0.{attacker}.{}", number % 250);
            request("GET", "/", &basic("anna", &format!("{attacker}-{number}")), &from)
        });
    });
    let after_many = verified();
    assert!(after_many <= after_one + 21 + UNDER_WAY, "{after_many} verifications");

    // From many addresses, with tokens, and under as many names as there are guesses. No throttle
    // counts these; the limits of verifications refuse most passwords without comparing them.
    let refused = AtomicUsize::new(0);
    under_attack(&server, &good, |attacker| {
        let mut stream = connect_tls(server.address, &server.client).unwrap();
        for number in 0..200 {
            let from = format!("203.{attacker}.{}.1", number % 250);
            let credentials = match number % 2 {
                0 => format!("Bearer pumphouse_{attacker}-{number}"),
                _ => basic(&format!("user{attacker}-{number}"), "guess"),
            };
            stream.write_all(request("GET", "/", &credentials, &from).as_bytes()).unwrap();
            let response = read_response(&mut stream).unwrap();
            match code(text(&response)) {
                401 => {}
                503 => _ = refused.fetch_add(1, Ordering::Relaxed),
                other => panic!("{other}"),
            }
        }
    });
    let refused = refused.into_inner();
    assert!(refused > 0, "every password was compared");
    let failures = server.metric("pumphouse_auth_failures_total{reason=\"throttled\"}");
    assert!(failures >= 2 * 8 * REFUSALS, "{failures} were throttled");
    assert_eq!(code(&server.admin_get("/healthz")), 200);
    let lines = server.log();
    assert!(lines.len() < 200, "the log does not flood: {} lines", lines.len());
    assert!(
        lines.iter().any(|line| line.contains("too many failed attempts: 198.51.100.1")),
        "{lines:?}"
    );
}

#[test]
fn slow_verifications_delay_no_other_client() {
    // A hash that no password matches, and that costs a hundred times as much as usual.
    let hash = "$argon2id$v=19$m=65536,t=16,p=1$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";
    let config = Config::https()
        .push("auth.user", json!({ "name": "anna", "password_hash": hash }))
        .set("server.workers", 2)
        .set("server.trusted_proxies", ["127.0.0.1"]);
    let server = Server::start(&config);
    let seen_enough = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for attacker in 0..4 {
            let (server, seen_enough) = (&server, &seen_enough);
            scope.spawn(move || {
                for number in 0.. {
                    let from = format!("203.0.{attacker}.{}", number % 250);
                    let credentials = basic(&format!("u{attacker}-{number}"), "guess");
                    server.ask(&request("GET", "/", &credentials, &from));
                    if seen_enough.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
        }
        let busy = "pumphouse_auth_failures_total{reason=\"busy\"}";
        for _ in 0..3 {
            let before = server.metric(busy);
            eventually("a verification is refused as busy", || server.metric(busy) > before);
            for _ in 0..5 {
                assert_eq!(code(&server.get("/ping")), 200);
            }
        }
        seen_enough.store(true, Ordering::SeqCst);
    });
}
