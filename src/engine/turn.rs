//! How much one connection may do before the others have their turn.

use std::time::Instant;

use super::limits::{MAX_BURST, STREAM_CHUNK, TURN_TIME, WRITE_BURST};

/// Remaining budget of a connection's turn. Its client cannot make the turn longer: endless input,
/// fast reading of endless output and slow requests all use the budget up.
#[derive(Debug)]
pub(super) struct Turn {
    /// Reads and requests.
    steps: usize,
    /// Bytes to be written.
    room: usize,
    /// The sources of streamed bodies may be read: they may block, which only a worker can bear.
    sources: bool,
    /// The end by the clock.
    ends: Instant,
}

impl Turn {
    pub(super) fn new(sources: bool, now: Instant) -> Turn {
        Turn { steps: MAX_BURST, room: WRITE_BURST, sources, ends: now + TURN_TIME }
    }

    /// Notes a read, or a request.
    pub(super) fn step(&mut self) {
        self.steps = self.steps.saturating_sub(1);
    }

    /// Ends the turn if its time is up. Called after work of the program, which alone can take
    /// long: a single such call may be all that a turn has time for.
    pub(super) fn worked(&mut self, now: Instant) {
        if now >= self.ends {
            self.steps = 0;
        }
    }

    /// It has read and handled as much as one turn may.
    pub(super) fn is_over(&self) -> bool {
        self.steps == 0
    }

    /// Bytes that may still be written.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Notes a write. However little it was, it counts as a piece of a stream, as it may have
    /// cost a read of the source.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.room = self.room.saturating_sub(bytes.max(STREAM_CHUNK));
    }

    /// Whether the sources of streamed bodies may be read.
    pub(super) fn may_read_sources(&self) -> bool {
        self.sources
    }
}
