//! Sockets of accepted connections.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

/// An accepted connection's socket, which never blocks.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

impl Stream {
    /// Registers the socket for readable events, edge-triggered.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.register(registry, token, Interest::READABLE),
            Stream::Unix(stream) => stream.register(registry, token, Interest::READABLE),
        }
    }

    /// Registers the socket for writable events, too. Events that are pending are reported once more,
    /// so no edge is lost.
    pub(super) fn register_for_room(
        &mut self,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Tcp(stream) => stream.reregister(registry, token, both),
            Stream::Unix(stream) => stream.reregister(registry, token, both),
        }
    }

    /// Shuts down the sending half: the client reads the end of the stream behind all that was written.
    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Makes the close a reset: the kernel drops the bytes that the client has not read at once,
    /// instead of keeping them until it gives up.
    pub(super) fn abort_on_close(&self) {
        if let Stream::Tcp(stream) = self {
            // On a failure the close is an ordinary one.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write_vectored(pieces),
            Stream::Unix(stream) => stream.write_vectored(pieces),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
