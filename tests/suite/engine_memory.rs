//! The budget of buffered bytes: what is charged, and which connections are closed when it is
//! exhausted.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::transport::connect_from;
use http::StatusCode;
use http::header::AUTHORIZATION;
use pumphouse_web::engine::{
    Activity, Body, CloseReason, ConnectionState, Refusal, Reply, Request, RequestHead, Response,
    Service, Settings, StreamBody,
};

use crate::harness::{BodyProgram, Program, TestEngine, eventually, get, plain_program};

/// Connects from 127.0.0.`last`.
fn client(last: u8, address: SocketAddr) -> TcpStream {
    connect_from(Ipv4Addr::new(127, 0, 0, last), address, TEST_TIMEOUT).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    client(1, address)
}

/// Sends a request with a body of this length, except for its last byte, and returns the connection.
fn stalled(mut stream: TcpStream, target: &str, length: usize) -> TcpStream {
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    // The server may close the connection while this is sent.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&vec![b'x'; length - 1]);
    stream
}

#[test]
fn stalled_bodies_on_a_route_without_a_body_hold_nothing() {
    let server = TestEngine::http(Settings::default(), BodyProgram);
    let mut clients: Vec<TcpStream> =
        (0..20).map(|_| stalled(connect(server.address), "/ignored", 64 << 10)).collect();
    for client in &mut clients {
        let response = read_response(client).unwrap();
        assert!(response.starts_with(b"HTTP/1.1 200 "));
    }
    eventually("all connections linger", || {
        server.stats.connections(ConnectionState::Lingering) == 20
    });
    assert_eq!(server.stats.buffered_bytes(), 0);
}

/// Refuses requests without credentials before it reads their body, like a route under restricted
/// access.
struct Guarded;

