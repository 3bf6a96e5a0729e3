//! Tests of the saved readings: what is restored, what is written and how often.

use super::*;
use crate::board::{
    Board, ErrorKind, Followed, Observed, PollError, Polled, Reading, Report, ServiceInfo,
    SharedState, SourceInfo, State, Value, shared_state,
};
use crate::kernel::clock::Clock;
use crate::units::Unit;
use jiff::SignedDuration;

fn unlocked() -> Arc<DataLock> {
    Arc::new(DataLock::none())
}

fn info() -> SourceInfo {
    let stale_after = Duration::from_secs(900);
    SourceInfo { title: "Cistern".into(), stale_after, ..SourceInfo::example("tank") }
}

fn start(saved: Vec<SavedReading>) -> (Board, BoardReader, crate::board::Reporter) {
    let service = ServiceInfo { name: "x", version: "0", started_at: Timestamp::UNIX_EPOCH };
    Board::start(vec![info()], saved, service, Box::new(|_| {})).unwrap()
}

fn report(level: f64, observed: Timestamp) -> Report {
    let at = Clock::system().now();
    Report {
        source: "tank".into(),
        at,
        outcome: Ok(Polled::Reading(Reading {
            observed: Observed::absolute(observed),
            values: vec![
                ("level".into(), Value::number(level, Unit::Percent)),
                ("state".into(), Value::text("on")),
                ("depth".into(), Value::missing(Some(Unit::Inch), "sent as null")),
            ],
        })),
        next_poll_at: at.wall,
    }
}

/// Returns the state of a thread that has written nothing yet.
fn saver(path: &std::path::Path, board: &BoardReader) -> SaverThread {
    SaverThread::new(path.to_owned(), unlocked(), board.clone())
}

#[test]
fn readings_are_restored_with_their_true_ages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.last.json");
    assert!(load(&path, &DataLock::none()).is_empty(), "nothing was saved yet");
    let hours_ago = Timestamp::from_second(Timestamp::now().as_second() - 7200).unwrap();
    let values = {
        let (_board, reader, reporter) = start(load(&path, &DataLock::none()));
        let saver = Saver::start(path.clone(), unlocked(), reader.clone()).unwrap();
        assert!(reporter.send(report(84.6, hours_ago)));
        while reader.load().version < 2 {
            std::thread::yield_now();
        }
        drop(saver);
        reader.load().sources[0].values().cloned().collect::<Vec<_>>()
    };
    let saved = load(&path, &DataLock::none());
    assert!(saved[0].stale, "saved as stale, so that the event is not repeated");
    let (_board, reader, _reporter) = start(saved);
    let snapshot = reader.load();
    let source = &snapshot.sources[0];
    assert_eq!(source.state, State::Stale, "before the first poll");
    assert_eq!(source.values().cloned().collect::<Vec<_>>(), values);
    let reading = source.reading.as_ref().unwrap();
    assert_eq!(reading.observed, Observed::absolute(hours_ago));
    assert!(reading.fetched_at > hours_ago);
}

#[test]
fn new_stamp_in_the_future_is_urgent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.last.json");
    let (_board, reader, reporter) = start(Vec::new());
    let mut saver = saver(&path, &reader);
    let now = Timestamp::now();
    let mut version = 1;
    for (ahead, is_urgent) in [(0, false), (3600, true), (3660, true), (3660, false), (7200, true)]
    {
        assert!(reporter.send(report(50.0, now + SignedDuration::from_secs(ahead))));
        version += 1;
        while reader.load().version < version {
            std::thread::yield_now();
        }
        let snapshot = reader.load();
        saver.search(&snapshot);
        assert_eq!(saver.is_urgent, is_urgent, "{ahead}");
        saver.save(&snapshot);
        assert_eq!(saver.saved, snapshot.version);
        let first_seen = load(&path, &DataLock::none()).remove(0).received.sighting.first_seen;
        assert!(first_seen >= now - SignedDuration::from_secs(1), "{ahead}");
    }
}

#[test]
fn damaged_file_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.last.json");
    std::fs::write(&path, "garbage").unwrap();
    assert!(load(&path, &DataLock::none()).is_empty());
    assert!(!path.exists());
    let aside = folder.path().join("x.last.json.damaged");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "garbage");
}

