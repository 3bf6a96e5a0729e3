//! Expensive work: its concurrency limits, the wait for a permit, and what ends it.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hostile::client::{TEST_TIMEOUT, read_response};
use pumphouse_web::engine::{
    Activity, Body, CloseReason, ConnectionState, Continuation, Drained, Lane, Refusal, Reply,
    Request, RequestHead, Response, Service, Settings, ShedReason, StreamBody,
};
use socket2::{Domain, Socket, Type};

use crate::harness::{TestEngine, eventually, get};

/// Answers by work of many pieces, each of a millisecond.
#[derive(Clone, Default)]
struct Pieces(Arc<Ledger>);

#[derive(Default)]
struct Ledger {
    /// Paths whose work has begun and not come to an end.
    running: Mutex<HashSet<String>>,
    /// Pieces that run at this moment, and the most of them.
    executing: AtomicUsize,
    most: AtomicUsize,
    begun: Mutex<Vec<String>>,
    pieces: AtomicUsize,
    /// Work without end comes to one.
    stop: AtomicBool,
}

impl Ledger {
    fn begin(&self, path: &str) {
        self.begun.lock().unwrap().push(path.to_owned());
        self.running.lock().unwrap().insert(path.to_owned());
    }

    fn has_begun(&self, path: &str) -> bool {
        self.begun.lock().unwrap().iter().any(|begun| begun == path)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// So many pieces; `usize::MAX` is work without end.
fn work(ledger: Arc<Ledger>, lane: Lane, left: usize, path: String) -> Continuation {
    Box::new(move |_, _| {
        if !ledger.running.lock().unwrap().contains(&path) {
            ledger.begin(&path);
        }
        ledger.pieces.fetch_add(1, Ordering::SeqCst);
        let executing = ledger.executing.fetch_add(1, Ordering::SeqCst) + 1;
        ledger.most.fetch_max(executing, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(1));
        ledger.executing.fetch_sub(1, Ordering::SeqCst);
        let endless = left == usize::MAX && !ledger.stop.load(Ordering::SeqCst);
        if endless || (1..usize::MAX).contains(&left) {
            let left = if endless { left } else { left - 1 };
            return Reply::Heavy { lane, work: work(ledger, lane, left, path) };
        }
        ledger.running.lock().unwrap().remove(&path);
        Response::new(Body::from(path)).into()
    })
}

/// `x` and pauses, so many of each.
struct Drip {
    left: usize,
    paused: bool,
}

impl StreamBody for Drip {}

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.paused = !self.paused;
        if self.paused {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.left == 0 {
            return Ok(0);
        }
        self.left -= 1;
        buffer[0] = b'x';
        Ok(1)
    }
}

impl Service for Pieces {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        let ledger = Arc::clone(&self.0);
        let path = request.target.path().to_owned();
        let kind = path.split('/').nth(1).unwrap_or_default();
        let heavy = |left| Reply::Heavy {
            lane: Lane::Bulk,
            work: work(Arc::clone(&ledger), Lane::Bulk, left, path.clone()),
        };
        let body = |body: fn() -> Body| Reply::Heavy {
            lane: Lane::Bulk,
            work: Box::new(move |_, _| Response::new(body()).into()),
        };
        match kind {
            "endless" => heavy(usize::MAX),
            "short" => heavy(20),
            "people" => {
                let lane = Lane::Interactive;
                Reply::Heavy { lane, work: work(ledger, lane, usize::MAX, path) }
            }
            "hold" => {
                let people = path.contains("people");
                let lane = if people { Lane::Interactive } else { Lane::Bulk };
                let work = move |_: &Request, _: &Activity| {
                    ledger.executing.fetch_add(1, Ordering::SeqCst);
                    eventually("it is let go", || ledger.stop.load(Ordering::SeqCst));
                    ledger.executing.fetch_sub(1, Ordering::SeqCst);
                    Response::new(Body::from(path)).into()
                };
                Reply::Heavy { lane, work: Box::new(work) }
            }
            "switch" => Reply::Heavy {
                lane: Lane::Bulk,
                work: Box::new(move |_, _| {
                    let lane = Lane::Interactive;
                    Reply::Heavy { lane, work: work(ledger, lane, usize::MAX, path) }
                }),
            },
            "or" => Reply::HeavyOr {
                lane: Lane::Bulk,
                max_wait: Duration::from_millis(50),
                work: Box::new(|_, _| Response::new(Body::from("with")).into()),
                fallback: Box::new(|_, _| Response::new(Body::from("without")).into()),
            },
            "panic" => Reply::Heavy {
                lane: Lane::Bulk,
                work: Box::new(|_, _| panic!("a defect of the program, for the test")),
            },
            "stream" => body(|| Body::Stream(Box::new(io::repeat(b'x')))),
            "drip" => body(|| Body::Stream(Box::new(Drip { left: 100, paused: false }))),
            _ => Response::new(Body::from(path)).into(),
        }
    }

