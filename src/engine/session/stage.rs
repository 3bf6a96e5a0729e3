//! Stages of a session.

use std::time::Instant;

use crate::deadline::Deadline;
use crate::http1::Closing;
use crate::limits::DRAIN_GRACE;
use crate::stats::CloseReason;

/// Stage of a session on the way to its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Open,
    /// Writes the last bytes.
    Finishing {
        closing: Closing,
        deadline: Deadline,
    },
    /// Has ended the server's half of the stream, and waits for the end of the client's.
    Lingering {
        reason: CloseReason,
        deadline: Deadline,
    },
}

impl Stage {
    /// Leaves a session that is closing [`DRAIN_GRACE`] at most, as the server is stopping.
    pub(super) fn shorten(&mut self, now: Instant) {
        match self {
            Stage::Open => {}
            Stage::Finishing { deadline, .. } | Stage::Lingering { deadline, .. } => {
                *deadline = (*deadline).min(Deadline::of(now, DRAIN_GRACE));
            }
        }
    }
}
