//! How much one connection may do before the others have their turn.

use super::limits::{MAX_BURST, STREAM_CHUNK, WRITE_BURST};

/// What is left of a connection's turn. Nobody's client can make it longer: neither one that
/// sends without end nor one that takes whatever it is given.
#[derive(Debug)]
pub(super) struct Turn {
    /// Reads and requests.
    steps: usize,
    /// Bytes to be written.
    room: usize,
    /// The sources of streamed bodies may be read: they may block, which only a worker can bear.
    sources: bool,
}

impl Turn {
    pub(super) fn new(sources: bool) -> Turn {
        Turn { steps: MAX_BURST, room: WRITE_BURST, sources }
    }

    /// Notes a read, or a request.
    pub(super) fn step(&mut self) {
        self.steps = self.steps.saturating_sub(1);
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
