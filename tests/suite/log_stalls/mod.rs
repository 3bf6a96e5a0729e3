//! Standard error, the log's sink, that is not read or fails: only the log's writer waits for it.

mod dependency;
mod panics;
mod watch;

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hostile::client::{TEST_TIMEOUT, connect_tls, read_response};
use hostile::config::{Config, Source};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::harness::{eventually, get};
use crate::process::Process;
use crate::server::{BINARY, Server, code, json};
use crate::watchdog::Wedge;

const DEBUG: &str = "export RUST_LOG=debug";

/// Number of logged requests that fill the pipe, the reader's buffer and the queue of the log.
const FLOOD: usize = 6000;

/// Sends requests on one connection, and requires that each is served.
fn ask(server: &Server, requests: usize) {
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    for _ in 0..requests {
        stream.write_all(get("/ping").as_bytes()).unwrap();
        let response = read_response(&mut stream).unwrap();
        assert!(response.starts_with(b"HTTP/1.1 200"));
    }
}

/// Stops reading standard error, and logs until lines are dropped.
fn stall(server: &Server) {
    server.pause_log();
    ask(server, FLOOD);
    assert!(log_state(server)["dropped"].as_u64() > Some(0), "{}", log_state(server));
    eventually("the writer waits", || log_state(server)["blocked_seconds"].as_f64() > Some(0.0));
}

fn log_state(server: &Server) -> serde_json::Value {
    json(&server.admin_get("/scoreboard"))["log"].clone()
}

/// A full pipe.
struct FullPipe {
    _reader: std::io::PipeReader,
    writer: std::io::PipeWriter,
}

impl FullPipe {
    fn new() -> FullPipe {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let flags = fcntl_getfl(&writer).unwrap();
        fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
        while writer.write(&[b'x'; 4096]).is_ok() {}
        while writer.write(b"x").is_ok() {}
        fcntl_setfl(&writer, flags).unwrap();
        FullPipe { _reader: reader, writer }
    }

    fn stdio(&self) -> Stdio {
        self.writer.try_clone().unwrap().into()
    }
}

#[test]
fn stalled_log_requests_are_served_and_term_ends_the_process() {
    let drain_timeout = Duration::from_secs(8);
    let config = Config::https().set("server.drain_timeout", "8s");
    let mut server = Server::start_after(DEBUG, &config);
    stall(&server);
    ask(&server, 1000);
    assert!(server.serves(), "a fresh connection is served");
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(begun.elapsed() < drain_timeout, "{:?}", begun.elapsed());
}

#[test]
fn stalled_log_pollers_continue_and_drops_are_reported_later() {
    let source = Source::json("well", "http://127.0.0.1:1/")
        .value("depth", "/depth", "in")
        .set("interval", "1s");
    let server = Server::start_after(DEBUG, &Config::https().source(source));
    stall(&server);
    let polls = "pumphouse_polls_total{source=\"well\",outcome=\"connect\"}";
    let before = server.metric(polls);
    eventually("the source is polled repeatedly", || server.metric(polls) >= before + 3);
    assert_eq!(code(&server.get("/api/v1/status")), 200);

    let dropped = server.metric("pumphouse_log_lines_dropped_total");
    assert!(dropped > 0);
    server.resume_log();
    let line = server.wait_for_log("log lines dropped: standard error took them too slowly");
    assert!(line.contains("WARN"), "{line}");
    eventually("the reports and the metric count the same lines", || {
        let reported: usize = server.log().iter().filter_map(|line| reported(line)).sum();
        reported == server.metric("pumphouse_log_lines_dropped_total")
    });
    ask(&server, 1);
    eventually("the log continues", || {
        let log = server.log();
        let report = log.iter().rposition(|line| reported(line).is_some()).unwrap();
        log[report..].iter().any(|line| line.contains("GET /ping 200"))
    });
    // A write may be in progress at the moment of a request.
    eventually("no write is held up", || log_state(&server)["blocked_seconds"] == 0.0);
}

/// Returns the number of dropped lines that a log line reports.
fn reported(line: &str) -> Option<usize> {
    let (before, _) = line.split_once(" log lines dropped")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[test]
fn stalled_log_watchdog_ends_the_process_with_70() {
    let mut server = Server::start_after(DEBUG, &Config::https());
    stall(&server);
    let wedge = Wedge::new(&server.threads("pw-acceptor"), "epoll_wait");
    eventually("the watchdog gives up", || !server.is_running());
    drop(wedge);
    assert_eq!(server.wait().code(), Some(70));
}

#[test]
fn stalled_log_second_signal_ends_the_process_with_130() {
    let config = Config::https().set("server.drain_timeout", "50s");
    let mut server = Server::start_after(DEBUG, &config);
    stall(&server);
    // A request in flight, for which the stop waits.
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    let head =
        "POST /api/v1/sources/x/poll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    eventually("the request has begun", || {
        let board = json(&server.admin_get("/scoreboard"));
        board["connections"]["reading"].as_u64() > Some(0)
    });
    server.signal("TERM");
    eventually("the listener is closed", || TcpStream::connect(server.address).is_err());
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(130));
}

#[test]
fn failed_start_with_a_full_standard_error_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pumphouse.toml"), "nonsense").unwrap();
    let full = FullPipe::new();
    let mut server = Process::start(
        Command::new(BINARY)
            .arg("serve")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(full.stdio()),
    );
    assert_eq!(server.wait().code(), Some(1));
}

#[test]
fn failing_standard_error_costs_counted_lines_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    Config::new()
        .open()
        .listen("unix:web.sock")
        .set("server.admin_listen", "unix:admin.sock")
        .write(folder.path());
    let mut server = Process::start(
        Command::new(BINARY)
            .arg("serve")
            .current_dir(folder.path())
            .env("RUST_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().write(true).open("/dev/full").unwrap()),
    );
    let mut stream = None;
    eventually("the server listens", || {
        stream = UnixStream::connect(folder.path().join("web.sock")).ok();
        stream.is_some()
    });
    let mut stream = stream.unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    for _ in 0..100 {
        stream.write_all(get("/ping").as_bytes()).unwrap();
        assert!(read_response(&mut stream).unwrap().starts_with(b"HTTP/1.1 200"));
    }
    let dropped = || {
        let mut admin = UnixStream::connect(folder.path().join("admin.sock")).unwrap();
        admin.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        admin.write_all(get("/scoreboard").as_bytes()).unwrap();
        let board = String::from_utf8(read_response(&mut admin).unwrap()).unwrap();
        json(&board)["log"]["dropped"].as_u64()
    };
    eventually("the dropped lines are counted", || dropped() >= Some(100));
    assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
    assert_eq!(server.wait().code(), Some(0));
}