    fn refuse(&self, refusal: Refusal, _: Option<RequestHead<'_>>) -> Response {
        http::Response::builder()
            .status(refusal.status())
            .header("Retry-After", "1")
            .body(Body::from(refusal.detail()))
            .unwrap()
    }
}

fn start(settings: Settings) -> (TestEngine, Arc<Ledger>) {
    let program = Pieces::default();
    let ledger = Arc::clone(&program.0);
    (TestEngine::http(settings, program), ledger)
}

fn one_permit() -> Settings {
    let (workers, heavy_requests) = (4, 1);
    // Longer than any test waits.
    let (queue_timeout, write_timeout) = (TEST_TIMEOUT * 10, TEST_TIMEOUT * 10);
    Settings { workers, heavy_requests, queue_timeout, write_timeout, ..Settings::default() }
}

/// A connection from one of the many addresses that loopback has: each is a client.
fn client(server: &TestEngine, last: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

fn request_on(server: &TestEngine, last: u8, target: &str) -> TcpStream {
    let mut stream = client(server, last);
    stream.write_all(get(target).as_bytes()).unwrap();
    stream
}

fn response(stream: &mut TcpStream) -> String {
    String::from_utf8(read_response(stream).unwrap()).unwrap()
}

fn ask(server: &TestEngine, last: u8, target: &str) -> String {
    response(&mut request_on(server, last, target))
}

fn waits(server: &TestEngine, number: u64) {
    eventually("they wait for a permit", || {
        server.stats.connections(ConnectionState::Queued) >= number
    });
}

#[test]
fn heavy_requests_beyond_the_permits_wait_while_light_ones_are_served() {
    let (server, ledger) = start(Settings { heavy_requests: 2, ..one_permit() });
    let mut heavy: Vec<_> =
        (0..6).map(|n| request_on(&server, 10 + n, &format!("/endless/{n}"))).collect();
    eventually("two run", || ledger.begun.lock().unwrap().len() >= 2);
    for number in 0..50 {
        let answer = ask(&server, 2, &format!("/light/{number}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    ledger.stop();
    for stream in &mut heavy {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
    // Work that has run for a while passes its permit on, so that all may have begun.
    assert!(ledger.most.load(Ordering::SeqCst) <= 2, "{:?} pieces at a time", ledger.most);
    assert_eq!(server.stats.shed(ShedReason::HeavyTimeout), 0);
}

#[test]
fn permits_leave_one_worker_for_light_work() {
    for (workers, heavy_requests, permits) in [(1, 1, 1), (2, 8, 1), (3, 8, 1), (8, 100, 6)] {
        let settings = Settings { workers, heavy_requests, ..Settings::default() };
        assert_eq!(settings.heavy_permits(), permits, "{workers} workers");
    }
}

#[test]
fn client_with_many_connections_runs_one_heavy_request_at_a_time() {
    let (server, ledger) = start(Settings { heavy_requests: 2, ..one_permit() });
    let mut mine: Vec<_> =
        (0..5).map(|n| request_on(&server, 10, &format!("/endless/{n}"))).collect();
    eventually("one runs", || !ledger.begun.lock().unwrap().is_empty());
    waits(&server, 4);
    assert_eq!(ledger.begun.lock().unwrap().len(), 1, "though a permit is free");
    let other = ask(&server, 11, "/short/other");
    assert!(other.starts_with("HTTP/1.1 200"), "another client has it at once: {other}");
    ledger.stop();
    for stream in &mut mine {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn heavy_request_without_a_permit_gets_503_at_queue_timeout() {
    let queue_timeout = Duration::from_millis(300);
    let (server, ledger) = start(Settings { queue_timeout, ..one_permit() });
    // All belong to the same client, so that no permit is passed on.
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("it runs", || ledger.has_begun("/endless/1"));
    let begun = Instant::now();
    let refused = ask(&server, 10, "/endless/2");
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("Too many expensive requests"), "{refused}");
    assert!(begun.elapsed() >= queue_timeout);
    assert!(begun.elapsed() < Settings::default().body_timeout / 2, "{:?}", begun.elapsed());
    assert_eq!(server.stats.shed(ShedReason::HeavyTimeout), 1);
    assert!(!ledger.has_begun("/endless/2"));
    ledger.stop();
    assert!(response(&mut running).starts_with("HTTP/1.1 200"));
}

#[test]
fn earlier_response_goes_out_while_the_next_request_waits_for_a_permit() {
    let (server, ledger) = start(one_permit());
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("it runs", || ledger.has_begun("/endless/1"));
    let mut pipelined = client(&server, 10);
    let both = get("/light") + &get("/endless/2");
    pipelined.write_all(both.as_bytes()).unwrap();
    assert!(response(&mut pipelined).ends_with("/light"));
    assert!(!ledger.has_begun("/endless/2"), "which has not come to its turn");
    ledger.stop();
    assert!(response(&mut pipelined).ends_with("/endless/2"));
    assert!(response(&mut running).ends_with("/endless/1"));
}

#[test]
fn client_that_resets_while_it_waits_frees_its_place() {
    let (server, ledger) = start(one_permit());
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("it runs", || ledger.has_begun("/endless/1"));
    let gone = request_on(&server, 10, "/endless/2");
    waits(&server, 1);
    socket2::SockRef::from(&gone).set_linger(Some(Duration::ZERO)).unwrap();
    drop(gone);
    eventually("it is noticed", || server.stats.closed(CloseReason::ClientGone) == 1);
    assert!(!ledger.has_begun("/endless/2"));
    let mut next = request_on(&server, 10, "/endless/3");
    waits(&server, 1);
    ledger.stop();
    assert!(response(&mut running).ends_with("/endless/1"));
    assert!(response(&mut next).ends_with("/endless/3"));
    assert!(!ledger.has_begun("/endless/2"));
}

#[test]
fn evicted_connection_frees_its_place() {
    let (server, ledger) = start(Settings { max_connections: 2, ..one_permit() });
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("it runs", || ledger.has_begun("/endless/1"));
    let _evicted = request_on(&server, 10, "/endless/2");
    waits(&server, 1);
    // It gives way like any other, once it has waited for a while; then the newcomer's request is
    // incomplete and young, so that it does not.
    eventually("a newcomer takes its place", || {
        let mut newcomer = client(&server, 11);
        newcomer.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        thread::sleep(Duration::from_millis(50));
        server.stats.closed(CloseReason::Evicted) == 1
    });
    ledger.stop();
    assert!(response(&mut running).ends_with("/endless/1"));
    assert!(ask(&server, 10, "/short/3").ends_with("/short/3"), "the lane goes on");
    assert!(!ledger.has_begun("/endless/2"));
}

#[test]
fn stream_whose_client_does_not_read_holds_no_permit() {
    let (server, _) = start(one_permit());
    let streams: Vec<_> = (0..3).map(|n| request_on(&server, 10 + n, "/stream")).collect();
    eventually("no client takes more", || server.stats.connections(ConnectionState::Writing) == 3);
    for number in 0..3 {
        assert!(ask(&server, 20, &format!("/short/{number}")).starts_with("HTTP/1.1 200"));
    }
    drop(streams);
}

#[test]
fn stream_whose_client_withholds_a_body_holds_no_permit() {
    let (server, _) = start(one_permit());
    let mut withheld = client(&server, 10);
    withheld
        .write_all(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n")
        .unwrap();
    eventually("its body is awaited", || server.stats.connections(ConnectionState::Reading) == 1);
    assert!(ask(&server, 20, "/short/1").starts_with("HTTP/1.1 200"));
    // The response follows once the body is there.
    withheld.write_all(b"x").unwrap();
    let mut begin = [0; 12];
    withheld.read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
}

#[test]
fn stream_that_is_read_shares_its_permit() {
    let (server, _) = start(one_permit());
    let mut stream = request_on(&server, 10, "/stream");
    let done = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&done);
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while !ends.load(Ordering::SeqCst) && stream.read(&mut buffer).unwrap() > 0 {}
    });
    for number in 0..5 {
        assert!(ask(&server, 11, &format!("/short/{number}")).starts_with("HTTP/1.1 200"));
    }
    done.store(true, Ordering::SeqCst);
    reader.join().unwrap();
}

#[test]
fn stream_whose_source_would_block_resumes_in_later_turns() {
    let (server, _) = start(one_permit());
    let answer = ask(&server, 10, "/drip");
    assert_eq!(answer.matches("1\r\nx\r\n").count(), 100, "{answer}");
}

#[test]
fn stop_finishes_heavy_work_and_cuts_endless_work() {
    let (server, ledger) = start(Settings { drain_timeout: TEST_TIMEOUT, ..one_permit() });
    let mut first = request_on(&server, 10, "/short/1");
    eventually("it runs", || ledger.has_begun("/short/1"));
    let mut second = request_on(&server, 10, "/short/2");
    eventually("it is accepted", || server.stats.accepted() == 2);
    assert_eq!(server.engine.drain(), Drained::Complete);
    assert!(response(&mut first).contains("connection: close"));
    assert!(response(&mut second).ends_with("/short/2"), "it has waited for its turn");

    let drain_timeout = Duration::from_millis(500);
    let (server, ledger) = start(Settings { drain_timeout, ..one_permit() });
    let _running = request_on(&server, 10, "/endless/1");
    let _waiting = request_on(&server, 10, "/endless/2");
    eventually("it runs", || !ledger.begun.lock().unwrap().is_empty());
    assert_eq!(server.engine.drain(), Drained::TimedOut);
    ledger.stop();
}

#[test]
fn panic_in_heavy_work_closes_its_connection_and_frees_its_permit() {
    let (server, _) = start(one_permit());
    for _ in 0..3 {
        assert!(ask(&server, 10, "/panic").starts_with("HTTP/1.1 500"));
    }
    assert!(ask(&server, 10, "/short/1").starts_with("HTTP/1.1 200"));
    assert_eq!(server.stats.closed(CloseReason::HandlerFailed), 3);
}

#[test]
fn head_and_pipelined_heavy_requests_are_answered_in_order() {
    let (server, _) = start(one_permit());
    let mut stream = client(&server, 10);
    let head = |target: &str| get(target).replacen("GET", "HEAD", 1);
    let all = [get("/short/1"), head("/stream"), get("/light"), head("/short/2"), get("/drip")];
    stream.write_all((all.concat() + &get("/last")).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut output = String::new();
    stream.read_to_string(&mut output).unwrap();
    let mut rest = &*output;
    for mark in ["/short/1", "chunked", "/light", "content-length: 8", "1\r\nx\r\n", "/last"] {
        let at = rest.find(mark).unwrap_or_else(|| panic!("{mark} is not in its place: {output}"));
        rest = &rest[at + mark.len()..];
    }
    assert_eq!(output.matches("HTTP/1.1 200").count(), 6);
}

#[test]
fn request_without_a_permit_in_time_gets_its_fallback() {
    let (server, ledger) = start(one_permit());
    assert!(ask(&server, 10, "/or").ends_with("with"));
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("it runs", || ledger.has_begun("/endless/1"));
    for _ in 0..3 {
        assert!(ask(&server, 10, "/or").ends_with("without"));
    }
    assert_eq!(server.stats.shed(ShedReason::HeavyTimeout), 0, "nothing is refused");
    ledger.stop();
    assert!(response(&mut running).starts_with("HTTP/1.1 200"));
    assert!(ask(&server, 10, "/or").ends_with("with"));
}

#[test]
fn interactive_lane_under_waiting_scripts_stays_free() {
    let (server, ledger) = start(one_permit());
    let mut scripts: Vec<_> =
        (0..8).map(|n| request_on(&server, 10, &format!("/endless/{n}"))).collect();
    eventually("one runs", || !ledger.begun.lock().unwrap().is_empty());
    let mut people = request_on(&server, 10, "/people/1");
    eventually("it runs beside them", || ledger.has_begun("/people/1"));
    ledger.stop();
    assert!(response(&mut people).starts_with("HTTP/1.1 200"));
    for stream in &mut scripts {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn heavy_work_that_blocks_on_a_disk_leaves_a_worker_free() {
    let (server, ledger) = start(Settings { heavy_requests: 100, ..one_permit() });
    let targets = (0..8).map(|n| format!("/hold/{n}")).chain(["/hold/people".to_owned()]);
    let mut held: Vec<_> =
        targets.zip(10..).map(|(target, last)| request_on(&server, last, &target)).collect();
    let executing = || ledger.executing.load(Ordering::SeqCst);
    eventually("all but one of four workers are blocked", || executing() == 3);
    for number in 0..20 {
        assert!(ask(&server, 2, &format!("/light/{number}")).starts_with("HTTP/1.1 200"));
    }
    assert_eq!(executing(), 3);
    ledger.stop();
    for stream in &mut held {
        assert!(response(stream).starts_with("HTTP/1.1 200"));
    }
}

#[test]
fn work_that_changes_lanes_frees_its_permit() {
    let (server, ledger) = start(one_permit());
    let mut switched = request_on(&server, 10, "/switch/1");
    eventually("it runs in the other lane", || ledger.has_begun("/switch/1"));
    assert!(ask(&server, 10, "/short/2").ends_with("/short/2"), "the same client's, so none waits");
    ledger.stop();
    assert!(response(&mut switched).ends_with("/switch/1"));
}

#[test]
fn worker_is_shared_between_heavy_and_light_work() {
    let (server, ledger) = start(Settings { workers: 1, ..one_permit() });
    let mut running = request_on(&server, 10, "/endless/1");
    eventually("it runs", || ledger.has_begun("/endless/1"));
    for number in 0..20 {
        let before = ledger.pieces.load(Ordering::SeqCst);
        assert!(ask(&server, 11, &format!("/light/{number}")).starts_with("HTTP/1.1 200"));
        let pieces = ledger.pieces.load(Ordering::SeqCst) - before;
        // Two turns at most are had before it: that which runs, and one that is queued before it.
        assert!(pieces <= 64, "{pieces} pieces while a light request waited");
    }
    ledger.stop();
    assert!(response(&mut running).starts_with("HTTP/1.1 200"));
}
