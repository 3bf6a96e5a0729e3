//! Heartbeats of the server's threads, and which threads are stuck: `/healthz` of the admin
//! listener.
//!
//! Each thread stores the time of its latest pass through its loop in an atomic. A thread is stuck
//! if its heartbeat is older than its bound, which allows for the longest pause that the loop
//! makes when all is well. Reading them blocks on no thread. Ages do not count the time before a pause of
//! the process (`kernel::pause`).
//!
//! `/healthz` is what a supervisor restarts the server by, so it counts the threads that a restart repairs. The
//! history's recorder is not among them: it is stuck in a disk, which no restart mends, while visitors are served.
//! The scoreboard, the metrics, `doctor` and the log report it, and the alert `history_failing` fires. Nor does
//! a database that is away count, which a restart does not mend either: the thread that exchanges the leases with it
//! gives up each call at a deadline, and its heartbeat goes on.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::channel_test::{MAX_TEST_WAIT, TEST_ROUTE};
use super::replica::ReplicaReader;
use crate::board::BoardReader;
use crate::engine::{ACCEPTOR_PULSE, Stats};
use crate::history::History;
use crate::kernel::pause;
use crate::upstream::{Phase, PollerHandles};

/// Bound of an acceptor: two seconds beyond its pulse, as the machine may be busy.
const ACCEPTOR_BOUND: Duration = ACCEPTOR_PULSE.saturating_add(Duration::from_secs(2));

/// Bound of a worker, for one connection. A worker never waits for a client, so a request takes
/// it milliseconds, or the time of its handler.
const WORKER_BOUND: Duration = Duration::from_secs(30);

/// Bound of the board's thread, which compares the clocks every two seconds.
const BOARD_BOUND: Duration = Duration::from_secs(90);

/// Bound of the alerts' thread, which reads the clocks every two seconds, and waits for no disk and no network.
const ALERTS_BOUND: Duration = BOARD_BOUND;

/// Bound of the thread of the leases, whose calls of the database have a deadline each: 2 s, and 30 s of those that
/// prepare the schema.
const CLUSTER_BOUND: Duration = BOARD_BOUND;

/// Bound of the history's recorder, which wakes once a minute; a write may be slow.
pub const RECORDER_BOUND: Duration = Duration::from_secs(300);

/// Most pollers that are named as stuck. If the board is stuck, all that poll are.
const MAX_NAMED_POLLERS: usize = 10;

/// Bound of an admin worker, for one connection: its requests use no disk and no network.
const ADMIN_WORKER_BOUND: Duration = Duration::from_secs(10);

/// Bound of the admin worker that waits for the delivery of a test message.
const ADMIN_TEST_BOUND: Duration = MAX_TEST_WAIT.saturating_add(ADMIN_WORKER_BOUND);

/// Returns the time since the latest heartbeat of a thread. Must not block.
pub type HeartbeatAge = Box<dyn Fn() -> Duration + Send + Sync>;

/// Sources of all heartbeats.
pub struct Health {
    /// The public engine: its acceptor and workers.
    pub engine: Arc<Stats>,
    /// The board's thread.
    pub board: BoardReader,
    /// The pollers.
    pub polls: PollerHandles,
    /// The history's recorder.
    pub history: History,
    /// The thread that applies the rules of alerts.
    pub alerts: Option<HeartbeatAge>,
    /// The leases and the database; `None` if this machine is alone.
    pub replica: Option<ReplicaReader>,
    /// The admin engine. It is set once the engine runs, which is after the threads that it
    /// reports on.
    pub admin: OnceLock<Arc<Stats>>,
}

/// Heartbeat of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadHealth {
    /// Name for people: `acceptor`, `worker 3`, `poller tank`.
    pub thread: String,
    /// Time since the latest heartbeat; of a worker, since it took its current connection. It counts from
    /// the latest pause of the process.
    pub age: Duration,
    /// Age beyond which the thread counts as stuck.
    pub bound: Duration,
}

impl ThreadHealth {
    fn new(thread: impl Into<String>, age: Duration, bound: Duration) -> ThreadHealth {
        ThreadHealth { thread: thread.into(), age, bound }
    }
}

/// A thread whose heartbeat is older than its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckThread {
    /// Name, as in [`ThreadHealth::thread`].
    pub thread: String,
    /// Time since its latest heartbeat.
    pub silent: Duration,
}

