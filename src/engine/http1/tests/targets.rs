//! Request lines and hosts: methods, targets in their four forms, versions.

use std::sync::Arc;
use std::time::Instant;

use http::{StatusCode, header};

use super::scenario::{Case, Scenario, check_cuts, check_statuses, settings};
use crate::http1::{Action, Connection};
use crate::limits::{MAX_TARGET_BYTES, Settings};
use crate::message::{Peer, Request};
use crate::refusal::Refusal;
use crate::trusted_proxies::TrustedProxies;

const CASES: &[Case] = &[
    // Versions (RFC 9110 2.5, RFC 9112 2.3).
    ("HTTP/1.2", b"GET /a HTTP/1.2\r\nHost: x\r\n\r\n", &[200], true),
    ("HTTP/1.9", b"GET /a HTTP/1.9\r\nHost: x\r\n\r\n", &[200], true),
    ("HTTP/1.2 without Host", b"GET /a HTTP/1.2\r\n\r\n", &[400], false),
    ("HTTP/0.9", b"GET /a HTTP/0.9\r\nHost: x\r\n\r\n", &[505], false),
    ("HTTP/2.0", b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n", &[505], false),
    ("HTTP/3.0", b"GET /a HTTP/3.0\r\nHost: x\r\n\r\n", &[505], false),
    ("HTTP/9.9", b"GET /a HTTP/9.9\r\nHost: x\r\n\r\n", &[505], false),
    ("a version without minor", b"GET /a HTTP/2\r\nHost: x\r\n\r\n", &[400], false),
    ("a version of two digits", b"GET /a HTTP/1.10\r\nHost: x\r\n\r\n", &[400], false),
    ("a version in lower case", b"GET /a http/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a version of letters", b"GET /a HTTP/x.y\r\nHost: x\r\n\r\n", &[400], false),
    ("a space behind the version", b"GET /a HTTP/1.1 \r\nHost: x\r\n\r\n", &[400], false),
    // Methods: the service decides which it implements.
    ("an unknown method", b"BREW /a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("a method that is no token", b"G@T /a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("no method", b" /a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    // The authority form (RFC 9112 3.2.3).
    ("CONNECT", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", &[501], false),
    ("CONNECT without port", b"CONNECT x HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("CONNECT to a path", b"CONNECT /a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("CONNECT with userinfo", b"CONNECT u@x:80 HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("the authority form for GET", b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    // Targets.
    ("a fragment", b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a fragment behind a query", b"GET /a?b#c HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a fragment in absolute form", b"GET http://x/a#b HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a tab in the target", b"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a NUL in the target", b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a DEL in the target", b"GET /a\x7f HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("an empty path in absolute form", b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("a query behind no path", b"GET http://x?a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("an upper-case scheme", b"GET HTTP://x/a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    (
        "an escaped host in absolute form",
        b"GET http://a%20b/a HTTP/1.1\r\nHost: x\r\n\r\n",
        &[200],
        true,
    ),
    ("absolute form in HTTP/1.0", b"GET http://x/a HTTP/1.0\r\n\r\n", &[200], false),
    ("absolute form without Host", b"GET http://x/a HTTP/1.1\r\n\r\n", &[400], false),
    (
        "absolute form with a bad Host",
        b"GET http://x/a HTTP/1.1\r\nHost: a b\r\n\r\n",
        &[400],
        false,
    ),
    ("userinfo in absolute form", b"GET http://u@x/a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    (
        "a password in absolute form",
        b"GET http://u:p@x/a HTTP/1.1\r\nHost: x\r\n\r\n",
        &[400],
        false,
    ),
    ("no host in absolute form", b"GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    (
        "a port alone in absolute form",
        b"GET http://:80/a HTTP/1.1\r\nHost: x\r\n\r\n",
        &[400],
        false,
    ),
    (
        "a bad port in absolute form",
        b"GET http://x:99999/a HTTP/1.1\r\nHost: x\r\n\r\n",
        &[400],
        false,
    ),
    (
        "a bad address in absolute form",
        b"GET http://[::1]x/a HTTP/1.1\r\nHost: x\r\n\r\n",
        &[400],
        false,
    ),
    ("another scheme", b"GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a scheme without authority", b"GET http:/a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    // Hosts (RFC 3986 3.2.2 and 3.2.3).
    ("a Host with port", b"GET /a HTTP/1.1\r\nHost: localhost:6443\r\n\r\n", &[200], true),
    ("a Host with an empty port", b"GET /a HTTP/1.1\r\nHost: localhost:\r\n\r\n", &[200], true),
    ("an IPv6 Host", b"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &[200], true),
    ("an IPvFuture Host", b"GET /a HTTP/1.1\r\nHost: [v1.a:b]\r\n\r\n", &[200], true),
    ("an escaped Host", b"GET /a HTTP/1.1\r\nHost: a%20b\r\n\r\n", &[200], true),
    (
        "a Host with a port of letters",
        b"GET /a HTTP/1.1\r\nHost: localhost:abc\r\n\r\n",
        &[400],
        false,
    ),
    (
        "a Host with a negative port",
        b"GET /a HTTP/1.1\r\nHost: localhost:-1\r\n\r\n",
        &[400],
        false,
    ),
    (
        "a Host with a port past 16 bits",
        b"GET /a HTTP/1.1\r\nHost: localhost:99999\r\n\r\n",
        &[400],
        false,
    ),
    (
        "a Host behind brackets",
        b"GET /a HTTP/1.1\r\nHost: [::1]evil.example\r\n\r\n",
        &[400],
        false,
    ),
    ("a Host of letters in brackets", b"GET /a HTTP/1.1\r\nHost: [zz]\r\n\r\n", &[400], false),
    ("a Host with half an escape", b"GET /a HTTP/1.1\r\nHost: a%2\r\n\r\n", &[400], false),
    ("a Host that is a port", b"GET /a HTTP/1.1\r\nHost: :80\r\n\r\n", &[400], false),
    ("a Host that is a list", b"GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n", &[400], false),
    ("a Host above ASCII", b"GET /a HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", &[400], false),
];

#[test]
fn request_line_or_host_gets_its_status() {
    check_statuses(CASES);
}

#[test]
fn request_line_or_host_cut_anywhere_gets_the_same_response() {
    check_cuts(CASES);
}

/// Returns the request in these bytes, or its refusal, on a connection of that peer.
fn outcome(peer: Peer, settings: Settings, bytes: &[u8]) -> Result<Box<Request>, Refusal> {
    let now = Instant::now();
    let mut connection = Connection::new(Arc::new(settings), peer, now);
    connection.receive(bytes);
    match connection.poll(now) {
        Action::Call(call) => Ok(call.request),
        Action::Refuse(refused) => Err(refused.refusal),
        other => panic!("{other:?}"),
    }
}

fn peer(address: Option<&str>, tls: bool) -> Peer {
    Peer { address: address.map(|address| address.parse().unwrap()), tls, user: None }
}

#[test]
fn target_in_absolute_form_becomes_origin_form_and_host() {
    let client = peer(Some("203.0.113.7:9"), false);
    for (line, host, target, authority) in [
        ("GET http://tank.example:80/a?b", "evil.example", "/a?b", "tank.example:80"),
        ("GET http://tank.example", "evil.example", "/", "tank.example"),
        ("GET http://tank.example?b", "evil.example", "/?b", "tank.example"),
        ("GET http://[::1]/", "evil.example", "/", "[::1]"),
        ("GET http://a%20b/", "", "/", "a%20b"),
        ("GET http://tank.example//a", "evil.example", "//a", "tank.example"),
        ("OPTIONS http://tank.example", "evil.example", "*", "tank.example"),
        ("OPTIONS http://tank.example/", "evil.example", "/", "tank.example"),
        ("OPTIONS *", "tank.example", "*", "tank.example"),
        ("GET /a?b", "tank.example", "/a?b", "tank.example"),
        ("GET //evil.example/a", "tank.example", "//evil.example/a", "tank.example"),
        ("GET /http://evil.example/", "tank.example", "/http://evil.example/", "tank.example"),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let request = outcome(client, settings(), head.as_bytes()).unwrap();
        assert_eq!(request.target, target, "{line}");
        let hosts: Vec<_> = request.headers.get_all(header::HOST).iter().collect();
        assert_eq!(hosts, [authority], "{line}");
    }
    let old = outcome(client, settings(), b"GET http://tank.example/ HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(old.headers[header::HOST], "tank.example");
}

#[test]
fn target_with_a_scheme_that_is_not_the_connections_is_misdirected() {
    let (client, proxy) = (Some("203.0.113.7:9"), Some("192.0.2.1:9"));
    for (peer, http, https) in [
        (peer(client, false), true, false),
        (peer(client, true), false, true),
        // A gateway that terminates TLS may use either.
        (peer(proxy, false), true, true),
        (peer(proxy, true), true, true),
        (peer(Some("[::ffff:192.0.2.1]:9"), false), true, true),
        (peer(None, false), true, true),
    ] {
        for (scheme, served) in [("http", http), ("https", https), ("HTTPS", https)] {
            let head = format!("GET {scheme}://x/ HTTP/1.1\r\nHost: x\r\n\r\n");
            let networks = vec!["192.0.2.0/24".parse().unwrap()];
            let trusted_proxies = TrustedProxies { networks, unix: false };
            let settings = Settings { trusted_proxies, ..settings() };
            let refusal = outcome(peer, settings, head.as_bytes()).err();
            let expected = (!served).then_some(Refusal::Misdirected);
            assert_eq!(refusal, expected, "{scheme} from {peer:?}");
        }
    }
    let foreign =
        outcome(peer(proxy, false), settings(), b"GET ws://x/ HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(foreign.unwrap_err().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn target_beyond_its_limit_is_refused_with_414_at_any_head_limit() {
    for (length, max_header_bytes, status) in [
        (MAX_TARGET_BYTES, 1 << 20, 200),
        (MAX_TARGET_BYTES + 1, 1 << 20, 414),
        (MAX_TARGET_BYTES + 1, 128 << 10, 414),
        (MAX_TARGET_BYTES + 1, 65_600, 414),
        (MAX_TARGET_BYTES, 16 << 10, 414),
        (20_000, 16 << 10, 414),
        (10_000, 16 << 10, 200),
    ] {
        let head = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(length - 1));
        for pieces in [head.len(), 10_007] {
            let mut scenario = Scenario::with(Settings { max_header_bytes, ..settings() });
            for piece in head.as_bytes().chunks(pieces) {
                scenario.receive(piece);
            }
            let at = format!("{length} bytes, max_header_bytes {max_header_bytes}");
            assert_eq!(scenario.statuses(), [status], "{at}");
        }
    }
}
