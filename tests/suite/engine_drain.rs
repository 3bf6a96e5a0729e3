//! A stop: requests in flight finish, and new connections are refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use hostile::client::{Client, TEST_TIMEOUT, connect_tls, read_response};
use hostile::mode::Mode;
use pumphouse_web::engine::{Body, Drained, Request, Response, Settings};

use crate::harness::{Program, TestEngine, get, plain_program};

#[test]
fn stop_finishes_requests_in_flight_and_refuses_new_ones() {
    let (entered, enter) = bounded(1);
    let (release, released) = bounded::<()>(0);
    let server = TestEngine::https(
        Settings { drain_timeout: TEST_TIMEOUT, ..Settings::default() },
        Program(move |request: &Request| {
            if request.target.path() == "/slow" {
                entered.send(()).unwrap();
                let _ = released.recv_timeout(TEST_TIMEOUT);
            }
            Response::new(Body::from("done"))
        }),
    );
    let mut idle = connect_tls(server.address, &server.client).unwrap();
    idle.write_all(get("/").as_bytes()).unwrap();
    read_response(&mut idle).unwrap();
    let mut slow = connect_tls(server.address, &server.client).unwrap();
    slow.write_all(get("/slow").as_bytes()).unwrap();
    enter.recv_timeout(TEST_TIMEOUT).unwrap();
    let mut half = connect_tls(server.address, &server.client).unwrap();
    // The server reads the half head together with the request before it.
    half.write_all((get("/") + "GET / HTTP/1.1\r\nHost: local").as_bytes()).unwrap();
    read_response(&mut half).unwrap();

    let address = server.address;
    let draining = std::thread::spawn(move || server.engine.drain());
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "the idle connection is open");
    assert!(TcpStream::connect(address).is_err(), "the listener is open");
    half.write_all(b"host\r\n\r\n").unwrap();
    let response = String::from_utf8(read_response(&mut half).unwrap()).unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("connection: close"));
    drop(release);
    let response = String::from_utf8(read_response(&mut slow).unwrap()).unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("connection: close"));
    assert_eq!(draining.join().unwrap(), Drained::Complete);
}

#[test]
fn stop_with_hostile_clients_ends_at_the_drain_timeout() {
    let drain_timeout = Duration::from_secs(2);
    let settings = Settings { drain_timeout, ..Settings::default() };
    let server = TestEngine::https(settings, Program(plain_program));
    let modes = [
        Mode::Silent,
        Mode::HalfClientHello,
        Mode::DripHead,
        Mode::DripBody,
        Mode::NeverRead,
        Mode::Idle,
    ];
    let clients: Vec<Client> = modes
        .into_iter()
        .flat_map(|mode| std::iter::repeat_n(mode, 5))
        .map(|mode| Client::start(mode, server.address, &server.client).unwrap())
        .collect();
    let begun = Instant::now();
    assert_eq!(server.engine.drain(), Drained::TimedOut);
    assert!(begun.elapsed() >= drain_timeout, "{:?}", begun.elapsed());
    drop(clients);
}

#[test]
fn stop_without_connections_is_complete() {
    let server = TestEngine::https(Settings::default(), Program(plain_program));
    assert!(server.fresh_https("/").starts_with("HTTP/1.1 200"));
    assert_eq!(server.engine.drain(), Drained::Complete);
}
