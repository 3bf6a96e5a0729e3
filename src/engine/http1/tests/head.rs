//! Phase `Head`: request heads (RFC 9112 2 to 5).

use super::scenario::{Case, REQUEST, Scenario, check_cuts, check_statuses, feed};

const CASES: &[Case] = &[
    ("a plain GET", b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("empty lines before it", b"\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("HEAD", b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("HTTP/1.0", b"GET /a HTTP/1.0\r\n\r\n", &[200], false),
    ("HTTP/1.0 kept", b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &[200], true),
    (
        "asked to close",
        b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: x, close\r\n\r\n",
        &[200],
        false,
    ),
    ("absolute form", b"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("an empty Host", b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", &[200], true),
    // Malformed heads.
    ("no Host", b"GET /a HTTP/1.1\r\n\r\n", &[400], false),
    ("two Hosts", b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", &[400], false),
    ("a bad Host", b"GET /a HTTP/1.1\r\nHost: x y\r\n\r\n", &[400], false),
    ("a Host with user", b"GET /a HTTP/1.1\r\nHost: u@x\r\n\r\n", &[400], false),
    ("bare LF throughout", b"GET /a HTTP/1.1\nHost: x\n\n", &[400], false),
    ("one bare LF", b"GET /a HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", &[400], false),
    (
        "bare LF at the end",
        b"GET /a HTTP/1.1\r\nHost: x\r\n\nGET /b HTTP/1.1\r\n\r\n",
        &[400],
        false,
    ),
    ("a bare CR", b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", &[400], false),
    ("a folded line", b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", &[400], false),
    ("a space before the colon", b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n", &[400], false),
    ("a field without name", b"GET /a HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", &[400], false),
    ("a NUL in a value", b"GET /a HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", &[400], false),
    ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a relative target", b"GET a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("an asterisk for GET", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("two spaces", b"GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n", &[400], false),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[505], false),
    // Limits.
    (
        "too many fields",
        b"GET /a HTTP/1.1\r\nHost: x\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\n\r\n",
        &[431],
        false,
    ),
];

#[test]
fn head_gets_its_status() {
    check_statuses(CASES);
}

#[test]
fn head_cut_anywhere_gets_the_same_response() {
    check_cuts(CASES);
}

#[test]
fn head_beyond_its_limit_is_refused_wherever_it_is_cut() {
    let padding = "p".repeat(300);
    let heads = [
        (414, format!("GET /{padding} HTTP/1.1\r\nHost: x\r\n\r\n")),
        (414, format!("GET /{padding}")),
        (414, format!("GET http://x/{padding} HTTP/1.1\r\nHost: x\r\n\r\n")),
        // The line fits, and the fields do not.
        (431, format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", &padding[..238])),
        (431, format!("GET / HTTP/1.1\r\nHost: x\r\nA: {padding}\r\n\r\n")),
        (431, "\r\n".repeat(300)),
        (501, format!("{padding} / HTTP/1.1\r\nHost: x\r\n\r\n")),
        (400, format!("\x16\x03\x01{padding}")),
        (400, format!(" {padding}")),
    ];
    for (status, head) in heads {
        let whole = feed([head.as_bytes()]);
        assert_eq!(whole.statuses(), [status], "{head}");
        assert_eq!(feed(head.as_bytes().chunks(1)).transcript(), whole.transcript());
    }
    let broken = format!("GET / HTTP/1.1\r\nHost x\r\nA: {padding}\r\n\r\n");
    for length in [1, 5, 400] {
        assert_eq!(feed(broken.as_bytes().chunks(length)).statuses(), [400]);
    }
}

#[test]
fn head_that_arrives_byte_by_byte_survives_the_shrinking_of_its_buffer() {
    let mut scenario = Scenario::new();
    for byte in format!("{REQUEST}GET /two HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes() {
        scenario.receive([*byte]);
        scenario.connection.shrink();
    }
    assert_eq!(scenario.statuses(), [200, 200]);
    assert!(scenario.text().ends_with("[GET /two ]"));
}
