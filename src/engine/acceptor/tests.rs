//! What the acceptor does with those who wait at a listener: when the server stops, and when
//! descriptors are short. Its thread would let them in at once, so here it does not run.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use super::*;
use crate::engine::budget::{Charge, EXEMPT_BYTES};
use crate::engine::ready::Ready;
use crate::engine::shared::fixture::{Ends, Uncalled, shared};

fn acceptor(listener: Listener) -> Acceptor {
    acceptor_with(listener, Settings::default())
}

fn acceptor_with(listener: Listener, settings: Settings) -> Acceptor {
    let (shared, Ends { poll, closed, .. }) = shared(Uncalled, settings, 1);
    Acceptor::new(poll, vec![listener], None, shared, closed).unwrap()
}

/// Open connections, in order of their acceptance.
fn slots(acceptor: &Acceptor) -> Vec<Arc<Slot>> {
    acceptor.shared.slots().iter().map(|(_, slot)| Arc::clone(slot)).collect()
}

/// Two clients connect, and the server stops before it has let them in; gives how many it took.
fn taken(listener: Listener, address: SocketAddr) -> (Acceptor, [TcpStream; 2], u64) {
    let mut acceptor = acceptor(listener);
    let clients = [0; 2].map(|_| TcpStream::connect(address).unwrap());
    acceptor.begin_drain();
    let accepted = acceptor.shared.stats.accepted();
    (acceptor, clients, accepted)
}

#[test]
fn at_a_listener_of_our_own_they_are_taken() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address = listener.local_addr().parse().unwrap();
    let (_acceptor, _clients, accepted) = taken(listener, address);
    assert_eq!(accepted, 2);
    assert!(TcpStream::connect(address).is_err(), "the listener is gone");
}

#[test]
fn at_a_passed_socket_they_stay_and_the_acceptor_lets_go_of_it() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let listener = Listener::inherited(held.as_raw_fd(), 16).unwrap();
    let (mut acceptor, _clients, accepted) = taken(listener, address);
    assert_eq!(accepted, 0);

    // A newcomer wakes it no more, though the socket is still open.
    let _third = TcpStream::connect(address).unwrap();
    let mut events = Events::with_capacity(8);
    acceptor.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty(), "{events:?}");

    // The next process is told of those who came before it, although epoll tells edges.
    let mut next = self::acceptor(Listener::inherited(held.as_raw_fd(), 16).unwrap());
    next.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.iter().any(|event| event.token() == Token(0)), "{events:?}");
    next.accept_ready(Instant::now());
    assert_eq!(next.shared.stats.accepted(), 3);
}

#[test]
fn a_reserve_that_another_thread_has_taken_is_had_again_before_anybody_is_let_in() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address: SocketAddr = listener.local_addr().parse().unwrap();
    let mut acceptor = acceptor(listener);
    acceptor.reserve = None;
    let _client = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    assert_eq!(acceptor.shared.stats.accepted(), 1);
    assert!(acceptor.reserve.is_some());
}

#[test]
fn connection_that_waits_for_a_worker_can_be_closed_for_the_budget() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address: SocketAddr = listener.local_addr().parse().unwrap();
    let mut acceptor = acceptor(listener);
    let _clients = [0; 3].map(|_| TcpStream::connect(address).unwrap());
    acceptor.accept_from(0, 3);
    let slots = slots(&acceptor);
    let mut charge = Charge::new(&acceptor.shared.budget);
    charge.set(acceptor.settings.max_buffered_bytes + 1);
    let [parked, queued, exempt] = &slots[..] else { panic!("three are open") };
    parked.set_held_bytes(EXEMPT_BYTES + 1);
    queued.set_held_bytes(EXEMPT_BYTES + 2);
    exempt.set_held_bytes(EXEMPT_BYTES);
    queued.signal(Ready::READ, 0);
    acceptor.relieve();
    let places = slots.iter().map(|slot| slot.place()).collect::<Vec<_>>();
    assert_eq!(places, [Place::Closed, Place::Closed, Place::Parked]);
    assert_eq!(queued.take_queued(), None, "its ticket in the queue is empty");
    assert_eq!(acceptor.shared.stats.closed(CloseReason::Memory), 2);

    // Nothing is left to close: workers request no more relief before the next sweep.
    assert!(acceptor.shared.budget.request_relief());
    acceptor.relieve();
    assert!(!acceptor.shared.budget.request_relief());
    acceptor.sweep(Instant::now());
    assert!(acceptor.shared.budget.request_relief());
}

#[test]
fn connection_whose_request_the_kernel_holds_is_not_evicted_before_a_silent_one() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address: SocketAddr = listener.local_addr().parse().unwrap();
    let mut acceptor =
        acceptor_with(listener, Settings { max_connections: 2, ..Settings::default() });
    let mut early = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    let _silent = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    // It is the older of the two, and no worker has seen its bytes.
    early.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let _newcomer = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    assert_eq!(acceptor.shared.stats.closed(CloseReason::Evicted), 1);
    assert_eq!(acceptor.shared.queue.len(), 1, "its request waits for a worker");
}

#[test]
fn newcomer_at_the_cap_evicts_the_oldest_of_those_that_had_a_turn_and_have_more_to_do() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address: SocketAddr = listener.local_addr().parse().unwrap();
    let mut acceptor =
        acceptor_with(listener, Settings { max_connections: 3, ..Settings::default() });
    let _clients = [0; 3].map(|_| {
        let client = TcpStream::connect(address).unwrap();
        acceptor.accept_from(0, 1);
        std::thread::sleep(Duration::from_millis(2));
        client
    });
    let slots = slots(&acceptor);
    for slot in &slots {
        slot.signal(Ready::READ, 0);
    }
    // Connections that wait for their first turn are spared, so there is no place.
    let _refused = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    assert_eq!(acceptor.shared.stats.shed(ShedReason::ConnectionCap), 1);

    for slot in [&slots[2], &slots[1]] {
        slot.take_queued().unwrap();
        slot.requeue(ConnectionState::Idle, u64::MAX, u64::MAX);
    }
    acceptor.sweep(Instant::now());
    let _newcomer = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    let places = slots.iter().map(|slot| slot.place()).collect::<Vec<_>>();
    assert_eq!(places, [Place::Queued, Place::Closed, Place::Queued]);
    assert_eq!(acceptor.shared.stats.closed(CloseReason::Evicted), 1);
    assert_eq!(acceptor.shared.stats.shed(ShedReason::ConnectionCap), 1);
}