impl fmt::Display for StuckThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} s", self.thread, self.silent.as_secs())
    }
}

impl Health {
    /// Adds the admin engine to the threads that are reported on.
    pub fn set_admin(&self, engine: Arc<Stats>) {
        // A process has one admin listener; a second call would change nothing.
        let _ = self.admin.set(engine);
    }

    /// Returns the heartbeats of the threads that serve visitors or keep the data they see, and one for each
    /// source: that of its poll in flight, or of the scheduler.
    pub fn threads(&self) -> Vec<ThreadHealth> {
        let mut threads = self.constant_threads();
        threads.push(self.recorder());
        self.polls.for_each_stats(|poll| {
            let name = format!("poller {}", poll.source());
            threads.push(ThreadHealth::new(name, poll.heartbeat_age(), poll.heartbeat_bound()));
        });
        since_pause(threads)
    }

    /// Returns true if one of [`Health::threads`] is late, which after a pause of the process need not mean
    /// that it is stuck.
    pub fn has_late_thread(&self) -> bool {
        let mut threads = self.constant_threads();
        threads.push(self.recorder());
        !stuck(threads).is_empty() || !self.stuck_pollers(|age| age).is_empty()
    }

    /// Returns the heartbeats of the threads whose number does not depend on the sources, but that of the recorder.
    fn constant_threads(&self) -> Vec<ThreadHealth> {
        let mut threads = engine_threads(&self.engine, "", |_| WORKER_BOUND);
        threads.push(ThreadHealth::new("board", self.board.heartbeat_age(), BOARD_BOUND));
        if let Some(age) = &self.alerts {
            threads.push(ThreadHealth::new("alerts", age(), ALERTS_BOUND));
        }
        if let Some(replica) = &self.replica {
            threads.push(ThreadHealth::new("cluster", replica.heartbeat_age(), CLUSTER_BOUND));
        }
        let scheduler = self.polls.scheduler();
        let (age, bound) = (scheduler.heartbeat_age(), scheduler.heartbeat_bound());
        threads.push(ThreadHealth::new("scheduler", age, bound));
        threads
    }

    fn recorder(&self) -> ThreadHealth {
        ThreadHealth::new("recorder", self.history.heartbeat_age(), RECORDER_BOUND)
    }

    /// Returns the pollers that are stuck in a poll, by the age that `sure` returns. Those that wait do so for the
    /// scheduler, which counts once. The watchdog calls this four times a second, so it allocates for stuck ones only.
    fn stuck_pollers(&self, sure: impl Fn(Duration) -> Duration) -> Vec<StuckThread> {
        let (mut stuck, mut further) = (Vec::new(), 0_usize);
        let mut longest = Duration::ZERO;
        self.polls.for_each_stats(|poll| {
            let (phase, time) = poll.phase();
            let silent = if phase == Phase::Polling { sure(time) } else { return };
            if silent <= poll.heartbeat_bound() {
                return;
            }
            if stuck.len() < MAX_NAMED_POLLERS {
                let thread = format!("poller {}", poll.source());
                stuck.push(StuckThread { thread, silent });
            } else {
                (further, longest) = (further + 1, longest.max(silent));
            }
        });
        if further > 0 {
            let thread = format!("{further} further pollers");
            stuck.push(StuckThread { thread, silent: longest });
        }
        stuck
    }

    /// Returns the heartbeats of the admin engine's threads.
    pub fn admin_threads(&self) -> Vec<ThreadHealth> {
        match self.admin.get() {
            Some(engine) => since_pause(engine_threads(engine, "admin ", admin_worker_bound)),
            None => Vec::new(),
        }
    }

    /// Returns the stuck threads among [`Health::threads`].
    pub fn all_stuck(&self) -> Vec<StuckThread> {
        let mut all = self.stuck();
        all.extend(stuck(since_pause(vec![self.recorder()])));
        all
    }

    /// Returns the stuck threads that a restart repairs: all but the recorder.
    pub fn stuck(&self) -> Vec<StuckThread> {
        let mut stuck = stuck(since_pause(self.constant_threads()));
        stuck.extend(self.stuck_pollers(pause::sure));
        stuck
    }

    /// Returns the stuck threads of the admin engine. They are reported apart, and `/healthz`
    /// stays 200: its 503 makes a supervisor restart the process, and visitors are still served.
    pub fn admin_stuck(&self) -> Vec<StuckThread> {
        stuck(self.admin_threads())
    }
}

