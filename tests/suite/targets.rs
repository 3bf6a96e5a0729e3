//! Targets and hosts of requests, on the TLS listener and on the plain listener that redirects to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use hostile::client::TEST_TIMEOUT;
use hostile::config::Config;

use crate::server::{Server, code};

/// Returns the configuration of a server that answers to these names, and redirects.
fn named(names: &[&str]) -> Config {
    Config::https()
        .set("server.names", names)
        .set("server.max_header_bytes", "128KiB")
        .set("tls.redirect_listen", ["127.0.0.1:0"])
}

const NAMES: &[&str] = &["tank.example", "::1"];

/// Returns the address of the plain listener.
fn redirects(server: &Server) -> SocketAddr {
    let line = server.wait_for_log("for redirects to https");
    let (_, address) = line.split_once("listening on http://").unwrap();
    address.split('/').next().unwrap().parse().unwrap()
}

/// Sends a request on a fresh connection and returns everything up to its end.
fn plain(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn request(line: &str, host: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[test]
fn target_and_host_are_checked_by_grammar_and_names() {
    let server = Server::start(&named(NAMES));
    let long = |length: usize| format!("GET /{}", "a".repeat(length));
    let (fits, too_long) = (long(65_000), long(66_000));
    for (line, host, expected) in [
        ("GET /ping", "tank.example", 200),
        ("GET /ping", "TANK.example:", 200),
        ("GET /ping", "[::1]:6443", 200),
        ("GET /ping", "evil.example", 421),
        ("GET /ping", "[::1]evil.example", 400),
        ("GET /ping", "tank.example:abc", 400),
        ("GET /ping", "tank.example:-1", 400),
        ("GET /ping", "[zz]", 400),
        ("GET /ping", "a%20b", 421),
        ("GET /ping", "", 421),
        // The authority of the target takes precedence over Host, also for the check of names.
        ("GET https://tank.example/ping", "evil.example", 200),
        ("GET https://evil.example/ping", "tank.example", 421),
        ("GET https://u@tank.example/ping", "tank.example", 400),
        ("GET https://[::1]evil.example/ping", "tank.example", 400),
        ("GET http://tank.example/ping", "tank.example", 421),
        ("GET ftp://tank.example/ping", "tank.example", 400),
        ("GET /ping#top", "tank.example", 400),
        ("BREW /ping", "tank.example", 501),
        ("BREW /nowhere", "tank.example", 501),
        ("CONNECT tank.example:443", "tank.example", 501),
        ("DELETE /ping", "tank.example", 405),
        ("OPTIONS *", "tank.example", 204),
        ("OPTIONS https://tank.example", "tank.example", 204),
        (&fits, "tank.example", 404),
        (&too_long, "tank.example", 414),
    ] {
        let answer = server.ask(&request(line, host));
        assert_eq!(code(&answer), expected, "{line:.60} for {host}: {answer}");
    }
    for (version, expected) in [("1.2", 200), ("1.1", 200), ("2.0", 505), ("x", 400)] {
        let request = format!("GET /ping HTTP/{version}\r\nHost: tank.example\r\n\r\n");
        assert_eq!(code(&server.ask(&request)), expected, "{version}");
    }
}

#[test]
fn plain_listener_redirects_or_refuses_every_target() {
    let server = Server::start(&named(NAMES));
    let (address, port) = (redirects(&server), server.address.port());
    for (line, host, expected) in [
        ("GET /a?b=c", "tank.example:6080", Ok(("tank.example", "/a?b=c"))),
        ("POST /a", "tank.example", Ok(("tank.example", "/a"))),
        ("GET /", "[::1]:6080", Ok(("[::1]", "/"))),
        ("GET /{a}?b=%", "tank.example", Ok(("tank.example", "/%7Ba%7D?b=%25"))),
        ("GET http://tank.example", "evil.example", Ok(("tank.example", "/"))),
        ("GET http://tank.example:6080?a", "evil.example", Ok(("tank.example", "/?a"))),
        ("GET http://evil.example/", "tank.example", Err(421)),
        ("GET https://tank.example/", "tank.example", Err(421)),
        ("GET /", "evil.example", Err(421)),
        ("GET /", "[::1]evil.example", Err(400)),
        ("GET /", "", Err(421)),
        ("OPTIONS *", "tank.example", Err(400)),
        ("OPTIONS http://tank.example", "tank.example", Err(400)),
        ("CONNECT tank.example:443", "tank.example", Err(501)),
    ]
    .map(|(line, host, expected)| {
        let expected = expected.map(|(host, path)| format!("https://{host}:{port}{path}"));
        (line, host, expected)
    }) {
        let answer = plain(address, &request(line, host));
        let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
        match expected {
            Ok(expected) => {
                assert_eq!((code(&answer), location), (308, Some(&*expected)), "{line}");
            }
            Err(status) => assert_eq!((code(&answer), location), (status, None), "{line}"),
        }
    }
    // A reload of the names also applies to the plain listener.
    server.reload(&named(&["evil.example"]));
    assert_eq!(code(&plain(address, &request("GET /", "evil.example"))), 308);
    assert_eq!(code(&plain(address, &request("GET /", "tank.example"))), 421);
}
