//! Many sources: hung upstreams, refused threads and descriptors, reloads while polls are in flight.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::fake::head;
use super::polling::{board, fleet, response, shared, source, start_with, until};
use crate::board::{ErrorKind, Reporter, Snapshot, SourceView, State};
use crate::config::Source;
use crate::outbound::{ThreadedResolver, tls};
use crate::upstream::crew::{CORE_POLLERS, Spawn, system_threads};
use crate::upstream::pollers::Parts;
use crate::upstream::{
    Fleet, KeptReadings, MaxPolls, Outcome, Phase, PollRequest, PollStats, Pollers, kind,
};

const AMPLE: Duration = Duration::from_secs(60);

/// A server at every loopback address. It answers paths that begin with `/well`, and holds all other connections.
struct Everywhere {
    address: SocketAddr,
    /// Connections that it holds, by path, with the number of all for each.
    held: Arc<Mutex<HashMap<String, Vec<TcpStream>>>>,
}

impl Everywhere {
    fn start() -> Everywhere {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let (address, held) = (listener.local_addr().unwrap(), Arc::default());
        let server = Everywhere { address, held };
        let held = Arc::clone(&server.held);
        // It ends with the process of the tests.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let head = head(&mut stream);
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                if path.starts_with("/well") {
                    let _ = stream.write_all(&response(50));
                } else {
                    held.lock().unwrap().entry(path).or_default().push(stream);
                }
            }
        });
        server
    }

    /// Returns a source with an address of its own, so that it is not paced with others.
    fn source(&self, name: &str, number: usize) -> Source {
        let (high, low, port) = (number / 250, number % 250 + 1, self.address.port());
        source(name, format!("http://127.0.{high}.{low}:{port}/{name}"))
    }

    /// Returns the number of connections for each held path.
    fn connections(&self) -> HashMap<String, usize> {
        let held = self.held.lock().unwrap();
        held.iter().map(|(path, streams)| (path.clone(), streams.len())).collect()
    }
}

fn start(sources: &[Arc<Source>], reporter: &Reporter, spawn: Spawn) -> Pollers {
    start_with(sources, reporter, kind::request, spawn)
}

fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < AMPLE, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn error_kind(source: &SourceView) -> Option<ErrorKind> {
    source.error.as_ref().map(|error| error.kind)
}

#[test]
fn two_hundred_hung_sources_are_each_polled_on_schedule_and_delay_no_other() {
    const HUNG: usize = 200;
    let server = Everywhere::start();
    let sources = (0..HUNG + 50).map(|number| {
        let (name, seconds) = match number < HUNG {
            true => (format!("hung_{number}"), 3),
            false => (format!("well_{number}"), 1),
        };
        Source {
            interval: Duration::from_secs(seconds),
            timeout: Duration::from_secs(2),
            ..server.source(&name, number)
        }
    });
    let sources: Vec<Source> = sources.collect();
    let (_board, reader, reporter) = board(&sources);
    let pollers = start(&shared(&sources), &reporter, system_threads());
    let stats = pollers.handles().stats();
    let timeouts = |stats: &Arc<PollStats>| stats.count(Outcome::Failed(ErrorKind::Timeout));
    let mut most_threads = 0;
    eventually("each has hung three times", || {
        most_threads = most_threads.max(pollers.handles().scheduler().threads().0);
        stats[..HUNG].iter().all(|stats| timeouts(stats) >= 3)
    });
    // As many polls are in flight as hang at a time.
    assert!(most_threads > HUNG / 3, "{most_threads}");
    let polls = |stats: &Arc<PollStats>| stats.durations().count;
    let hung = stats[..HUNG].iter().map(polls).max().unwrap();
    for well in &stats[HUNG..] {
        // Three times as many are due. One may still be in flight, and the machine may be busy.
        assert!(polls(well) > hung, "{}: {} and {hung}", well.source(), polls(well));
        assert_eq!(polls(well), well.count(Outcome::Ok));
    }
    // One poll of a source in flight: each connection that is held belongs to an ended poll or to the current.
    for stats in &stats[..HUNG] {
        let connections = server.connections().get(&format!("/{}", stats.source())).copied();
        assert!(connections.unwrap_or_default() as u64 <= polls(stats) + 1);
    }
    assert!(reader.load().sources.iter().all(|source| match source.name.starts_with("well") {
        true => source.state == State::Fresh,
        false => error_kind(source) == Some(ErrorKind::Timeout),
    }));
}

/// Creates threads of the system, up to those that always exist.
fn core_threads_only() -> Spawn {
    let (system, made) = (system_threads(), AtomicUsize::new(0));
    Box::new(move |name, body| match made.fetch_add(1, Ordering::SeqCst) < CORE_POLLERS {
        true => system(name, body),
        false => Err(io::Error::from_raw_os_error(11)),
    })
}