fn admin_worker_bound(route: &str) -> Duration {
    if route == TEST_ROUTE { ADMIN_TEST_BOUND } else { ADMIN_WORKER_BOUND }
}

/// Returns the heartbeats of an engine's acceptor and workers, with `prefix` before their names. The bound of a
/// worker follows from its route.
fn engine_threads(
    engine: &Stats,
    prefix: &str,
    worker_bound: impl Fn(&str) -> Duration,
) -> Vec<ThreadHealth> {
    let acceptor =
        ThreadHealth::new(format!("{prefix}acceptor"), engine.acceptor_age(), ACCEPTOR_BOUND);
    let workers = engine.workers().iter().enumerate().map(|(number, worker)| {
        let (route, busy) = worker.look().1.unwrap_or_default();
        ThreadHealth::new(format!("{prefix}worker {number}"), busy, worker_bound(route))
    });
    std::iter::once(acceptor).chain(workers).collect()
}

/// Returns the heartbeats with ages that count from the latest pause of the process.
fn since_pause(mut threads: Vec<ThreadHealth>) -> Vec<ThreadHealth> {
    for thread in &mut threads {
        thread.age = pause::sure(thread.age);
    }
    threads
}

fn stuck(threads: Vec<ThreadHealth>) -> Vec<StuckThread> {
    let late = threads.into_iter().filter(|thread| thread.age > thread.bound);
    late.map(|late| StuckThread { thread: late.thread, silent: late.age }).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::admin::fixture::Idle;
    use crate::board::{Board, ServiceInfo};
    use crate::engine::{Engine, Settings};

    #[test]
    fn thread_silent_beyond_its_bound_is_stuck() {
        let seconds = Duration::from_secs;
        let bounds = [
            ("acceptor", ACCEPTOR_BOUND),
            ("worker 0", WORKER_BOUND),
            ("board", BOARD_BOUND),
            ("recorder", RECORDER_BOUND),
            ("scheduler", seconds(15)),
        ];
        let threads = |late: &str| -> Vec<ThreadHealth> {
            let age = |thread, bound| if thread == late { bound + seconds(1) } else { bound };
            bounds
                .map(|(thread, bound)| ThreadHealth::new(thread, age(thread, bound), bound))
                .into()
        };
        assert_eq!(stuck(threads("")), [], "no thread is stuck at its bound");
        for (thread, bound) in bounds {
            let stuck: Vec<String> =
                stuck(threads(thread)).iter().map(ToString::to_string).collect();
            assert_eq!(stuck, [format!("{thread} for {} s", bound.as_secs() + 1)]);
        }
    }

    #[test]
    fn recorder_does_not_count_for_a_restart_and_the_thread_of_the_alerts_does() {
        let service = ServiceInfo { name: "test", version: "0", started_at: Timestamp::now() };
        let (_board, reader, _reporter) =
            Board::start(Vec::new(), Vec::new(), service, Box::new(|_| ())).unwrap();
        let settings = Settings { workers: 1, ..Settings::default() };
        let engine = Engine::start(Vec::new(), settings, None, Arc::new(Idle)).unwrap();
        let late = ALERTS_BOUND + Duration::from_secs(1);
        let health = Health {
            engine: engine.stats(),
            board: reader,
            polls: PollerHandles::default(),
            history: History::off(),
            alerts: Some(Box::new(move || late)),
            replica: Some(ReplicaReader::fixed(Vec::new())),
            admin: OnceLock::new(),
        };
        let names = |threads: Vec<ThreadHealth>| -> Vec<String> {
            threads.into_iter().map(|thread| thread.thread).collect()
        };
        let counted = ["acceptor", "worker 0", "board", "alerts", "cluster", "scheduler"];
        assert_eq!(names(health.constant_threads()), counted);
        assert_eq!(names(health.threads()), [&counted[..], &["recorder"]].concat());
        let stuck = stuck(health.constant_threads());
        assert_eq!(stuck.last().unwrap().to_string(), "alerts for 91 s");

        let store = &health.replica.as_ref().unwrap().store;
        store.fail("no route");
        let names: Vec<String> = health.stuck().into_iter().map(|stuck| stuck.thread).collect();
        assert_eq!(names, ["alerts"], "a restart mends no database that is away");
    }
}