impl Service for Guarded {
    fn call(&self, request: &Request, activity: &Activity) -> Reply {
        if request.headers.contains_key(AUTHORIZATION) {
            return BodyProgram.call(request, activity);
        }
        let mut response = Response::new(Body::from("who are you?"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.into()
    }

    fn refuse(&self, refusal: Refusal, head: Option<RequestHead<'_>>) -> Response {
        BodyProgram.refuse(refusal, head)
    }
}

#[test]
fn stalled_bodies_of_refused_requests_hold_nothing() {
    let server = TestEngine::http(Settings::default(), Guarded);
    let mut clients: Vec<TcpStream> =
        (0..20).map(|_| stalled(connect(server.address), "/body", 64 << 10)).collect();
    for client in &mut clients {
        let response = read_response(client).unwrap();
        assert!(response.starts_with(b"HTTP/1.1 401 "));
    }
    eventually("all connections linger", || {
        server.stats.connections(ConnectionState::Lingering) == 20
    });
    assert_eq!(server.stats.buffered_bytes(), 0);
    // The route reads the body of a request with credentials.
    let mut admitted = connect(server.address);
    let head =
        "POST /body HTTP/1.1\r\nHost: x\r\nAuthorization: y\r\nContent-Length: 65536\r\n\r\n";
    admitted.write_all(head.as_bytes()).unwrap();
    admitted.write_all(&vec![b'x'; 65_535]).unwrap();
    eventually("the body is charged", || server.stats.buffered_bytes() >= 65_535);
}

#[test]
fn stalled_bodies_hold_what_they_sent_until_they_end() {
    let server = TestEngine::http(Settings::default(), BodyProgram);
    let clients: Vec<TcpStream> =
        (0..10).map(|_| stalled(connect(server.address), "/body", 40 << 10)).collect();
    let held = 10 * (40_u64 << 10);
    eventually("all bytes are charged", || server.stats.buffered_bytes() >= held - 10);
    assert!(server.stats.buffered_bytes() < held * 3 / 2, "{}", server.stats.buffered_bytes());
    drop(clients);
    eventually("every charge is returned", || server.stats.buffered_bytes() == 0);
    assert_eq!(server.stats.closed(CloseReason::Memory), 0);
}

#[test]
fn exhausted_budget_closes_large_holders_and_spares_small_heads() {
    // The heads alone exceed the budget.
    let settings = Settings { max_buffered_bytes: 100 << 10, ..Settings::default() };
    let server = TestEngine::http(settings, BodyProgram);
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(4000));
    let (most, rest) = request.split_at(request.len() - 1);
    let mut heads: Vec<TcpStream> = (0..40).map(|_| connect(server.address)).collect();
    for head in &mut heads {
        head.write_all(most.as_bytes()).unwrap();
    }
    let bodies: Vec<TcpStream> =
        (0..40).map(|_| stalled(connect(server.address), "/body", 64 << 10)).collect();
    eventually("all bodies are closed", || server.stats.closed(CloseReason::Memory) == 40);
    for head in &mut heads {
        head.write_all(rest.as_bytes()).unwrap();
        assert!(read_response(head).unwrap().starts_with(b"HTTP/1.1 200 "));
    }
    drop(bodies);
    eventually("every charge is returned", || server.stats.buffered_bytes() == 0);
}

#[test]
fn exhausted_budget_closes_the_largest_group_and_spares_others() {
    let settings = Settings {
        max_buffered_bytes: 256 << 10,
        max_connections_per_address: Some(16),
        ..Settings::default()
    };
    let server = TestEngine::http(settings, BodyProgram);
    let mut single = stalled(connect(server.address), "/body", 64 << 10);
    eventually("the bytes are charged", || server.stats.buffered_bytes() >= 64 << 10);
    let _crowd: Vec<TcpStream> =
        (0..15).map(|_| stalled(client(2, server.address), "/body", 48 << 10)).collect();
    eventually("connections beyond the budget are closed", || {
        server.stats.closed(CloseReason::Memory) >= 11
    });
    single.write_all(b"x").unwrap();
    let response = String::from_utf8(read_response(&mut single).unwrap()).unwrap();
    assert!(response.ends_with("65536"), "{response}");
}

#[test]
fn unread_responses_are_charged_unless_shared() {
    let server = TestEngine::http(Settings::default(), BodyProgram);
    let mut own = connect(server.address);
    own.write_all(get("/large").as_bytes()).unwrap();
    eventually("the bytes are charged", || server.stats.buffered_bytes() >= 16 << 20);
    drop(own);
    eventually("the charge is returned", || server.stats.buffered_bytes() == 0);

    let server = TestEngine::http(Settings::default(), Program(plain_program));
    let mut shared: Vec<TcpStream> = (0..4).map(|_| connect(server.address)).collect();
    for client in &mut shared {
        client.write_all(get("/large").as_bytes()).unwrap();
    }
    eventually("all responses wait for their clients", || {
        server.stats.connections(ConnectionState::Writing) == 4
    });
    assert!(server.stats.buffered_bytes() < 64 << 10, "{}", server.stats.buffered_bytes());
}

/// An endless body whose source holds memory.
struct Holding;

impl Read for Holding {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

impl StreamBody for Holding {
    fn held_bytes(&self) -> usize {
        1 << 20
    }
}

#[test]
fn unread_streams_that_exhaust_the_budget_are_closed() {
    let settings = Settings { max_buffered_bytes: 5 << 20, ..Settings::default() };
    let stream = |_: &Request| Response::new(Body::Stream(Box::new(Holding)));
    let server = TestEngine::http(settings, Program(stream));
    let mut clients: Vec<TcpStream> = (0..4).map(|_| connect(server.address)).collect();
    for client in &mut clients {
        client.write_all(get("/").as_bytes()).unwrap();
    }
    eventually("all sources are charged", || server.stats.buffered_bytes() >= 4 << 20);
    assert_eq!(server.stats.closed(CloseReason::Memory), 0);
    let mut more = connect(server.address);
    more.write_all(get("/").as_bytes()).unwrap();
    eventually("one connection is closed", || server.stats.closed(CloseReason::Memory) == 1);
    drop((clients, more));
    eventually("every charge is returned", || server.stats.buffered_bytes() == 0);
}

#[test]
fn unread_responses_that_exhaust_the_budget_are_closed() {
    let settings = Settings { max_buffered_bytes: 40 << 20, ..Settings::default() };
    let server = TestEngine::https(settings, BodyProgram);
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = hostile::client::connect_tls(server.address, &server.client).unwrap();
        client.write_all(get("/large").as_bytes()).unwrap();
        clients.push(client);
    }
    eventually("four connections are closed", || server.stats.closed(CloseReason::Memory) == 4);
    assert!(server.fresh_https("/").ends_with("done"));
    for client in &mut clients {
        // The read ends with part of a response or with a reset.
        let _ = client.sock.set_read_timeout(Some(TEST_TIMEOUT));
        let _ = client.read(&mut [0; 1024]);
    }
}
