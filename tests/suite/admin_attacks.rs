//! Hostile local clients of the admin listener of the real binary. `/healthz` must answer whatever
//! they do, because a supervisor restarts a process that does not answer.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::config::Config;

use crate::harness::{eventually, get};
use crate::server::{Server, body, code, json};
use crate::watchdog::Wedge;

/// Time within which a response counts as prompt. It is shorter than the deadlines of the admin
/// listener, so that a response that waits for a deadline fails the test.
const PROMPT: Duration = Duration::from_secs(3);

/// Limit of descriptors with which the admin listener's cap is below the limit of this process.
const FEW_DESCRIPTORS: &str = "ulimit -n 1024";

/// Connection cap of the admin listener with this limit.
const ADMIN_CONNECTIONS: usize = 128;

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server.admin, TEST_TIMEOUT).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

fn connected(server: &Server, sent: &[u8]) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(sent).unwrap();
    stream
}

/// Sends a request that is refused, and returns the whole response.
fn refused(server: &Server, request: &[u8]) -> String {
    let mut stream = connect(server);
    // The server may close the connection before it has read the whole request.
    let _ = stream.write_all(request);
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    String::from_utf8(received).unwrap()
}

/// Requests `/healthz` three times, as one worker may be free while the others are blocked.
fn assert_healthy(server: &Server) {
    for _ in 0..3 {
        let answer = server.try_admin_get("/healthz", PROMPT).expect("/healthz answers promptly");
        assert_eq!(code(&answer), 200, "{answer}");
    }
}

fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.process())).unwrap().count()
}

#[test]
fn announced_body_of_a_petabyte_is_refused_and_healthz_answers() {
    let server = Server::start(&Config::https());
    for target in ["/healthz", "/metrics", "/nowhere"] {
        let answer = refused(
            &server,
            format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000000\r\n\r\n")
                .as_bytes(),
        );
        assert!([404, 405, 413].contains(&code(&answer)), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_healthy(&server);
    assert!(server.serves());
}

#[test]
fn heads_beyond_a_limit_get_431() {
    let server = Server::start(&Config::https());
    let fields = "a: b\r\n".repeat(33_000);
    for head in [
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"),
        // An endless head.
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(256 << 10)),
    ] {
        // The unread rest of the head may reset the connection before the response is read.
        let answers = [(); 20].map(|()| refused(&server, head.as_bytes()));
        let read: Vec<&String> = answers.iter().filter(|answer| !answer.is_empty()).collect();
        assert!(!read.is_empty(), "no response could be read");
        assert!(read.iter().all(|answer| code(answer) == 431), "{read:?}");
    }
    assert_healthy(&server);
}

#[test]
fn withheld_bodies_hold_no_worker_and_do_not_hold_up_a_stop() {
    let mut server = Server::start(&Config::https());
    let request = "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n";
    let withheld: Vec<TcpStream> =
        (0..16).map(|_| connected(&server, request.as_bytes())).collect();
    assert_healthy(&server);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let log = server.log();
    let late = log.iter().find(|line| line.contains("did not end in time"));
    assert_eq!(late, None, "the stop waited for an admin client");
    drop(withheld);
}

#[test]
fn pipelining_clients_that_never_read_hold_no_worker() {
    let server = Server::start(&Config::https());
    let requests = get("/metrics").repeat(100);
    let pipelines: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = connect(&server);
            stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            // Until the server stops reading, because its responses are not read.
            let mut sent = 0;
            while sent < 64 << 20 && stream.write_all(requests.as_bytes()).is_ok() {
                sent += requests.len();
            }
            assert!(sent < 64 << 20, "a server must not take requests without end");
            stream
        })
        .collect();
    assert_healthy(&server);
    assert!(body(&server.try_admin_get("/metrics", PROMPT).unwrap()).contains("pumphouse_workers"));
    drop(pipelines);
}

#[test]
fn idle_connections_use_up_the_admin_cap_and_no_other_descriptor() {
    let server = Server::start_after(FEW_DESCRIPTORS, &Config::https());
    let before = descriptors(&server);
    let mut idle = Vec::new();
    for number in 0..4 * ADMIN_CONNECTIONS {
        let mut stream = connect(&server);
        if number % 2 == 0 {
            // Kept alive after a response.
            stream.write_all(get("/healthz").as_bytes()).unwrap();
            read_response(&mut stream).unwrap();
        }
        idle.push(stream);
    }
    assert_healthy(&server);
    assert!(server.serves(), "the public listener is not served");
    let held = descriptors(&server).saturating_sub(before);
    assert!(held <= ADMIN_CONNECTIONS + 16, "{held} more descriptors than at rest");
    let metrics = server.admin_get("/metrics");
    let evicted = "pumphouse_admin_connections_closed_total{reason=\"evicted\"} ";
    let evicted = metrics.lines().find_map(|line| line.strip_prefix(evicted)).unwrap();
    assert!(evicted.parse::<u64>().unwrap() > 300, "{evicted} evicted");
    drop(idle);
}

