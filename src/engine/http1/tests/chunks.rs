//! Chunk extensions and trailer sections (RFC 9112 7.1.1 and 7.1.2).

use std::time::Instant;

use super::scenario::{Case, Scenario, check_cuts, check_statuses, echo, feed, settings};
use crate::activity::Activity;
use crate::http1::{Action, ServiceCall};
use crate::limits::{MAX_CHUNK_OVERHEAD, Settings};
use crate::message::Request;

const HEAD: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Head of a request whose body the service does not request.
const IGNORED: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Name, chunked body, and its status. The head has two of eight fields.
const CASES: &[(&str, &[u8], u16)] = &[
    // Extensions.
    ("an extension", b"5;a\r\nhello\r\n0\r\n\r\n", 200),
    ("an extension with a token", b"5;a=b;c=d\r\nhello\r\n0;e\r\n\r\n", 200),
    ("an extension behind a space", b"5 ;a=b\r\nhello\r\n0\r\n\r\n", 200),
    ("an extension among spaces", b"5\t ; a = b ; c\r\nhello\r\n0\r\n\r\n", 200),
    ("an extension with a quoted string", b"5;a=\"b; \\\" \xe9\"\r\nhello\r\n0\r\n\r\n", 200),
    ("an extension of the last chunk", b"0;a=\"\"\r\n\r\n", 200),
    ("leading zeros", b"0000005\r\nhello\r\n000\r\n\r\n", 200),
    ("an empty extension", b"5;\r\nhello\r\n0\r\n\r\n", 400),
    ("an empty second extension", b"5;a;\r\nhello\r\n0\r\n\r\n", 400),
    ("an extension without value", b"5;a=\r\nhello\r\n0\r\n\r\n", 400),
    ("an extension without name", b"5;=b\r\nhello\r\n0\r\n\r\n", 400),
    ("a space behind an extension", b"5;a \r\nhello\r\n0\r\n\r\n", 400),
    ("a space in an extension", b"5;a b\r\nhello\r\n0\r\n\r\n", 400),
    ("a name above ASCII", b"5;\xe9=b\r\nhello\r\n0\r\n\r\n", 400),
    ("a token above ASCII", b"5;a=\xe9\r\nhello\r\n0\r\n\r\n", 400),
    ("a NUL in a chunk extension", b"5;a\0\r\nhello\r\n0\r\n\r\n", 400),
    ("a NUL in a quoted string", b"5;a=\"\0\"\r\nhello\r\n0\r\n\r\n", 400),
    ("an open quoted string", b"5;a=\"b\r\nhello\r\n0\r\n\r\n", 400),
    ("a quoted name", b"5;\"a\"\r\nhello\r\n0\r\n\r\n", 400),
    ("a quoted line ending", b"5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", 400),
    ("an extension of the last chunk that is empty", b"0;\r\n\r\n", 400),
    ("a space behind the last chunk", b"0 \r\n\r\n", 400),
    // Trailers.
    ("a trailer field", b"0\r\nA: b\r\n\r\n", 200),
    ("an empty trailer field", b"0\r\nA:\r\nB: \t \r\n\r\n", 200),
    ("a trailer field above ASCII", b"0\r\nA: \xc3\xa9\r\n\r\n", 200),
    ("a trailer field with colons", b"0\r\nA:b:c\r\n\r\n", 200),
    ("as many trailer fields as are left", b"0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\n\r\n", 200),
    (
        "more trailer fields than are left",
        b"0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\n\r\n",
        431,
    ),
    ("a trailer line without a colon", b"0\r\nA\r\n\r\n", 400),
    ("a trailer line of spaces", b"0\r\n \r\n\r\n", 400),
    ("a space before a trailer's colon", b"0\r\nA : b\r\n\r\n", 400),
    ("a trailer field without name", b"0\r\n: b\r\n\r\n", 400),
    ("a folded trailer field", b"0\r\nA: b\r\n c\r\n\r\n", 400),
    ("a trailer section folded at once", b"0\r\n\tA: b\r\n\r\n", 400),
    ("a NUL in a trailer field", b"0\r\nA: \0\r\n\r\n", 400),
    ("a control character in a trailer field", b"0\r\nA: \x1b[2J\r\n\r\n", 400),
    ("a trailer name above ASCII", b"0\r\n\xc3\xa9: b\r\n\r\n", 400),
    ("a bare CR in a trailer field", b"0\r\nA: b\rc\r\n\r\n", 400),
    ("a second request in the trailer", b"0\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
];

/// Returns the cases behind a head, for the shared checks.
fn cases(head: &[u8]) -> Vec<Case> {
    let case = |(name, body, status): &(&'static str, &[u8], u16)| -> Case {
        let request = [head, body].concat().leak();
        let statuses = vec![*status].leak();
        (*name, request, statuses, *status == 200)
    };
    CASES.iter().map(case).collect()
}

#[test]
fn extension_or_trailer_gets_its_status() {
    check_statuses(&cases(HEAD));
    check_statuses(&cases(IGNORED));
}

#[test]
fn extension_or_trailer_cut_anywhere_gets_the_same_response() {
    check_cuts(&cases(HEAD));
    check_cuts(&cases(IGNORED));
}

#[test]
fn trailer_line_gets_the_status_that_it_gets_in_a_head() {
    let mut lines: Vec<Vec<u8>> =
        ["A: b", "A:b", "A", "A : b", ": b", " A: b", "A: ", "A:\t", "A b: c", "A:: b", "\"A\": b"]
            .map(|line| line.as_bytes().to_vec())
            .to_vec();
    for byte in (0..=u8::MAX).filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        lines.push([b"A", &[byte][..], b": b"].concat());
        lines.push([b"A: b", &[byte][..], b"c"].concat());
        lines.push([b"A: ", &[byte][..]].concat());
    }
    for line in lines {
        let head = [b"GET /a HTTP/1.1\r\nHost: x\r\n", &line[..], b"\r\n\r\n"].concat();
        let trailer = [HEAD, b"0\r\n", &line[..], b"\r\n\r\n"].concat();
        let (head, trailer) = (feed([&head[..]]), feed([&trailer[..]]));
        assert_eq!(head.statuses(), trailer.statuses(), "{}", String::from_utf8_lossy(&line));
    }
}

