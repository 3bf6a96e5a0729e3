//! More connections than descriptors: both listeners serve, and the log stays small.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hostile::config::Config;
use rustix::process::{Resource, getrlimit};

use crate::harness::eventually;
use crate::process::Process;
use crate::server::{BINARY, Server};

/// Returns a configuration without a history, whose files are opened some time after the start.
fn without_history() -> Config {
    Config::https().set("history.enabled", false)
}

/// Returns the number of descriptors of an idle server.
fn held_when_idle() -> usize {
    let idle = Server::start(&without_history());
    std::fs::read_dir(format!("/proc/{}/fd", idle.process())).unwrap().count()
}

/// Log of a server from a moment on.
struct Since<'a> {
    server: &'a Server,
    lines: usize,
    begun: Instant,
}

impl Since<'_> {
    fn now(server: &Server) -> Since<'_> {
        Since { server, lines: server.log().len(), begun: Instant::now() }
    }

    fn lines(&self) -> Vec<String> {
        self.server.log().split_off(self.lines)
    }

    /// Requires at most three entries a second: one each of the acceptor, the admin listener and the
    /// watchdog. A panic is one entry of several lines.
    fn assert_few_entries(&self) {
        let lines = self.lines();
        let begins = |line: &&String| {
            line.starts_with(|first: char| first.is_ascii_digit()) || line.starts_with("thread ")
        };
        let entries = lines.iter().filter(begins).count();
        let most = 3 * (self.begun.elapsed().as_secs() as usize + 1);
        assert!(entries <= most, "more than {most} entries: {lines:#?}");
    }
}

#[test]
fn crowd_beyond_the_descriptors_leaves_a_server_that_serves() {
    let server = Server::start_after("ulimit -n 64", &Config::https());
    let line = server.wait_for_log("max_connections");
    assert!(line.contains("64"), "the line has the limit and its cause: {line}");
    let log = Since::now(&server);

    let crowd: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    eventually("a new connection is served in the crowd", || server.serves());
    drop(crowd);
    eventually("the server serves again", || server.serves());
    log.assert_few_entries();
}

#[test]
fn soft_limit_is_raised_to_what_the_configuration_needs() {
    let server = Server::start_after("ulimit -S -n 256", &without_history());
    let metrics = server.admin_get("/metrics");
    let limit = metrics.lines().find_map(|line| line.strip_prefix("process_max_fds "));
    let limit: f64 = limit.unwrap().parse().unwrap();
    // The full share of the admin listener, if this machine allows as much.
    let allowed = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    assert_eq!(limit, allowed.min(8192) as f64);
    let lowered = server.log().iter().any(|line| line.contains("lowered"));
    assert!(!lowered || allowed < 8192, "{:?}", server.log());
}

/// Runs a server that does not start under a limit. Returns its exit code and the line that says so.
fn failed_start(limit: u64, folder: &Path) -> (Option<i32>, String) {
    let shell = format!("ulimit -n {limit} && exec {BINARY} serve --no-tls");
    let mut command = Command::new("sh");
    command.args(["-c", &shell]).current_dir(folder).env_remove("PUMPHOUSE_CONFIG");
    let mut process = Process::start_logged(command.stdin(Stdio::null()).stdout(Stdio::null()));
    let line = process.log().wait_for("the server does not start");
    (process.wait().code(), line)
}

#[test]
fn start_without_descriptors_names_the_limit_and_the_number_needed() {
    let folder = tempfile::tempdir().unwrap();
    Config::http().open().set("server.workers", 2).write(folder.path());
    let mut needed = None;
    // Standard streams take three, and the dynamic linker one. Each limit fails at another file: a socket, an epoll
    // instance, or a pipe, beside files of the history.
    for limit in 5..20 {
        let (code, line) = failed_start(limit, folder.path());
        assert_eq!(code, Some(75), "{limit}: {line}");
        let wanted = format!("RLIMIT_NOFILE, the limit on open files, is {limit}, and this");
        for part in [&*wanted, "`ulimit -n`", "LimitNOFILE=", "minfds", "Too many open files"] {
            assert!(line.contains(part), "{part:?} is not in {line}");
        }
        let (_, rest) = line.split_once("configuration needs ").unwrap();
        let (number, _) = rest.split_once(' ').unwrap();
        assert_eq!(*needed.get_or_insert_with(|| number.to_owned()), number);
    }
    let limit = format!("ulimit -n {}", needed.unwrap());
    let server = Server::start_after(&limit, &Config::https().set("server.workers", 2));
    assert!(server.serves());
}

#[test]
fn accept_without_descriptors_closes_new_connections_at_once() {
    // The descriptors of an idle server and five for connections, which is less than any estimate of
    // the server leaves.
    let config = without_history()
        .set("server.handshake_timeout", "50s")
        .set("server.header_timeout", "50s");
    let server = Server::start_after(&format!("ulimit -n {}", held_when_idle() + 5), &config);
    let log = Since::now(&server);
    let crowd: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for stream in &crowd {
        stream.set_nonblocking(true).unwrap();
    }
    let closed = |stream: &TcpStream| match stream.peek(&mut [0; 1]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    };
    eventually("every connection without a descriptor is closed", || {
        crowd.iter().filter(|stream| closed(stream)).count() >= crowd.len() - 8
    });
    let held = crowd.iter().filter(|stream| !closed(stream)).count();
    assert!(held > 0, "the connections with a descriptor were closed");
    server.wait_for_log("cannot accept");
    log.assert_few_entries();
    drop(crowd);
    eventually("the server serves again", || server.serves());
    eventually("the admin listener answers", || answers(&server));
    log.assert_few_entries();
}

#[test]
fn admin_listener_without_descriptors_answers_once_one_is_free() {
    let held = held_when_idle();
    for spare in [1, 2, 4] {
        let limit = format!("ulimit -n {}", held + spare);
        let server = Server::start_after(&limit, &without_history());
        let log = Since::now(&server);
        let asking: Vec<_> = (0..20).map(|_| TcpStream::connect(server.admin).unwrap()).collect();
        server.wait_for_log("cannot accept");
        drop(asking);
        eventually("the admin listener answers", || answers(&server));
        log.assert_few_entries();
    }
}

#[test]
fn admin_listener_answers_while_public_connections_are_at_the_cap() {
    let server = Server::start_after("ulimit -n 256", &without_history());
    let crowd: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    eventually("the crowd is accepted", || server.serves());
    assert!(answers(&server), "the admin listener has no descriptors");
    drop(crowd);
    let crowd: Vec<TcpStream> =
        (0..300).map(|_| TcpStream::connect(server.admin).unwrap()).collect();
    assert!(server.serves(), "the public listener has no descriptors");
    drop(crowd);
}

/// Returns true if the admin listener answers.
fn answers(server: &Server) -> bool {
    server
        .try_admin_get("/ping", Duration::from_secs(2))
        .is_ok_and(|response| response.starts_with("HTTP/1.1 404"))
}
