//! The acceptor without its thread, which would accept connections at once: the queue of a listener
//! when the server stops, the spare descriptor, evictions and the memory limit.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

use super::*;
use crate::memory_limit::{Charge, EXEMPT_BYTES};
use crate::ready::Ready;
use crate::shared::Receivers;
use crate::shared::fixture::{Uncalled, shared};
use crate::stats::{CloseReason, ConnectionState};

fn acceptor(listener: Listener) -> Acceptor {
    acceptor_with(listener, Settings::default())
}

fn acceptor_with(listener: Listener, settings: Settings) -> Acceptor {
    let (shared, poll, Receivers { closed, listeners, .. }) = shared(Uncalled, settings);
    shared.new_listeners.add(listener).unwrap();
    let mut acceptor = Acceptor::new(poll, listeners, None, shared, closed);
    acceptor.take_added();
    acceptor
}

/// Open connections, in order of their acceptance.
fn slots(acceptor: &Acceptor) -> Vec<Arc<Slot<Session>>> {
    acceptor.shared.scheduler.slots().iter().cloned().collect()
}

fn connect_from(source: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    TcpStream::from(socket)
}

/// Connects two clients, and stops the server before it has accepted them. Returns how many it
/// accepts then.
fn drained(listener: Listener, address: SocketAddr) -> (Acceptor, [TcpStream; 2], u64) {
    let mut acceptor = acceptor(listener);
    let clients = [0; 2].map(|_| TcpStream::connect(address).unwrap());
    acceptor.begin_drain();
    let accepted = acceptor.shared.stats.accepted();
    (acceptor, clients, accepted)
}

#[test]
fn drain_accepts_the_queue_of_a_listener_of_our_own_and_closes_it() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address = listener.local_addr().parse().unwrap();
    let (_acceptor, _clients, accepted) = drained(listener, address);
    assert_eq!(accepted, 2);
    assert!(TcpStream::connect(address).is_err(), "the listener is gone");
}

#[test]
fn drain_leaves_the_queue_of_an_inherited_socket_to_the_next_process() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let listener = Listener::inherited(held.as_raw_fd(), 16).unwrap();
    let (mut acceptor, _clients, accepted) = drained(listener, address);
    assert_eq!(accepted, 0);

    // A new connection does not wake it, though the socket is still open.
    let _third = TcpStream::connect(address).unwrap();
    let mut events = Events::with_capacity(8);
    acceptor.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty(), "{events:?}");

    // The next process gets an event for the connections before it, although epoll reports edges.
    let mut next = self::acceptor(Listener::inherited(held.as_raw_fd(), 16).unwrap());
    next.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.iter().any(|event| event.token() == Token(0)), "{events:?}");
    next.accept_ready(Instant::now());
    assert_eq!(next.shared.stats.accepted(), 3);
}

#[test]
fn spare_descriptor_is_opened_again_before_a_connection_is_accepted() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address: SocketAddr = listener.local_addr().parse().unwrap();
    let mut acceptor = acceptor(listener);
    acceptor.spare_fd = None;
    let _client = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    assert_eq!(acceptor.shared.stats.accepted(), 1);
    assert!(acceptor.spare_fd.is_some());
}

