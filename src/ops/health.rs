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

/// When a thread last showed that it is alive, and what it may take for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// `acceptor`, `worker 3`, `poller tank`.
    pub thread: String,
    /// Since its last sign of life; of a worker, since it took the connection at hand.
    pub age: Duration,
    /// Beyond this age the thread counts as stuck.
    pub bound: Duration,
}

impl Beat {
    fn new(thread: impl Into<String>, age: Duration, bound: Duration) -> Beat {
        Beat { thread: thread.into(), age, bound }
    }
}

/// A thread that does not pass through its loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// As [`Beat::thread`].
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
    /// The latest sign of life of every thread.
    pub fn beats(&self) -> Vec<Beat> {
        let mut beats = vec![Beat::new("acceptor", self.engine.acceptor_age(), ACCEPTOR_BOUND)];
        for (number, worker) in self.engine.workers().iter().enumerate() {
            let busy = worker.look().1.map_or(Duration::ZERO, |(_, busy)| busy);
            beats.push(Beat::new(format!("worker {number}"), busy, WORKER_BOUND));
        }
        beats.push(Beat::new("board", self.board.heartbeat_age(), BOARD_BOUND));
        beats.push(Beat::new("recorder", self.history.heartbeat_age(), RECORDER_BOUND));
        for poll in self.polls.stats() {
            let thread = format!("poller {}", poll.source());
            beats.push(Beat::new(thread, poll.heartbeat_age(), poll.heartbeat_bound()));
        }
        beats
    }

    /// The threads that are stuck; empty when all is well.
    pub fn stuck(&self) -> Vec<Stuck> {
        stuck(self.beats())
    }
}

/// Those that have been silent for longer than they may.
fn stuck(beats: Vec<Beat>) -> Vec<Stuck> {
    let late = beats.into_iter().filter(|beat| beat.age > beat.bound);
    late.map(|beat| Stuck { thread: beat.thread, silent: beat.age }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_silent_beyond_its_bound_is_named() {
        let seconds = Duration::from_secs;
        let bounds = [
            ("acceptor", ACCEPTOR_BOUND),
            ("worker 0", WORKER_BOUND),
            ("board", BOARD_BOUND),
            ("recorder", RECORDER_BOUND),
            ("poller tank", seconds(20)),
        ];
        let beats = |late: &str| -> Vec<Beat> {
            let age = |thread, bound| if thread == late { bound + seconds(1) } else { bound };
            bounds.map(|(thread, bound)| Beat::new(thread, age(thread, bound), bound)).into()
        };
        assert_eq!(stuck(beats("")), [], "at its bound nobody is late");
        for (thread, bound) in bounds {
            let late = stuck(beats(thread));
            let told: Vec<String> = late.iter().map(ToString::to_string).collect();
            assert_eq!(told, [format!("{thread} for {} s", bound.as_secs() + 1)]);
        }
    }
}
