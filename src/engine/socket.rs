//! Sockets of accepted connections.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use rustix::net::sockopt::socket_peercred;
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

    /// Returns the user of the process at the other end of a unix socket, as it was at its `connect(2)`.
    pub(super) fn peer_user(&self) -> Option<u32> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Unix(stream) => {
                socket_peercred(stream).ok().map(|credentials| credentials.uid.as_raw())
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_has_a_user_on_a_unix_socket_only() {
        let (one, _other) = mio::net::UnixStream::pair().unwrap();
        let user = rustix::process::geteuid().as_raw();
        assert_eq!(Stream::Unix(one).peer_user(), Some(user));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stream = mio::net::TcpStream::connect(address).unwrap();
        assert_eq!(Stream::Tcp(stream).peer_user(), None);
    }
}
