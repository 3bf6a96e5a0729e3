use super::*;
use crate::board::{ErrorKind, Observed, PollError, Polled, Reading, State, Value};
use crate::kernel::clock::tests::time_point;
use crate::units::Unit;

/// Returns the time `seconds` after an arbitrary start.
fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + seconds).unwrap()
}

/// Returns the time `seconds` after the start by both clocks.
fn m(seconds: i64) -> TimePoint {
    time_point(t(seconds), seconds)
}

fn service() -> ServiceInfo {
    ServiceInfo { name: "pumphouse-web", version: "0.1.0", started_at: t(0) }
}

fn info() -> SourceInfo {
    let stale_after = Duration::from_secs(600);
    SourceInfo { title: "Cistern".into(), stale_after, ..SourceInfo::example("tank") }
}

fn message(at: i64, observed: Timestamp) -> Option<Message> {
    Some(Message::Report(good(m(at), observed)))
}

fn message_at(at: TimePoint) -> Option<Message> {
    Some(Message::Report(good(at, at.wall)))
}

fn good(at: TimePoint, observed: Timestamp) -> Report {
    Report {
        source: "tank".into(),
        at,
        outcome: Ok(Polled::Reading(Reading {
            observed: Observed::absolute(observed),
            values: vec![("level".into(), Value::number(84.6, Unit::Percent))],
        })),
        next_poll_at: at.wall,
    }
}

/// Returns a publisher without a thread, and its reader.
fn publisher() -> (Publisher, BoardReader) {
    let mut sources = Sources::new(vec![info()], true, m(0));
    let published = Arc::new(Published {
        snapshot: ArcSwap::from_pointee(snapshot(1, &service(), &mut sources, m(0))),
        heartbeat: Heartbeat::new(),
        followers: Mutex::default(),
    });
    let publisher = Publisher {
        sources,
        service: service(),
        version: 1,
        published: published.clone(),
        clock: Clock::system(),
        messages: crossbeam_channel::never(),
        stopped: crossbeam_channel::never(),
        changes: Box::new(|_| {}),
    };
    (publisher, BoardReader(published))
}

/// Waits until the snapshot satisfies `wanted`; panics after 30 s.
fn until(reader: &BoardReader, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let started = std::time::Instant::now();
    loop {
        let snapshot = reader.load();
        if wanted(&snapshot) {
            return snapshot;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{snapshot:?}");
        std::thread::yield_now();
    }
}

fn published(reader: &BoardReader, version: u64) -> Arc<Snapshot> {
    until(reader, |snapshot| snapshot.version >= version)
}

#[test]
fn snapshot_is_published_on_each_change_only() {
    let (mut publisher, reader) = publisher();
    publisher.step(None, m(10));
    assert_eq!(reader.load().version, 1);
    publisher.step(message(20, t(0)), m(20));
    let fresh = reader.load();
    assert_eq!((fresh.version, fresh.sources[0].state), (2, State::Fresh));
    publisher.step(None, m(599));
    assert_eq!(reader.load().version, 2);
    publisher.step(None, m(600));
    let stale = reader.load();
    assert_eq!((stale.version, stale.sources[0].state), (3, State::Stale));
    assert_eq!((fresh.next_due, stale.next_due), (Some(t(600)), None));
    assert_eq!((stale.sources[0].version, stale.published_at), (3, t(600)));
}

#[test]
fn times_corrected_after_a_step_of_the_clock_are_published() {
    let (mut publisher, reader) = publisher();
    publisher.step(message(20, t(0)), m(20));
    publisher.step(None, time_point(t(-5000), 30));
    let snapshot = reader.load();
    let last = snapshot.sources[0].reading.as_ref().unwrap();
    assert_eq!((snapshot.version, last.fetched_at), (3, t(-5010)));
    publisher.step(None, time_point(t(-4999), 31));
    assert_eq!(reader.load().version, 3);
}

#[test]
fn start_of_the_process_moves_with_the_clock() {
    let (mut publisher, reader) = publisher();
    for (wall, boot, started_at) in [(100, 100, 0), (7200, 200, 7000), (300, 300, 0)] {
        publisher.step(message_at(time_point(t(wall), boot)), time_point(t(wall), boot));
        assert_eq!(reader.load().service.started_at, t(started_at));
    }
}

#[test]
fn wait_lasts_until_the_next_expiry_and_at_most_2_s() {
    for (expiry, wanted) in [
        (None, MAX_WAIT),
        (Some(t(1)), Duration::from_secs(1)),
        (Some(t(3600)), MAX_WAIT),
        (Some(t(0)), MIN_WAIT),
        (Some(t(-50)), MIN_WAIT),
    ] {
        assert_eq!(wait(expiry, t(0)), wanted);
    }
}

#[test]
fn report_is_published_and_stays_after_the_thread_has_ended() {
    let (board, reader, reporter) =
        Board::start(vec![info()], Vec::new(), service(), Box::new(|_| {})).unwrap();
    assert_eq!(reader.load().sources[0].state, State::Waiting);
    let now = reporter.now();
    assert!(reporter.send(good(now, now.wall)));
    assert_eq!(published(&reader, 2).sources[0].state, State::Fresh);
    let error = Err(PollError::new(ErrorKind::Timeout, "late"));
    assert!(reporter.send(Report { outcome: error, ..good(now, now.wall) }));
    let failing = published(&reader, 3);
    assert_eq!(failing.sources[0].error.as_ref().unwrap().kind, ErrorKind::Timeout);
    assert_eq!(failing.sources[0].values().count(), 1);
    drop(board);
    assert!(!reporter.send(good(now, now.wall)), "the thread has ended");
    assert_eq!(reader.load().version, 3, "the last snapshot stays");
}

#[test]
fn reading_turns_stale_without_a_report_or_a_reporter() {
    let (_board, reader, reporter) =
        Board::start(vec![info()], Vec::new(), service(), Box::new(|_| {})).unwrap();
    let now = reporter.now();
    // Turns stale a second or less from now: 600 s after the observation.
    let observed = now.wall.checked_sub(Duration::from_secs(599)).unwrap();
    assert!(reporter.send(good(now, observed)));
    drop(reporter);
    until(&reader, |snapshot| snapshot.sources[0].state == State::Stale);
}

#[test]
fn follower_has_one_message_however_many_snapshots_were_published() {
    let (mut publisher, reader) = publisher();
    let (slow, gone) = (reader.follow(), reader.follow());
    drop(gone);
    for at in 20..40 {
        publisher.step(message(at, t(at)), m(at));
    }
    assert_eq!(slow.try_iter().count(), 1);
    assert_eq!(reader.0.followers().len(), 1, "the one that is gone is forgotten");
    publisher.step(None, m(41));
    assert!(slow.is_empty(), "nothing has changed");
    publisher.step(message(50, t(50)), m(50));
    assert_eq!(slow.try_iter().count(), 1);
}
