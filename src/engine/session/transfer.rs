//! Bytes between the socket, the TLS layer and the HTTP state machine.

use std::io::{self, IoSlice, Read, Write};
use std::time::Instant;

use super::super::heavy::Admission;
use super::super::http1::Closing;
use super::super::lanes::Client;
use super::super::ready::Ready;
use super::super::refusal::{BadRequest, Refusal};
use super::super::service::Lane;
use super::super::stats::CloseReason;
use super::super::tls::{Intake, TlsLayer};
use super::super::turn::Turn;
use super::{Host, Outcome, Scratch, Session};

/// Result of writing.
pub(super) enum Flush {
    /// All is written.
    Done,
    /// The socket is full.
    Blocked,
    /// There is more, for another turn.
    Paused,
    /// The source of the body is read on once a permit is granted.
    NeedsPermit,
    /// The source of the body is read on under a permit of that lane.
    Enters(Lane, Client),
    Failed(CloseReason),
}

impl Session {
    /// Writes what there is; `None` once all is written.
    pub(super) fn write(&mut self, turn: &mut Turn) -> Option<Outcome> {
        match self.flush(turn) {
            Flush::Done => None,
            Flush::Blocked => Some(self.park(Ready::WRITE)),
            Flush::Paused => Some(self.give_way()),
            Flush::NeedsPermit if self.ready.contains(Ready::BROKEN) => {
                Some(Outcome::Closed(CloseReason::ClientGone))
            }
            Flush::NeedsPermit => Some(self.park_for_permit(self.state())),
            Flush::Enters(lane, client) => Some(Outcome::Enter { lane, client }),
            Flush::Failed(reason) => Some(Outcome::Closed(reason)),
        }
    }

    /// Reads once and takes in what came.
    pub(super) fn fill(
        &mut self,
        host: Host<'_>,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let length = match self.read(&mut scratch.wire)? {
            Some(0) => {
                if self.is_handshaking() {
                    return Err(CloseReason::ClientGone);
                }
                self.http.end_of_input();
                return Ok(());
            }
            Some(length) => length,
            None => return Ok(()),
        };
        let wire = &scratch.wire[..length];
        let Some(tls) = &mut self.tls else {
            self.http.receive(wire);
            return Ok(());
        };
        let http = &mut self.http;
        match tls.receive(wire, &mut scratch.plain, |plain| http.receive(plain)) {
            Intake::Taken => {}
            Intake::Ended => http.end_of_input(),
            Intake::Broken => {
                let closing = Closing { reason: CloseReason::TlsError, linger: true };
                self.finish(closing, host.is_draining(), now);
            }
            Intake::PlainHttp => {
                self.tls = None;
                let refusal = Refusal::BadRequest(BadRequest::PlainHttp);
                self.http.refuse(host.service.refuse(refusal, None), CloseReason::TlsError, now);
            }
        }
        Ok(())
    }

    /// Reads from the socket; `None` when that would block.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, CloseReason> {
        loop {
            match self.stream.read(buffer) {
                Ok(length) => {
                    // A short read has emptied the socket, and an edge will report more; but
                    // the end of the stream may lie behind it without an edge of its own.
                    self.stream_ended |= length == 0;
                    if length == 0
                        || length < buffer.len() && !self.ready.contains(Ready::READ_CLOSED)
                    {
                        self.ready.remove(Ready::READ);
                    }
                    return Ok(Some(length));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.remove(Ready::READ);
                    return Ok(None);
                }
                Err(_) => return Err(CloseReason::ClientGone),
            }
        }
    }

    /// Writes until all is written, the socket is full or the turn is over.
    pub(super) fn flush(&mut self, turn: &mut Turn) -> Flush {
        loop {
            if turn.room() == 0 {
                return Flush::Paused;
            }
            // Encrypted output is written before more is read from the source.
            let encrypted = self.tls.as_ref().is_some_and(TlsLayer::wants_write);
            let awaits_source = self.http.awaits_source();
            let reads_source = awaits_source && !encrypted;
            if reads_source && let Some(pause) = self.admit_read(turn) {
                return pause;
            }
            let mut source_paused = false;
            let output =
                if awaits_source && encrypted { Ok([&[][..], &[]]) } else { self.http.output() };
            let pieces = match output {
                Ok([head, body]) => {
                    let room = turn.room().saturating_sub(head.len());
                    [head, &body[..body.len().min(room)]]
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    source_paused = true;
                    [&[][..], &[]]
                }
                Err(error) => {
                    log::error!("a response's body failed under way: {error}");
                    return Flush::Failed(CloseReason::HandlerFailed);
                }
            };
            let offered = pieces.iter().map(|piece| piece.len()).sum::<usize>();
            let (taken, written) = match &mut self.tls {
                Some(tls) => {
                    let taken = tls.encrypt(pieces);
                    self.http.consume_output(taken);
                    if self.http.is_finished() {
                        // The goodbye goes out with the last bytes.
                        tls.close();
                    }
                    let written =
                        if tls.wants_write() { tls.write_to(&mut self.stream) } else { Ok(0) };
                    (taken, written)
                }
                None if offered == 0 => (0, Ok(0)),
                None => {
                    let written = self.stream.write_vectored(&pieces.map(IoSlice::new));
                    let taken = *written.as_ref().unwrap_or(&0);
                    self.http.consume_output(taken);
                    (taken, written)
                }
            };
            turn.wrote(taken);
            if reads_source {
                turn.worked(Instant::now());
            }
            match written {
                Ok(_) if self.is_flushed() => {
                    self.http.output_written(Instant::now());
                    if self.held.is_none() {
                        self.heavy.leave();
                    }
                    return Flush::Done;
                }
                Ok(_) if source_paused => return Flush::Paused,
                // The layer below neither took nor wrote what it was offered.
                Ok(0) if taken == 0 && (offered > 0 || encrypted) => {
                    return Flush::Failed(CloseReason::ClientGone);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready.remove(Ready::WRITE);
                    return Flush::Blocked;
                }
                Err(_) => return Flush::Failed(CloseReason::ClientGone),
            }
        }
    }

    /// Decides whether the source of the streamed body may be read now; else where to go on.
    pub(super) fn admit_read(&mut self, turn: &Turn) -> Option<Flush> {
        if !turn.may_read_sources() || turn.is_over() {
            return Some(Flush::Paused);
        }
        match (self.heavy.admit_read(Instant::now()), self.heavy.entry()) {
            (Admission::Enter, Some((lane, client))) => Some(Flush::Enters(lane, client)),
            (Admission::Wait, _) => Some(Flush::NeedsPermit),
            _ => None,
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.http.output_is_empty() && !self.tls.as_ref().is_some_and(TlsLayer::wants_write)
    }
}
