//! What the usher leaves to workers, and what a turn may cost.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::super::limits::{DRAIN_GRACE, STREAM_CHUNK, TURN_TIME, WRITE_BURST};
use super::super::message::{Body, Request, RequestHead, Response, StreamBody};
use super::super::service::Reply;
use super::fixture::Paired;
use super::*;

/// Streams without end, or answers with a large body; counts what it is asked for.
#[derive(Default)]
struct Endless {
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

impl Service for Endless {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let body = match request.target.path() {
            "/small" => Body::from("small"),
            "/large" => Body::from(vec![b'x'; 4 * WRITE_BURST]),
            path @ ("/slow" | "/share") => Body::Stream(Box::new(Share {
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

/// A session without an engine around it, and its client.
struct Stage {
    session: Session,
    budget: Arc<Budget>,
    client: UnixStream,
    service: Endless,
    draining: AtomicBool,
    activity: Activity,
    stats: Stats,
}

impl Stage {
    fn new(settings: Settings) -> Stage {
        let Paired { session, client, server, budget } = Paired::new(settings);
        socket2::SockRef::from(&server).set_send_buffer_size(4 * WRITE_BURST).unwrap();
        Stage {
            session,
            budget,
            client,
            service: Endless::default(),
            draining: AtomicBool::new(false),
            activity: Activity::default(),
            stats: Stats::new(1),
        }
    }

    fn ask(&mut self, target: &str) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        self.client.write_all(request.as_bytes()).unwrap();
    }

    fn drive(&mut self, task: Task) -> Outcome {
        let Stage { service, draining, activity, stats, .. } = self;
        let host = Host { service, draining, activity, stats };
        let mut turn = Turn::new(task == Task::Serve, Instant::now());
        self.session.drive(task, Ready::READ, &mut turn, host, &mut Scratch::new())
    }

    /// The client takes all that has come.
    fn take(&mut self) -> usize {
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

const USHERS: [Task; 3] = [Task::Shed, Task::Expire, Task::Drain];

fn yields(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Yield { .. })
}

#[test]
fn a_stream_whose_client_takes_everything_gives_way_all_the_same() {
    let mut stage = Stage::new(Settings::default());
    stage.ask("/");
    for turn in 1..5 {
        let before = stage.counts().1;
        assert!(yields(stage.drive(Task::Serve)));
        let reads = stage.counts().1 - before;
        assert!((1..=WRITE_BURST / STREAM_CHUNK).contains(&reads), "{reads} in turn {turn}");
        stage.take();
    }
}

/// A source that takes longer for each piece than a turn lasts, or has done its share at once.
struct Share {
    reads: Arc<AtomicUsize>,
    would_block: bool,
}

impl StreamBody for Share {}

impl Read for Share {
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
        let mut stage = Stage::new(Settings::default());
        stage.ask(target);
        // The turn that calls the program may read the source already.
        stage.drive(Task::Serve);
        for _ in 0..3 {
            let before = stage.counts().1;
            assert!(yields(stage.drive(Task::Serve)), "{target}");
            assert_eq!(stage.counts().1 - before, 1, "{target}: a read a turn");
            stage.take();
        }
    }
}

#[test]
fn so_does_a_large_body() {
    let mut stage = Stage::new(Settings::default());
    stage.ask("/large");
    let outcome = stage.drive(Task::Serve);
    assert!(stage.take() <= WRITE_BURST);
    // Where the kernel's limit is below ours, its room ends first.
    let waits = matches!(outcome, Outcome::Park { wants: Ready::WRITE, .. });
    assert!(yields(outcome) || waits, "{outcome:?}");
}

#[test]
fn the_usher_leaves_the_source_of_a_stream_to_workers() {
    for task in USHERS {
        let mut stage = Stage::new(Settings::default());
        stage.ask("/");
        stage.drive(Task::Serve);
        stage.take();
        let before = stage.counts();
        assert!(yields(stage.drive(task)), "{task:?}");
        assert_eq!(stage.counts(), before, "{task:?}");
        assert!(yields(stage.drive(Task::Serve)));
        assert!(stage.counts().1 > before.1, "a worker goes on with it");
    }
}

#[test]
fn the_usher_leaves_a_request_to_workers() {
    for task in [Task::Expire, Task::Drain] {
        let mut stage = Stage::new(Settings::default());
        stage.ask("/large");
        assert!(yields(stage.drive(task)), "{task:?}");
        assert_eq!(stage.counts(), (0, 0), "{task:?}");
        stage.drive(Task::Serve);
        assert_eq!(stage.counts(), (1, 0), "a worker answers it");
    }
}

#[test]
fn a_response_under_way_ends_at_its_deadline_though_room_never_ends() {
    let settings = Settings { write_timeout: Duration::ZERO, ..Settings::default() };
    for task in USHERS.into_iter().chain([Task::Serve]) {
        let mut stage = Stage::new(settings.clone());
        stage.ask("/");
        assert!(yields(stage.drive(Task::Serve)));
        stage.take();
        let outcome = stage.drive(task);
        let cut = matches!(outcome, Outcome::Closed(CloseReason::WriteTimeout));
        assert!(cut, "{task:?}: {outcome:?}");
    }
}

#[test]
fn lingering_session_whose_client_sends_much_gives_way() {
    let mut stage = Stage::new(Settings::default());
    socket2::SockRef::from(&stage.client).set_send_buffer_size(4 * WRITE_BURST).unwrap();
    // Most steps of the turn go to requests; what follows takes more reads than are left.
    let request = "GET /small HTTP/1.1\r\nHost: x\r\n";
    let requests = format!("{request}\r\n").repeat(10) + request + "Connection: close\r\n\r\n";
    stage.client.write_all(requests.as_bytes()).unwrap();
    let mut sent = 0;
    while let Ok(length) = stage.client.write(&[b'x'; SCRATCH]) {
        sent += length;
    }
    assert!(sent > 5 * SCRATCH, "{sent} bytes fit");
    assert!(yields(stage.drive(Task::Serve)));
    assert_eq!(stage.session.state(), ConnectionState::Lingering);
    while yields(stage.drive(Task::Serve)) {}
    stage.client.shutdown(std::net::Shutdown::Write).unwrap();
    let outcome = stage.drive(Task::Serve);
    assert!(matches!(outcome, Outcome::Closed(CloseReason::Done)), "{outcome:?}");
}

#[test]
fn stopping_server_leaves_a_lingering_session_a_moment() {
    let mut stage = Stage::new(Settings::default());
    stage.client.write_all(b"GET /small HTTP/1.0\r\n\r\n").unwrap();
    let Outcome::Park { deadline, .. } = stage.drive(Task::Serve) else { panic!("it lingers") };
    stage.draining.store(true, Ordering::Relaxed);
    let Outcome::Park { deadline: hastened, .. } = stage.drive(Task::Drain) else {
        panic!("it still lingers")
    };
    assert!(hastened < deadline && hastened <= Deadline::of(Instant::now(), DRAIN_GRACE));
}

#[test]
fn session_charges_the_budget_for_what_it_holds_and_no_longer_than_it_lives() {
    let mut stage = Stage::new(Settings::default());
    stage.client.write_all(&[b"GET / HTTP/1.1\r\nA: ".as_slice(), &[b'a'; 6000]].concat()).unwrap();
    stage.drive(Task::Serve);
    let held = stage.session.settle();
    assert!((6000..7500).contains(&held), "{held}");
    assert_eq!(stage.budget.used(), held);
    let Stage { session, budget, .. } = stage;
    drop(session);
    assert_eq!(budget.used(), 0);
}
