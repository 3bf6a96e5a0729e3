//! Budget of a turn: what a thread does for one connection before the other ready ones have their
//! turn.
//!
//! A client that takes all that it is sent never fills its socket, so without a budget a few endless
//! downloads would hold every worker.

use std::time::{Duration, Instant};

use super::limits::STREAM_CHUNK;

/// Reads and requests of one turn.
pub(super) const MAX_STEPS: usize = 16;

/// Bytes written in one turn. Of a streamed body, this many [`STREAM_CHUNK`]s are read from the
/// source, however few bytes each read returns.
pub(super) const MAX_WRITE: usize = 16 * STREAM_CHUNK;

/// Time after which a turn that has called the service, or read the source of a streamed body, ends.
pub(super) const TURN_TIME: Duration = Duration::from_millis(2);

/// Remainder of a turn's budget. A client cannot extend it: endless input, fast reads of endless
/// output and slow requests all spend it.
#[derive(Debug)]
pub(super) struct TurnBudget {
    /// Reads and requests.
    steps: usize,
    /// Bytes to write.
    bytes: usize,
    /// The sources of streamed bodies may be read. Such a read may block, so only workers do it.
    may_read_sources: bool,
    ends: Instant,
}

impl TurnBudget {
    /// Returns the budget of a turn that begins at `now`.
    pub(super) fn new(may_read_sources: bool, now: Instant) -> TurnBudget {
        TurnBudget { steps: MAX_STEPS, bytes: MAX_WRITE, may_read_sources, ends: now + TURN_TIME }
    }

    /// Spends a read, or a request.
    pub(super) fn spend_step(&mut self) {
        self.steps = self.steps.saturating_sub(1);
    }

    /// Ends the turn if its time is over. Called after work of the service, since nothing else can
    /// take long: one such call may last for the whole turn.
    pub(super) fn end_if_overdue(&mut self, now: Instant) {
        if now >= self.ends {
            self.steps = 0;
        }
    }

    /// Returns true if no read or request is left.
    pub(super) fn is_spent(&self) -> bool {
        self.steps == 0
    }

    /// Returns the number of bytes that may still be written.
    pub(super) fn bytes_left(&self) -> usize {
        self.bytes
    }

    /// Spends a write. A short one counts as a chunk of a stream, since it may have cost a read of
    /// the source.
    pub(super) fn spend_write(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes.max(STREAM_CHUNK));
    }

    /// Returns true if the sources of streamed bodies may be read.
    pub(super) fn may_read_sources(&self) -> bool {
        self.may_read_sources
    }
}
