//! Deadlines of all phases.

use std::time::Duration;

use super::scenario::{REQUEST, Scenario, echo, settings};
use crate::http1::{Action, ServiceCall};
use crate::stats::CloseReason;

#[test]
fn phase_ends_at_its_own_deadline() {
    let limits = settings();
    let just_before = |limit: Duration| limit - Duration::from_millis(1);
    let rest = Duration::from_millis(1);

    // Nothing was sent: a 408 could be mistaken for the response to a request that still arrives.
    let mut silent = Scenario::new();
    silent.advance_clock(just_before(limits.header_timeout));
    assert_eq!(silent.closing, None);
    silent.advance_clock(rest);
    assert_eq!(silent.closing.unwrap().reason, CloseReason::HeaderTimeout);
    assert_eq!(silent.statuses(), [0_u16; 0]);

    let mut half_head = Scenario::new();
    half_head.receive("GET / HT").advance_clock(limits.header_timeout);
    assert_eq!(half_head.closing.unwrap().reason, CloseReason::HeaderTimeout);
    assert_eq!(half_head.statuses(), [408]);

    let mut half_body = Scenario::new();
    half_body.receive("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    half_body.advance_clock(just_before(limits.body_timeout));
    assert_eq!(half_body.closing, None);
    half_body.advance_clock(rest);
    assert_eq!(half_body.closing.unwrap().reason, CloseReason::BodyTimeout);
    assert_eq!(half_body.statuses(), [408]);

    let mut idle = Scenario::new();
    idle.receive(REQUEST).advance_clock(just_before(limits.keep_alive));
    assert_eq!(idle.closing, None);
    idle.advance_clock(rest);
    assert_eq!(idle.closing.unwrap().reason, CloseReason::KeepAlive);
    assert_eq!(idle.statuses(), [200]);
}

#[test]
fn byte_within_a_phase_does_not_extend_its_deadline() {
    let limits = settings();
    let second = Duration::from_secs(1);

    let mut head = Scenario::new();
    let mut sent = 0;
    for byte in REQUEST.as_bytes().iter().cycle() {
        head.receive([*byte]).advance_clock(second);
        sent += 1;
        if head.closing.is_some() {
            break;
        }
    }
    assert_eq!(sent, limits.header_timeout.as_secs());

    let mut body = Scenario::new();
    body.receive("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let begun = body.now;
    for byte in b"1;".iter().chain(std::iter::repeat(&b'x')) {
        body.receive([*byte]).advance_clock(second);
        if body.closing.is_some() {
            break;
        }
    }
    assert_eq!(body.now - begun, limits.body_timeout);

    // The next request's head is due from its first byte, not from the last response.
    let mut second_head = Scenario::new();
    second_head.receive(REQUEST).advance_clock(limits.keep_alive / 2);
    let begun = second_head.now;
    while second_head.closing.is_none() {
        second_head.receive("G").advance_clock(second);
    }
    assert_eq!(second_head.now - begun, limits.header_timeout);
}

#[test]
fn client_that_reads_a_byte_a_second_is_cut_off_at_the_write_deadline() {
    let limits = settings();
    let mut scenario = Scenario::new();
    scenario.connection.receive(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    let Action::Call(ServiceCall { request, .. }) = scenario.connection.poll(scenario.now) else {
        panic!("no request")
    };
    scenario.connection.respond(echo(&request), scenario.now);
    let due = scenario.now + limits.write_timeout;
    while scenario.now < due {
        assert!(matches!(scenario.connection.poll(scenario.now), Action::Write));
        assert_eq!(scenario.connection.deadline().at(), due);
        scenario.connection.output().unwrap();
        scenario.connection.consume_output(1);
        scenario.now += Duration::from_secs(1);
    }
    assert_eq!(scenario.connection.expiry_reason(), CloseReason::WriteTimeout);
}
