//! Lanes of heavy work, and the workers that they share with light requests.

use std::sync::atomic::Ordering;

use pumphouse_web::engine::{Settings, ShedReason};

use super::{ask, one_permit, request_on, response, start};
use crate::harness::eventually;

#[test]
fn request_without_a_permit_in_time_gets_its_fallback() {
    let (server, ledger) = start(one_permit());
    assert!(ask(&server, 10, "/or").ends_with("with"));
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("the work begins", || ledger.has_begun("/endless/1"));
    for _ in 0..3 {
        assert!(ask(&server, 10, "/or").ends_with("without"));
    }
    assert_eq!(
        server.stats.shed(ShedReason::HeavyTimeout),
        0,
        "a request with a fallback was refused"
    );
    ledger.stop();
    assert!(response(&mut running).starts_with("HTTP/1.1 200"));
    assert!(ask(&server, 10, "/or").ends_with("with"));
}

#[test]
fn interactive_lane_under_waiting_scripts_stays_free() {
    let (server, ledger) = start(one_permit());
    let mut bulk: Vec<_> =
        (0..8).map(|n| request_on(&server, 10, &format!("/endless/{n}"))).collect();
    eventually("one request runs", || !ledger.begun.lock().unwrap().is_empty());
    let mut interactive = request_on(&server, 10, "/interactive/1");
    eventually("the interactive request runs", || ledger.has_begun("/interactive/1"));
    ledger.stop();
    assert!(response(&mut interactive).starts_with("HTTP/1.1 200"));
    for stream in &mut bulk {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn heavy_work_that_blocks_on_a_disk_leaves_a_worker_free() {
    let (server, ledger) = start(Settings { heavy_requests: 100, ..one_permit() });
    let targets = (0..8).map(|n| format!("/hold/{n}")).chain(["/hold/interactive".to_owned()]);
    let mut held: Vec<_> =
        targets.zip(10..).map(|(target, last)| request_on(&server, last, &target)).collect();
    let executing = || ledger.executing.load(Ordering::SeqCst);
    eventually("all but one of four workers are blocked", || executing() == 3);
    for number in 0..20 {
        assert!(ask(&server, 2, &format!("/light/{number}")).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(executing(), 3);
    ledger.stop();
    for stream in &mut held {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn work_that_changes_lanes_frees_its_permit() {
    let (server, ledger) = start(one_permit());
    let mut switched = request_on(&server, 10, "/switch/1");
    eventually("the work runs in the other lane", || ledger.has_begun("/switch/1"));
    assert!(
        ask(&server, 10, "/short/2").ends_with("/short/2"),
        "the request of the same client waits for the permit"
    );
    ledger.stop();
    assert!(response(&mut switched).ends_with("/switch/1"));
}

#[test]
fn worker_is_shared_between_heavy_and_light_work() {
    let (server, ledger) = start(Settings { workers: 1, ..one_permit() });
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("the work begins", || ledger.has_begun("/endless/1"));
    for number in 0..20 {
        let before = ledger.pieces.load(Ordering::SeqCst);
        assert!(ask(&server, 11, &format!("/light/{number}")).starts_with("HTTP/1.1 200"));
        let pieces = ledger.pieces.load(Ordering::SeqCst) - before;
        // At most two turns come before it: the running one, and one that is queued before it.
        assert!(pieces <= 64, "{pieces} pieces while a light request waited");
    }
    ledger.stop();
    assert!(response(&mut running).starts_with("HTTP/1.1 200"));
}
