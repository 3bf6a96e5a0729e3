//! Sockets: the ones that listen and the ones that are accepted.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::limits::UNSENT_BYTES;
use super::socket_file::SocketFile;

/// A bound, listening socket.
#[derive(Debug)]
pub struct Listener {
    kind: ListenerKind,
    /// Somebody else holds it too, and its queue with it.
    passed: bool,
}

#[derive(Debug)]
enum ListenerKind {
    Tcp(mio::net::TcpListener),
    Unix { listener: mio::net::UnixListener, _file: Option<SocketFile> },
}

impl Listener {
    /// Listens on an IP address; an IPv6 one takes IPv6 only, so that `0.0.0.0` and `[::]` can
    /// stand side by side.
    ///
    /// # Errors
    /// Those of `socket(2)`, `bind(2)` and `listen(2)`.
    pub fn tcp(address: SocketAddr, backlog: u32) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restarted server may bind while old connections linger in TIME_WAIT.
        socket.set_reuse_address(true)?;
        configure_tcp(&socket)?;
        socket.bind(&SockAddr::from(address))?;
        listen(&socket, backlog)?;
        let listener = mio::net::TcpListener::from_std(socket.into());
        Ok(Listener { kind: ListenerKind::Tcp(listener), passed: false })
    }

    /// Listens on a unix socket, and removes its file at the end. A socket left behind by a
    /// process that died is replaced; every other file is kept.
    ///
    /// # Errors
    /// Those of `socket(2)`, `bind(2)` and `listen(2)`; `AddrInUse` with a
    /// [`SocketPathError`](super::SocketPathError) for a file that is kept.
    pub fn unix(path: &Path, backlog: u32) -> io::Result<Listener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let file = SocketFile::bind(&socket, path)?;
        listen(&socket, backlog)?;
        let listener = mio::net::UnixListener::from_std(socket.into());
        Ok(Listener { kind: ListenerKind::Unix { listener, _file: Some(file) }, passed: false })
    }

    /// Takes over a socket that the supervisor has bound and passed as descriptor `fd`. Who is
    /// in its queue by now is served first; who is there when we stop is left to the next
    /// process, as the supervisor still holds the socket.
    ///
    /// # Errors
    /// There is no such descriptor, or it is not a listening stream socket.
    pub fn inherited(fd: i32, backlog: u32) -> io::Result<Listener> {
        let socket = Socket::from(duplicate(fd)?);
        let not_listening = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        if !matches!(socket.is_listener(), Ok(true)) {
            return Err(not_listening("the descriptor is not a listening socket"));
        }
        socket.set_cloexec(true)?;
        // Whoever bound it may have been content with a shorter queue. On a socket that listens
        // already this sets the length alone, and drops nobody (listen(2)).
        listen(&socket, backlog)?;
        let local = socket.local_addr()?;
        let kind = if local.as_socket().is_some() {
            configure_tcp(&socket)?;
            ListenerKind::Tcp(mio::net::TcpListener::from_std(socket.into()))
        } else if local.is_unix() {
            let listener = mio::net::UnixListener::from_std(socket.into());
            ListenerKind::Unix { listener, _file: None }
        } else {
            return Err(not_listening("the descriptor is neither a TCP nor a unix socket"));
        };
        Ok(Listener { kind, passed: true })
    }

    /// Whether its queue outlives this process.
    pub(super) fn is_passed(&self) -> bool {
        self.passed
    }

    /// The inode of a TCP socket, by which the kernel's tables name it.
    pub fn tcp_inode(&self) -> Option<u64> {
        match &self.kind {
            ListenerKind::Tcp(listener) => Some(rustix::fs::fstat(listener).ok()?.st_ino),
            ListenerKind::Unix { .. } => None,
        }
    }

    /// Where it listens: `127.0.0.1:6443`, `unix:/path`.
    pub fn local_addr(&self) -> String {
        const UNKNOWN: &str = "unknown";
        match &self.kind {
            ListenerKind::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| UNKNOWN.to_owned(), |at| at.to_string())
            }
            ListenerKind::Unix { listener, .. } => match listener.local_addr() {
                Ok(address) => address
                    .as_pathname()
                    .map_or_else(|| "unix".to_owned(), |path| format!("unix:{}", path.display())),
                Err(_) => UNKNOWN.to_owned(),
            },
        }
    }

    /// Accepts one connection without waiting.
    pub(super) fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match &self.kind {
            ListenerKind::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                Ok((Stream::Tcp(stream), Some(address)))
            }
            ListenerKind::Unix { listener, .. } => Ok((Stream::Unix(listener.accept()?.0), None)),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.kind {
            ListenerKind::Tcp(listener) => listener.register(registry, token, Interest::READABLE),
            ListenerKind::Unix { listener, .. } => {
                listener.register(registry, token, Interest::READABLE)
            }
        }
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match &mut self.kind {
            ListenerKind::Tcp(listener) => listener.deregister(registry),
            ListenerKind::Unix { listener, .. } => listener.deregister(registry),
        }
    }
}

/// Sets the options of connections on their listener: accepted sockets inherit them, which saves
/// system calls for each of them.
///
/// The kernel takes no more than [`UNSENT_BYTES`] beyond what the congestion window lets it send. So
/// a client that does not read costs little kernel memory, and one behind a long line is sent as
/// much at a time as the line holds, which a fixed send buffer would prevent (`TCP_NOTSENT_LOWAT`,
/// tcp(7)).
fn configure_tcp(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
}

fn listen(socket: &Socket, backlog: u32) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// A descriptor of our own for what the number `fd` stands for. Standard input can simply be
/// cloned; other numbers have no owner in safe Rust, so the kernel is asked by number.
fn duplicate(fd: i32) -> io::Result<OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    if fd == 0 {
        return io::stdin().as_fd().try_clone_to_owned();
    }
    let this_process = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(this_process, fd, PidfdGetfdFlags::empty())?)
}

/// An accepted connection's socket, which never blocks.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

impl Stream {
    /// Has arriving bytes told of, as edges.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.register(registry, token, Interest::READABLE),
            Stream::Unix(stream) => stream.register(registry, token, Interest::READABLE),
        }
    }

    /// Has room to write told of, too. What has come by now is told once more, so no edge is lost.
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

    /// Ends our half; the client reads the end of the stream behind all that was written.
    pub(super) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    /// Makes the coming close a reset: what a client would not read is dropped at once,
    /// rather than kept by the kernel until it gives up.
    pub(super) fn abort_on_close(&self) {
        if let Stream::Tcp(stream) = self {
            // Should it fail, the close is an ordinary one.
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
    fn accepted_socket_inherits_the_options_of_its_listener() {
        let own = Listener::tcp(([127, 0, 0, 1], 0).into(), 16).unwrap();
        let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let passed = Listener::inherited(std::os::fd::AsRawFd::as_raw_fd(&bound), 16).unwrap();
        for listener in [own, passed] {
            let address: SocketAddr = listener.local_addr().parse().unwrap();
            let _client = std::net::TcpStream::connect(address).unwrap();
            let accepted = loop {
                match listener.accept() {
                    Ok((Stream::Tcp(stream), _)) => break stream,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => panic!("{other:?}"),
                }
            };
            let socket = SockRef::from(&accepted);
            assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
            assert!(socket.tcp_nodelay().unwrap());
        }
    }
}
