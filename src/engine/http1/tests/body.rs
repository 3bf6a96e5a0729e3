//! Phases `Body` and `Discard`: request bodies (RFC 9112 6 and 7).

use super::scenario::{Case, Scenario, check_cuts, check_statuses};

const CASES: &[Case] = &[
    (
        "three in a row",
        b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: x\r\n\r\n",
        &[200, 200, 200],
        true,
    ),
    ("a body", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", &[200], true),
    ("no body", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", &[200], true),
    (
        "chunks with extension and trailer",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0A\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
        &[200],
        true,
    ),
    // Chunks that lenient decoders accept (RFC 9112 7.1).
    ("a signed chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("a space before a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("a space behind a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", &[400], false),
    ("0x in a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("an empty chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("bare LF after a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", &[400], false),
    ("a bare CR in an extension", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("a chunk longer than it says", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("bare LF after a chunk", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", &[400], false),
    ("bare LF in the trailer", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", &[400], false),
    ("a chunk size past 64 bits", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", &[413], false),
    // Limits.
    ("too long a body", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n0123456789abcdefg", &[413], false),
    ("a length past 64 bits", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n", &[413], false),
    ("too long a chunked body", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n9\r\n012345678\r\n0\r\n\r\n", &[413], false),
];

#[test]
fn body_gets_its_status() {
    check_statuses(CASES);
}

#[test]
fn body_cut_anywhere_gets_the_same_response() {
    check_cuts(CASES);
}

#[test]
fn trailer_section_beyond_its_limit_is_refused() {
    let mut scenario = Scenario::new();
    scenario.receive("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for _ in 0..40 {
        scenario.receive("Trailer: value\r\n");
    }
    assert_eq!(scenario.statuses(), [431]);
}

#[test]
fn client_that_waits_for_100_continue_receives_it_once() {
    let head = "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let mut patient = Scenario::new();
    patient.receive(head);
    assert_eq!(patient.statuses(), [100]);
    patient.receive("he").receive("llo");
    assert_eq!(patient.statuses(), [100, 200]);

    let mut hasty = Scenario::new();
    hasty.receive(format!("{head}hello"));
    assert_eq!(hasty.statuses(), [200]);

    let mut too_long = Scenario::new();
    too_long.receive(head.replace('5', "17"));
    assert_eq!(too_long.statuses(), [413], "refused before the body is sent");

    let mut old = Scenario::new();
    old.receive("POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        .receive("1");
    assert_eq!(old.statuses(), [200]);
}
