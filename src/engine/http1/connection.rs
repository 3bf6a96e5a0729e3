//! The connection: its buffers, and the decision on the next [`Action`].
//!
//! `receive` turns input into calls of the service, `respond` turns responses into output, and
//! `expiry` acts on deadlines. The module above has the diagram of the phases.

use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, BytesMut};

use super::action::{Action, Closing};
use super::head::HeadReader;
use super::output::Output;
use super::phase::Phase;
use crate::deadline::Deadline;
use crate::limits::{DRAIN_GRACE, SPARE_ROOM, Settings};
use crate::message::Peer;
use crate::stats::CloseReason;

/// State machine of one connection.
pub(crate) struct Connection {
    pub(super) settings: Arc<Settings>,
    pub(super) peer: Peer,
    pub(super) phase: Phase,
    /// End of the phase.
    pub(super) deadline: Deadline,
    pub(super) input: BytesMut,
    /// Size of the allocation behind `input`, or more.
    pub(super) input_allocation: usize,
    input_ended: bool,
    /// Number of bytes that the head of the current request holds.
    pub(super) head_bytes: usize,
    pub(super) head: HeadReader,
    pub(super) output: Output,
    /// The output is being written, and must be finished before more is added.
    pub(super) flushing: bool,
    /// End of the write under way.
    pub(super) write_deadline: Option<Deadline>,
    /// The connection closes once its output is written.
    pub(super) closing: Option<Closing>,
    /// The next response is the last one.
    pub(super) last_response: bool,
    pub(super) has_answered: bool,
}

impl Connection {
    /// Returns a connection that was accepted at `accepted`, from which on its first head is due.
    pub(crate) fn new(settings: Arc<Settings>, peer: Peer, accepted: Instant) -> Connection {
        let deadline = Deadline::of(accepted, settings.header_timeout);
        Connection {
            settings,
            peer,
            phase: Phase::Head,
            deadline,
            input: BytesMut::new(),
            input_allocation: 0,
            input_ended: false,
            head_bytes: 0,
            head: HeadReader::default(),
            output: Output::default(),
            flushing: false,
            write_deadline: None,
            closing: None,
            last_response: false,
            has_answered: false,
        }
    }

    /// Returns the limits of this connection.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Appends bytes of the client to the input. They are dropped once the connection closes.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if self.closing.is_none() {
            self.input.put_slice(bytes);
            self.input_allocation = self.input_allocation.max(self.input.capacity());
        }
    }

    /// Drops the input and its buffer.
    pub(crate) fn discard_input(&mut self) {
        self.input = BytesMut::new();
        self.input_allocation = 0;
    }

    /// Releases the spare room of all buffers while the connection waits. Returns the number of bytes
    /// that it holds.
    pub(crate) fn shrink(&mut self) -> usize {
        if self.input.is_empty() {
            self.discard_input();
        } else if self.input_allocation > self.input.len() + SPARE_ROOM {
            let mut exact = BytesMut::with_capacity(self.input.len() + SPARE_ROOM / 2);
            exact.put_slice(&self.input);
            self.input_allocation = exact.capacity();
            self.input = exact;
        }
        let body = match &self.phase {
            Phase::Body(receiving) => receiving.decoder.held_bytes(),
            Phase::Discard(discarding) => {
                discarding.decoder.held_bytes() + discarding.response.body().held_bytes()
            }
            Phase::Idle | Phase::Head | Phase::Handling(..) => 0,
        };
        self.input_allocation + self.head_bytes + body + self.output.shrink()
    }

    /// Notes that the client sends no more. Complete requests that came before are answered.
    pub(crate) fn end_of_input(&mut self) {
        self.input_ended = true;
    }

    /// Makes the next response the last one, as the server is stopping. A client that has connected
    /// and not sent anything yet has [`DRAIN_GRACE`] to do so.
    pub(crate) fn set_last_response(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.last_response, true)
            && matches!(self.phase, Phase::Head)
            && self.input.is_empty()
        {
            self.deadline = self.deadline.min(Deadline::of(now, DRAIN_GRACE));
        }
    }

    /// Closes a connection that is between two requests; `None` if it is not.
    pub(crate) fn close_if_idle(&mut self, reason: CloseReason) -> Option<Closing> {
        let idle = matches!(self.phase, Phase::Idle) && self.input.is_empty();
        if idle && self.output.is_empty() && self.closing.is_none() {
            self.closing = Some(Closing { reason, linger: true });
            return self.closing;
        }
        None
    }

    /// Advances as far as possible without input or output. Returns the next action.
    pub(crate) fn poll(&mut self, now: Instant) -> Action {
        if self.flushing || !self.output.has_room() {
            return Action::Write;
        }
        if let Some(closing) = self.closing {
            return if self.output.is_empty() { Action::Close(closing) } else { Action::Write };
        }
        match self.advance(now) {
            Ok(Some(call)) => Action::Call(call),
            Ok(None) if !self.output.is_empty() => Action::Write,
            Ok(None) => self.await_input(),
            Err(refused) => Action::Refuse(refused),
        }
    }

    /// Requests input, or closes the connection if there will be none.
    fn await_input(&mut self) -> Action {
        let between_requests = match self.phase {
            Phase::Idle => true,
            Phase::Head => self.input.is_empty(),
            Phase::Body(_) | Phase::Handling(..) | Phase::Discard(_) => false,
        };
        match (self.input_ended, between_requests) {
            (true, true) => self.close(CloseReason::Done, true),
            (true, false) => self.close(CloseReason::ClientGone, true),
            (false, _) => Action::Read,
        }
    }

    pub(super) fn close(&mut self, reason: CloseReason, linger: bool) -> Action {
        let closing = Closing { reason, linger };
        self.closing = Some(closing);
        Action::Close(closing)
    }
}
