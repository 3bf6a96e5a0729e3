//! Standard error that is not read: only the log's writer waits for it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hostile::client::{TEST_TIMEOUT, client_hello, connect_tls, read_response};
use hostile::config::{Config, Source};
use pumphouse_web::engine::Settings;
use pumphouse_web::logging;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::harness::{Program, TestEngine, eventually, get, plain_program};
use crate::server::{BINARY, Server, code, json};
use crate::watchdog::Wedge;

const DEBUG: &str = "export RUST_LOG=debug";

/// Request lines that fill the pipe, the reader's buffer and the queue.
const FLOOD: usize = 6000;

/// Sends requests on one connection; each must be answered.
fn ask(server: &Server, requests: usize) {
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    for _ in 0..requests {
        stream.write_all(get("/ping").as_bytes()).unwrap();
        let response = read_response(&mut stream).unwrap();
        assert!(response.starts_with(b"HTTP/1.1 200"));
    }
}

/// Leaves standard error unread and logs until lines are dropped.
fn stall(server: &Server) {
    server.pause_log();
    ask(server, FLOOD);
    assert!(log_state(server)["dropped"].as_u64() > Some(0), "{}", log_state(server));
    eventually("the writer waits", || log_state(server)["blocked_seconds"].as_f64() > Some(0.0));
}

fn log_state(server: &Server) -> serde_json::Value {
    json(&server.admin_get("/scoreboard"))["log"].clone()
}

fn metric(server: &Server, sample: &str) -> u64 {
    let scrape = server.admin_get("/metrics");
    let value = scrape.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {sample} in {scrape}")).parse().unwrap()
}

/// A pipe without room.
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

/// A process that is killed when dropped, so that a test that fails leaves none behind.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Process {
        Process(command.spawn().unwrap())
    }

    /// Waits for the end of a process that has no reason to stay.
    fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the process ends", || {
            ended = self.0.try_wait().unwrap();
            ended.is_some()
        });
        let status = ended.unwrap();
        assert_eq!(status.signal(), None);
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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
    let before = metric(&server, polls);
    eventually("it is polled again and again", || metric(&server, polls) >= before + 3);
    assert_eq!(code(&server.get("/api/v1/status")), 200);

    let dropped = metric(&server, "pumphouse_log_lines_dropped_total");
    assert!(dropped > 0);
    server.resume_log();
    let line = server.wait_for_log("log lines dropped: standard error took them too slowly");
    assert!(line.contains("WARN"), "{line}");
    eventually("the reports and the metric count the same lines", || {
        let reported: u64 = server.log().iter().filter_map(|line| reported(line)).sum();
        reported == metric(&server, "pumphouse_log_lines_dropped_total")
    });
    ask(&server, 1);
    eventually("the log goes on", || {
        let log = server.log();
        let report = log.iter().rposition(|line| reported(line).is_some()).unwrap();
        log[report..].iter().any(|line| line.contains("GET /ping 200"))
    });
    // A line may be under way at the moment of a look.
    eventually("no write is held up", || log_state(&server)["blocked_seconds"] == 0.0);
}

/// Number of dropped lines that a line reports.
fn reported(line: &str) -> Option<u64> {
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
    // A request in flight, which the stop waits for.
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    let head =
        "POST /api/v1/sources/x/poll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    eventually("the request has begun", || {
        let board = json(&server.admin_get("/scoreboard"));
        board["connections"]["reading"].as_u64() > Some(0)
    });
    server.signal("TERM");
    eventually("it stops to listen", || TcpStream::connect(server.address).is_err());
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
fn full_socket_of_systemd_delays_neither_start_nor_reload_nor_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    let fill = || while filler.send_to(b"FILL=1\n", &path).is_ok() {};
    fill();
    let shell = format!(
        "export NOTIFY_SOCKET={} WATCHDOG_USEC=2000000 && unset WATCHDOG_PID",
        path.display()
    );
    let mut server = Server::start_after(&shell, &Config::https());
    assert!(server.serves());
    server.signal_and_wait("HUP", &["reloaded: "]);

    systemd.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let mut buffer = [0; 256];
    eventually("READY=1 is sent once there is room", || {
        let length = systemd.recv(&mut buffer).unwrap();
        buffer[..length].starts_with(b"READY=1")
    });
    fill();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn watch_with_a_full_standard_error_acknowledges_every_event() {
    const EVENTS: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let absent = format!("unix:{}", folder.path().join("absent").display());
    let full = FullPipe::new();
    let mut watch = Process::start(
        Command::new(BINARY)
            .args(["watch", "--program", "x", "--server-url", &absent, "--admin", &absent])
            .args(["--failures", "1", "--grace", "1ms"])
            .env("RUST_LOG", "debug")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(full.stdio()),
    );
    let mut events = watch.0.stdin.take().unwrap();
    let mut lines_of_watch = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let (sender, lines) = crossbeam_channel::unbounded();
    std::thread::spawn(move || lines_of_watch.try_for_each(|line| sender.send(line.unwrap())));
    let expect = |wanted: &str| {
        let line = lines.recv_timeout(TEST_TIMEOUT).expect("it speaks the protocol");
        assert_eq!(line, wanted);
    };
    expect("READY");
    for _ in 0..EVENTS {
        events.write_all(b"ver:3.0 eventname:TICK_5 len:15\nwhen:1201063880").unwrap();
        expect("RESULT 2");
        expect("OKREADY");
    }
    drop(events);
    assert_eq!(watch.wait().code(), Some(0));
}

