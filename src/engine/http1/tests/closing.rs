//! End of a connection: by its client, by the last response, by the end of the server.

use std::time::Duration;

use super::scenario::{REQUEST, Scenario, feed};
use crate::http1::Closing;
use crate::limits::DRAIN_GRACE;
use crate::stats::CloseReason;

#[test]
fn client_that_has_ended_its_half_receives_its_responses() {
    let mut scenario = Scenario::new();
    scenario.connection.receive(REQUEST.repeat(2).as_bytes());
    scenario.connection.end_of_input();
    scenario.run();
    assert_eq!(scenario.statuses(), [200, 200]);
    assert_eq!(scenario.closing.unwrap().reason, CloseReason::Done);

    let mut broken_off = Scenario::new();
    broken_off.receive("GET / HT");
    broken_off.connection.end_of_input();
    broken_off.run();
    assert_eq!(broken_off.statuses(), [0_u16; 0]);
    assert_eq!(broken_off.closing.unwrap().reason, CloseReason::ClientGone);
}

#[test]
fn stopping_server_answers_once_more_and_announces_the_close() {
    let mut fresh = Scenario::new();
    fresh.connection.set_last_response(fresh.now);
    assert!(fresh.connection.deadline().at() <= fresh.now + DRAIN_GRACE);
    fresh.receive(REQUEST.repeat(2));
    assert_eq!(fresh.statuses(), [200]);
    assert!(fresh.text().contains("connection: close"));
    let closing = fresh.closing.unwrap();
    assert_eq!((closing.reason, closing.linger), (CloseReason::Drain, true));

    let mut idle = Scenario::new();
    idle.receive(REQUEST);
    // The client may send another request before it sees the end.
    let closing = idle.connection.close_if_idle(CloseReason::Drain);
    assert_eq!(closing, Some(Closing { reason: CloseReason::Drain, linger: true }));
    let mut busy = Scenario::new();
    busy.receive("GET");
    assert!(busy.connection.close_if_idle(CloseReason::Drain).is_none());
}

#[test]
fn connection_lingers_behind_its_last_response() {
    let close = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (input, reason) in [
        (close.to_owned(), CloseReason::Done),
        (close.repeat(2), CloseReason::Done),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), CloseReason::Done),
        ("GET\r\n\r\n".to_owned(), CloseReason::Refused),
        (
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n".to_owned(),
            CloseReason::Refused,
        ),
        (
            "PUT /ignored HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
                .to_owned(),
            CloseReason::Done,
        ),
    ] {
        let scenario = feed([input.as_bytes()]);
        assert_eq!(scenario.closing, Some(Closing { reason, linger: true }), "{input}");
        assert_eq!(scenario.started, scenario.now);
    }
    let mut idle = Scenario::new();
    idle.receive(REQUEST).advance_clock(Duration::from_secs(100));
    assert_eq!(idle.closing, Some(Closing { reason: CloseReason::KeepAlive, linger: true }));
    let mut empty_line = Scenario::new();
    empty_line.receive(REQUEST).receive("\r\n").advance_clock(Duration::from_secs(100));
    let closing = Closing { reason: CloseReason::HeaderTimeout, linger: true };
    assert_eq!(empty_line.closing, Some(closing));
    let mut silent = Scenario::new();
    silent.advance_clock(Duration::from_secs(100));
    assert_eq!(silent.closing, Some(Closing { reason: CloseReason::HeaderTimeout, linger: false }));
}
