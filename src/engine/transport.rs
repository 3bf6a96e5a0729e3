//! Transport of one connection: a non-blocking socket, with TLS if the listener has it.
//!
//! Plaintext goes in and out; encryption, the TLS handshake and the edges of readiness stay in here.
//! The socket is registered edge-triggered, so a direction is used until the kernel returns
//! `EAGAIN`, and its edge is forgotten then (epoll(7)).

use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use mio::{Registry, Token};
use rustls::ServerConfig;

use super::limits::SCRATCH;
use super::ready::Ready;
use super::socket::Stream;
use super::tls::layer::{TlsInput, TlsLayer};

/// Buffers to read into. Each thread that drives sessions has one.
pub(super) struct Scratch {
    wire: Box<[u8]>,
    plain: Box<[u8]>,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        let buffer = || vec![0; SCRATCH].into_boxed_slice();
        Scratch { wire: buffer(), plain: buffer() }
    }
}

/// Result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// Bytes arrived, or the read would block.
    Open,
    /// The client sends no more: the end of the stream, or `close_notify` (RFC 8446 6.1).
    End,
    /// The client sent an HTTP request in place of a TLS handshake. The transport is plain now.
    PlainHttp,
    /// The client broke the TLS protocol. An alert is ready to be written.
    TlsError,
    /// The socket failed, or the stream ended within a TLS handshake.
    Failed,
}

/// Socket and TLS layer of one connection.
pub(super) struct Transport {
    stream: Stream,
    tls: Option<TlsLayer>,
    /// Edges that are not used up.
    ready: Ready,
    /// The end of the client's stream was read.
    is_read_closed: bool,
    /// The socket is registered for writable events as well.
    is_write_registered: bool,
}

impl Transport {
    pub(super) fn new(stream: Stream, tls: Option<Arc<ServerConfig>>) -> Transport {
        Transport {
            stream,
            tls: tls.map(TlsLayer::new),
            // The send buffer of a new socket is empty.
            ready: Ready::WRITE,
            is_read_closed: false,
            is_write_registered: false,
        }
    }

    /// Registers the socket for readable events.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.register(registry, token)
    }

    /// Registers the socket for writable events too, which few connections ever need.
    pub(super) fn register_writable(&mut self, registry: &Registry, token: Token) {
        if !std::mem::replace(&mut self.is_write_registered, true)
            && let Err(error) = self.stream.register_for_room(registry, token)
        {
            log::warn!(
                "cannot register a connection for writable events: {error}; it is closed at its \
                 deadline"
            );
        }
    }

    /// Adds edges that were reported.
    pub(super) fn insert_ready(&mut self, edges: Ready) {
        self.ready.insert(edges);
    }

    /// Returns true if all of these edges are not used up.
    pub(super) fn is_ready(&self, edges: Ready) -> bool {
        self.ready.contains(edges)
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::is_handshaking)
    }

    /// Returns true if the end of the client's stream was read.
    pub(super) fn is_read_closed(&self) -> bool {
        self.is_read_closed
    }

    /// Reads once, and passes the plaintext to `deliver`.
    pub(super) fn receive(
        &mut self,
        scratch: &mut Scratch,
        mut deliver: impl FnMut(&[u8]),
    ) -> Received {
        let length = match self.read(&mut scratch.wire) {
            Ok(Some(0)) if self.is_handshaking() => return Received::Failed,
            Ok(Some(0)) => return Received::End,
            Ok(Some(length)) => length,
            Ok(None) => return Received::Open,
            Err(_) => return Received::Failed,
        };
        let wire = &scratch.wire[..length];
        let Some(tls) = &mut self.tls else {
            deliver(wire);
            return Received::Open;
        };
        match tls.receive(wire, &mut scratch.plain, deliver) {
            TlsInput::Accepted => Received::Open,
            TlsInput::CloseNotify => Received::End,
            TlsInput::ProtocolError => Received::TlsError,
            TlsInput::PlainHttp => {
                self.tls = None;
                Received::PlainHttp
            }
        }
    }

    /// Reads once and drops the bytes. Returns false at the end of the stream or on an error.
    pub(super) fn discard(&mut self, scratch: &mut Scratch) -> bool {
        self.read(&mut scratch.wire).is_ok() && !self.is_read_closed
    }

    /// Reads from the socket once; `None` if the read would block.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.stream.read(buffer) {
                Ok(length) => {
                    // A short read has emptied the socket, and an edge will report more. The end of
                    // the stream behind it has been reported already, however.
                    self.is_read_closed |= length == 0;
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
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends plaintext: over TLS into the session's buffer, else to the socket. Returns the number of
    /// bytes that were taken.
    ///
    /// # Errors
    /// Those of the socket; `WouldBlock` if its send buffer is full.
    pub(super) fn send(&mut self, slices: [&[u8]; 2]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => Ok(tls.encrypt(slices)),
            None if slices.iter().all(|slice| slice.is_empty()) => Ok(0),
            None => {
                let sent = self.stream.write_vectored(&slices.map(IoSlice::new));
                self.note_write(sent)
            }
        }
    }

    /// Returns true if ciphertext waits to be written. Never true without TLS.
    pub(super) fn has_ciphertext(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::wants_write)
    }

    /// Writes ciphertext once. Returns the number of bytes, 0 if there was none.
    ///
    /// # Errors
    /// Those of the socket; `WouldBlock` if its send buffer is full.
    pub(super) fn write_ciphertext(&mut self) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) if tls.wants_write() => {
                let written = tls.write_to(&mut self.stream);
                self.note_write(written)
            }
            _ => Ok(0),
        }
    }

    fn note_write(&mut self, written: io::Result<usize>) -> io::Result<usize> {
        if matches!(&written, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.ready.remove(Ready::WRITE);
        }
        written
    }

    /// Encrypts `close_notify` behind the last bytes, if there is a TLS session (RFC 8446 6.1).
    pub(super) fn send_close_notify(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
    }

    /// Ends the server's half of the stream, and drops the TLS session: what the client still sends
    /// is not decrypted.
    pub(super) fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()?;
        self.tls = None;
        Ok(())
    }

    /// Makes the close a reset, which drops the bytes that the kernel has not sent.
    pub(super) fn reset_on_close(&self) {
        self.stream.abort_on_close();
    }

    /// Releases the spare room of the TLS session. Returns the number of bytes that it holds.
    pub(super) fn shrink(&mut self) -> usize {
        self.tls.as_mut().map_or(0, TlsLayer::shrink)
    }
}
