//! Messages on a connection, within limits of size and number.
//!
//! A message is decoded when all of it has arrived. Its length is checked first, so one that claims gigabytes is
//! refused by its head.

use std::io;
use std::io::Read as _;
use std::time::Instant;

use bytes::BytesMut;
use postgres_protocol::message::backend::{Header, Message};

use super::error::{Phase, PostgresError};
use super::server_error::ServerError;
use crate::outbound::{Cutoff, DeadlineStream};

/// Most bytes of one message, such as a row.
pub(super) const MAX_MESSAGE: usize = 32 * 1024 * 1024;

/// Most bytes of all messages of one call.
pub(super) const MAX_RESULT: usize = 64 * 1024 * 1024;

/// Most bytes of all messages before the session has begun.
pub(super) const MAX_STARTUP: usize = 64 * 1024;

/// Most notices, notifications and reports of settings in one call, which are not kept.
pub(super) const MAX_ASIDES: usize = 1000;

/// Bytes that are read at once.
const CHUNK: usize = 32 * 1024;

/// Bytes of the head of a message: its type, and its length, which counts itself.
const TYPE_BYTES: usize = 1;

/// Connection of messages.
pub(super) struct Wire {
    stream: DeadlineStream,
    /// Bytes that arrived and are no part of a decoded message.
    input: BytesMut,
    /// Bytes that arrived in this call.
    received: usize,
    /// Most bytes that may arrive in this call.
    max_received: usize,
    asides: usize,
    phase: Phase,
}

impl Wire {
    /// Returns the connection in the phase of authentication.
    pub(super) fn new(stream: DeadlineStream) -> Wire {
        Wire {
            stream,
            input: BytesMut::new(),
            received: 0,
            max_received: MAX_STARTUP,
            asides: 0,
            phase: Phase::Authenticate,
        }
    }

    /// Begins a call, which has this deadline and limits of its own.
    pub(super) fn begin(&mut self, deadline: Instant) {
        self.stream.set_deadline(deadline);
        self.received = self.input.len();
        self.max_received = MAX_RESULT;
        self.asides = 0;
    }

    /// Lets another thread end the calls.
    pub(super) fn end_at(&mut self, cutoff: Cutoff) {
        self.stream.end_at(cutoff);
    }

    /// Names the phase, for errors.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
    }

    pub(super) fn stream(&self) -> &DeadlineStream {
        &self.stream
    }

    /// Sends bytes. Those that arrive meanwhile are kept.
    pub(super) fn send(&mut self, output: &[u8]) -> Result<(), PostgresError> {
        let Wire { stream, input, received, max_received, .. } = self;
        let sent = stream.write_duplex(output, &mut |bytes| {
            *received += bytes.len();
            if *received > *max_received {
                return Err(io::Error::new(io::ErrorKind::InvalidData, too_large(*max_received)));
            }
            input.extend_from_slice(bytes);
            Ok(())
        });
        sent.map_err(|error| PostgresError::of_io(&error, self.phase))
    }

    /// Returns the next message that is no aside.
    ///
    /// # Errors
    /// The connection failed or was closed, the deadline passed, or a message is malformed or exceeds a limit.
    pub(super) fn receive(&mut self) -> Result<Message, PostgresError> {
        loop {
            let message = match self.decode()? {
                Some(message) => message,
                None => {
                    self.read()?;
                    continue;
                }
            };
            match message {
                Message::NoticeResponse(_)
                | Message::ParameterStatus(_)
                | Message::NotificationResponse(_) => {
                    self.asides += 1;
                    if self.asides > MAX_ASIDES {
                        return Err(PostgresError::Protocol(format!(
                            "the server sent more than {MAX_ASIDES} notices in one call"
                        )));
                    }
                }
                message => return Ok(message),
            }
        }
    }

    /// Returns the next message, of which an error of the server is an error.
    pub(super) fn receive_success(&mut self) -> Result<Message, PostgresError> {
        match self.receive()? {
            Message::ErrorResponse(error) => {
                Err(PostgresError::of_server(ServerError::of(error.fields())))
            }
            message => Ok(message),
        }
    }

    fn decode(&mut self) -> Result<Option<Message>, PostgresError> {
        let malformed = |error: io::Error| PostgresError::of_io(&malformed(&error), self.phase);
        let Some(head) = Header::parse(&self.input).map_err(malformed)? else { return Ok(None) };
        let length = usize::try_from(head.len()).unwrap_or(usize::MAX);
        let limit = MAX_MESSAGE.min(self.max_received);
        if length > limit {
            return Err(PostgresError::Protocol(format!(
                "the server sent a message of {length} bytes, more than {limit}"
            )));
        }
        if self.input.len() < length + TYPE_BYTES {
            return Ok(None);
        }
        Message::parse(&mut self.input).map_err(malformed)
    }

    fn read(&mut self) -> Result<(), PostgresError> {
        if self.received >= self.max_received {
            return Err(PostgresError::Protocol(too_large(self.max_received)));
        }
        let filled = self.input.len();
        self.input.resize(filled + CHUNK, 0);
        let read = self.stream.read(&mut self.input[filled..]);
        self.input.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(PostgresError::Closed),
            Ok(read) => {
                self.received += read;
                Ok(())
            }
            Err(error) => Err(PostgresError::of_io(&error, self.phase)),
        }
    }
}

fn too_large(limit: usize) -> String {
    format!("the server sent more than {limit} bytes in one call")
}

/// Returns the error of a message that cannot be decoded. Its kind would be that of a connection that is closed.
pub(super) fn malformed(error: &io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a message is malformed: {error}"))
}
