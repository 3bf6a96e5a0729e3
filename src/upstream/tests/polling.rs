//! Pollers end to end: from the upstream to the board's snapshot.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::fake::{Upstream, head, hold};
use crate::board::{
    Board, BoardReader, Change, ErrorKind, Reporter, ServiceInfo, Snapshot, SourceInfo, State,
};
use crate::config::{
    BodyFormat, DesiredUnits, Json, JsonTime, JsonValue, Kind, NamedFormat, Proxy, RateLimit,
    Secret, Source,
};
use crate::kernel::clock::Clock;
use crate::kernel::clock::tests::FakeClock;
use crate::outbound::{ThreadedResolver, tls};
use crate::units::Unit;
use crate::upstream::crew::{Spawn, system_threads};
use crate::upstream::fetch::Request;
use crate::upstream::kind;
use crate::upstream::pollers::Parts;
use crate::upstream::{Fleet, Gate, KeptReadings, MaxPolls, Outcome, Phase, PollRequest, Pollers};

pub(super) fn source(name: &str, url: String) -> Source {
    let level = JsonValue::new("level", "/level", Some(Unit::Percent));
    let observed_at = JsonTime::at("/at", NamedFormat::Unix);
    Source {
        name: name.into(),
        title: name.into(),
        group: None,
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(10),
        stale_after: Duration::from_secs(3600),
        kind: Kind::Json(Box::new(Json {
            url: url.parse().unwrap(),
            request: Box::default(),
            format: BodyFormat::default(),
            values: vec![level],
            observed_at: Some(observed_at),
        })),
        units: DesiredUnits::default(),
        rate_limit: None,
        proxy: Proxy::None,
        ca_certs: None,
        show: Vec::new(),
        trends: Vec::new(),
    }
}

pub(super) fn board(sources: &[Source]) -> (Board, BoardReader, Reporter) {
    let service =
        ServiceInfo { name: "test", version: "0", started_at: jiff::Timestamp::UNIX_EPOCH };
    Board::start(
        sources.iter().map(SourceInfo::from).collect(),
        Vec::new(),
        service,
        Box::new(|_| {}),
    )
    .unwrap()
}

pub(super) fn start(sources: &[Source], reporter: &Reporter) -> Pollers {
    start_with(&shared(sources), reporter, kind::request, system_threads())
}

/// Starts pollers that poll sources only while they are held.
pub(super) fn start_gated(sources: &[Source], reporter: &Reporter, gate: Gate) -> Pollers {
    let parts = Parts {
        system_tls: tls::trusting(&[]),
        no_tls: tls::trusting(&[]),
        resolver: ThreadedResolver::system(),
        request: kind::request,
    };
    let (sources, kept) = (shared(sources), KeptReadings::new());
    Pollers::start_with(fleet(&sources), &kept, reporter, parts, system_threads(), Some(gate))
        .unwrap()
}

/// Starts pollers that build requests and create threads in the given ways.
pub(super) fn start_with(
    sources: &[Arc<Source>],
    reporter: &Reporter,
    request: fn(&Source) -> Request,
    spawn: Spawn,
) -> Pollers {
    let parts = Parts {
        system_tls: tls::trusting(&[]),
        no_tls: tls::trusting(&[]),
        resolver: ThreadedResolver::system(),
        request,
    };
    Pollers::start_with(fleet(sources), &KeptReadings::new(), reporter, parts, spawn, None).unwrap()
}

pub(super) fn shared(sources: &[Source]) -> Vec<Arc<Source>> {
    sources.iter().cloned().map(Arc::new).collect()
}

/// Returns a configuration that allows any number of polls in flight.
pub(super) fn fleet(sources: &[Arc<Source>]) -> Fleet<'_> {
    Fleet { sources, user_agent: "test", max_polls: MaxPolls::UNLIMITED }
}