#[test]
fn refused_thread_is_an_error_of_that_poll_and_delays_no_other() {
    let server = Everywhere::start();
    let rarely = |source| Source { interval: Duration::from_secs(3600), ..source };
    let hung = (0..CORE_POLLERS).map(|number| {
        let timeout = Duration::from_secs(3);
        Source { timeout, ..rarely(server.source(&format!("hung_{number}"), number)) }
    });
    let well = Source { interval: Duration::from_secs(1), ..server.source("well", 90) };
    let sources: Vec<Source> = hung.chain([well]).collect();
    let (_board, reader, reporter) = board(&sources);
    let pollers = start(&shared(&sources), &reporter, core_threads_only());
    let well = |snapshot: &Snapshot| snapshot.sources[CORE_POLLERS].clone();
    let failed = until(&reader, |snapshot| well(snapshot).error.is_some());
    let failure = well(&failed).error.clone().unwrap();
    assert_eq!(failure.kind, ErrorKind::Resources);
    for part in ["cannot create a thread for the poll", "ulimit -u", "TasksMax="] {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    // The others hang on, and the source is polled as soon as a thread is free.
    let handles = pollers.handles();
    assert_eq!(handles.scheduler().threads().0, CORE_POLLERS);
    until(&reader, |snapshot| well(snapshot).state == State::Fresh);
    let stats = handles.stats();
    assert!(stats[CORE_POLLERS].count(Outcome::Failed(ErrorKind::Resources)) >= 1);
    for hung in &stats[..CORE_POLLERS] {
        eventually("it has hung once", || hung.count(Outcome::Failed(ErrorKind::Timeout)) == 1);
    }
}

#[test]
fn poll_beyond_the_share_of_descriptors_fails_and_names_the_limit() {
    let server = Everywhere::start();
    let rarely = |source| Source { interval: Duration::from_secs(3600), ..source };
    let sources = shared(&[
        rarely(server.source("hung", 0)),
        Source { interval: Duration::from_secs(1), ..server.source("well", 1) },
    ]);
    let (_board, reader, reporter) = board(&[(*sources[0]).clone(), (*sources[1]).clone()]);
    let mut pollers = start(&[], &reporter, system_threads());
    let mut renew = |sources, max_polls| pollers.renew(Fleet { max_polls, ..fleet(sources) });
    let one = MaxPolls { count: 1, ..MaxPolls::UNLIMITED };
    // The one that hangs is polled first.
    renew(&sources[..1], one);
    eventually("it is in flight", || !server.connections().is_empty());
    renew(&sources, one);
    let failed = until(&reader, |snapshot| snapshot.sources[1].error.is_some());
    let failure = failed.sources[1].error.clone().unwrap();
    assert_eq!(failure.kind, ErrorKind::Resources);
    for part in ["1 polls are in flight", "RLIMIT_NOFILE", "ulimit -n", "LimitNOFILE="] {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    renew(&sources, MaxPolls::UNLIMITED);
    until(&reader, |snapshot| snapshot.sources[1].state == State::Fresh);
}

#[test]
fn reload_that_changes_one_source_leaves_the_polls_of_the_others_alone() {
    const CHANGED: usize = 7;
    let server = Everywhere::start();
    let sources = (0..300).map(|number| Source {
        interval: Duration::from_secs(864_000),
        timeout: Duration::from_secs(600),
        ..server.source(&format!("hung_{number}"), number)
    });
    let mut sources: Vec<Source> = sources.collect();
    let (board, reader, reporter) = board(&sources);
    let mut pollers = start(&shared(&sources), &reporter, system_threads());
    let before = pollers.handles().stats();
    eventually("all are in flight", || server.connections().len() == 300);
    assert!(before.iter().all(|stats| stats.phase().0 == Phase::Polling));

    sources[CHANGED].timeout = Duration::from_secs(601);
    board.renew(sources.iter().map(crate::board::SourceInfo::from).collect());
    pollers.renew(fleet(&shared(&sources)));
    let after = pollers.handles().stats();
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(Arc::ptr_eq(before, after), number != CHANGED, "{number}");
    }
    // The poll of the earlier configuration is in flight, so the source waits for its end.
    assert_eq!(after[CHANGED].phase().0, Phase::Waiting);
    let path = format!("/hung_{CHANGED}");
    let answer = |level| {
        let mut held = server.held.lock().unwrap();
        held.get_mut(&path).unwrap().pop().unwrap().write_all(&response(level)).unwrap();
    };
    answer(1);
    eventually("it is polled again", || {
        before[CHANGED].phase().0 == Phase::Waiting && server.connections()[&path] == 1
    });
    assert_eq!(reader.load().sources[CHANGED].state, State::Waiting, "that report is dropped");
    answer(2);
    until(&reader, |snapshot| snapshot.sources[CHANGED].state == State::Fresh);
    for (number, stats) in after.iter().enumerate().filter(|(number, _)| *number != CHANGED) {
        assert_eq!((stats.phase().0, stats.durations().count), (Phase::Polling, 0), "{number}");
    }
    assert!(server.connections().iter().all(|(held, count)| *held == path || *count == 1));

    let started = Instant::now();
    drop(pollers);
    assert!(started.elapsed() < AMPLE, "far less than a poll");
}

#[test]
fn response_to_a_source_that_a_reload_changes_is_dropped_before_the_board_has_the_new_one() {
    let server = Everywhere::start();
    let slow = |name: &str, number| Source {
        interval: Duration::from_secs(864_000),
        timeout: Duration::from_secs(600),
        ..server.source(name, number)
    };
    let mut sources = vec![slow("hung_0", 0), slow("hung_1", 1), slow("hung_2", 2)];
    let (_board, reader, reporter) = board(&sources);
    let pollers = start(&shared(&sources), &reporter, system_threads());
    eventually("all are in flight", || server.connections().len() == 3);
    // The first is changed, and the second removed.
    sources.remove(1);
    sources[0].timeout = Duration::from_secs(601);
    pollers.retire_changed(fleet(&shared(&sources)));
    for name in ["/hung_0", "/hung_1", "/hung_2"] {
        let mut held = server.held.lock().unwrap();
        held.get_mut(name).unwrap().pop().unwrap().write_all(&response(50)).unwrap();
    }
    let stats = pollers.handles().stats();
    eventually("all polls end", || stats.iter().all(|stats| stats.durations().count == 1));
    let after = until(&reader, |snapshot| snapshot.sources[2].state == State::Fresh);
    drop(pollers);
    for snapshot in [&after, &reader.load()] {
        assert!(snapshot.sources.iter().take(2).all(|source| source.state == State::Waiting));
    }
}

#[test]
fn source_whose_kept_reading_stays_fresh_waits_for_its_slot() {
    let server = Everywhere::start();
    let names = ["well_kept", "well_ages", "well_new"];
    let sources: Vec<Source> = names
        .iter()
        .zip(0..)
        .map(|(name, number)| Source {
            interval: Duration::from_secs(100 * 86_400),
            ..server.source(name, number)
        })
        .collect();
    let (_board, _reader, reporter) = board(&sources);
    let now = reporter.now().wall;
    let day = jiff::SignedDuration::from_hours(24);
    // One stays fresh until its slot, whenever that is, and the other does not.
    let kept = KeptReadings::from([
        (names[0].into(), now + day * 1000),
        (names[1].into(), now + jiff::SignedDuration::from_secs(1)),
    ]);
    let parts = Parts {
        system_tls: tls::trusting(&[]),
        no_tls: tls::trusting(&[]),
        resolver: ThreadedResolver::system(),
        request: kind::request,
    };
    let sources = shared(&sources);
    let pollers =
        Pollers::start_with(fleet(&sources), &kept, &reporter, parts, system_threads(), None)
            .unwrap();
    let stats = pollers.handles().stats();
    let polls = |at: usize| stats[at].durations().count;
    eventually("the others are polled", || polls(1) == 1 && polls(2) == 1);
    assert_eq!(polls(0), 0);
}

#[test]
fn many_requests_for_a_poll_cost_one_poll() {
    let server = Everywhere::start();
    let hung = Source {
        interval: Duration::from_secs(3600),
        timeout: Duration::from_secs(2),
        ..server.source("hung", 0)
    };
    let sources = [hung, server.source("well", 1)];
    let (_board, _reader, reporter) = board(&sources);
    let pollers = start(&shared(&sources), &reporter, system_threads());
    let handles = pollers.handles();
    let stats = handles.stats();
    eventually("it is polled", || stats[0].phase().0 == Phase::Polling);
    let (mut granted, before) = (0, stats[1].durations().count);
    while stats[0].durations().count == 0 {
        granted += u32::from(handles.request_poll("hung") == Some(PollRequest::Granted));
    }
    assert!(granted > 1000, "{granted}");
    // The scheduler is not delayed by them, and the poll in flight satisfies them.
    let after = stats[1].durations().count;
    assert!(after > before, "{after}");
    eventually("the other is polled on", || stats[1].durations().count > after + 5);
    // One more is in flight if a request came between the end of the poll and its report.
    assert_eq!(stats[0].durations().count, 1);
}
