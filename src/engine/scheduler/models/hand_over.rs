//! The hand-over of the driver between workers, the run queue and the stall check.

use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use super::super::{Place, Poller, StallCheck, sync};
use super::check;
use super::fake::{self, Connection, Engine, FakePoller, FakeSlot};
use crate::activity::Activity;
use crate::ready::Ready;
use crate::stats::ConnectionState;

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

/// Fails if a worker serves without a request for a stall check. The leader comes back from an event
/// that no connection waited for, and only then another thread queues a connection: that thread finds
/// no worker parked, so it wakes none.
#[test]
fn worker_that_serves_has_requested_a_stall_check() {
    check(3, || {
        let engine = Engine::new();
        let (slot, connection) = engine.open();
        let worker = thread::spawn({
            let (engine, slot) = (Arc::clone(&engine), Arc::clone(&slot));
            move || {
                engine.scheduler.work(&Activity::default(), |_, _, now| {
                    let requested = engine.scheduler.stall_check_requested.load(Ordering::Relaxed);
                    assert!(requested, "no thread polls while this handler blocks");
                    fake::drive_until_parked(&slot, &connection);
                    engine.stop();
                    now
                });
            }
        });
        engine.kernel.report(slot.token, Ready::WRITE);
        engine.scheduler.signal(&slot, Ready::READ);
        worker.join().unwrap();
    });
}

/// Event that threads wait for.
struct Flag {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Flag {
    fn new() -> Arc<Flag> {
        Arc::new(Flag { is_set: Mutex::new(false), changed: Condvar::new() })
    }

    fn set(&self) {
        *self.is_set.lock().unwrap() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut is_set = self.is_set.lock().unwrap();
        while !*is_set {
            is_set = self.changed.wait(is_set).unwrap();
        }
    }
}

/// Fails if the stall check does not call a follower: the handler of the first connection returns once the second connection,
/// which becomes ready meanwhile, was served.
#[test]
fn connection_that_becomes_ready_while_a_handler_blocks_is_served() {
    check(1, || {
        let engine = Engine::new();
        let connections = [engine.open(), engine.open()];
        let (blocks, second_served) = (Flag::new(), Flag::new());
        let spawn_worker = || {
            let (engine, connections) = (Arc::clone(&engine), connections.clone());
            let (blocks, second_served) = (Arc::clone(&blocks), Arc::clone(&second_served));
            thread::spawn(move || {
                engine.scheduler.work(&Activity::default(), |slot, _, now| {
                    if Arc::ptr_eq(slot, &connections[0].0) {
                        engine.send(&connections[1].0, &connections[1].1);
                        blocks.set();
                        second_served.wait();
                        engine.stop();
                    } else {
                        second_served.set();
                    }
                    now
                });
            })
        };
        let workers = [spawn_worker(), spawn_worker()];
        engine.scheduler.signal(&connections[0].0, Ready::READ);
        // Checks before this would multiply the interleavings beyond what a test can run.
        blocks.wait();
        check_stalls(&engine);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

/// Fails if `Slot::signal` queues a connection that was shed, or if the reaper does not wake the leader
/// for a connection that it has queued.
#[test]
fn edge_of_a_shed_connection_reaches_the_reaper_and_then_a_worker() {
    check(3, || {
        let engine = Engine::new();
        let connections = [engine.open()];
        let [(slot, connection)] = &connections;
        // It was shed before, and parks behind its 503.
        slot.signal(Ready::READ, 0);
        assert!(slot.shed() && slot.take_claimed().is_some());
        fake::drive_until_parked(slot, connection);
        let worker = spawn_worker(&engine, &connections, &Arc::default(), 1);
        let reaper = thread::spawn({
            let engine = Arc::clone(&engine);
            move || {
                let slot = engine.reaper.receive();
                slot.take_claimed().unwrap();
                // The rest is a worker's.
                engine.scheduler.requeue(&slot, ConnectionState::Reading, u64::MAX, 0);
                engine.scheduler.wake_leader();
            }
        });
        engine.send(slot, connection);
        reaper.join().unwrap();
        worker.join().unwrap();
    });
}
