//! The connection's word, and the slot table.

use std::sync::Arc;

use loom::thread;

use super::super::slot::Signal;
use super::super::{Place, SlotTable};
use super::check;
use super::fake::{self, Connection, Engine, FakeSlot};
use crate::ready::Ready;

fn parked() -> (Arc<FakeSlot>, Arc<Connection>) {
    fake::slot(SlotTable::<()>::default().next_token())
}

/// Fails if `Slot::park` does not look at the edges that have arrived meanwhile.
#[test]
fn edge_that_arrives_while_a_connection_is_driven_is_not_lost() {
    check(3, || {
        let (slot, connection) = parked();
        slot.signal(Ready::READ, 0);
        let client = thread::spawn({
            let (slot, connection) = (Arc::clone(&slot), Arc::clone(&connection));
            move || {
                connection.receive();
                slot.signal(Ready::READ, 0)
            }
        });
        slot.take_queued().unwrap();
        let mut read = fake::drive_until_parked(&slot, &connection);
        if client.join().unwrap() == Signal::Queue {
            slot.take_queued().unwrap();
            read += fake::drive_until_parked(&slot, &connection);
        }
        assert_eq!(read, 1);
        assert_eq!(slot.place(), Place::Parked);
    });
}

/// Fails if `Slot::take` does not compare the place, or changes the word with `Relaxed`.
#[test]
fn connection_is_driven_by_the_worker_or_by_the_reaper_and_each_sees_the_others_writes() {
    check(3, || {
        let (slot, connection) = parked();
        slot.signal(Ready::READ, 0);
        // The worker, and the leader that dispatches an edge and serves.
        let worker = thread::spawn({
            let (slot, connection) = (Arc::clone(&slot), Arc::clone(&connection));
            move || {
                if slot.take_queued().is_some() {
                    fake::drive_until_parked(&slot, &connection);
                }
            }
        });
        let leader = thread::spawn({
            let (slot, connection) = (Arc::clone(&slot), Arc::clone(&connection));
            move || {
                if slot.signal(Ready::READ, 0) == Signal::Queue && slot.take_queued().is_some() {
                    fake::drive_until_parked(&slot, &connection);
                }
            }
        });
        // The acceptor's claim, and the reaper.
        if (slot.shed() || slot.claim(Place::Parked)) && slot.take_claimed().is_some() {
            fake::drive_until_parked(&slot, &connection);
        }
        worker.join().unwrap();
        leader.join().unwrap();
    });
}

/// Fails if an eviction does not compare the place, or changes the word with `Relaxed`.
#[test]
fn evicted_connection_is_driven_by_no_worker() {
    check(3, || {
        let (slot, connection) = parked();
        slot.signal(Ready::READ, 0);
        let worker = thread::spawn({
            let (slot, connection) = (Arc::clone(&slot), Arc::clone(&connection));
            move || {
                if slot.take_queued().is_some() {
                    assert!(slot.session().is_some(), "the session of a driven connection is gone");
                    fake::drive_until_parked(&slot, &connection);
                }
            }
        });
        if let Some(session) = slot.evict_waiting() {
            session.drive();
            assert_eq!(slot.place(), Place::Closed);
        }
        worker.join().unwrap();
    });
}

/// Fails if `Slot::signal` stores the tick after it has changed the word, or if `Slot::place` loads the
/// word with `Relaxed`: the sweep would shed the connection for the time that it was parked.
#[test]
fn sweep_finds_a_queued_connection_with_the_tick_at_which_it_was_queued() {
    check(3, || {
        let (slot, _) = parked();
        let sweep = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                if slot.place() == Place::Queued {
                    assert_eq!(slot.since(), 100);
                }
            }
        });
        slot.signal(Ready::READ, 100);
        sweep.join().unwrap();
    });
}

/// Fails if `SlotTable::get` does not compare the generation.
#[test]
fn stale_event_does_not_reach_the_connection_that_has_its_key_now() {
    check(3, || {
        let engine = Engine::new();
        let (old, _) = engine.open();
        engine.kernel.report(old.token, Ready::READ.or(Ready::BROKEN));
        let leader = thread::spawn({
            let engine = Arc::clone(&engine);
            move || engine.scheduler.poll_now()
        });
        let mut new = None;
        if old.evict().is_some() {
            engine.scheduler.slots().remove(old.token);
            new = Some(engine.open().0);
        }
        leader.join().unwrap();
        if let Some(new) = new {
            assert_eq!(new.place(), Place::Parked);
            assert!(new.claim(Place::Parked));
            assert_eq!(new.take_claimed(), Some(Ready::NONE));
        }
    });
}
