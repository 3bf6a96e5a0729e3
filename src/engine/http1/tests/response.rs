//! Responses and refusals (RFC 9110 15, RFC 9112 4 and 6).

use http::StatusCode;

use super::scenario::{Case, Scenario, check_cuts, check_statuses, echo, feed, settings};
use crate::http1::{Action, ServiceCall};
use crate::message::{Body, Response};

const CASES: &[Case] = &[
    ("a long body behind the head", b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("a stream", b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("a stream to 1.0", b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &[200], false),
];

#[test]
fn response_gets_its_status() {
    check_statuses(CASES);
}

#[test]
fn response_cut_anywhere_gets_the_same_response() {
    check_cuts(CASES);
}

#[test]
fn response_to_head_has_the_length_and_no_body() {
    let scenario = feed([&b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"[..]]);
    let text = scenario.text();
    assert!(text.contains("content-length: 10\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}

#[test]
fn refusal_is_rendered_with_the_head_if_that_was_parsed() {
    let ask = |fields: &str| format!("POST /a?b HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
    let chunked = ask("Transfer-Encoding: chunked");
    for (status, request, known) in [
        (400, ask("A : b"), false),
        (400, ask("Content-Length: 5, 5"), true),
        (400, format!("{chunked}+5\r\n"), true),
        (413, ask("Content-Length: 17"), true),
        (413, format!("{chunked}ff\r\n"), true),
        (417, ask("Expect: coffee"), true),
        (501, ask("Transfer-Encoding: gzip"), true),
    ] {
        let scenario = feed([request.as_bytes()]);
        let text = scenario.text();
        assert_eq!(scenario.statuses(), [status], "{request}");
        assert_eq!(text.ends_with(" /a?b"), known, "{request}: {text}");
    }
    let mut late = Scenario::new();
    late.receive(ask("Content-Length: 5")).advance_clock(settings().body_timeout);
    assert!(late.statuses() == [408] && late.text().ends_with(" /a?b"), "{}", late.text());

    let head = feed([&b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n"[..]]);
    assert!(head.statuses() == [413] && head.text().ends_with("\r\n\r\n"), "{}", head.text());
}

#[test]
fn response_whose_status_permits_no_body_has_no_length() {
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let mut scenario = Scenario::new();
        scenario.connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let Action::Call(_) = scenario.connection.poll(scenario.now) else { panic!("no request") };
        let mut response = Response::new(Body::from("forgotten"));
        *response.status_mut() = status;
        scenario.connection.respond(response, scenario.now);
        scenario.run();
        let text = scenario.text();
        assert!(!text.contains("content-length") && text.ends_with("\r\n\r\n"), "{text}");
    }
}

#[test]
fn stream_is_chunked_or_ends_with_the_connection() {
    let chunked = feed([&b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"[..]]).text();
    assert!(chunked.ends_with("\r\n\r\ne\r\n[GET /stream ]\r\n0\r\n\r\n"), "{chunked}");
    let plain = feed([&b"GET /stream HTTP/1.0\r\n\r\n"[..]]).text();
    assert!(plain.ends_with("\r\n\r\n[GET /stream ]"), "{plain}");
}

#[test]
fn service_cannot_contradict_the_framing() {
    let mut scenario = Scenario::new();
    scenario.connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let Action::Call(_) = scenario.connection.poll(scenario.now) else { panic!("no request") };
    let response = http::Response::builder()
        .header("Content-Length", "999")
        .header("Transfer-Encoding", "chunked")
        .header("Connection", "close")
        .body(Body::from("four"))
        .unwrap();
    scenario.connection.respond(response, scenario.now);
    scenario.run();
    let text = scenario.text();
    assert!(text.contains("content-length: 4\r\n"), "{text}");
    assert!(
        !text.contains("999") && !text.contains("chunked") && !text.contains("close"),
        "{text}"
    );
}

#[test]
fn pipelined_requests_wait_while_much_output_is_pending() {
    let mut scenario = Scenario::new();
    scenario.connection.receive("GET /long HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3).as_bytes());
    let Action::Call(ServiceCall { request, .. }) = scenario.connection.poll(scenario.now) else {
        panic!("no request")
    };
    scenario.connection.respond(echo(&request), scenario.now);
    assert!(matches!(scenario.connection.poll(scenario.now), Action::Write));
    scenario.run();
    assert_eq!(scenario.statuses(), [200, 200, 200]);
}
