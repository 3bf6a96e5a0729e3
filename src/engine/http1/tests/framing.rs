//! Framing of requests, in which two recipients could differ (RFC 9112 6.1 to 6.3 and 11.2).

use super::scenario::{Case, check_cuts, check_statuses, feed};

const CASES: &[Case] = &[
    (
        "both lengths",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "both lengths, the other way round",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "two lengths that differ",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        &[400],
        false,
    ),
    (
        "two lengths that agree",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        &[400],
        false,
    ),
    ("a list of lengths", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello", &[400], false),
    ("a signed length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", &[400], false),
    ("a negative length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello", &[400], false),
    ("a hexadecimal length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello", &[400], false),
    ("an empty length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", &[400], false),
    ("chunked in 1.0", b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400], false),
    ("chunked twice", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", &[400], false),
    ("chunked not last", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", &[400], false),
    ("no coding", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,\r\n\r\n", &[400], false),
    ("gzip, chunked", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", &[501], false),
    ("identity", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", &[501], false),
    ("xchunked", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", &[501], false),
    ("another expectation", b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\nContent-Length: 1\r\n\r\n1", &[417], false),
];

#[test]
fn framing_gets_its_status() {
    check_statuses(CASES);
}

#[test]
fn framing_cut_anywhere_gets_the_same_response() {
    check_cuts(CASES);
}

#[test]
fn bytes_behind_a_refused_request_are_not_read() {
    let smuggled = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let scenario = feed([&smuggled[..]]);
    assert_eq!(scenario.statuses(), [400]);
    let closing = scenario.closing.unwrap();
    assert!(closing.linger, "the answer must outlive what the client still sends");
}
