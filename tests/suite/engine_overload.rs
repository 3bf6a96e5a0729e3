//! More requests than workers, and more connections than the caps.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use hostile::client::{TEST_TIMEOUT, connect_tls, read_response};
use hostile::transport::connect_from;
use pumphouse_web::engine::{
    Body, CloseReason, ConnectionState, Request, Response, Settings, ShedReason, TrustedProxies,
};
use strum::VariantArray;

use crate::harness::{Program, TestEngine, blocking_program, eventually, get, plain_program};

/// Number of reads and requests of one connection after which another connection is served.
const REQUESTS_OF_A_TURN: usize = 16;

fn plain(server: &TestEngine) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

fn status(response: &[u8]) -> &str {
    std::str::from_utf8(&response[9..12]).unwrap()
}

#[test]
fn requests_behind_blocked_workers_are_shed_at_queue_timeout() {
    let settings =
        Settings { workers: 2, queue_timeout: Duration::from_millis(500), ..Settings::default() };
    let (program, entered, release) = blocking_program();
    let server = TestEngine::https(settings, program);

    // One connection is kept alive from before the workers are blocked.
    let mut kept = connect_tls(server.address, &server.client).unwrap();
    kept.write_all(get("/").as_bytes()).unwrap();
    read_response(&mut kept).unwrap();

    let blocked: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = connect_tls(server.address, &server.client).unwrap();
            stream.write_all(get("/block").as_bytes()).unwrap();
            entered.recv_timeout(TEST_TIMEOUT).unwrap();
            stream
        })
        .collect();

    kept.write_all(get("/kept?a=b").as_bytes()).unwrap();
    let response = read_response(&mut kept).unwrap();
    assert_eq!(status(&response), "503");
    let text = String::from_utf8_lossy(&response).to_lowercase();
    assert!(text.contains("retry-after: "), "{text}");
    assert!(
        text.contains("x-target: /kept?a=b\r\n"),
        "the refusal does not name its request: {text}"
    );

    // More connections than the queue holds, each of which needs a handshake first.
    let fresh: Vec<_> = (0..12)
        .map(|_| {
            let (address, client) = (server.address, server.client.clone());
            std::thread::spawn(move || {
                let mut stream = connect_tls(address, &client).unwrap();
                stream.write_all(get("/").as_bytes()).unwrap();
                read_response(&mut stream).unwrap()
            })
        })
        .collect();
    for fresh in fresh {
        assert_eq!(status(&fresh.join().unwrap()), "503");
    }
    assert_eq!(server.stats.shed(ShedReason::QueueTimeout), 13);

    // The blocked requests are answered, and the server serves again.
    drop(release);
    for mut stream in blocked {
        assert_eq!(status(&read_response(&mut stream).unwrap()), "200");
    }
    assert!(server.fresh_https("/").starts_with("HTTP/1.1 200"));
}

#[test]
fn deadlines_pass_on_time_while_workers_are_blocked() {
    let settings =
        Settings { workers: 1, header_timeout: Duration::from_secs(5), ..Settings::default() };
    let (program, entered, release) = blocking_program();
    let server = TestEngine::http(settings, program);
    let mut dripping = plain(&server);
    // The server reads the half head together with the request before it.
    dripping.write_all((get("/") + "GET / HT").as_bytes()).unwrap();
    read_response(&mut dripping).unwrap();
    let mut blocked = plain(&server);
    blocked.write_all(get("/block").as_bytes()).unwrap();
    entered.recv_timeout(TEST_TIMEOUT).unwrap();

    let mut received = Vec::new();
    dripping.read_to_end(&mut received).unwrap();
    assert_eq!(status(&received), "408");
    drop(release);
    read_response(&mut blocked).unwrap();
}

#[test]
fn connection_at_the_cap_evicts_the_longest_idle() {
    let settings = Settings { max_connections: 4, ..Settings::default() };
    let server = TestEngine::http(settings, Program(plain_program));
    let mut idle: Vec<TcpStream> = Vec::new();
    for number in 0..4 {
        let mut stream = plain(&server);
        stream.write_all(get("/").as_bytes()).unwrap();
        read_response(&mut stream).unwrap();
        idle.push(stream);
        let states = || server.stats.connections(ConnectionState::Idle);
        eventually("the connection is idle", || states() == number + 1);
    }
    let mut fresh = plain(&server);
    fresh.write_all(get("/").as_bytes()).unwrap();
    assert_eq!(status(&read_response(&mut fresh).unwrap()), "200");
    assert_eq!(server.stats.closed(CloseReason::Evicted), 1);
    assert_eq!(
        idle[0].read(&mut [0; 1]).unwrap(),
        0,
        "the first connection, idle longest, is open"
    );
    for stream in &mut idle[1..] {
        stream.write_all(get("/").as_bytes()).unwrap();
        assert_eq!(status(&read_response(stream).unwrap()), "200");
    }
}

