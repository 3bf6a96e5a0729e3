//! Output of a connection: from responses to bytes.

use std::io;
use std::time::Instant;

use super::action::Closing;
use super::body::BodyDecoder;
use super::connection::Connection;
use super::framing::Framing;
use super::phase::{Discarding, Phase};
use super::response::{BodyFraming, ResponseContext};
use crate::deadline::Deadline;
use crate::message::Response;
use crate::stats::CloseReason;

impl Connection {
    /// Answers the request of the latest [`Action::Call`](super::Action::Call), once the body behind
    /// its head is dropped.
    pub(crate) fn respond(&mut self, response: Response, now: Instant) {
        let Phase::Handling(mut context, pending) = self.phase else {
            debug_assert!(false, "a response without a request");
            return;
        };
        if pending.framing == Framing::None {
            return self.send(response, context, now);
        }
        match BodyDecoder::dropping(pending.framing, &self.settings) {
            // A final response makes 100 Continue unnecessary, and its client need not send the
            // body (RFC 9110 10.1.1).
            Some(decoder) if !pending.expects_continue => {
                self.phase = Phase::Discard(Box::new(Discarding { response, context, decoder }));
            }
            _ => {
                context.keep_alive = false;
                self.send(response, context, now);
            }
        }
    }

    /// Answers a refused request, and closes the connection for that reason.
    pub(crate) fn refuse(&mut self, response: Response, reason: CloseReason, now: Instant) {
        let head_only = matches!(&self.phase, Phase::Handling(context, _) if context.head_only);
        self.put(response, ResponseContext::refused(head_only), now);
        self.close_after_output(reason);
    }

    /// Appends a response to the output. Closes the connection behind it unless it persists.
    pub(super) fn send(&mut self, response: Response, mut context: ResponseContext, now: Instant) {
        let is_close_delimited =
            BodyFraming::of(&response, context.version) == BodyFraming::Close && !context.head_only;
        context.keep_alive &= !self.last_response && !is_close_delimited;
        self.put(response, context, now);
        if !context.keep_alive {
            let reason = if self.last_response { CloseReason::Drain } else { CloseReason::Done };
            self.close_after_output(reason);
        }
    }

    fn put(&mut self, response: Response, context: ResponseContext, now: Instant) {
        self.write_deadline.get_or_insert(Deadline::of(now, self.settings.write_timeout));
        self.has_answered = true;
        self.output.push_response(response, context);
        self.phase = Phase::Idle;
        self.head_bytes = 0;
        self.deadline = Deadline::of(now, self.settings.keep_alive);
        if self.input.is_empty() {
            // An idle connection keeps no buffer.
            self.discard_input();
        }
    }

    fn close_after_output(&mut self, reason: CloseReason) {
        self.discard_input();
        self.closing = Some(Closing { reason, linger: true });
    }

    /// Returns true if the next bytes must be read from the source of a streamed body, which may
    /// block.
    pub(crate) fn awaits_source(&self) -> bool {
        self.output.awaits_source()
    }

    /// Returns the next bytes to write.
    ///
    /// # Errors
    /// Those of [`Output::slices`](super::Output::slices).
    pub(crate) fn output(&mut self) -> io::Result<[&[u8]; 2]> {
        self.flushing |= !self.output.is_empty();
        self.output.slices()
    }

    /// Removes the first `count` bytes of [`Connection::output`], which the layer below took.
    pub(crate) fn consume_output(&mut self, count: usize) {
        self.output.consume(count);
    }

    /// Returns true if all output was taken. The layer below reports by
    /// [`Connection::output_written`] that it has written it.
    pub(crate) fn output_is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Returns true while output is being written. Until its end no more is added.
    pub(crate) fn is_flushing(&self) -> bool {
        self.flushing
    }

    /// Returns true if all output was taken and there will be no more.
    pub(crate) fn is_finished(&self) -> bool {
        self.closing.is_some() && self.output.is_empty()
    }

    /// Returns true while a body is sent that only the end of the connection delimits: closed now,
    /// the connection would make it look complete.
    pub(crate) fn is_close_delimited(&self) -> bool {
        self.output.is_close_delimited()
    }

    /// Returns true if the connection has sent a response, or has one in its output.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Notes that all output is written.
    pub(crate) fn output_written(&mut self, now: Instant) {
        if !std::mem::take(&mut self.flushing) {
            return;
        }
        self.write_deadline = None;
        if matches!(self.phase, Phase::Idle) {
            self.deadline = Deadline::of(now, self.settings.keep_alive);
        }
    }
}
