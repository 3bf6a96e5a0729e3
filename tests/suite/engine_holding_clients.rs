//! No client can hold a worker: ten times as many hostile clients as workers, in each mode.

use std::time::{Duration, Instant};

use hostile::client::{Client, Ending};
use hostile::mode::Mode;
use pumphouse_web::engine::{CloseReason, Settings};

use crate::harness::{BodyProgram, Program, TestEngine, eventually, plain_program};

const WORKERS: usize = 2;

/// Long enough that all clients are commonly there, and a fresh request is served, before it
/// passes.
const LIMIT: Duration = Duration::from_secs(4);

/// A deadline that is enforced by now is enforced late by the machine's fault, if any.
const LATE: Duration = Duration::from_secs(25);

/// Every phase at its own limit, so that a client closed by the wrong one is found out.
fn settings(mode: Mode) -> Settings {
    let far = Duration::from_secs(600);
    let limit = |of: &[Mode]| if of.contains(&mode) { LIMIT } else { far };
    Settings {
        workers: WORKERS,
        handshake_timeout: limit(&[Mode::Silent, Mode::HalfClientHello]),
        header_timeout: limit(&[Mode::DripHead]),
        body_timeout: limit(&[Mode::DripBody]),
        write_timeout: limit(&[Mode::NeverRead]),
        keep_alive: limit(&[Mode::Idle]),
        ..Settings::default()
    }
}

/// Lets the clients hold, asks from the side, and gives how each was ended.
fn hold(mode: Mode, reason: CloseReason) -> Vec<Ending> {
    let server = match mode {
        Mode::DripBody => TestEngine::https(settings(mode), BodyProgram),
        _ => TestEngine::https(settings(mode), Program(plain_program)),
    };
    let count = 10 * WORKERS;
    let begun = Instant::now();
    let clients: Vec<Client> =
        (0..count).map(|_| Client::start(mode, server.address, &server.client).unwrap()).collect();
    let holding: Vec<_> =
        clients.into_iter().map(|client| std::thread::spawn(|| client.hold())).collect();

    let response = server.fresh_https("/fresh");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    if mode != Mode::CloseHalfway && begun.elapsed() < LIMIT {
        assert_eq!(server.stats.closed(reason), 0, "they must be holding while it is served");
    }

    let endings: Vec<Ending> = holding.into_iter().map(|thread| thread.join().unwrap()).collect();
    eventually("each is closed for its reason", || server.stats.closed(reason) == count as u64);
    endings
}

/// Not before the deadline, and not long after it.
fn assert_deadline(endings: &[Ending]) {
    for ending in endings {
        assert!(ending.after >= LIMIT, "ended early, after {:?}", ending.after);
        assert!(ending.after < LIMIT + LATE, "ended late, after {:?}", ending.after);
    }
}

fn assert_said(endings: &[Ending], start: &str) {
    for ending in endings {
        let said = String::from_utf8_lossy(&ending.said);
        assert!(said.starts_with(start), "said {said:?}");
    }
}

fn assert_silent(endings: &[Ending]) {
    assert!(endings.iter().all(|ending| ending.said.is_empty()));
}

#[test]
fn silent_clients_on_every_worker_are_closed_at_handshake_timeout() {
    let endings = hold(Mode::Silent, CloseReason::HandshakeTimeout);
    assert_deadline(&endings);
    assert_silent(&endings);
}

#[test]
fn clients_with_half_a_client_hello_are_closed_at_handshake_timeout() {
    let endings = hold(Mode::HalfClientHello, CloseReason::HandshakeTimeout);
    assert_deadline(&endings);
    assert_silent(&endings);
}

#[test]
fn clients_that_drip_a_head_get_408_at_header_timeout() {
    let endings = hold(Mode::DripHead, CloseReason::HeaderTimeout);
    assert_deadline(&endings);
    assert_said(&endings, "HTTP/1.1 408 ");
}

#[test]
fn clients_that_drip_a_body_get_408_at_body_timeout() {
    let endings = hold(Mode::DripBody, CloseReason::BodyTimeout);
    assert_deadline(&endings);
    assert_said(&endings, "HTTP/1.1 408 ");
}

#[test]
fn clients_that_never_read_are_reset_at_write_timeout() {
    let endings = hold(Mode::NeverRead, CloseReason::WriteTimeout);
    assert_deadline(&endings);
}

#[test]
fn idle_clients_are_closed_at_keep_alive() {
    let endings = hold(Mode::Idle, CloseReason::KeepAlive);
    assert_deadline(&endings);
    assert_silent(&endings);
}

#[test]
fn half_closed_clients_are_closed_at_once() {
    let endings = hold(Mode::CloseHalfway, CloseReason::ClientGone);
    assert_silent(&endings);
}