#[test]
fn restart_command_of_watch_with_a_full_standard_error_is_not_delayed() {
    let folder = tempfile::tempdir().unwrap();
    let absent = format!("unix:{}", folder.path().join("absent").display());
    let full = FullPipe::new();
    // More than a pipe holds, to both outputs; and a daemon that keeps them open.
    let command = "i=0; while [ $i -lt 5000 ]; do echo output $i; echo errors $i >&2; \
                   i=$((i+1)); done; sleep 600 & echo $! > daemon; touch done";
    let mut watch = Process::start(
        Command::new(BINARY)
            .args(["watch", "--exec", command, "--admin", &absent, "--failures", "1"])
            .args(["--grace", "1ms", "--max-restarts", "1"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(full.stdio()),
    );
    eventually("the command has ended", || folder.path().join("done").exists());
    assert!(Command::new("kill").arg(watch.0.id().to_string()).status().unwrap().success());
    let ended = watch.wait();
    let daemon = std::fs::read_to_string(folder.path().join("daemon")).unwrap();
    let _ = Command::new("kill").arg(daemon.trim()).status();
    assert_eq!(ended.code(), Some(0));
}

const INSIDE: &str = "PUMPHOUSE_TEST_INSIDE_PANICS";

/// Runs [`inside`] in a process of its own, as a panic hook belongs to the whole process.
fn run_inside(stderr: Stdio) -> Process {
    Process::start(
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log_stalls::inside", "--ignored", "--nocapture"])
            .env(INSIDE, "1")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr),
    )
}

#[test]
fn panicking_handlers_do_not_wait_for_standard_error_and_are_logged() {
    let full = FullPipe::new();
    assert!(run_inside(full.stdio()).wait().success());

    let mut read = run_inside(Stdio::piped());
    let mut log = String::new();
    read.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(read.wait().success(), "{log}");
    let panics = log.lines().filter(|line| {
        line.contains("ERROR thread 'pw-worker-")
            && line.contains("panicked at tests/suite/log_stalls.rs:")
            && line.ends_with(": a defect, \\u{1b}[31m for the test")
    });
    assert_eq!(panics.count(), PANICS, "{log}");
}

const PANICS: usize = 20;

#[test]
#[ignore = "runs in the process that its neighbour starts"]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    logging::start(None).unwrap();
    let program = Program(|request: &_| match plain_program(request) {
        _ if request.target.path() == "/panic" => panic!("a defect, \u{1b}[31m for the test"),
        response => response,
    });
    let server = TestEngine::http(Settings { workers: 2, ..Settings::default() }, program);
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(get(path).as_bytes()).unwrap();
        let mut response = Vec::new();
        if path == "/panic" {
            stream.read_to_end(&mut response).unwrap();
        } else {
            response = read_response(&mut stream).unwrap();
        }
        response
    };
    for _ in 0..PANICS {
        ask("/panic");
        assert!(ask("/well").starts_with(b"HTTP/1.1 200"));
    }
    logging::flush();
}

/// A ClientHello whose server name is replaced, in records of at most 16 KiB.
fn hello_for(hello: &[u8], name: &[u8]) -> Vec<u8> {
    const OLD: &[u8] = b"localhost";
    // Behind the record header; the name is preceded by its length, its type and two more lengths.
    let message = &hello[5..];
    let at = message.windows(OLD.len()).position(|window| window == OLD).unwrap();
    let mut changed = [&message[..at], name, &message[at + OLD.len()..]].concat();
    let grown = name.len() - OLD.len();
    let mut grow = |at: usize| {
        let length = u16::from_be_bytes([changed[at], changed[at + 1]]);
        let length = length + u16::try_from(grown).unwrap();
        changed[at..at + 2].copy_from_slice(&length.to_be_bytes());
    };
    // The name, the list of names, the extension; and the handshake message.
    [at - 2, at - 5, at - 7, 2].into_iter().for_each(&mut grow);
    grow(extensions_length_at(message));
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&hello[..3], &length, part].concat()
    };
    changed.chunks(16 * 1024).flat_map(record).collect()
}

/// Offset of the extensions' length in a ClientHello message.
fn extensions_length_at(message: &[u8]) -> usize {
    let session_id = 4 + 2 + 32;
    let suites = session_id + 1 + usize::from(message[session_id]);
    let suites_length = u16::from_be_bytes([message[suites], message[suites + 1]]);
    let compression = suites + 2 + usize::from(suites_length);
    compression + 1 + usize::from(message[compression])
}

#[test]
fn warnings_of_a_dependency_are_few_short_and_escaped() {
    const CONNECTIONS: u64 = 40;
    let mut server = Server::start(&Config::https());
    let hello = client_hello(&server.client);
    let hello = hello_for(&hello, &[b'\x1b'; 50_000]);
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(&hello).unwrap();
        // A ServerHello or an alert: the name was read.
        assert!(stream.read(&mut [0; 1]).unwrap() > 0);
    }
    let suppressed = metric(&server, "pumphouse_log_lines_suppressed_total");
    assert!(suppressed >= CONNECTIONS - 10, "{suppressed}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    server.wait_for_log("more lines from rustls::msgs::handshake:");
    let log = server.log();
    let about: Vec<&String> = log.iter().filter(|line| line.contains("Illegal SNI")).collect();
    assert_eq!(about.len() as u64, CONNECTIONS - suppressed);
    for line in &log {
        assert!(line.len() < 1200, "{}", line.len());
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
    assert!(about[0].contains(" bytes cut]"), "{}", about[0]);
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
    eventually("it listens", || {
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
    eventually("its lines are counted", || dropped() >= Some(100));
    assert!(Command::new("kill").arg(server.0.id().to_string()).status().unwrap().success());
    assert_eq!(server.wait().code(), Some(0));
}
