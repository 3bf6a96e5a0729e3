//! Heavy requests that stream their response.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pumphouse_web::engine::ConnectionState;

use super::{ask, client, one_permit, request_on, start};
use crate::harness::eventually;

#[test]
fn stream_whose_client_does_not_read_holds_no_permit() {
    let (server, _) = start(one_permit());
    let streams: Vec<_> = (0..3).map(|n| request_on(&server, 10 + n, "/stream")).collect();
    eventually("the clients' buffers are full", || {
        server.stats.connections(ConnectionState::Writing) == 3
    });
    for number in 0..3 {
        assert!(ask(&server, 20, &format!("/short/{number}")).starts_with("HTTP/1.1 200"));
    }
    drop(streams);
}

#[test]
fn stream_whose_client_withholds_a_body_holds_no_permit() {
    let (server, _) = start(one_permit());
    let mut withheld = client(&server, 10);
    withheld
        .write_all(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n")
        .unwrap();
    eventually("the server waits for the body", || {
        server.stats.connections(ConnectionState::Reading) == 1
    });
    assert!(ask(&server, 20, "/short/1").starts_with("HTTP/1.1 200"));
    // The response follows the body.
    withheld.write_all(b"x").unwrap();
    let mut begin = [0; 12];
    withheld.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
}

#[test]
fn stream_that_is_read_shares_its_permit() {
    let (server, _) = start(one_permit());
    let mut stream = request_on(&server, 10, "/stream");
    let done = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&done);
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while !ends.load(Ordering::SeqCst) && stream.read(&mut buffer).unwrap() > 0 {}
    });
    for number in 0..5 {
        assert!(ask(&server, 11, &format!("/short/{number}")).starts_with("HTTP/1.1 200"));
    }
    done.store(true, Ordering::SeqCst);
    reader.join().unwrap();
}

#[test]
fn stream_whose_source_would_block_resumes_in_later_turns() {
    let (server, _) = start(one_permit());
    let answer = ask(&server, 10, "/drip");
    assert_eq!(answer.matches("1\r\nx\r\n").count(), 100, "{answer}");
}