/// Waits for a snapshot that satisfies a predicate, for at most a minute.
pub(super) fn until(reader: &BoardReader, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let started = Instant::now();
    loop {
        let snapshot = reader.load();
        if wanted(&snapshot) {
            return snapshot;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{snapshot:?}");
        thread::yield_now();
    }
}

pub(super) fn response(level: u32) -> Vec<u8> {
    let at = jiff::Timestamp::now().as_second();
    let body = format!("{{\"level\":{level},\"at\":{at}}}");
    format!("HTTP/1.1 200 OK\r\nETag: \"{level}\"\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[test]
fn readings_failures_and_recovery_are_reported_to_the_board() {
    let mut polls = 0;
    let upstream = Upstream::new(move |mut stream| {
        let conditional = head(&mut stream).to_ascii_lowercase().contains("if-none-match: \"1\"");
        polls += 1;
        let response = match polls {
            1 => response(1),
            2 if conditional => b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec(),
            3 => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope".to_vec(),
            _ => response(2),
        };
        stream.write_all(&response).unwrap();
    });
    let sources = [source("tank", upstream.url("/"))];
    let (_board, reader, reporter) = board(&sources);
    let pollers = start(&sources, &reporter);
    let stats = pollers.handles().stats()[0].clone();
    let level = |snapshot: &Snapshot| {
        let value = snapshot.sources[0].values().next().map(|(_, value)| value.clone());
        serde_json::to_string(&value).unwrap()
    };
    until(&reader, |snapshot| level(snapshot).contains("2.0"));
    drop(pollers);
    assert!(stats.count(Outcome::Ok) >= 2);
    assert_eq!(stats.count(Outcome::NotModified), 1);
    assert_eq!(stats.count(Outcome::Failed(ErrorKind::Decode)), 1);
    assert!(stats.durations().count >= 4);
    assert_eq!(stats.phase().0, Phase::Waiting);
    let view = &reader.load().sources[0];
    assert_eq!((view.state, &view.error), (State::Fresh, &None));
    assert!(view.next_poll_at.is_some());
}

#[test]
fn failing_source_keeps_its_values_and_does_not_affect_others() {
    let silent = Upstream::new(hold);
    let mut first = true;
    let failing = Upstream::new(move |mut stream| {
        head(&mut stream);
        let broken = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec();
        let response = if std::mem::take(&mut first) { response(7) } else { broken };
        stream.write_all(&response).unwrap();
    });
    let healthy = Upstream::new(|mut stream| {
        head(&mut stream);
        stream.write_all(&response(9)).unwrap();
    });
    let mut sources = [
        source("silent", silent.url("/")),
        source("failing", failing.url("/")),
        source("healthy", healthy.url("/")),
    ];
    sources[0].timeout = Duration::from_millis(300);
    let (_board, reader, reporter) = board(&sources);
    let _pollers = start(&sources, &reporter);
    let snapshot = until(&reader, |snapshot| {
        let failures = |source: usize| {
            snapshot.sources[source].error.as_ref().map_or(0, |error| error.failures)
        };
        failures(0) >= 2 && failures(1) >= 2
    });
    let [silent, failing, healthy] = [0, 1, 2].map(|at| &snapshot.sources[at]);
    assert_eq!(silent.state, State::Waiting);
    assert_eq!(silent.error.as_ref().unwrap().kind, ErrorKind::Timeout);
    assert_eq!(failing.state, State::Fresh);
    assert_eq!(failing.error.as_ref().unwrap().kind, ErrorKind::Http);
    assert_eq!(failing.values().count(), 1);
    assert_eq!((healthy.state, &healthy.error), (State::Fresh, &None));
}

#[test]
fn panic_in_a_decoder_fails_one_poll() {
    let mut polls = 0;
    let upstream = Upstream::new(move |mut stream| {
        head(&mut stream);
        polls += 1;
        let bad = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad".to_vec();
        stream.write_all(&if polls == 1 { bad } else { response(5) }).unwrap();
    });
    let sources = [source("tank", upstream.url("/"))];
    let (_board, reader, reporter) = board(&sources);
    let request = |source: &Source| Request {
        reason: |_| panic!("panic for this test"),
        ..kind::request(source)
    };
    let pollers = start_with(&shared(&sources), &reporter, request, system_threads());
    let stats = pollers.handles().stats()[0].clone();
    until(&reader, |snapshot| snapshot.sources[0].state == State::Fresh);
    drop(pollers);
    assert_eq!(stats.count(Outcome::Failed(ErrorKind::Panic)), 1);
    assert!(stats.count(Outcome::Ok) >= 1);
}

#[test]
fn stop_does_not_wait_for_polls_in_flight() {
    let (sender, connections) = crossbeam_channel::unbounded::<SocketAddr>();
    let upstream = Upstream::new(move |stream| {
        sender.send(stream.peer_addr().unwrap()).unwrap();
        hold(stream);
    });
    let mut sources = [source("silent", upstream.url("/"))];
    // Far longer than a stop may take, but short enough for the upstream's thread to be joined.
    sources[0].timeout = Duration::from_secs(5);
    let (_board, _, reporter) = board(&sources);
    let pollers = start(&sources, &reporter);
    connections.recv().unwrap();
    assert_eq!(pollers.handles().stats()[0].phase().0, Phase::Polling);
    let started = Instant::now();
    drop(pollers);
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[test]
fn waiting_pollers_are_joined_at_once() {
    let upstream = Upstream::responding(response(1));
    let mut sources = [source("tank", upstream.url("/"))];
    sources[0].interval = Duration::from_secs(3600);
    let (_board, reader, reporter) = board(&sources);
    let pollers = start(&sources, &reporter);
    until(&reader, |snapshot| snapshot.sources[0].state == State::Fresh);
    let stats = pollers.handles().stats()[0].clone();
    drop(pollers);
    // The joined threads have dropped their handles.
    assert_eq!(Arc::strong_count(&stats), 1);
}

#[test]
fn requested_poll_begins_at_once() {
    let upstream = Upstream::responding(response(50));
    let mut source = source("tank", upstream.url("/"));
    source.interval = Duration::from_secs(3600);
    let (_board, reader, reporter) = board(std::slice::from_ref(&source));
    let pollers = start(&[source], &reporter);
    let first = until(&reader, |snapshot| snapshot.sources[0].state == State::Fresh).version;
    let requests = pollers.handles();
    assert_eq!(requests.request_poll("unknown"), None);
    assert!(
        matches!(requests.request_poll("tank"), Some(PollRequest::TooSoon(_))),
        "within the pause after a poll"
    );
    // As if the pause were over.
    pollers.handles().allow_poll_requests();
    assert_eq!(requests.request_poll("tank"), Some(PollRequest::Granted));
    until(&reader, |snapshot| snapshot.version > first);
}

#[test]
fn step_of_the_clock_polls_all_sources_again_within_the_pause_but_not_a_requested_wait() {
    let upstream = Upstream::responding(response(50));
    let busy = Upstream::responding(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n".to_vec());
    let polled_rarely = |name: &str, url: &str| Source {
        interval: Duration::from_secs(3600),
        ..source(name, url.to_owned())
    };
    let [one, busy, two] = [("one", &upstream), ("busy", &busy), ("two", &upstream)]
        .map(|(name, upstream)| polled_rarely(name, &upstream.url("/")));
    let sources = [one, busy, two];
    // The clock is set by a day as soon as the sources have been polled.
    let fake = FakeClock::new(Clock::system().now());
    let (sender, steps) = crossbeam_channel::unbounded();
    let changes = Box::new(move |change| {
        if let Change::ClockStepped(by) = change {
            let _ = sender.send(by);
        }
    });
    let service = ServiceInfo { name: "test", version: "0", started_at: fake.clock().now().wall };
    let started_at = service.started_at;
    let infos = sources.iter().map(SourceInfo::from).collect();
    let (_board, reader, reporter) =
        Board::start_by(fake.clock(), true, infos, Vec::new(), service, changes).unwrap();
    let pollers = start(&sources, &reporter);
    let polls = |at: usize| pollers.handles().stats()[at].durations().count;
    until(&reader, |_| (0..3).all(|source| polls(source) == 1));
    let day = jiff::SignedDuration::from_hours(24);
    fake.set(day);
    assert_eq!(steps.recv_timeout(Duration::from_secs(60)), Ok(day));
    pollers.handles().repoll_all();
    let snapshot = until(&reader, |_| polls(0) == 2 && polls(2) == 2);
    assert_eq!(polls(1), 1, "the upstream asked us to wait");
    assert_eq!(snapshot.service.started_at, started_at + day);
}

#[test]
fn time_in_suspend_counts_until_the_next_poll() {
    let upstream = Upstream::responding(response(50));
    let hourly =
        Source { interval: Duration::from_secs(3600), ..source("tank", upstream.url("/")) };
    let fake = FakeClock::new(Clock::system().now());
    let started_at = fake.clock().now().wall;
    let service = ServiceInfo { name: "test", version: "0", started_at };
    let infos = vec![SourceInfo::from(&hourly)];
    let (_board, reader, reporter) =
        Board::start_by(fake.clock(), true, infos, Vec::new(), service, Box::new(|_| {})).unwrap();
    let pollers = start(&[hourly], &reporter);
    let polls = || pollers.handles().stats()[0].durations().count;
    until(&reader, |snapshot| snapshot.sources[0].next_poll_at.is_some());
    assert_eq!(polls(), 1);
    // Both clocks of the board advance, and those of waits do not. The poller may have begun to wait only now, so
    // it is suspended again until it has noticed.
    until(&reader, |_| {
        fake.advance(Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
        polls() >= 2
    });
}

#[test]
fn sources_of_one_rate_limit_are_polled_apart() {
    let (sender, arrivals) = crossbeam_channel::unbounded();
    let upstream = Upstream::new(move |mut stream| {
        head(&mut stream);
        let _ = sender.send(Instant::now());
        let _ = stream.write_all(&response(50));
    });
    let every = Duration::from_millis(700);
    let limited = |name: &str| Source {
        interval: Duration::from_secs(3600),
        rate_limit: Some(RateLimit { group: Secret::new("key".to_owned()), every }),
        ..source(name, upstream.url("/"))
    };
    let sources = [limited("one"), limited("two"), limited("three")];
    let (_board, _reader, reporter) = board(&sources);
    let started = Instant::now();
    let _pollers = start(&sources, &reporter);
    let times: Vec<Instant> =
        (0..3).map(|_| arrivals.recv_timeout(Duration::from_secs(30)).unwrap()).collect();
    // Two gaps lie between the start and the third request, however late the threads are scheduled.
    assert!(times[2].duration_since(started) >= 2 * every, "{times:?}");
}

#[test]
fn reload_keeps_pollers_of_unchanged_sources() {
    let upstream = Upstream::responding(response(50));
    let named = |name: &str| Source {
        interval: Duration::from_secs(3600),
        ..source(name, upstream.url("/"))
    };
    let (before, mut after) = ([named("same"), named("gone"), named("changed")], Vec::new());
    let (board, reader, reporter) = board(&before);
    let mut pollers = start(&before, &reporter);
    let fresh =
        |snapshot: &Snapshot| snapshot.sources.iter().all(|source| source.state == State::Fresh);
    until(&reader, fresh);
    let stats = pollers.handles().stats();

    after.push(named("new"));
    after.push(Source { timeout: Duration::from_secs(7), ..named("changed") });
    after.push(named("same"));
    board.renew(after.iter().map(SourceInfo::from).collect());
    pollers.renew(fleet(&shared(&after)));
    let handles = pollers.handles();
    until(&reader, |snapshot| snapshot.sources.len() == 3 && fresh(snapshot));
    let names: Vec<String> =
        handles.stats().iter().map(|stats| stats.source().to_owned()).collect();
    assert_eq!(names, ["new", "changed", "same"]);
    assert!(Arc::ptr_eq(&handles.stats()[2], &stats[0]), "the poller of an unchanged source");
    assert!(!Arc::ptr_eq(&handles.stats()[1], &stats[2]), "the poller of a changed source");
    assert_eq!(handles.request_poll("gone"), None);
    // The thread of the removed source drops its handle when it ends.
    let removed = &stats[1];
    let started = Instant::now();
    while Arc::strong_count(removed) > 1 {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "the removed source's poller still runs"
        );
        std::thread::yield_now();
    }
}
