//! The hand-over of the driver between workers, the run queue and the stall check.

use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::super::{Place, Poller, StallCheck, sync};
use super::check;
use super::fake::{self, Connection, Engine, FakePoller, FakeSlot};
use crate::engine::activity::Activity;
use crate::engine::ready::Ready;

/// Runs a worker. Whichever worker reads the last of `expected` bytes stops the engine.
fn work(
    engine: &Engine,
    connections: &[(Arc<FakeSlot>, Arc<Connection>)],
    read: &AtomicUsize,
    expected: usize,
) {
    engine.scheduler.work(&Activity::default(), |slot, _, now| {
        let (_, connection) =
            connections.iter().find(|(other, _)| Arc::ptr_eq(slot, other)).unwrap();
        let more = fake::drive_until_parked(slot, connection);
        if more > 0 && read.fetch_add(more, Ordering::AcqRel) + more == expected {
            engine.stop();
        }
        now
    });
}

/// Starts a worker.
fn spawn_worker(
    engine: &Arc<Engine>,
    connections: &[(Arc<FakeSlot>, Arc<Connection>)],
    read: &Arc<AtomicUsize>,
    expected: usize,
) -> thread::JoinHandle<()> {
    let (engine, connections, read) = (Arc::clone(engine), connections.to_vec(), Arc::clone(read));
    thread::spawn(move || work(&engine, &connections, &read, expected))
}

/// Runs the acceptor's stall checks until the engine stops. The time between two checks passes at
/// once.
fn check_stalls(engine: &Engine) {
    let mut poller = FakePoller::new(&engine.acceptor);
    let mut now = sync::now();
    let mut check = StallCheck::new(now);
    while !engine.scheduler.is_stopped() {
        let is_requested = check.timeout(&engine.scheduler, now).is_some();
        poller.poll(is_requested.then_some(Duration::ZERO));
        now += Duration::from_secs(1);
        check.run(&engine.scheduler, now);
        if is_requested {
            thread::yield_now();
        }
    }
}

/// Fails if the leader checks the run queue before it announces that it parks, if a fence of
/// [`IoDriver::park`](super::super::IoDriver::park) or of `Scheduler::wake_leader` is missing, or if
/// that does not wake the leader.
#[test]
fn connection_that_another_thread_queues_is_served_while_the_leader_parks() {
    check(3, || {
        let engine = Engine::new();
        let connections = [engine.open()];
        let worker = spawn_worker(&engine, &connections, &Arc::default(), 1);
        let [(slot, connection)] = &connections;
        connection.receive();
        engine.scheduler.signal(slot, Ready::READ);
        worker.join().unwrap();
    });
}

/// Fails if `Slot::park` loses an edge.
#[test]
fn leader_serves_every_edge_of_a_connection() {
    check(3, || {
        let engine = Engine::new();
        let connections = [engine.open()];
        let worker = spawn_worker(&engine, &connections, &Arc::default(), 2);
        let [(slot, connection)] = &connections;
        engine.send(slot, connection);
        engine.send(slot, connection);
        worker.join().unwrap();
    });
}

/// Fails if `Scheduler::stop` does not wake the leader or does not call the followers.
#[test]
fn two_workers_serve_two_connections_and_both_end() {
    check(2, || {
        let engine = Engine::new();
        let connections = [engine.open(), engine.open()];
        let read = Arc::default();
        let worker = spawn_worker(&engine, &connections, &read, 2);
        engine.send(&connections[0].0, &connections[0].1);
        connections[1].1.receive();
        engine.scheduler.signal(&connections[1].0, Ready::READ);
        work(&engine, &connections, &read, 2);
        worker.join().unwrap();
    });
}

/// Fails if a worker sleeps as a follower without a request for a stall check: the acceptor, which
/// polls for a moment to make room for a connection, holds the driver when the worker comes back from
/// an event that no connection waited for.
#[test]
fn worker_that_finds_the_driver_in_the_acceptors_hands_is_called_back() {
    check(2, || {
        let engine = Engine::new();
        let connections = [engine.open()];
        let worker = spawn_worker(&engine, &connections, &Arc::default(), 1);
        let acceptor = thread::spawn({
            let engine = Arc::clone(&engine);
            move || {
                engine.scheduler.poll_now();
                check_stalls(&engine);
            }
        });
        let [(slot, connection)] = &connections;
        engine.kernel.report(slot.token, Ready::WRITE);
        engine.send(slot, connection);
        worker.join().unwrap();
        acceptor.join().unwrap();
    });
}

/// Fails if a leader that leaves with work does not request a stall check, if the check does not look
/// again after it has cleared the request, or if the fence on either side is missing.
#[test]
fn stall_check_stays_requested_while_the_leader_is_away_with_a_ready_connection() {
    check(3, || {
        let engine = Engine::new();
        let (slot, connection) = engine.open();
        // Requested by an earlier leader.
        engine.scheduler.request_stall_check();
        let leader = thread::spawn({
            let engine = Arc::clone(&engine);
            // It would serve then, and may block in a handler.
            move || engine.scheduler.lead()
        });
        engine.send(&slot, &connection);
        let mut now = sync::now();
        let mut check = StallCheck::new(now);
        now += Duration::from_secs(1);
        check.run(&engine.scheduler, now);
        leader.join().unwrap();
        assert!(check.timeout(&engine.scheduler, now).is_some());
        assert_eq!(slot.place(), Place::Queued);
    });
}
