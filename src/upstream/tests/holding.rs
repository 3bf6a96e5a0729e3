//! Pollers that hold a part of the sources, as one of several replicas.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};

use super::fake::{Upstream, head};
use super::polling::{board, fleet, response, shared, source, start_gated, until};
use crate::board::{Reporter, SourceInfo, State};
use crate::config::Source;
use crate::upstream::{Gate, Outcome, Phase, PollRequest, PollStats, Pollers};

const AMPLE: Duration = Duration::from_secs(60);

fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < AMPLE, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Returns an upstream that answers each request.
fn well() -> Upstream {
    Upstream::new(|mut stream| {
        head(&mut stream);
        let _ = stream.write_all(&response(50));
    })
}

/// Returns an upstream that answers when the test does.
fn slow() -> (Upstream, Arc<Mutex<Vec<TcpStream>>>) {
    let held: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let streams = Arc::clone(&held);
    let upstream = Upstream::new(move |mut stream| {
        head(&mut stream);
        streams.lock().unwrap().push(stream);
    });
    (upstream, held)
}

fn rarely(source: Source) -> Source {
    Source { interval: Duration::from_secs(100_000), ..source }
}

/// Pollers with the permit as an atomic, and the names that were released.
struct Held {
    pollers: Pollers,
    permit: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    released: Receiver<Arc<str>>,
}

