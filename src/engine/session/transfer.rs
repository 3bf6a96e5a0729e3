//! Bytes between the transport and the HTTP state machine.

use std::io;
use std::time::Instant;

use super::{DriveContext, Outcome, Session};
use crate::activity::WorkerState;
use crate::heavy::Admission;
use crate::http1::Closing;
use crate::lanes::Client;
use crate::ready::Ready;
use crate::refusal::{BadRequest, Refusal};
use crate::service::Lane;
use crate::stats::CloseReason;
use crate::transport::{Received, Scratch};
use crate::turn_budget::TurnBudget;

/// Result of [`Session::flush`].
pub(super) enum Flush {
    /// All output is written.
    Done,
    /// The socket is full.
    Blocked,
    /// The rest is for another turn.
    Paused,
    /// The source of the body is read once the requested permit is granted.
    AwaitsPermit,
    /// The source of the body is read under a permit of that lane.
    EntersLane(Lane, Client),
    Failed(CloseReason),
}

impl Session {
    /// Reads once, and passes the bytes to the state machine. Returns an outcome if the session must
    /// wait or is over.
    pub(super) fn receive(
        &mut self,
        budget: &mut TurnBudget,
        context: DriveContext<'_>,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Option<Outcome> {
        // The server's part of a handshake is sent before the client's next part can arrive.
        if self.transport.has_ciphertext()
            && let Some(outcome) = self.write(budget)
        {
            return Some(outcome);
        }
        if !self.transport.is_ready(Ready::READ) {
            if context.is_draining()
                && let Some(closing) = self.http.close_if_idle(CloseReason::Drain)
            {
                self.finish(closing, context, now);
                return None;
            }
            return Some(self.park(Ready::READ));
        }
        budget.spend_step();
        context.activity.enter(WorkerState::Reading);
        let http = &mut self.http;
        match self.transport.receive(scratch, |plaintext| http.receive(plaintext)) {
            Received::Open => {}
            Received::End => self.http.end_of_input(),
            Received::PlainHttp => {
                let refusal = Refusal::BadRequest(BadRequest::PlainHttp);
                let response = context.service.refuse(refusal, None);
                self.http.refuse(response, CloseReason::TlsError, now);
            }
            Received::TlsError => {
                let closing = Closing { reason: CloseReason::TlsError, linger: true };
                self.finish(closing, context, now);
            }
            Received::Failed => return Some(Outcome::Closed(CloseReason::ClientGone)),
        }
        None
    }

    /// Writes all output. Returns an outcome if that is not possible now.
    pub(super) fn write(&mut self, budget: &mut TurnBudget) -> Option<Outcome> {
        match self.flush(budget) {
            Flush::Done => None,
            Flush::Blocked => Some(self.park(Ready::WRITE)),
            Flush::Paused => Some(self.yield_turn()),
            Flush::AwaitsPermit if self.transport.is_ready(Ready::BROKEN) => {
                Some(Outcome::Closed(CloseReason::ClientGone))
            }
            Flush::AwaitsPermit => Some(self.park_for_permit(self.state())),
            Flush::EntersLane(lane, client) => Some(Outcome::EnterLane { lane, client }),
            Flush::Failed(reason) => Some(Outcome::Closed(reason)),
        }
    }

    /// Writes until the output is empty, the socket is full or the turn is over.
    pub(super) fn flush(&mut self, budget: &mut TurnBudget) -> Flush {
        loop {
            if budget.bytes_left() == 0 {
                return Flush::Paused;
            }
            // Ciphertext is written before more is read from the source.
            let has_ciphertext = self.transport.has_ciphertext();
            let awaits_source = self.http.awaits_source();
            let reads_source = awaits_source && !has_ciphertext;
            if reads_source && let Some(pause) = self.admit_source_read(budget) {
                return pause;
            }
            let output = if awaits_source && has_ciphertext {
                Ok([&[][..], &[]])
            } else {
                self.http.output()
            };
            let mut source_paused = false;
            let slices = match output {
                Ok([head, body]) => {
                    let room = budget.bytes_left().saturating_sub(head.len());
                    [head, &body[..body.len().min(room)]]
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    source_paused = true;
                    [&[][..], &[]]
                }
                Err(error) => {
                    log::error!("cannot read the body of a response: {error}; connection closed");
                    return Flush::Failed(CloseReason::HandlerFailed);
                }
            };
            let offered = slices.iter().map(|slice| slice.len()).sum::<usize>();
            let sent = self.transport.send(slices);
            let taken = *sent.as_ref().unwrap_or(&0);
            self.http.consume_output(taken);
            if self.http.is_finished() {
                // So `close_notify` is sent with the last bytes.
                self.transport.send_close_notify();
            }
            let written = sent.and_then(|_| self.transport.write_ciphertext());
            budget.spend_write(taken);
            if reads_source {
                budget.end_if_overdue(Instant::now());
            }
            match written {
                Ok(_) if self.is_flushed() => {
                    self.http.output_written(Instant::now());
                    if self.deferred.is_none() {
                        self.heavy.leave();
                    }
                    return Flush::Done;
                }
                Ok(_) if source_paused => return Flush::Paused,
                // The transport took nothing of what it was offered.
                Ok(0) if taken == 0 && (offered > 0 || has_ciphertext) => {
                    return Flush::Failed(CloseReason::ClientGone);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flush::Blocked,
                Err(_) => return Flush::Failed(CloseReason::ClientGone),
            }
        }
    }

    /// Decides whether the source of a streamed body may be read now. Returns `None` if it may.
    fn admit_source_read(&mut self, budget: &TurnBudget) -> Option<Flush> {
        if !budget.may_read_sources() || budget.is_spent() {
            return Some(Flush::Paused);
        }
        match (self.heavy.admit_read(Instant::now()), self.heavy.entry()) {
            (Admission::Enter, Some((lane, client))) => Some(Flush::EntersLane(lane, client)),
            (Admission::Wait, _) => Some(Flush::AwaitsPermit),
            _ => None,
        }
    }

    /// Returns true if all output is written.
    pub(super) fn is_flushed(&self) -> bool {
        self.http.output_is_empty() && !self.transport.has_ciphertext()
    }
}