#[test]
fn incomplete_requests_at_the_cap_keep_no_new_connection_out() {
    let server = Server::start_after(FEW_DESCRIPTORS, &Config::https());
    // More connections than the cap, each in the middle of a head and before its deadline.
    let halves: Vec<TcpStream> =
        (0..3 * ADMIN_CONNECTIONS).map(|_| connected(&server, b"GET /healthz HTT")).collect();
    assert_healthy(&server);
    drop(halves);
}

#[test]
fn pages_requested_by_many_clients_are_rendered_once_a_second() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 50;
    let server = Server::start(&Config::https());
    let begun = Instant::now();
    let together = Barrier::new(CLIENTS);
    let ask = || {
        together.wait();
        let mut stream = connect(&server);
        let mut pages = BTreeSet::new();
        for _ in 0..REQUESTS {
            stream.write_all(get("/scoreboard").as_bytes()).unwrap();
            let answer = String::from_utf8(read_response(&mut stream).unwrap()).unwrap();
            if code(&answer) == 200 {
                pages.insert(json(&answer)["service"]["uptime_seconds"].to_string());
            } else {
                assert!(answer.contains("retry-after: 1"), "{answer}");
            }
        }
        pages
    };
    let pages: BTreeSet<String> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let most = begun.elapsed().as_secs() as usize + 1;
    assert!((1..=most).contains(&pages.len()), "{} renderings, at most {most}", pages.len());
}

#[test]
fn hung_renderings_leave_a_worker_for_healthz() {
    let server = Server::start(&Config::https());
    // Both pages read files of /proc; /healthz reads none.
    let wedge = Wedge::new(&[server.thread("pw-adm-worker-0")], "openat");
    let rest: Vec<u32> =
        (1..5).map(|number| server.thread(&format!("pw-adm-worker-{number}"))).collect();
    let wedges = Wedge::new(&rest, "openat");
    let rendering: Vec<TcpStream> = ["/metrics", "/scoreboard"]
        .into_iter()
        .cycle()
        .take(12)
        .map(|target| connected(&server, get(target).as_bytes()))
        .collect();
    let answered = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream.peek(&mut [0]).is_ok()
    };
    eventually("every request is answered except the two that render", || {
        rendering.iter().filter(|stream| answered(stream)).count() >= rendering.len() - 2
    });
    assert_healthy(&server);
    assert!(server.serves());
    drop((wedge, wedges, rendering));
    eventually("the pages are rendered again", || {
        server.try_admin_get("/metrics", PROMPT).is_ok_and(|answer| code(&answer) == 200)
    });
}

#[test]
fn stuck_admin_acceptor_is_reported_and_ends_nothing() {
    let mut server = Server::start(&Config::https());
    let wedge = Wedge::new(&[server.thread("pw-adm-acceptor")], "epoll_wait");
    let line = server.wait_for_log("the admin listener is stuck: ");
    assert!(line.contains("acceptor"), "{line}");
    assert!(line.contains("visitors are still served"), "{line}");
    assert!(server.serves());
    drop(wedge);
    server.wait_for_log("the admin listener is no longer stuck");
    assert_healthy(&server);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "the watchdog ended the process");
}

#[test]
fn admin_listener_answers_head_and_refuses_other_methods() {
    let server = Server::start(&Config::https());
    let ask = |request: &str| {
        let mut stream = connected(&server, request.as_bytes());
        stream.shutdown(Shutdown::Write).unwrap();
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        received
    };
    let head = ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((code(&head), body(&head)), (200, ""), "{head}");
    assert!(!head.contains("content-length: 0"), "{head}");
    let response = ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(code(&response), 405, "{response}");
    assert!(response.contains("allow: GET, HEAD\r\n"), "{response}");
    assert!(response.contains("content-type: application/problem+json"), "{response}");
    assert_eq!(json(&response)["instance"], "/metrics");
}

#[test]
fn silent_connections_are_closed_within_seconds() {
    let server = Server::start(&Config::https());
    let mut silent = connect(&server);
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let ended = silent.read(&mut [0]);
    let open = |error: &io::Error| error.kind() == io::ErrorKind::WouldBlock;
    assert!(!ended.as_ref().is_err_and(open), "it is still open: {ended:?}");
}
