//! TLS session of one connection, without a socket.
//!
//! rustls keeps incoming records, and outgoing ciphertext up to [`TLS_BUFFER`]. Both count against
//! `max_buffered_bytes`, but rustls reports only the latter: `records` counts the former.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::records::RecordTracker;
use crate::limits::{SPARE_ROOM, TLS_BUFFER};

/// Result of ciphertext from the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TlsInput {
    /// The session took it, and may have ciphertext to write.
    Accepted,
    /// The client ended the session (`close_notify`, RFC 8446 6.1).
    CloseNotify,
    /// The first byte is an upper-case letter: a method, and not a record of a handshake.
    PlainHttp,
    /// It breaks the protocol. An alert waits to be written.
    ProtocolError,
}

/// TLS of one connection. It holds no session before the first byte of the client.
pub(crate) enum TlsLayer {
    Unused(Arc<ServerConfig>),
    Session(Box<TlsSession>),
}

/// Session of a client that has sent a byte.
pub(crate) struct TlsSession {
    session: ServerConnection,
    records: RecordTracker,
}

/// Reader for which rustls makes room, and which returns nothing.
struct NoInput;

impl Read for NoInput {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl TlsSession {
    fn new(config: Arc<ServerConfig>) -> Result<TlsSession, rustls::Error> {
        let mut session = ServerConnection::new(config)?;
        session.set_buffer_limit(Some(TLS_BUFFER));
        Ok(TlsSession { session, records: RecordTracker::default() })
    }

    /// Releases the buffer of records that were decrypted. Returns the number of bytes held.
    fn shrink(&mut self) -> usize {
        let handshaking = self.session.is_handshaking();
        // A handshake message may span many records, which rustls keeps until it is complete.
        let incoming = if handshaking { self.records.received() } else { self.records.partial() };
        if incoming == 0 && self.records.largest() > SPARE_ROOM {
            // Before a read, rustls shrinks an empty buffer to the size of a small read.
            let _ = self.session.read_tls(&mut NoInput);
            self.records.forget_largest();
        }
        let outgoing = if self.session.wants_write() {
            let state = self.session.process_new_packets();
            state.map_or(TLS_BUFFER, |state| state.tls_bytes_to_write())
        } else {
            0
        };
        incoming + outgoing
    }
}

impl TlsLayer {
    pub(crate) fn new(config: Arc<ServerConfig>) -> TlsLayer {
        TlsLayer::Unused(config)
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            TlsLayer::Unused(_) => true,
            TlsLayer::Session(tls) => tls.session.is_handshaking(),
        }
    }

    /// Decrypts ciphertext, and passes the plaintext to `deliver`.
    pub(crate) fn receive(
        &mut self,
        mut ciphertext: &[u8],
        scratch: &mut [u8],
        mut deliver: impl FnMut(&[u8]),
    ) -> TlsInput {
        let TlsSession { session, records } = match self {
            TlsLayer::Session(tls) => &mut **tls,
            TlsLayer::Unused(config) => {
                if ciphertext.first().is_some_and(u8::is_ascii_uppercase) {
                    return TlsInput::PlainHttp;
                }
                match TlsSession::new(Arc::clone(config)) {
                    Ok(session) => {
                        *self = TlsLayer::Session(Box::new(session));
                        return self.receive(ciphertext, scratch, deliver);
                    }
                    Err(_) => return TlsInput::ProtocolError,
                }
            }
        };
        records.follow(ciphertext);
        while !ciphertext.is_empty() {
            // Reading from a slice cannot fail. Plaintext is drained at once, so the session never
            // refuses more ciphertext.
            if session.read_tls(&mut ciphertext).is_err() || session.process_new_packets().is_err()
            {
                return TlsInput::ProtocolError;
            }
            loop {
                match session.reader().read(scratch) {
                    Ok(0) => return TlsInput::CloseNotify,
                    Ok(length) => deliver(&scratch[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => return TlsInput::ProtocolError,
                }
            }
        }
        TlsInput::Accepted
    }

    /// Encrypts as much of `plaintext` as the session has room for. Returns the number of bytes.
    pub(crate) fn encrypt(&mut self, plaintext: [&[u8]; 2]) -> usize {
        let TlsLayer::Session(tls) = self else { return 0 };
        let slices = plaintext.map(io::IoSlice::new);
        // The writer's only error is a full buffer, for which it returns 0 elsewhere.
        tls.session.writer().write_vectored(&slices).unwrap_or(0)
    }

    /// Returns true if ciphertext waits to be written.
    pub(crate) fn wants_write(&self) -> bool {
        matches!(self, TlsLayer::Session(tls) if tls.session.wants_write())
    }

    /// Writes ciphertext once.
    pub(crate) fn write_to(&mut self, socket: &mut dyn Write) -> io::Result<usize> {
        match self {
            TlsLayer::Unused(_) => Ok(0),
            TlsLayer::Session(tls) => tls.session.write_tls(socket),
        }
    }

    /// Encrypts `close_notify` (RFC 8446 6.1), if there is a session.
    pub(crate) fn send_close_notify(&mut self) {
        if let TlsLayer::Session(tls) = self {
            tls.session.send_close_notify();
        }
    }

    /// Releases the spare room of the session while its connection waits. Returns the number of bytes
    /// of records that it holds.
    pub(crate) fn shrink(&mut self) -> usize {
        match self {
            TlsLayer::Unused(_) => 0,
            TlsLayer::Session(tls) => tls.shrink(),
        }
    }
}

#[cfg(test)]
mod tests;
