//! Sessions without an engine: the work that the reaper leaves to workers, and the bounds of a turn.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::super::limits::{DRAIN_GRACE, SCRATCH, STREAM_CHUNK};
use super::super::message::{Body, Request, RequestHead, Response, StreamBody};
use super::super::service::Reply;
use super::super::turn_budget::{MAX_WRITE, TURN_TIME};
use super::fixture::Paired;
use super::*;

/// Service that streams without end, or answers with a large body. Counts its calls and reads.
#[derive(Default)]
struct EndlessService {
    calls: AtomicUsize,
    reads: Arc<AtomicUsize>,
}

struct Source(Arc<AtomicUsize>);

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        buffer[0] = b'x';
        Ok(1)
    }
}

impl StreamBody for Source {}

impl Service for EndlessService {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let body = match request.target.path() {
            "/small" => Body::from("small"),
            "/large" => Body::from(vec![b'x'; 4 * MAX_WRITE]),
            path @ ("/slow" | "/share") => Body::Stream(Box::new(SlowSource {
                reads: Arc::clone(&self.reads),
                would_block: path == "/share",
            })),
            _ => Body::Stream(Box::new(Source(Arc::clone(&self.reads)))),
        };
        Response::new(body).into()
    }

    fn refuse(&self, refusal: Refusal, _: Option<RequestHead<'_>>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = refusal.status();
        response
    }
}

/// One session and its client.
struct Harness {
    session: Session,
    memory: Arc<MemoryLimit>,
    client: UnixStream,
    service: EndlessService,
    draining: AtomicBool,
    activity: Activity,
    stats: Stats,
}

impl Harness {
    fn new(settings: Settings) -> Harness {
        let Paired { session, client, server, memory } = Paired::new(settings);
        socket2::SockRef::from(&server).set_send_buffer_size(4 * MAX_WRITE).unwrap();
        Harness {
            session,
            memory,
            client,
            service: EndlessService::default(),
            draining: AtomicBool::new(false),
            activity: Activity::default(),
            stats: Stats::new(1),
        }
    }

    fn request(&mut self, target: &str) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        self.client.write_all(request.as_bytes()).unwrap();
    }

    fn drive(&mut self, task: Task) -> Outcome {
        let Harness { service, draining, activity, stats, .. } = self;
        let context = DriveContext { service, draining, activity, stats };
        let mut budget = TurnBudget::new(task == Task::Serve, Instant::now());
        self.session.drive(task, Ready::READ, &mut budget, context, &mut Scratch::new())
    }

    /// Lets the client read everything. Returns the number of bytes.
    fn read_all(&mut self) -> usize {
        let mut taken = Vec::new();
        let ended = self.client.read_to_end(&mut taken);
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        taken.len()
    }

    fn counts(&self) -> (usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        (count(&self.service.calls), count(&self.service.reads))
    }
}

/// Tasks of the reaper.
const REAPER_TASKS: [Task; 3] = [Task::Shed, Task::Expire, Task::Drain];

fn yields(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Yield { .. })
}

#[test]
fn stream_whose_client_reads_everything_yields_after_its_turn() {
    let mut harness = Harness::new(Settings::default());
    harness.request("/");
    for turn in 1..5 {
        let before = harness.counts().1;
        assert!(yields(harness.drive(Task::Serve)));
        let reads = harness.counts().1 - before;
        assert!((1..=MAX_WRITE / STREAM_CHUNK).contains(&reads), "{reads} in turn {turn}");
        harness.read_all();
    }
}

/// Source that takes longer for each piece than a turn lasts, or returns `WouldBlock` at once.
struct SlowSource {
    reads: Arc<AtomicUsize>,
    would_block: bool,
}

impl StreamBody for SlowSource {}

impl Read for SlowSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.would_block {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        std::thread::sleep(TURN_TIME * 2);
        buffer[0] = b'x';
        Ok(1)
    }
}

#[test]
fn stream_ends_its_turn_by_the_clock_and_where_its_source_would_block() {
    for target in ["/slow", "/share"] {
        let mut harness = Harness::new(Settings::default());
        harness.request(target);
        // The turn that calls the service may read the source already.
        harness.drive(Task::Serve);
        for _ in 0..3 {
            let before = harness.counts().1;
            assert!(yields(harness.drive(Task::Serve)), "{target}");
            assert_eq!(harness.counts().1 - before, 1, "{target}: a read a turn");
            harness.read_all();
        }
    }
}

