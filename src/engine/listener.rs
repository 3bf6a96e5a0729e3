//! Listening sockets: bound here, or inherited from a supervisor.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockAddr, Socket, Type};

use super::limits::UNSENT_BYTES;
use super::socket::Stream;
use super::socket_file::SocketFile;

/// Mode of a socket that the owner's group may connect to: `connect(2)` needs the right to write.
const GROUP_MODE: u32 = 0o660;

/// A bound, listening socket.
#[derive(Debug)]
pub struct Listener {
    kind: ListenerKind,
    /// The supervisor holds the socket, too, and with it the queue.
    inherited: bool,
}

#[derive(Debug)]
enum ListenerKind {
    Tcp(mio::net::TcpListener),
    Unix { listener: mio::net::UnixListener, _file: Option<SocketFile> },
}

impl Listener {
    /// Listens on an IP address. An IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` can be
    /// listened on at the same time.
    ///
    /// # Errors
    /// Those of `socket(2)`, `bind(2)` and `listen(2)`.
    pub fn tcp(address: SocketAddr, backlog: u32) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Else a restarted server could not bind while old connections are in TIME_WAIT.
        socket.set_reuse_address(true)?;
        configure_tcp(&socket)?;
        socket.bind(&SockAddr::from(address))?;
        listen(&socket, backlog)?;
        let listener = mio::net::TcpListener::from_std(socket.into());
        Ok(Listener { kind: ListenerKind::Tcp(listener), inherited: false })
    }

    /// Listens on a unix socket, and removes its file at the end. A socket that a killed process has
    /// left behind is replaced; any other file is kept. The umask decides who may connect.
    ///
    /// # Errors
    /// Those of `socket(2)`, `bind(2)` and `listen(2)`; `AddrInUse` with a
    /// [`SocketPathError`](super::SocketPathError) for a file that is kept.
    pub fn unix(path: &Path, backlog: u32) -> io::Result<Listener> {
        Listener::bind_unix(path, backlog, None)
    }

    /// Listens on a unix socket, as [`Listener::unix`] does, to which this process's user and group may
    /// connect whatever the umask: a proxy whose user is in that group.
    ///
    /// # Errors
    /// Those of [`Listener::unix`] and `chmod(2)`.
    pub fn unix_for_group(path: &Path, backlog: u32) -> io::Result<Listener> {
        Listener::bind_unix(path, backlog, Some(GROUP_MODE))
    }

    fn bind_unix(path: &Path, backlog: u32, mode: Option<u32>) -> io::Result<Listener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let file = SocketFile::bind(&socket, path)?;
        if let Some(mode) = mode {
            file.set_mode(mode)?;
        }
        listen(&socket, backlog)?;
        let listener = mio::net::UnixListener::from_std(socket.into());
        Ok(Listener { kind: ListenerKind::Unix { listener, _file: Some(file) }, inherited: false })
    }

    /// Inherits a socket that the supervisor has bound and passed as descriptor `fd`. Connections
    /// that are in its queue already are accepted first. Those that are in it when the engine stops
    /// are left to the next process, since the supervisor still holds the socket.
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
        // The supervisor may have chosen a shorter queue. On a socket that listens already this only
        // sets the length, and drops no connection (listen(2)).
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
        Ok(Listener { kind, inherited: true })
    }

    /// Returns true if the supervisor holds the socket, too: its queue outlives this process.
    pub(super) fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// Returns the inode of a TCP socket, which identifies it in the kernel's tables.
    pub fn tcp_inode(&self) -> Option<u64> {
        match &self.kind {
            ListenerKind::Tcp(listener) => Some(rustix::fs::fstat(listener).ok()?.st_ino),
            ListenerKind::Unix { .. } => None,
        }
    }

    /// Returns the address: `127.0.0.1:6443`, `unix:/path`.
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

    /// Accepts one connection without blocking.
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
/// `TCP_NOTSENT_LOWAT` (tcp(7)): the kernel takes no more than [`UNSENT_BYTES`] beyond what the
/// congestion window lets it send. So a client that does not read costs little kernel memory, while
/// a connection with a long round trip can have as many bytes in flight as its line holds. A fixed
/// send buffer would limit these, and so the speed.
fn configure_tcp(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)
}

fn listen(socket: &Socket, backlog: u32) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))
}

/// Duplicates the descriptor `fd`. Standard input can be cloned. Any other number has no owner in
/// safe Rust, so the kernel duplicates it by its number (pidfd_getfd(2)).
fn duplicate(fd: i32) -> io::Result<OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    if fd == 0 {
        return io::stdin().as_fd().try_clone_to_owned();
    }
    let this_process = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(this_process, fd, PidfdGetfdFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

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