impl Held {
    fn start(sources: &[Source], reporter: &Reporter) -> Held {
        let (sender, released) = unbounded();
        let (permit, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (is_permitted, count) = (Arc::clone(&permit), Arc::clone(&asked));
        let permitted = move || {
            count.fetch_add(1, Ordering::SeqCst);
            is_permitted.load(Ordering::SeqCst)
        };
        let gate = Gate { permit: Box::new(permitted), released: sender };
        let pollers = start_gated(sources, reporter, gate);
        Held { pollers, permit, asked, released }
    }

    fn hold(&self, source: &str, next: Option<Instant>) {
        self.pollers.handles().hold(source, next);
    }

    fn release(&self, source: &str) {
        self.pollers.handles().release(source);
    }

    fn stats(&self, at: usize) -> Arc<PollStats> {
        Arc::clone(&self.pollers.handles().stats()[at])
    }

    fn released(&self) -> Arc<str> {
        self.released.recv_timeout(AMPLE).unwrap()
    }

    /// Waits until the scheduler has handled all earlier messages and started what was due.
    fn settle(&self) {
        self.release("nothing");
        assert_eq!(&*self.released(), "nothing");
    }
}

fn polls(stats: &PollStats) -> u64 {
    stats.durations().count
}

#[test]
fn source_that_is_not_held_is_never_polled() {
    let upstream = well();
    let sources = [source("ours", upstream.url("/a")), source("theirs", upstream.url("/b"))];
    let (_board, reader, reporter) = board(&sources);
    let held = Held::start(&sources, &reporter);
    held.hold("ours", None);
    until(&reader, |snapshot| snapshot.sources[0].state == State::Fresh);
    held.pollers.handles().repoll_all();
    eventually("the other is polled", || polls(&held.stats(0)) > 10);
    let theirs = held.stats(1);
    assert_eq!((polls(&theirs), theirs.phase().0), (0, Phase::Elsewhere));
    assert!(!theirs.is_held() && theirs.heartbeat_age() < theirs.heartbeat_bound());
    assert_ne!(held.stats(0).phase().0, Phase::Elsewhere);
    assert_eq!(reader.load().sources[1].state, State::Waiting);
}

#[test]
fn request_for_a_source_that_is_not_held_is_for_the_caller_with_the_same_pause() {
    let upstream = well();
    let sources = [rarely(source("theirs", upstream.url("/")))];
    let (_board, reader, reporter) = board(&sources);
    let held = Held::start(&sources, &reporter);
    let handles = held.pollers.handles();
    assert_eq!(handles.request_poll("theirs"), Some(PollRequest::Elsewhere));
    assert_eq!(handles.request_poll("theirs"), Some(PollRequest::Elsewhere));
    assert_eq!(handles.request_poll("unknown"), None);
    handles.polled_elsewhere("theirs", Duration::ZERO, Duration::ZERO);
    assert!(matches!(handles.request_poll("theirs"), Some(PollRequest::TooSoon(_))));
    handles.allow_poll_requests();
    // Once it is held, the request is acted on here.
    held.hold("theirs", Some(Instant::now() + AMPLE * 60));
    held.settle();
    assert_eq!(handles.request_poll("theirs"), Some(PollRequest::Granted));
    until(&reader, |snapshot| snapshot.sources[0].state == State::Fresh);
    eventually("it was polled once", || polls(&held.stats(0)) == 1);
}

#[test]
fn source_that_is_taken_over_is_polled_at_the_time_of_its_schedule() {
    let upstream = well();
    let sources = ["soon", "later", "missed", "new"];
    let sources = sources.map(|name| rarely(source(name, upstream.url(&format!("/{name}")))));
    let (_board, _reader, reporter) = board(&sources);
    let held = Held::start(&sources, &reporter);
    let now = Instant::now();
    held.hold("soon", Some(now + Duration::from_millis(300)));
    held.hold("later", Some(now + AMPLE * 60));
    held.hold("missed", now.checked_sub(Duration::from_millis(1)));
    held.hold("new", None);
    eventually("it is polled at its time", || {
        let polled = held.stats(0).count(Outcome::Ok) == 1;
        assert!(!polled || now.elapsed() >= Duration::from_millis(300));
        polled
    });
    eventually("the missed ones are polled", || {
        [2, 3].iter().all(|at| held.stats(*at).count(Outcome::Ok) == 1)
    });
    held.settle();
    assert_eq!([0, 1, 2, 3].map(|at| polls(&held.stats(at))), [1, 0, 1, 1]);
}

#[test]
fn release_lets_the_poll_in_flight_end_and_report() {
    let (upstream, streams) = slow();
    let sources = [source("tank", upstream.url("/"))];
    let (_board, reader, reporter) = board(&sources);
    let held = Held::start(&sources, &reporter);
    held.hold("tank", None);
    eventually("it is in flight", || streams.lock().unwrap().len() == 1);
    held.release("tank");
    held.settle();
    assert!(held.released.is_empty());
    streams.lock().unwrap()[0].write_all(&response(7)).unwrap();
    assert_eq!(&*held.released(), "tank");
    until(&reader, |snapshot| snapshot.sources[0].state == State::Fresh);
    // Its interval is 20 ms.
    thread::sleep(Duration::from_millis(100));
    held.settle();
    assert_eq!((polls(&held.stats(0)), streams.lock().unwrap().len()), (1, 1));
    // Without a poll in flight it is released at once, and may be held again.
    held.release("tank");
    assert_eq!(&*held.released(), "tank");
    held.hold("tank", None);
    eventually("it is polled again", || streams.lock().unwrap().len() == 2);
}

#[test]
fn source_that_is_held_again_during_its_poll_is_polled_on() {
    let (upstream, streams) = slow();
    let sources = [source("tank", upstream.url("/"))];
    let (_board, _reader, reporter) = board(&sources);
    let held = Held::start(&sources, &reporter);
    held.hold("tank", None);
    eventually("it is in flight", || streams.lock().unwrap().len() == 1);
    held.release("tank");
    held.hold("tank", None);
    held.settle();
    assert_eq!(streams.lock().unwrap().len(), 1, "one poll in flight");
    streams.lock().unwrap()[0].write_all(&response(7)).unwrap();
    assert_eq!(&*held.released(), "tank");
    eventually("it is polled again", || streams.lock().unwrap().len() == 2);
}

#[test]
fn poll_that_is_not_permitted_stays_due_and_is_made_once() {
    let upstream = well();
    let sources = [rarely(source("tank", upstream.url("/")))];
    let (_board, reader, reporter) = board(&sources);
    let held = Held::start(&sources, &reporter);
    held.permit.store(false, Ordering::SeqCst);
    held.hold("tank", None);
    eventually("the permit is asked again", || held.asked.load(Ordering::SeqCst) > 5);
    let stats = held.stats(0);
    assert_eq!((polls(&stats), stats.phase().0), (0, Phase::Waiting));
    assert!(reader.load().sources[0].error.is_none());
    held.permit.store(true, Ordering::SeqCst);
    eventually("it is polled", || stats.count(Outcome::Ok) == 1);
    held.settle();
    let asked = held.asked.load(Ordering::SeqCst);
    thread::sleep(Duration::from_millis(150));
    assert_eq!(held.asked.load(Ordering::SeqCst), asked, "nothing is due");
    assert_eq!(polls(&stats), 1);
}

#[test]
fn reload_keeps_held_sources_held_and_others_not() {
    let upstream = well();
    let mut sources = ["ours", "theirs", "changed"]
        .map(|name| rarely(source(name, upstream.url(&format!("/{name}")))))
        .to_vec();
    let (board, _reader, reporter) = board(&sources);
    let mut held = Held::start(&sources, &reporter);
    let later = Instant::now() + AMPLE * 60;
    held.hold("ours", Some(later));
    held.hold("changed", Some(later));
    held.hold("added", Some(later));
    held.settle();
    // All but the first change, and others are added.
    for source in &mut sources[1..] {
        source.timeout = Duration::from_secs(11);
    }
    sources.push(rarely(source("added", upstream.url("/added"))));
    sources.push(rarely(source("added_elsewhere", upstream.url("/elsewhere"))));
    board.renew(sources.iter().map(SourceInfo::from).collect());
    held.pollers.renew(fleet(&shared(&sources)));
    eventually("the changed source is polled", || polls(&held.stats(2)) == 1);
    held.settle();
    assert_eq!([0, 1, 2, 3, 4].map(|at| polls(&held.stats(at))), [0, 0, 1, 0, 0]);
    let is_held = [0, 1, 2, 3, 4].map(|at| held.stats(at).is_held());
    assert_eq!(is_held, [true, false, true, true, false]);
    // The lease of one that is removed and comes back ends with its release.
    held.release("changed");
    assert_eq!(&*held.released(), "changed");
    let all = sources.clone();
    sources.remove(2);
    held.pollers.renew(fleet(&shared(&sources)));
    held.pollers.renew(fleet(&shared(&all)));
    held.settle();
    assert!(!held.stats(2).is_held());
    assert_eq!(polls(&held.stats(2)), 0);
}
