//! A replica whose pollers a test plays, with a board, a thread and a database that are real.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::super::plans::plan;
use crate::access::{Gate, Rules};
use crate::board::{
    Board, BoardReader, Followed, Observed, Polled, Reading, Report, Reporter, ServiceInfo,
    SourceInfo, Value,
};
use crate::cluster::thread::prepare;
use crate::cluster::*;
use crate::data_lock::DataLock;
use crate::kernel::clock::Clock;
use crate::postgres::{Target, fixture::AMPLE};
use crate::store::Access;
use crate::units::Unit;
use crate::wall_clock;

/// Short ones, so that a lost replica is replaced soon.
pub(super) const TERMS: Terms = Terms {
    ttl: Duration::from_secs(3),
    margin: Duration::from_secs(1),
    release_wait: Duration::from_secs(3),
    grace: Duration::from_secs(1),
    read_all: Duration::from_secs(5),
};

/// Calls of the thread to its pollers.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Sources that are polled, with the time of the next poll that was stated.
    pub(super) held: BTreeMap<Arc<str>, Option<Duration>>,
    pub(super) requested: Vec<Arc<str>>,
    pub(super) elsewhere: BTreeMap<Arc<str>, (Duration, Duration)>,
}

pub(super) struct Replica {
    pub(super) board: BoardReader,
    pub(super) reader: ClusterReader,
    pub(super) sender: ClusterSender,
    pub(super) permit: Permit,
    pub(super) access: Access,
    calls: Arc<Mutex<Calls>>,
    reporter: Reporter,
    // Declared before the board, to which it sends.
    _thread: ClusterThread,
    _board: Board,
}

struct Outputs {
    calls: Arc<Mutex<Calls>>,
    reporter: Reporter,
    released: Sender<Arc<str>>,
    flushed: Sender<Arc<str>>,
}

impl Replica {
    /// Starts a replica. The file of held sources is in `folder`.
    pub(super) fn start(name: &str, number: u8, target: Target, folder: &Path) -> Replica {
        let instance = InstanceId::from_bytes([number; 16]);
        let plan = plan("");
        let infos = plan.hashes().into_iter().map(|(source, _)| SourceInfo::example(&source));
        let service = ServiceInfo { name: "test", version: "1", started_at: Timestamp::UNIX_EPOCH };
        let (board, reader, reporter) =
            Board::start_replica(infos.collect(), Vec::new(), service, Box::new(|_| ())).unwrap();
        let prepared = prepare(&name.into());
        let calls = Arc::new(Mutex::new(Calls::default()));
        let outputs = Outputs {
            calls: Arc::clone(&calls),
            reporter: reporter.clone(),
            released: prepared.released(),
            flushed: prepared.flushed(),
        };
        let lock = DataLock::of_database(&folder.join("spool.db"));
        lock.claim();
        let held = HeldFile::start(Some(folder.join("held.json")), Arc::new(lock)).unwrap();
        let identity = instance.to_string().into();
        let access = Access::of_replica(target, identity, name.into(), &TimeZone::UTC).unwrap();
        let cluster = Cluster::new(name.into(), instance, plan, TERMS);
        let (views, sender, permit) = (prepared.reader(), prepared.sender(), prepared.permit());
        let (shown, clock) = (reader.clone(), Clock::system());
        let gate = Arc::new(Gate::new(Rules::default()).unwrap());
        let outputs = Box::new(outputs);
        let around =
            Surroundings { access: access.clone(), board: shown, clock, outputs, held, gate };
        let thread = prepared.start(cluster, around).unwrap();
        Replica {
            board: reader,
            reader: views,
            sender,
            permit,
            access,
            calls,
            reporter,
            _thread: thread,
            _board: board,
        }
    }

    /// Returns the calls so far. While the guard lives, the thread is parked at its next call.
    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap()
    }

    /// Returns the names of the sources that are polled.
    pub(super) fn held(&self) -> Vec<Arc<str>> {
        self.calls().held.keys().cloned().collect()
    }

    /// Returns true if a poll may start now.
    pub(super) fn may_poll(&self) -> bool {
        self.permit.allows(Clock::system().now().boot)
    }

    /// Reports a poll of a source.
    pub(super) fn poll(&self, source: &str, level: f64) {
        let at = self.reporter.now();
        let reading = Reading {
            observed: Observed::absolute(at.wall),
            values: vec![("level".into(), Value::number(level, Unit::Percent))],
        };
        let next_poll_at = at.wall + Span::new().minutes(5);
        let outcome = Ok(Polled::Reading(reading));
        assert!(self.reporter.send(Report { source: source.into(), at, outcome, next_poll_at }));
    }

    /// Returns the level of a source as this replica shows it.
    pub(super) fn level(&self, source: &str) -> Option<String> {
        let snapshot = self.board.load();
        let level = snapshot.sources.get(source)?.value("level")?.datum.clone();
        level.map(|level| format!("{level:?}"))
    }
}

impl crate::cluster::Outputs for Outputs {
    fn hold(&mut self, source: &Arc<str>, _epoch: i64, next_poll: Option<Duration>) {
        self.reporter.hold(vec![source.clone()]);
        self.calls.lock().unwrap().held.insert(source.clone(), next_poll);
    }

    fn release(&mut self, source: &Arc<str>) {
        self.calls.lock().unwrap().held.remove(source);
        self.released.send(source.clone()).unwrap();
        self.flushed.send(source.clone()).unwrap();
    }

    fn epoch(&mut self, _source: &Arc<str>, _epoch: i64) {}

    fn lose(&mut self, source: &Arc<str>) {
        self.calls.lock().unwrap().held.remove(source);
        self.released.send(source.clone()).unwrap();
    }

    fn replicas(&mut self, _live: &[crate::cluster::ReplicaName]) {}

    fn follow_source(&mut self, source: &Arc<str>) {
        self.reporter.release(vec![source.clone()]);
    }

    fn poll(&mut self, source: &Arc<str>) {
        self.calls.lock().unwrap().requested.push(source.clone());
    }

    fn follow(&mut self, states: Vec<Followed>) {
        self.reporter.follow(states);
    }

    fn polled_elsewhere(&mut self, source: &str, age: Duration, wait: Duration) {
        self.calls.lock().unwrap().elsewhere.insert(source.into(), (age, wait));
    }
}

/// Waits until a condition is true.
pub(super) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < AMPLE, "not after {AMPLE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the time to `at` by the clock of all replicas.
pub(super) fn until(at: Duration) -> Duration {
    at.saturating_sub(Clock::system().now().boot)
}

/// Returns a time this long ago, in whole seconds since 1970.
pub(super) fn seconds_ago(seconds: i64) -> i64 {
    wall_clock::of_machine().as_second() - seconds
}
