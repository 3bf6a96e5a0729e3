//! `/healthz` of the admin listener: whether each thread still passes through its loop.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::board::BoardReader;
use crate::history::History;
use crate::http::{ACCEPTOR_PULSE, Stats};
use crate::upstream::Roster;

/// Beyond its pulse, how long the acceptor may be silent: a busy machine is no stuck thread.
const ACCEPTOR_BOUND: Duration = ACCEPTOR_PULSE.saturating_add(Duration::from_secs(2));

/// A worker waits for nothing, so a request takes it milliseconds.
const WORKER_BOUND: Duration = Duration::from_secs(30);

/// The board's keeper looks at the clock every half a minute.
const BOARD_BOUND: Duration = Duration::from_secs(90);

/// The recorder looks up each minute; beyond that a write may take its time on a slow disk.
const RECORDER_BOUND: Duration = Duration::from_secs(300);

/// The threads that are watched.
pub struct Health {
    /// The engine's acceptor and workers.
    pub engine: Arc<Stats>,
    /// The board's keeper.
    pub board: BoardReader,
    /// The pollers.
    pub polls: Roster,
    /// The recorder.
    pub history: History,
}

/// A thread that does not pass through its loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// `acceptor`, `worker 3`, `poller tank`.
    pub thread: String,
    /// For how long.
    pub silent: Duration,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} s", self.thread, self.silent.as_secs())
    }
}

impl Health {
    /// The threads that are stuck; empty when all is well.
    pub fn stuck(&self) -> Vec<Stuck> {
        let mut stuck = Vec::new();
        let mut check = |thread: String, silent: Duration, bound: Duration| {
            if silent > bound {
                stuck.push(Stuck { thread, silent });
            }
        };
        check("acceptor".to_owned(), self.engine.acceptor_age(), ACCEPTOR_BOUND);
        for (number, worker) in self.engine.workers().iter().enumerate() {
            if let (_, Some((_, busy))) = worker.look() {
                check(format!("worker {number}"), busy, WORKER_BOUND);
            }
        }
        check("board".to_owned(), self.board.heartbeat_age(), BOARD_BOUND);
        check("recorder".to_owned(), self.history.heartbeat_age(), RECORDER_BOUND);
        let polls = self.polls.stats();
        let pollers = polls.iter().filter(|poll| poll.stuck());
        stuck.extend(pollers.map(|poll| Stuck {
            thread: format!("poller {}", poll.source()),
            silent: poll.heartbeat_age(),
        }));
        stuck
    }
}
