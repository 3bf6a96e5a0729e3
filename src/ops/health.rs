//! `/healthz` of the admin listener: whether each thread still passes through its loop.

use std::sync::Arc;
use std::time::Duration;

use crate::board::BoardReader;
use crate::history::History;
use crate::http::{ACCEPTOR_PULSE, Stats};
use crate::upstream::PollStats;

/// Beyond its pulse, how long the acceptor may be silent: a busy machine is no stuck thread.
const ACCEPTOR_BOUND: Duration = ACCEPTOR_PULSE.saturating_add(Duration::from_secs(9));

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
    /// The pollers, in the order of the configuration.
    pub polls: Vec<Arc<PollStats>>,
    /// The recorder.
    pub history: History,
}

impl Health {
    /// The threads that are stuck, each with for how long; empty when all is well.
    pub fn stuck(&self) -> Vec<String> {
        let mut stuck = Vec::new();
        let mut check = |name: String, silent: Duration, bound: Duration| {
            if silent > bound {
                stuck.push(format!("{name} for {} s", silent.as_secs()));
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
        let pollers = self.polls.iter().filter(|poll| poll.stuck());
        stuck.extend(pollers.map(|poll| {
            format!("poller {} for {} s", poll.source(), poll.heartbeat_age().as_secs())
        }));
        stuck
    }
}
