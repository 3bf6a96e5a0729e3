//! Clients that hold their connections: each phase of a connection has its deadline, and no client
//! holds a worker. Ten clients for each worker, in each mode.

use std::time::{Duration, Instant};

use hostile::client::{Client, Ending};
use hostile::mode::Mode;
use pumphouse_web::engine::{CloseReason, Settings};

use crate::harness::{
    BodyProgram, Program, TestEngine, before_deadline, eventually, plain_program,
};

const WORKERS: usize = 2;

/// Longest time by which a busy machine enforces a deadline late.
const LATE: Duration = Duration::from_secs(25);

/// Returns settings with this deadline for the phase of `mode`, and long deadlines for all others.
fn settings(mode: Mode, deadline: Duration) -> Settings {
    let far = Duration::from_secs(600);
    let limit = |of: &[Mode]| if of.contains(&mode) { deadline } else { far };
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

/// Clients that the server closed, and the deadline that it had for them.
struct Closed {
    endings: Vec<Ending>,
    deadline: Duration,
}

/// Lets ten clients for each worker hold their connections, and requires that another client is
/// served meanwhile. Returns how the server closed each.
fn hold(mode: Mode, reason: CloseReason) -> Closed {
    before_deadline(|deadline| {
        let settings = settings(mode, deadline);
        let server = match mode {
            Mode::DripBody => TestEngine::https(settings, BodyProgram),
            _ => TestEngine::https(settings, Program(plain_program)),
        };
        let count = 10 * WORKERS;
        let begun = Instant::now();
        let start = |_| Client::start(mode, server.address, &server.client).unwrap();
        let clients: Vec<Client> = (0..count).map(start).collect();
        let holding: Vec<_> =
            clients.into_iter().map(|client| std::thread::spawn(|| client.hold())).collect();

        let response = server.fresh_https("/fresh");
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        // A half-closed client is closed at once: it holds nothing.
        if mode != Mode::CloseHalfway {
            let closed = server.stats.closed(reason);
            if begun.elapsed() >= deadline {
                return None;
            }
            assert_eq!(closed, 0, "the clients must hold while the other is served");
        }

        let endings = holding.into_iter().map(|thread| thread.join().unwrap()).collect();
        eventually("each is closed for its reason", || server.stats.closed(reason) == count as u64);
        Some(Closed { endings, deadline })
    })
}

impl Closed {
    /// Requires that each client was closed at the deadline, neither before nor long after it.
    fn assert_deadline(&self) {
        for ending in &self.endings {
            assert!(ending.after >= self.deadline, "closed early, after {:?}", ending.after);
            assert!(ending.after < self.deadline + LATE, "closed late, after {:?}", ending.after);
        }
    }

    /// Requires that the response to each client begins with `start`.
    fn assert_response(&self, start: &str) {
        for ending in &self.endings {
            let response = String::from_utf8_lossy(&ending.received);
            assert!(response.starts_with(start), "{response:?}");
        }
    }

    /// Requires that the server sent nothing.
    fn assert_no_response(&self) {
        assert!(self.endings.iter().all(|ending| ending.received.is_empty()));
    }
}

#[test]
fn silent_clients_on_every_worker_are_closed_at_handshake_timeout() {
    let closed = hold(Mode::Silent, CloseReason::HandshakeTimeout);
    closed.assert_deadline();
    closed.assert_no_response();
}

#[test]
fn clients_with_half_a_client_hello_are_closed_at_handshake_timeout() {
    let closed = hold(Mode::HalfClientHello, CloseReason::HandshakeTimeout);
    closed.assert_deadline();
    closed.assert_no_response();
}

#[test]
fn clients_that_drip_a_head_get_408_at_header_timeout() {
    let closed = hold(Mode::DripHead, CloseReason::HeaderTimeout);
    closed.assert_deadline();
    closed.assert_response("HTTP/1.1 408 ");
}

#[test]
fn clients_that_drip_a_body_get_408_at_body_timeout() {
    let closed = hold(Mode::DripBody, CloseReason::BodyTimeout);
    closed.assert_deadline();
    closed.assert_response("HTTP/1.1 408 ");
}

#[test]
fn clients_that_never_read_are_reset_at_write_timeout() {
    let closed = hold(Mode::NeverRead, CloseReason::WriteTimeout);
    closed.assert_deadline();
}

#[test]
fn idle_clients_are_closed_at_keep_alive() {
    let closed = hold(Mode::Idle, CloseReason::KeepAlive);
    closed.assert_deadline();
    closed.assert_no_response();
}

#[test]
fn half_closed_clients_are_closed_at_once() {
    let closed = hold(Mode::CloseHalfway, CloseReason::ClientGone);
    closed.assert_no_response();
}
