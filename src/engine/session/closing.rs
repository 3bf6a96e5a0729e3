//! The last stages of a connection: it writes the rest of its output, ends its half of the stream,
//! and then reads and drops what the client still sends, up to the client's end of the stream.
//!
//! A socket that is closed while bytes of the client are unread, or still to arrive, answers them
//! with a reset. The reset overtakes the response: what the client's kernel has not received by then
//! is lost (RFC 9112 9.6). A TLS client sends its `close_notify` behind every request (RFC 8446 6.1),
//! so this concerns well-behaved clients, too.
//!
//! Nothing is decrypted any more, and no buffer is kept, so that a lingering connection costs a
//! descriptor and its slot. The time is bounded by `linger_timeout`, the work of a turn by
//! [`Turn`], and at the connection cap it is evicted first.

use std::time::Instant;

use super::super::deadline::Deadline;
use super::super::http1::Closing;
use super::super::limits::DRAIN_GRACE;
use super::super::ready::Ready;
use super::super::stats::{CloseReason, ConnectionState};
use super::super::turn::Turn;
use super::{Flush, Outcome, Scratch, Session};

/// Stage of a session on the way to its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Open,
    /// The last bytes are being written.
    Finishing {
        closing: Closing,
        deadline: Deadline,
    },
    /// All is written, and our half of the stream is ended.
    Lingering {
        reason: CloseReason,
        deadline: Deadline,
    },
}

impl Stage {
    /// State of a connection that is ending; `None` while it is open.
    pub(super) fn state(self) -> Option<ConnectionState> {
        match self {
            Stage::Open => None,
            Stage::Finishing { .. } => Some(ConnectionState::Writing),
            Stage::Lingering { .. } => Some(ConnectionState::Lingering),
        }
    }

    /// Leaves no more than [`DRAIN_GRACE`], as the server is stopping.
    pub(super) fn hasten(&mut self, now: Instant) {
        match self {
            Stage::Open => {}
            Stage::Finishing { deadline, .. } | Stage::Lingering { deadline, .. } => {
                *deadline = (*deadline).min(Deadline::of(now, DRAIN_GRACE));
            }
        }
    }
}

impl Session {
    /// Begins to end the connection.
    pub(super) fn finish(&mut self, closing: Closing, is_draining: bool, now: Instant) {
        if let Some(tls) = &mut self.tls {
            tls.close();
        }
        let deadline = Deadline::of(now, self.http.settings().linger_timeout);
        self.stage = Stage::Finishing { closing, deadline };
        if is_draining {
            self.stage.hasten(now);
        }
    }

    /// Goes through the last stages; `None` while the session is open.
    pub(super) fn drive_closing(
        &mut self,
        turn: &mut Turn,
        scratch: &mut Scratch,
    ) -> Option<Outcome> {
        if let Stage::Finishing { closing, deadline } = self.stage {
            match self.flush(turn) {
                Flush::Done => {}
                Flush::Blocked => return Some(self.park(Ready::WRITE)),
                Flush::Paused | Flush::NeedsPermit | Flush::Enters(..) => {
                    return Some(self.give_way());
                }
                Flush::Failed(_) => return Some(Outcome::Closed(closing.reason)),
            }
            // Behind the client's end of the stream nothing can arrive.
            let lingers = closing.linger && !self.stream_ended;
            if !lingers || self.stream.shutdown_write().is_err() {
                return Some(Outcome::Closed(closing.reason));
            }
            self.tls = None;
            self.http.discard_input();
            self.stage = Stage::Lingering { reason: closing.reason, deadline };
        }
        let Stage::Lingering { reason, .. } = self.stage else { return None };
        while self.ready.contains(Ready::READ) {
            if turn.is_over() {
                return Some(self.give_way());
            }
            turn.step();
            match self.read(&mut scratch.wire) {
                Ok(_) if !self.stream_ended => {}
                Ok(_) | Err(_) => return Some(Outcome::Closed(reason)),
            }
        }
        Some(self.park(Ready::READ))
    }
}