#[test]
fn without_a_grace_incomplete_requests_are_evicted_before_a_connection_that_has_sent_nothing() {
    const CAP: usize = 4;
    // Time after which a connection that has sent nothing can be evicted.
    const GRACE: Duration = Duration::from_secs(1);
    let settings =
        Settings { max_connections: CAP, eviction_grace: Duration::ZERO, ..Settings::default() };
    let server = TestEngine::http(settings, Program(plain_program));
    let count = |state| server.stats.connections(state);
    for _ in 0..20 {
        let mut halves: Vec<TcpStream> = (1..CAP).map(|_| plain(&server)).collect();
        for half in &mut halves {
            half.write_all(get("/").as_bytes()).unwrap();
            read_response(half).unwrap();
        }
        let begun = Instant::now();
        let mut silent = plain(&server);
        eventually("the silent connection is the oldest", || count(ConnectionState::Reading) == 1);
        for half in &mut halves {
            half.write_all(b"GET /").unwrap();
        }
        let all_wait = || count(ConnectionState::Idle) == 0 && count(ConnectionState::Reading) == 4;
        eventually("every connection waits for its client", all_wait);
        let mut fresh = plain(&server);
        fresh.write_all(get("/").as_bytes()).unwrap();
        assert_eq!(status(&read_response(&mut fresh).unwrap()), "200");
        // On a busy machine the grace may have passed; then the attempt is repeated.
        if begun.elapsed() < GRACE {
            silent.write_all(get("/").as_bytes()).unwrap();
            assert_eq!(status(&read_response(&mut silent).unwrap()), "200");
            return;
        }
        drop((halves, silent, fresh));
        eventually("all connections are closed", || {
            ConnectionState::VARIANTS.iter().all(|it| count(*it) == 0)
        });
    }
    panic!("20 attempts took longer than the grace of 1 s");
}

/// Connects from 127.0.0.`last`.
fn plain_from(server: &TestEngine, last: u8) -> TcpStream {
    connect_from(Ipv4Addr::new(127, 0, 0, last), server.address, TEST_TIMEOUT).unwrap()
}

/// Sends a request on a connection, and requires that it is served.
fn assert_served(stream: &mut TcpStream) {
    stream.write_all(get("/").as_bytes()).unwrap();
    assert_eq!(status(&read_response(stream).unwrap()), "200");
}

#[test]
fn crowd_from_one_address_evicts_no_other_address() {
    let settings = Settings {
        max_connections: 16,
        max_connections_per_address: Some(8),
        ..Settings::default()
    };
    let server = TestEngine::http(settings, Program(plain_program));
    let mut visitors: Vec<TcpStream> = (0..4).map(|_| plain_from(&server, 2)).collect();
    visitors.iter_mut().for_each(assert_served);
    let crowd: Vec<TcpStream> = (0..100).map(|_| plain_from(&server, 3)).collect();
    eventually("every connection of the crowd is accepted or shed", || {
        server.stats.accepted() == 104
    });
    // On a slow machine the first of the crowd leave their grace, and are evicted.
    let evicted = || server.stats.closed(CloseReason::Evicted);
    eventually("the crowd is shed or evicted", || {
        server.stats.shed(ShedReason::AddressCap) + evicted() == 100 - 8
    });
    visitors.iter_mut().for_each(assert_served);
    assert_served(&mut plain_from(&server, 4));
    drop(crowd);
}

#[test]
fn crowd_from_one_address_at_the_cap_evicts_its_own() {
    let settings = Settings {
        max_connections: 16,
        max_connections_per_address: Some(16),
        ..Settings::default()
    };
    let server = TestEngine::http(settings, Program(plain_program));
    let mut visitors: Vec<TcpStream> = (0..4).map(|_| plain_from(&server, 2)).collect();
    visitors.iter_mut().for_each(assert_served);
    // Many more than the cap, faster than the acceptor looks up candidates for eviction.
    let crowd: Vec<TcpStream> = (0..200).map(|_| plain_from(&server, 3)).collect();
    eventually("every connection of the crowd is accepted or shed", || {
        server.stats.accepted() == 204
    });
    visitors.iter_mut().for_each(assert_served);
    assert_served(&mut plain_from(&server, 4));
    drop(crowd);
}