#[test]
fn large_body_yields_after_its_turn() {
    let mut harness = Harness::new(Settings::default());
    harness.request("/large");
    let outcome = harness.drive(Task::Serve);
    assert!(harness.read_all() <= MAX_WRITE);
    // If the kernel's send buffer is smaller than a turn's bytes, it fills up first.
    let waits = matches!(outcome, Outcome::Park { wants: Ready::WRITE, .. });
    assert!(yields(outcome) || waits, "{outcome:?}");
}

#[test]
fn reaper_leaves_the_source_of_a_stream_to_workers() {
    for task in REAPER_TASKS {
        let mut harness = Harness::new(Settings::default());
        harness.request("/");
        harness.drive(Task::Serve);
        harness.read_all();
        let before = harness.counts();
        assert!(yields(harness.drive(task)), "{task:?}");
        assert_eq!(harness.counts(), before, "{task:?}");
        assert!(yields(harness.drive(Task::Serve)));
        assert!(harness.counts().1 > before.1, "a worker continues");
    }
}

#[test]
fn reaper_leaves_a_request_to_workers() {
    for task in [Task::Expire, Task::Drain] {
        let mut harness = Harness::new(Settings::default());
        harness.request("/large");
        assert!(yields(harness.drive(task)), "{task:?}");
        assert_eq!(harness.counts(), (0, 0), "{task:?}");
        harness.drive(Task::Serve);
        assert_eq!(harness.counts(), (1, 0), "a worker answers it");
    }
}

#[test]
fn response_ends_at_its_deadline_though_its_client_reads_without_end() {
    let settings = Settings { write_timeout: Duration::ZERO, ..Settings::default() };
    for task in REAPER_TASKS.into_iter().chain([Task::Serve]) {
        let mut harness = Harness::new(settings.clone());
        harness.request("/");
        assert!(yields(harness.drive(Task::Serve)));
        harness.read_all();
        let outcome = harness.drive(task);
        let cut = matches!(outcome, Outcome::Closed(CloseReason::WriteTimeout));
        assert!(cut, "{task:?}: {outcome:?}");
    }
}

#[test]
fn lingering_session_whose_client_sends_much_yields_after_its_turn() {
    let mut harness = Harness::new(Settings::default());
    socket2::SockRef::from(&harness.client).set_send_buffer_size(4 * MAX_WRITE).unwrap();
    // Requests use up most steps of the turn, and the bytes behind them take more reads than are left.
    let request = "GET /small HTTP/1.1\r\nHost: x\r\n";
    let requests = format!("{request}\r\n").repeat(10) + request + "Connection: close\r\n\r\n";
    harness.client.write_all(requests.as_bytes()).unwrap();
    let mut sent = 0;
    while let Ok(length) = harness.client.write(&[b'x'; SCRATCH]) {
        sent += length;
    }
    assert!(sent > 5 * SCRATCH, "{sent} bytes fit");
    assert!(yields(harness.drive(Task::Serve)));
    assert_eq!(harness.session.state(), ConnectionState::Lingering);
    while yields(harness.drive(Task::Serve)) {}
    harness.client.shutdown(std::net::Shutdown::Write).unwrap();
    let outcome = harness.drive(Task::Serve);
    assert!(matches!(outcome, Outcome::Closed(CloseReason::Done)), "{outcome:?}");
}

#[test]
fn stopping_server_shortens_the_deadline_of_a_lingering_session() {
    let mut harness = Harness::new(Settings::default());
    harness.client.write_all(b"GET /small HTTP/1.0\r\n\r\n").unwrap();
    let Outcome::Park { deadline, .. } = harness.drive(Task::Serve) else { panic!("it lingers") };
    harness.draining.store(true, Ordering::Relaxed);
    let Outcome::Park { deadline: hastened, .. } = harness.drive(Task::Drain) else {
        panic!("it still lingers")
    };
    assert!(hastened < deadline && hastened <= Deadline::of(Instant::now(), DRAIN_GRACE));
}

#[test]
fn session_charges_the_memory_limit_for_its_buffers_until_it_is_dropped() {
    let mut harness = Harness::new(Settings::default());
    harness
        .client
        .write_all(&[b"GET / HTTP/1.1\r\nA: ".as_slice(), &[b'a'; 6000]].concat())
        .unwrap();
    harness.drive(Task::Serve);
    let held = harness.session.shrink();
    harness.session.charge(held);
    assert!((6000..7500).contains(&held), "{held}");
    assert_eq!(harness.memory.used(), held);
    let Harness { session, memory, .. } = harness;
    drop(session);
    assert_eq!(memory.used(), 0);
}