#[test]
fn write_that_failed_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("x.last.json");
    let (_board, reader, reporter) = start(Vec::new());
    assert!(reporter.send(report(50.0, Timestamp::now())));
    while reader.load().version < 2 {
        std::thread::yield_now();
    }
    let mut saver = saver(&path, &reader);
    let snapshot = reader.load();
    assert!(saver.save(&snapshot));
    assert_eq!(saver.saved, 0);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    assert!(saver.save(&snapshot));
    assert_eq!((saver.saved, load(&path, &DataLock::none()).len()), (2, 1));
}

#[test]
fn snapshots_without_a_new_reading_are_compared_with_the_file_once_an_interval() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.last.json");
    let (_board, reader, reporter) = start(Vec::new());
    let mut saver = saver(&path, &reader);
    assert!(!saver.save(&reader.load()), "the first reading is saved at once");
    let now = Timestamp::now();
    let failed = || Report {
        outcome: Err(PollError::new(ErrorKind::Timeout, "it failed")),
        ..report(50.0, now)
    };
    for (report, version) in [(report(50.0, now), 2), (failed(), 3), (failed(), 4)] {
        assert!(reporter.send(report));
        while reader.load().version < version {
            std::thread::yield_now();
        }
        assert!(saver.save(&reader.load()));
        assert_eq!(saver.saved, version);
        // Only the first one is written.
        assert_eq!(path.exists(), version == 2);
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn large_file_is_written_less_often() {
    let folder = tempfile::tempdir().unwrap();
    let (_board, reader, _) = start(Vec::new());
    let mut saver = saver(&folder.path().join("x.last.json"), &reader);
    const MIB: u64 = 1 << 20;
    for (size, is_urgent, seconds) in [
        (0, false, 60),
        (MIB, false, 60),
        (6 * MIB, false, 192),
        (0, true, 5),
        (MIB, true, 5),
        (6 * MIB, true, 24),
    ] {
        (saver.written, saver.is_urgent) = (Some((size, 0)), is_urgent);
        assert_eq!(saver.interval().as_secs(), seconds, "{size} {is_urgent}");
    }
}

#[test]
fn file_that_cannot_be_written_does_not_stop_the_board() {
    let (_board, reader, reporter) = start(Vec::new());
    let saver = Saver::start("/proc/nowhere/x.json".into(), unlocked(), reader.clone()).unwrap();
    assert!(reporter.send(report(1.0, Timestamp::now())));
    while reader.load().version < 2 {
        std::thread::yield_now();
    }
    drop(saver);
}

#[test]
fn reading_of_another_replica_is_saved_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.last.json");
    let service = || ServiceInfo { name: "x", version: "0", started_at: Timestamp::UNIX_EPOCH };
    let replica =
        |saved| Board::start_replica(vec![info()], saved, service(), Box::new(|_| {})).unwrap();
    let hours_ago = Timestamp::from_second(Timestamp::now().as_second() - 7200).unwrap();
    // Its holder ended before it announced that the reading is stale.
    let (_holder, holder, reporter) = start(Vec::new());
    assert!(reporter.send(report(84.6, hours_ago)));
    while holder.load().version < 2 {
        std::thread::yield_now();
    }
    let mut state =
        SharedState::from_json("tank", &shared_state(&holder.load().sources[0])).unwrap();
    state.reading.as_mut().unwrap().stale = false;
    let (_board, reader, reporter) = replica(Vec::new());
    assert!(reporter.follow(vec![Followed { instance: 1, version: 1, state }]));
    while reader.load().version < 2 {
        std::thread::yield_now();
    }
    let snapshot = reader.load();
    assert!(saver(&path, &reader).save(&snapshot));
    let saved = load(&path, &DataLock::none());
    assert!(!saved[0].stale, "no replica has announced it");
    let (_board, reader, reporter) = replica(saved);
    let restarted = reader.load();
    let (before, after) = (&snapshot.sources[0], &restarted.sources[0]);
    assert_eq!((before.state, after.state), (State::Stale, State::Stale));
    assert_eq!(before.values().collect::<Vec<_>>(), after.values().collect::<Vec<_>>());
    assert!(!after.is_held && !after.is_stale_announced);
    assert!(reporter.hold(vec!["tank".into()]));
    while reader.load().version < 2 {
        std::thread::yield_now();
    }
    let held = reader.load();
    assert!(held.sources[0].is_held && held.sources[0].is_stale_announced);
}
