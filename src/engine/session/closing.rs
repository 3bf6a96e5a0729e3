//! Lingering close of a session (RFC 9112 9.6).
//!
//! 1. The rest of the output is written, over TLS with `close_notify` behind it.
//! 2. The server's half of the stream is shut down. The TLS session and all buffers are dropped.
//! 3. What the client still sends is read and dropped, up to the end of its stream or
//!    `linger_timeout`.
//!
//! If a socket is closed while bytes of the client are unread or still to arrive, the kernel answers
//! them with a reset. The reset overtakes the response, and what the client's kernel has not received
//! by then is lost. A TLS client sends `close_notify` behind every request (RFC 8446 6.1), so this
//! concerns well-behaved clients too.
//!
//! Lingering costs two system calls and an event. A lingering connection holds a descriptor and its
//! slot. A turn bounds its reads, it is the first to be evicted at the connection cap, and a server
//! that stops leaves it [`DRAIN_GRACE`](crate::limits::DRAIN_GRACE). These connections do not
//! linger: one that is closed in its handshake or before it was sent a response because a deadline
//! has passed, one that is reset at `write_timeout`, an evicted one, one whose client has ended its
//! stream, and one whose socket or streamed body has failed.
//!
//! A body that only the end of the connection delimits (HTTP/1.0) must not look complete if it is
//! truncated. If its source fails, or the process ends, the connection is reset.

use std::time::Instant;

use super::stage::Stage;
use super::transfer::Flush;
use super::{DriveContext, Outcome, Session};
use crate::deadline::Deadline;
use crate::http1::Closing;
use crate::ready::Ready;
use crate::transport::Scratch;
use crate::turn_budget::TurnBudget;

impl Session {
    /// Begins to close the connection.
    pub(super) fn finish(&mut self, closing: Closing, context: DriveContext<'_>, now: Instant) {
        self.transport.send_close_notify();
        let deadline = Deadline::of(now, self.http.settings().linger_timeout);
        self.stage = Stage::Finishing { closing, deadline };
        if context.is_draining() {
            self.stage.shorten(now);
        }
    }

    /// Drives a session that is closing; `None` if it is open.
    pub(super) fn drive_closing(
        &mut self,
        budget: &mut TurnBudget,
        scratch: &mut Scratch,
    ) -> Option<Outcome> {
        if let Stage::Finishing { closing, deadline } = self.stage {
            match self.flush(budget) {
                Flush::Done => {}
                Flush::Blocked => return Some(self.park(Ready::WRITE)),
                Flush::Paused | Flush::AwaitsPermit | Flush::EntersLane(..) => {
                    return Some(self.yield_turn());
                }
                Flush::Failed(_) => return Some(Outcome::Closed(closing.reason)),
            }
            // Nothing can arrive behind the end of the client's stream.
            let lingers = closing.linger && !self.transport.is_read_closed();
            if !lingers || self.transport.shutdown_write().is_err() {
                return Some(Outcome::Closed(closing.reason));
            }
            self.http.discard_input();
            self.stage = Stage::Lingering { reason: closing.reason, deadline };
        }
        let Stage::Lingering { reason, .. } = self.stage else { return None };
        while self.transport.is_ready(Ready::READ) {
            if budget.is_spent() {
                return Some(self.yield_turn());
            }
            budget.spend_step();
            if !self.transport.discard(scratch) {
                return Some(Outcome::Closed(reason));
            }
        }
        Some(self.park(Ready::READ))
    }
}