#[test]
fn address_at_its_cap_evicts_its_own_idle_connection() {
    let settings = Settings { max_connections_per_address: Some(3), ..Settings::default() };
    let server = TestEngine::http(settings, Program(plain_program));
    let mut idle: Vec<TcpStream> = Vec::new();
    for number in 0..5 {
        let mut stream = plain(&server);
        stream.write_all(get("/").as_bytes()).unwrap();
        assert_eq!(status(&read_response(&mut stream).unwrap()), "200");
        idle.push(stream);
        let parked = || server.stats.connections(ConnectionState::Idle) == (number + 1).min(3);
        eventually("the connection is idle", parked);
    }
    assert_eq!(server.stats.closed(CloseReason::Evicted), 2);
    assert_eq!(
        idle[0].read(&mut [0; 1]).unwrap(),
        0,
        "the first connection, idle longest, is open"
    );
}

#[test]
fn trusted_proxy_has_no_cap_and_names_its_clients() {
    let settings = Settings {
        max_connections_per_address: Some(1),
        trusted_proxies: TrustedProxies {
            networks: vec!["127.0.0.0/8".parse().unwrap()],
            unix: false,
        },
        ..Settings::default()
    };
    let server = TestEngine::http(
        settings,
        Program(|request: &Request| Response::new(Body::from(format!("{:?}", request.client)))),
    );
    let connections: Vec<TcpStream> = (0..5).map(|_| plain(&server)).collect();
    for mut stream in &connections {
        let request = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let answer = String::from_utf8(read_response(&mut stream).unwrap()).unwrap();
        assert!(answer.ends_with("Some(192.0.2.7)"), "{answer}");
    }
}

#[test]
fn connection_at_a_cap_of_busy_connections_gets_503_at_once() {
    let settings = Settings { workers: 2, max_connections: 2, ..Settings::default() };
    let (program, entered, release) = blocking_program();
    let server = TestEngine::http(settings, program);
    let busy: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = plain(&server);
            stream.write_all(get("/block").as_bytes()).unwrap();
            entered.recv_timeout(TEST_TIMEOUT).unwrap();
            stream
        })
        .collect();
    let mut fresh = plain(&server);
    let mut received = Vec::new();
    fresh.read_to_end(&mut received).unwrap();
    assert_eq!(status(&received), "503");
    assert_eq!(server.stats.shed(ShedReason::ConnectionCap), 1);
    drop(release);
    for mut stream in busy {
        assert_eq!(status(&read_response(&mut stream).unwrap()), "200");
    }
}

#[test]
fn panicking_handler_closes_its_own_connection_only() {
    let settings = Settings { workers: 1, ..Settings::default() };
    let server = TestEngine::http(
        settings,
        Program(|request: &Request| {
            assert_ne!(request.target.path(), "/panic", "panic of the test");
            Response::new(Body::from("well"))
        }),
    );
    let mut stream = plain(&server);
    let mut received = Vec::new();
    stream.write_all(get("/panic").as_bytes()).unwrap();
    stream.read_to_end(&mut received).unwrap();
    assert_eq!(status(&received), "500");
    let text = String::from_utf8_lossy(&received);
    assert!(text.contains("x-target: /panic\r\n"), "the refusal does not name its request: {text}");
    let mut stream = plain(&server);
    stream.write_all(get("/").as_bytes()).unwrap();
    assert_eq!(status(&read_response(&mut stream).unwrap()), "200");
}

#[test]
fn pipelined_requests_of_one_connection_starve_no_other() {
    let settings = Settings { workers: 1, ..Settings::default() };
    let (entered, enter) = bounded(1);
    let (release, released) = bounded::<()>(0);
    let (handled, order) = crossbeam_channel::unbounded();
    let server = TestEngine::http(
        settings,
        Program(move |request: &Request| {
            let path = request.target.path().to_owned();
            if path == "/flood/0" {
                entered.send(()).unwrap();
                let _ = released.recv_timeout(TEST_TIMEOUT);
            }
            handled.send(path).unwrap();
            Response::new(Body::empty())
        }),
    );
    let mut flood = plain(&server);
    let requests: String = (0..200).map(|number| get(&format!("/flood/{number}"))).collect();
    flood.write_all(requests.as_bytes()).unwrap();
    enter.recv_timeout(TEST_TIMEOUT).unwrap();
    let mut other = plain(&server);
    other.write_all(get("/other").as_bytes()).unwrap();
    server.wait_until_one_waits_behind_one();
    drop(release);

    let order: Vec<String> = (0..201).map(|_| order.recv_timeout(TEST_TIMEOUT).unwrap()).collect();
    let place = order.iter().position(|path| path == "/other").unwrap();
    assert!(place <= REQUESTS_OF_A_TURN, "served after {place} requests of the other connection");
}