#[test]
fn connections_that_are_parked_or_queued_are_closed_for_the_memory_limit() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address: SocketAddr = listener.local_addr().parse().unwrap();
    let mut acceptor = acceptor(listener);
    let _clients = [0; 3].map(|_| TcpStream::connect(address).unwrap());
    acceptor.accept_from(0, 3);
    let slots = slots(&acceptor);
    let mut charge = Charge::new(&acceptor.shared.memory);
    charge.set(acceptor.settings.max_buffered_bytes + 2 * EXEMPT_BYTES + 3);
    let [parked, queued, exempt] = &slots[..] else { panic!("three are open") };
    parked.set_held_bytes(EXEMPT_BYTES + 1);
    queued.set_held_bytes(EXEMPT_BYTES + 2);
    exempt.set_held_bytes(EXEMPT_BYTES);
    acceptor.shared.scheduler.signal(queued, Ready::READ);
    acceptor.reclaim_memory();
    let places = slots.iter().map(|slot| slot.place()).collect::<Vec<_>>();
    assert_eq!(places, [Place::Closed, Place::Closed, Place::Parked]);
    assert_eq!(queued.take_queued(), None, "its entry in the run queue is stale");
    assert_eq!(acceptor.shared.stats.closed(CloseReason::Memory), 2);

    // The limit is still exceeded, so another pass is requested. It finds no connection to close:
    // workers request no further reclaim before the next sweep.
    assert!(acceptor.shared.memory.is_reclaim_requested());
    acceptor.reclaim_memory();
    assert!(!acceptor.shared.memory.request_reclaim());
    acceptor.sweep(Instant::now());
    assert!(acceptor.shared.memory.request_reclaim());
}

#[test]
fn smaller_group_is_spared_while_a_driven_connection_of_a_larger_one_holds_the_excess() {
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
    let address: SocketAddr = listener.local_addr().parse().unwrap();
    let settings = Settings { max_connections_per_address: Some(16), ..Settings::default() };
    let mut acceptor = acceptor_with(listener, settings);
    let _single = TcpStream::connect(address).unwrap();
    let _others = [0; 5].map(|_| connect_from([127, 0, 0, 2], address));
    acceptor.accept_from(0, 6);
    let slots = slots(&acceptor);
    let [single, driven, parked, ..] = &slots[..] else { panic!("six are open") };
    for slot in [single, driven, parked] {
        slot.set_held_bytes(64 << 10);
    }
    acceptor.shared.scheduler.signal(driven, Ready::READ);
    driven.take_queued().unwrap();
    let mut charge = Charge::new(&acceptor.shared.memory);
    charge.set(acceptor.settings.max_buffered_bytes + (64 << 10));
    acceptor.reclaim_memory();
    let places = [single, driven, parked].map(|slot| slot.place());
    assert_eq!(places, [Place::Parked, Place::Driven, Place::Closed]);

    // The excess is larger than what the driven one holds.
    charge.set(acceptor.settings.max_buffered_bytes + (64 << 10) + 1);
    acceptor.reclaim_memory();
    assert_eq!(single.place(), Place::Closed);

    driven.park(Ready::READ, ConnectionState::Reading, u64::MAX, 0).unwrap();
    acceptor.reclaim_memory();
    assert_eq!(driven.place(), Place::Closed);
}

#[test]
fn connection_whose_request_is_in_the_kernel_is_evicted_after_a_silent_one() {
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
    let _new = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    assert_eq!(acceptor.shared.stats.closed(CloseReason::Evicted), 1);
    assert_eq!(acceptor.shared.scheduler.queued(), 1, "its request waits for a worker");
}

#[test]
fn connection_at_the_cap_evicts_the_oldest_of_those_that_had_a_turn_and_have_more_to_do() {
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
        acceptor.shared.scheduler.signal(slot, Ready::READ);
    }
    // Connections that wait for their first turn are exempt, so there is no room.
    let _refused = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    assert_eq!(acceptor.shared.stats.shed(ShedReason::ConnectionCap), 1);

    for slot in [&slots[2], &slots[1]] {
        slot.take_queued().unwrap();
        acceptor.shared.scheduler.requeue(slot, ConnectionState::Idle, u64::MAX, u64::MAX);
    }
    acceptor.sweep(Instant::now());
    let _new = TcpStream::connect(address).unwrap();
    acceptor.accept_from(0, 1);
    let places = slots.iter().map(|slot| slot.place()).collect::<Vec<_>>();
    assert_eq!(places, [Place::Queued, Place::Closed, Place::Queued]);
    assert_eq!(acceptor.shared.stats.closed(CloseReason::Evicted), 1);
    assert_eq!(acceptor.shared.stats.shed(ShedReason::ConnectionCap), 1);
}
