//! Hosts with addresses of both families, one of which is a black hole (RFC 8305).

use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use socket2::{Domain, Socket, Type};

use crate::namespaces::{is_inside, run_inside};
use crate::server::{BINARY, Server};

/// A listener on every IPv6 address whose accept queue is full: the kernel drops further SYNs, so
/// a connection is neither accepted nor refused.
struct Blackhole {
    _listener: Socket,
    _waiting: Vec<Socket>,
}

impl Blackhole {
    fn at(port: u16) -> Blackhole {
        let listener = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        listener.set_only_v6(true).unwrap();
        listener.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()).unwrap();
        listener.listen(0).unwrap();
        let waiting = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&SocketAddr::from((Ipv6Addr::LOCALHOST, port)).into());
            socket
        });
        Blackhole { _waiting: waiting.collect(), _listener: listener }
    }
}

#[test]
fn blackholed_ipv6_addresses_fail_no_poll_and_add_no_thread() {
    let hosts = "::1 both.test\n2001:db8::1 both.test\n127.0.0.1 both.test\n";
    let files = [("hosts", hosts), ("nsswitch.conf", "hosts: files\n")];
    run_inside("address_families::inside", &files);
}

#[test]
#[ignore = "runs in the namespaces that the test above creates"]
fn inside() {
    if !is_inside() {
        return;
    }
    let upstream = Upstream::answering(r#"{"level": 50}"#);
    let port = upstream.address().port();
    let source = Source::json("tank", &format!("http://both.test:{port}/"))
        .value("level", "/level", "%")
        .set("interval", "6s")
        .set("timeout", "6s")
        .set("stale_after", "1h");
    let server = Server::start(&Config::https().source(source));
    server.eventually_status("the tank answers over IPv4", |status| {
        status["sources"]["tank"]["values"]["level"]["value"] == 50.0
    });
    let threads = server.status_line("Threads");
    let _hole = Blackhole::at(port);
    upstream.set(Some(r#"{"level": 60}"#));
    server.eventually_status("the tank answers beside two black holes", |status| {
        status["sources"]["tank"]["values"]["level"]["value"] == 60.0
    });
    assert_eq!(server.status_line("Threads"), threads, "an attempt added a thread");
    // A connector that tries one address after another would wait 3.4 s for the first.
    server.assert_polls_took_at_most("tank", 2.5);

    let _hole = Blackhole::at(server.admin.port());
    let address = format!("http://both.test:{}/healthz", server.admin.port());
    let begun = Instant::now();
    let probe = Command::new(BINARY)
        .args(["probe", "--timeout", "20s", "--url", &address])
        .output()
        .unwrap();
    // The admin listener refuses that name; the test is about the connection.
    let answer = String::from_utf8_lossy(&probe.stderr);
    assert!(answer.contains("answered 4"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
