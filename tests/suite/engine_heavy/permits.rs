//! Permits of heavy requests: their number, the wait for one, and what frees one.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hostile::client::TEST_TIMEOUT;
use pumphouse_web::engine::{CloseReason, Drained, Settings, ShedReason};

use super::{ask, client, one_permit, request_on, response, start, wait_until_queued};
use crate::harness::{eventually, get};

#[test]
fn heavy_requests_beyond_the_permits_wait_while_light_ones_are_served() {
    let (server, ledger) = start(Settings { heavy_requests: 2, ..one_permit() });
    let mut heavy: Vec<_> =
        (0..6).map(|n| request_on(&server, 10 + n, &format!("/endless/{n}"))).collect();
    eventually("two requests run", || ledger.begun.lock().unwrap().len() >= 2);
    for number in 0..50 {
        let answer = ask(&server, 2, &format!("/light/{number}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    ledger.stop();
    for stream in &mut heavy {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
    // Work passes its permit on after a while, so that all may have begun.
    assert!(ledger.most.load(Ordering::SeqCst) <= 2, "{:?} pieces at a time", ledger.most);
    assert_eq!(server.stats.shed(ShedReason::HeavyTimeout), 0);
}

#[test]
fn permits_leave_one_worker_for_light_work() {
    for (workers, heavy_requests, permits) in [(1, 1, 1), (2, 8, 1), (3, 8, 1), (8, 100, 6)] {
        let settings = Settings { workers, heavy_requests, ..Settings::default() };
        assert_eq!(settings.heavy_permits(), permits, "{workers} workers");
    }
}

#[test]
fn client_with_many_connections_runs_one_heavy_request_at_a_time() {
    let (server, ledger) = start(Settings { heavy_requests: 2, ..one_permit() });
    let mut mine: Vec<_> =
        (0..5).map(|n| request_on(&server, 10, &format!("/endless/{n}"))).collect();
    eventually("one request runs", || !ledger.begun.lock().unwrap().is_empty());
    wait_until_queued(&server, 4);
    assert_eq!(ledger.begun.lock().unwrap().len(), 1, "one client got a second permit");
    let other = ask(&server, 11, "/short/other");
    assert!(
        other.starts_with("HTTP/1.1 200"),
        "another client gets the free permit at once: {other}"
    );
    ledger.stop();
    for stream in &mut mine {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn heavy_request_without_a_permit_gets_503_at_queue_timeout() {
    let queue_timeout = Duration::from_millis(300);
    let (server, ledger) = start(Settings { queue_timeout, ..one_permit() });
    // Both requests belong to one client, so that the permit is not passed on.
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("the work begins", || ledger.has_begun("/endless/1"));
    let begun = Instant::now();
    let refused = ask(&server, 10, "/endless/2");
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("Too many expensive requests"), "{refused}");
    assert!(begun.elapsed() >= queue_timeout);
    assert!(begun.elapsed() < Settings::default().body_timeout / 2, "{:?}", begun.elapsed());
    assert_eq!(server.stats.shed(ShedReason::HeavyTimeout), 1);
    assert!(!ledger.has_begun("/endless/2"));
    ledger.stop();
    assert!(response(&mut running).starts_with("HTTP/1.1 200"));
}

#[test]
fn earlier_response_goes_out_while_the_next_request_waits_for_a_permit() {
    let (server, ledger) = start(one_permit());
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("the work begins", || ledger.has_begun("/endless/1"));
    let mut pipelined = client(&server, 10);
    let both = get("/light") + &get("/endless/2");
    pipelined.write_all(both.as_bytes()).unwrap();
    assert!(response(&mut pipelined).ends_with("/light"));
    assert!(!ledger.has_begun("/endless/2"), "heavy work began without a permit");
    ledger.stop();
    assert!(response(&mut pipelined).ends_with("/endless/2"));
    assert!(response(&mut running).ends_with("/endless/1"));
}

#[test]
fn client_that_resets_while_it_waits_frees_its_place() {
    let (server, ledger) = start(one_permit());
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("the work begins", || ledger.has_begun("/endless/1"));
    let gone = request_on(&server, 10, "/endless/2");
    wait_until_queued(&server, 1);
    socket2::SockRef::from(&gone).set_linger(Some(Duration::ZERO)).unwrap();
    drop(gone);
    eventually("the reset is noticed", || server.stats.closed(CloseReason::ClientGone) == 1);
    assert!(!ledger.has_begun("/endless/2"));
    let mut next = request_on(&server, 10, "/endless/3");
    wait_until_queued(&server, 1);
    ledger.stop();
    assert!(response(&mut running).ends_with("/endless/1"));
    assert!(response(&mut next).ends_with("/endless/3"));
    assert!(!ledger.has_begun("/endless/2"));
}

#[test]
fn evicted_connection_frees_its_place() {
    // Without a grace, the connection that waits for a permit is evicted before the one whose work may
    // be queued between two pieces.
    let settings = Settings { max_connections: 2, eviction_grace: Duration::ZERO, ..one_permit() };
    let (server, ledger) = start(settings);
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("the work begins", || ledger.has_begun("/endless/1"));
    let _evicted = request_on(&server, 10, "/endless/2");
    wait_until_queued(&server, 1);
    let mut fresh = client(&server, 11);
    fresh.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    eventually("the new connection evicts the waiting one", || {
        server.stats.closed(CloseReason::Evicted) == 1
    });
    ledger.stop();
    assert!(response(&mut running).ends_with("/endless/1"));
    assert!(ask(&server, 10, "/short/3").ends_with("/short/3"), "the lane serves the next request");
    assert!(!ledger.has_begun("/endless/2"));
}

#[test]
fn stop_finishes_heavy_work_and_cuts_endless_work() {
    let (server, ledger) = start(Settings { drain_timeout: TEST_TIMEOUT, ..one_permit() });
    let mut first = request_on(&server, 10, "/short/1");
    eventually("the work begins", || ledger.has_begun("/short/1"));
    let mut second = request_on(&server, 10, "/short/2");
    eventually("the second connection is accepted", || server.stats.accepted() == 2);
    assert_eq!(server.engine.drain(), Drained::Complete);
    assert!(response(&mut first).contains("connection: close"));
    assert!(response(&mut second).ends_with("/short/2"), "the waiting request was not served");

    let drain_timeout = Duration::from_millis(500);
    let (server, ledger) = start(Settings { drain_timeout, ..one_permit() });
    let _running = request_on(&server, 10, "/endless/1");
    let _waiting = request_on(&server, 10, "/endless/2");
    eventually("the work begins", || !ledger.begun.lock().unwrap().is_empty());
    assert_eq!(server.engine.drain(), Drained::TimedOut);
    ledger.stop();
}

#[test]
fn panic_in_heavy_work_closes_its_connection_and_frees_its_permit() {
    let (server, _) = start(one_permit());
    for _ in 0..3 {
        assert!(ask(&server, 10, "/panic").starts_with("HTTP/1.1 500"));
    }
    assert!(ask(&server, 10, "/short/1").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stats.closed(CloseReason::HandlerFailed), 3);
}

#[test]
fn head_and_pipelined_heavy_requests_are_answered_in_order() {
    let (server, _) = start(one_permit());
    let mut stream = client(&server, 10);
    let head = |target: &str| get(target).replacen("GET", "HEAD", 1);
    let all = [get("/short/1"), head("/stream"), get("/light"), head("/short/2"), get("/drip")];
    stream.write_all((all.concat() + &get("/last")).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut output = String::new();
    stream.read_to_string(&mut output).unwrap();
    let mut rest = &*output;
    for mark in ["/short/1", "chunked", "/light", "content-length: 8", "1\r\nx\r\n", "/last"] {
        let at = rest
            .find(mark)
            .unwrap_or_else(|| panic!("{mark} is missing or out of order: {output}"));
        rest = &rest[at + mark.len()..];
    }
    assert_eq!(output.matches("HTTP/1.1 200").count(), 6);
}
