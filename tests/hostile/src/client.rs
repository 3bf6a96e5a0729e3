//! Hostile clients on blocking sockets, with a bound on every wait.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::mode::Mode;

/// End of a connection that the server closed.
#[derive(Debug)]
pub struct Ending {
    /// Bytes that the server sent, decrypted.
    pub received: Vec<u8>,
    /// Time from the connect to the end.
    pub after: Duration,
}

/// Bound on every wait of a test. A test that reaches it has failed.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Time between two dripped bytes.
const DRIP: Duration = Duration::from_millis(100);

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A hostile client that holds its connection.
pub struct Client {
    mode: Mode,
    begun: Instant,
    link: Link,
}

enum Link {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// Connects over TLS and completes the handshake.
pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Tls> {
    let socket = connect(address)?;
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, TEST_TIMEOUT)?;
    socket.set_read_timeout(Some(TEST_TIMEOUT))?;
    socket.set_write_timeout(Some(TEST_TIMEOUT))?;
    Ok(socket)
}

impl Client {
    /// Connects and sends what the mode sends first.
    pub fn start(
        mode: Mode,
        address: SocketAddr,
        config: &Arc<ClientConfig>,
    ) -> io::Result<Client> {
        let begun = Instant::now();
        let opening = mode.opening("/large", &client_hello(config));
        let link = if mode.completes_handshake() {
            let mut tls = connect_tls(address, config)?;
            tls.write_all(&opening)?;
            tls.flush()?;
            if mode == Mode::Idle {
                read_response(&mut tls)?;
            }
            if mode == Mode::CloseHalfway {
                tls.sock.shutdown(std::net::Shutdown::Write)?;
            }
            Link::Tls(Box::new(tls))
        } else {
            let mut socket = connect(address)?;
            socket.write_all(&opening)?;
            Link::Plain(socket)
        };
        Ok(Client { mode, begun, link })
    }

    /// Holds the connection until the server closes it.
    pub fn hold(mut self) -> Ending {
        let drips = matches!(self.mode, Mode::DripHead | Mode::DripBody);
        if drips {
            self.drip();
        }
        if self.mode == Mode::NeverRead {
            self.wait_unread();
        }
        let mut received = Vec::new();
        match &mut self.link {
            Link::Plain(socket) => read_to_end(socket, &mut received),
            Link::Tls(tls) => read_to_end(tls, &mut received),
        }
        Ending { received, after: self.begun.elapsed() }
    }

    /// Sends a byte at a time until the server responds or closes the connection.
    fn drip(&mut self) {
        let Link::Tls(tls) = &mut self.link else { return };
        tls.sock.set_read_timeout(Some(DRIP)).unwrap();
        while self.begun.elapsed() < TEST_TIMEOUT {
            if tls.write_all(b"x").and_then(|()| tls.flush()).is_err() {
                break;
            }
            // Returns at once for a response or an end, and otherwise after the time of one drip.
            let mut peeked = [0; 1];
            match tls.sock.peek(&mut peeked) {
                Err(error) if is_timeout(&error) => {}
                _ => break,
            }
        }
        tls.sock.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    }

    /// Waits without reading until the server has reset the connection.
    fn wait_unread(&self) {
        let Link::Tls(tls) = &self.link else { return };
        while self.begun.elapsed() < TEST_TIMEOUT {
            match tls.sock.take_error() {
                Ok(None) => std::thread::sleep(DRIP),
                _ => return,
            }
        }
    }
}

/// Returns the bytes of a real ClientHello.
pub fn client_hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut hello = Vec::new();
    session.write_tls(&mut hello).unwrap();
    hello
}

/// Reads one response, with a `content-length` or chunked, and returns its bytes.
pub fn read_response(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = response.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&response[..end]).to_ascii_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            let chunked = head.contains("transfer-encoding: chunked");
            if chunked && response[end + 4..].ends_with(b"0\r\n\r\n")
                || !chunked && response.len() >= end + 4 + length
            {
                return Ok(response);
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            some => response.extend_from_slice(&buffer[..some]),
        }
    }
}

/// Reads until the stream ends or is reset.
fn read_to_end(stream: &mut impl Read, received: &mut Vec<u8>) {
    match stream.read_to_end(received) {
        Err(error) if is_timeout(&error) => {
            panic!("the server did not end the connection within {TEST_TIMEOUT:?}")
        }
        _ => {}
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
