//! Bytes that a waiting connection holds.

use std::time::Instant;

use super::scenario::{REQUEST, Scenario, echo};
use crate::http1::Action;
use crate::limits::{SPARE_ROOM, Settings};

#[test]
fn waiting_connection_holds_its_input_and_little_more() {
    let body = |target: &str, length: usize, sent: usize| {
        format!("PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
            + &"b".repeat(sent)
    };
    let field = |length: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(length));
    let chunks = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
        + &format!("400\r\n{}\r\n", "b".repeat(1024)).repeat(30);
    // Input, and the least and the most bytes that are held behind it.
    for (input, least, most) in [
        (REQUEST.to_owned(), 0, 0),
        (REQUEST.repeat(10), 0, 0),
        (field(3000), 3000, 3000 + 3 * SPARE_ROOM),
        (field(15_000), 15_000, 15_000 + 3 * SPARE_ROOM),
        (REQUEST.repeat(500) + &field(3000), 3000, 3000 + 3 * SPARE_ROOM),
        // The head keeps the allocation in which it arrived.
        (body("/", 60_000, 59_999), 59_999, 60_000 + 20_000),
        (body("/", 60_000, 10), 10, 4096),
        (chunks, 30 << 10, (64 << 10) + 20_000),
        (body("/ignored", 60_000, 59_999), 0, 0),
        (body("/ignored", 1000, 999), 0, 4096),
    ] {
        let settings = Settings { max_header_bytes: 16 << 10, ..Settings::default() };
        let mut scenario = Scenario::with(settings);
        // Pieces as large as a session reads.
        for piece in input.as_bytes().chunks(18 << 10) {
            scenario.receive(piece);
        }
        let held = scenario.connection.shrink();
        let what = &input[..input.len().min(60)];
        assert!(
            (least..=most).contains(&held),
            "{held} bytes are held, not {least}..={most}: {what}"
        );
        assert_eq!(scenario.connection.shrink(), held, "a second time: {what}");
    }
}

#[test]
fn output_is_held_until_it_is_taken() {
    let mut connection = Scenario::new().connection;
    connection.receive(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    let now = Instant::now();
    let Action::Call(call) = connection.poll(now) else { panic!("the request is whole") };
    connection.respond(echo(&call.request), now);
    let total = 100_000;
    assert!((total..total + 4096).contains(&connection.shrink()));
    let mut left: usize = connection.output().unwrap().iter().map(|piece| piece.len()).sum();
    while left > 0 {
        let some = left.min(30_000);
        connection.consume_output(some);
        left -= some;
        let held = connection.shrink();
        // An allocation stays whole until its last byte is taken.
        let expected = if left == 0 { 0..1 } else { total..total + 4096 };
        assert!(expected.contains(&held), "{held} bytes are held, {left} are left");
    }
}
