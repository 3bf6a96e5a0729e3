//! `/healthz` of the admin listener: whether each thread still passes through its loop.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::board::BoardReader;
use crate::engine::{ACCEPTOR_PULSE, Stats};
use crate::history::History;
use crate::upstream::Roster;

/// Beyond its pulse, how long the acceptor may be silent: a busy machine is no stuck thread.
const ACCEPTOR_BOUND: Duration = ACCEPTOR_PULSE.saturating_add(Duration::from_secs(2));

/// A worker waits for nothing, so a request takes it milliseconds.
const WORKER_BOUND: Duration = Duration::from_secs(30);

/// The board's keeper looks at the clock every half a minute.
const BOARD_BOUND: Duration = Duration::from_secs(90);

/// The recorder looks up each minute; beyond that a write may take its time on a slow disk.
const RECORDER_BOUND: Duration = Duration::from_secs(300);

/// An admin request needs no disk and no other process, and its pages are small.
const ADMIN_WORKER_BOUND: Duration = Duration::from_secs(10);

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
    /// The admin listener's acceptor and workers, once it runs. It reports on the others and is
    /// started after them.
    pub admin: OnceLock<Arc<Stats>>,
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
    /// Watches the admin listener's engine, too, from now on.
    pub fn watch_admin(&self, engine: Arc<Stats>) {
        // The first one stays: a process has one admin listener.
        let _ = self.admin.set(engine);
    }

    /// The latest sign of life of every thread that visitors depend on.
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

    /// The latest sign of life of the admin listener's threads.
    pub fn admin_beats(&self) -> Vec<Beat> {
        let Some(engine) = self.admin.get() else { return Vec::new() };
        let mut beats = vec![Beat::new("admin acceptor", engine.acceptor_age(), ACCEPTOR_BOUND)];
        for (number, worker) in engine.workers().iter().enumerate() {
            let busy = worker.look().1.map_or(Duration::ZERO, |(_, busy)| busy);
            beats.push(Beat::new(format!("admin worker {number}"), busy, ADMIN_WORKER_BOUND));
        }
        beats
    }

    /// The threads that are stuck; empty when all is well.
    pub fn stuck(&self) -> Vec<Stuck> {
        stuck(self.beats())
    }

    /// The admin listener's threads that are stuck. They cost no visitor anything, so they are
    /// reported and `/healthz` stays 200: its 503 makes a supervisor restart the process.
    pub fn admin_stuck(&self) -> Vec<Stuck> {
        stuck(self.admin_beats())
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
