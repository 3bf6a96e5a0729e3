//! Expensive work of a session, with an engine's lanes but without its threads.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::super::client_net::ClientNet;
use super::super::lanes::Lanes;
use super::super::message::{Body, Request, RequestHead, Response, StreamBody};
use super::super::service::Reply;
use super::super::stats::ShedReason;
use super::fixture::Paired;
use super::*;

/// Service in which `/piece` takes four pieces of work, and `/scan` streams three bytes with a pause
/// before each. It answers all else at once.
#[derive(Default)]
struct HeavyService {
    pieces: Arc<AtomicUsize>,
}

fn piece(left: usize, done: Arc<AtomicUsize>) -> Reply {
    if left == 0 {
        return Response::new(Body::from("whole")).into();
    }
    let work = Box::new(move |_: &Request, _: &Activity| {
        done.fetch_add(1, Ordering::Relaxed);
        piece(left - 1, done)
    });
    Reply::Heavy { lane: Lane::Bulk, work }
}

struct Scan {
    left: usize,
    paused: bool,
}

impl StreamBody for Scan {}

impl Read for Scan {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        if !std::mem::replace(&mut self.paused, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *self = Scan { left: self.left - 1, paused: false };
        buffer[0] = b'x';
        Ok(1)
    }
}

impl Service for HeavyService {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        match request.target.path() {
            "/piece" => piece(4, Arc::clone(&self.pieces)),
            "/scan" => {
                let scan = Scan { left: 3, paused: false };
                let work = Box::new(move |_: &Request, _: &Activity| {
                    Response::new(Body::Stream(Box::new(scan))).into()
                });
                Reply::Heavy { lane: Lane::Bulk, work }
            }
            path => Response::new(Body::from(path.to_owned())).into(),
        }
    }

    fn refuse(&self, refusal: Refusal, _: Option<RequestHead<'_>>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = refusal.status();
        response
    }
}

struct Harness {
    session: Session,
    client: UnixStream,
    /// Another handle to the server's end of the connection.
    server: UnixStream,
    service: HeavyService,
    lanes: Lanes,
    stats: Stats,
}

impl Harness {
    fn new(settings: Settings) -> Harness {
        let Paired { session, client, server, .. } = Paired::new(settings);
        Harness {
            session,
            client,
            server,
            service: HeavyService::default(),
            lanes: Lanes::new(1),
            stats: Stats::new(1),
        }
    }

    fn request(&mut self, target: &str) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        self.client.write_all(request.as_bytes()).unwrap();
    }

    /// Drives the session for a turn as a worker does.
    fn drive(&mut self, task: Task) -> Outcome {
        let (draining, activity) = (AtomicBool::new(false), Activity::default());
        let mut budget = TurnBudget::new(task == Task::Serve, Instant::now());
        loop {
            let Harness { session, service, stats, .. } = self;
            let context = DriveContext { service, draining: &draining, activity: &activity, stats };
            match session.drive(task, Ready::READ, &mut budget, context, &mut Scratch::new()) {
                Outcome::EnterLane { lane, client } => {
                    let permit = self.lanes.enter(lane, client, Box::new(|| {}));
                    self.session.set_permit(permit);
                }
                outcome => return outcome,
            }
        }
    }

    /// Drives the session until it does not yield.
    fn drive_on(&mut self) -> Outcome {
        for _ in 0..100 {
            match self.drive(Task::Serve) {
                Outcome::Yield { .. } => {}
                outcome => return outcome,
            }
        }
        panic!("a hundred turns are not enough")
    }

    /// Returns the permit of another client, which entered the lane before this session.
    fn occupy(&self) -> Permit {
        let other = Some(ClientNet::of([192, 0, 2, 1].into()));
        self.lanes.enter(Lane::Bulk, other, Box::new(|| {}))
    }

    fn received(&mut self) -> String {
        let mut bytes = Vec::new();
        if let Err(error) = self.client.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
        String::from_utf8(bytes).unwrap()
    }

    fn pieces(&self) -> usize {
        self.service.pieces.load(Ordering::Relaxed)
    }
}

fn waits_for(outcome: &Outcome, edge: Ready) -> bool {
    matches!(outcome, Outcome::Park { wants, .. } if wants.contains(edge))
}

#[test]
fn heavy_work_runs_piece_by_piece_and_frees_the_permit() {
    let mut harness = Harness::new(Settings::default());
    harness.request("/piece");
    assert!(waits_for(&harness.drive_on(), Ready::READ));
    assert_eq!(harness.pieces(), 4);
    assert!(harness.received().ends_with("whole"));
    assert!(harness.occupy().is_granted());
}

#[test]
fn earlier_response_is_written_before_the_wait_for_a_permit() {
    let mut harness = Harness::new(Settings::default());
    let other = harness.occupy();
    harness.request("/light");
    harness.request("/piece");
    assert!(waits_for(&harness.drive_on(), Ready::PERMIT));
    assert!(harness.received().ends_with("/light"));
    assert_eq!(harness.pieces(), 0);
    drop(other);
    harness.drive_on();
    assert!(harness.received().ends_with("whole"));
}

#[test]
fn heavy_work_does_not_begin_while_earlier_output_is_not_read() {
    let mut harness = Harness::new(Settings::default());
    while harness.server.write(&[b' '; 64 << 10]).is_ok() {}
    harness.request("/light");
    harness.request("/piece");
    assert!(waits_for(&harness.drive_on(), Ready::WRITE));
    assert_eq!(harness.pieces(), 0);
    harness.received();
    harness.session.transport.insert_ready(Ready::WRITE);
    harness.drive_on();
    let received = harness.received();
    assert!(received.contains("/light") && received.ends_with("whole"), "{received}");
}

#[test]
fn request_that_waits_beyond_queue_timeout_is_refused_and_leaves_the_lane() {
    let settings = Settings { queue_timeout: Duration::from_millis(1), ..Settings::default() };
    let mut harness = Harness::new(settings);
    let other = harness.occupy();
    harness.request("/piece");
    assert!(waits_for(&harness.drive_on(), Ready::PERMIT));
    std::thread::sleep(Duration::from_millis(5));
    harness.drive(Task::Expire);
    let answer = harness.received();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(harness.stats.shed(ShedReason::HeavyTimeout), 1);
    drop(other);
    assert!(harness.occupy().is_granted(), "the session has left the lane");
}

#[test]
fn source_that_would_block_is_read_again_in_later_turns() {
    let mut harness = Harness::new(Settings::default());
    harness.request("/scan");
    let mut turns = 1;
    while matches!(harness.drive(Task::Serve), Outcome::Yield { .. }) {
        turns += 1;
    }
    assert!(turns >= 3, "{turns}");
    assert_eq!(harness.received().matches("1\r\nx\r\n").count(), 3);
    assert!(harness.occupy().is_granted());
}

#[test]
fn session_dropped_while_it_waits_leaves_the_lane() {
    let mut harness = Harness::new(Settings::default());
    let other = harness.occupy();
    harness.request("/piece");
    assert!(waits_for(&harness.drive_on(), Ready::PERMIT));
    harness.session = Paired::new(Settings::default()).session;
    drop(other);
    assert!(harness.occupy().is_granted());
}
