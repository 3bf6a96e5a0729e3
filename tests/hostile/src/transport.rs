//! A client's connection, plain or TLS, from a chosen source address.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

/// Address and protocol of a server.
#[derive(Debug, Clone)]
pub struct Transport {
    /// Address of the server.
    pub address: SocketAddr,
    /// TLS configuration; `None`: plain HTTP.
    pub config: Option<Arc<ClientConfig>>,
}

/// A connection on a blocking socket.
pub enum Connection {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Connects from the address `source`, on any port; IPv6 targets from any address. `timeout` bounds the
/// connect and each later read and write.
///
/// # Errors
/// The connection is refused, or not established in time.
pub fn connect_from(
    source: Ipv4Addr,
    target: SocketAddr,
    timeout: Duration,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    if target.is_ipv4() {
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    socket.connect_timeout(&target.into(), timeout)?;
    let socket: TcpStream = socket.into();
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

impl Transport {
    /// Connects as [`connect_from`] does. A TLS handshake begins with the first read or write.
    ///
    /// # Errors
    /// Those of [`connect_from`].
    pub fn connect_from(&self, source: Ipv4Addr, timeout: Duration) -> io::Result<Connection> {
        let socket = connect_from(source, self.address, timeout)?;
        let Some(config) = &self.config else { return Ok(Connection::Plain(socket)) };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Connection::Tls(Box::new(StreamOwned::new(session, socket))))
    }
}

impl Connection {
    /// Bounds each later read.
    ///
    /// # Errors
    /// The kernel rejects the timeout.
    pub fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        let socket = match self {
            Connection::Plain(socket) => socket,
            Connection::Tls(tls) => &tls.sock,
        };
        socket.set_read_timeout(Some(timeout))
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Plain(socket) => socket.read(buffer),
            Connection::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Connection::Plain(socket) => socket.write(bytes),
            Connection::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Connection::Plain(socket) => socket.flush(),
            Connection::Tls(tls) => tls.flush(),
        }
    }
}