#[test]
fn trailer_field_does_not_reach_the_service() {
    let body = b"0\r\nHost: evil.example\r\nContent-Length: 9\r\nTransfer-Encoding: gzip\r\n\r\n";
    let mut connection = Scenario::new().connection;
    let now = Instant::now();
    connection.receive(&[HEAD, body].concat());
    let Action::Call(call) = connection.poll(now) else { panic!("no request") };
    let then = Box::new(|request: &Request, _: &Activity| echo(request).into());
    connection.read_body(call.request, usize::MAX, then).unwrap();
    let Action::Call(ServiceCall { request, .. }) = connection.poll(now) else { panic!("no body") };
    assert_eq!(request.headers["host"], "x");
    assert_eq!(request.headers.len(), 2);
    assert!(request.body.is_empty());
}

#[test]
fn size_lines_of_a_body_beyond_their_limit_are_refused() {
    const PER_LINE: usize = 128;
    let allowed = MAX_CHUNK_OVERHEAD / PER_LINE;
    let extension = format!("1;{}", "e".repeat(PER_LINE - 1));
    let zeros = format!("{}1", "0".repeat(PER_LINE));
    for line in [extension, zeros] {
        for (chunks, status) in [(allowed, 200), (allowed + 1, 413)] {
            let mut scenario = Scenario::with(Settings { max_body_bytes: 64 << 10, ..settings() });
            scenario.receive(HEAD);
            for _ in 0..chunks {
                scenario.receive(format!("{line}\r\nx\r\n"));
            }
            if status == 200 {
                scenario.receive("0\r\n\r\n");
            }
            assert_eq!(scenario.statuses(), [status], "{chunks} of {line}");
        }
    }
}
