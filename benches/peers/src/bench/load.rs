//! The load generator: one thread and one epoll instance drive all connections and check every
//! response.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use slab::Slab;
use socket2::{Domain, Socket, Type};

/// Parameters of the load.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub tls: Option<Arc<ClientConfig>>,
    pub path: &'static str,
    /// Further fields of each request, each with its CRLF.
    pub fields: &'static str,
    pub connections: usize,
    /// True: connections are kept alive; false: each request has its own connection, without TLS
    /// resumption.
    pub keep_alive: bool,
    pub time: Duration,
}

/// Result of a run.
#[derive(Default)]
pub struct Outcome {
    pub served: u64,
    pub failed: u64,
    pub elapsed: Duration,
    /// Time of each response, from the request, or from the connect if each request has its own.
    latencies: Vec<u32>,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.served as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the time within which this share was served, in milliseconds.
    pub fn quantile(&mut self, share: f64) -> f64 {
        self.latencies.sort_unstable();
        let last = self.latencies.len().saturating_sub(1);
        let at = (share * last as f64).round() as usize;
        f64::from(self.latencies.get(at).copied().unwrap_or_default()) / 1e3
    }
}

struct Client {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    begun: Instant,
    unsent: usize,
    response: Vec<u8>,
}

struct Generator<'a> {
    load: &'a Load,
    request: Vec<u8>,
    poll: Poll,
    clients: Slab<Client>,
    opened: u64,
    outcome: Outcome,
    scratch: Vec<u8>,
}

pub fn run(load: &Load) -> io::Result<Outcome> {
    let close = if load.keep_alive { "" } else { "Connection: close\r\n" };
    let Load { path, fields, .. } = load;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}{fields}\r\n");
    let mut generator = Generator {
        load,
        request: request.into_bytes(),
        poll: Poll::new()?,
        clients: Slab::new(),
        opened: 0,
        outcome: Outcome::default(),
        scratch: vec![0; 64 << 10],
    };
    for _ in 0..load.connections {
        generator.open()?;
    }
    let begun = Instant::now();
    let mut events = Events::with_capacity(1024);
    while begun.elapsed() < load.time {
        generator.poll.poll(&mut events, Some(Duration::from_millis(50)))?;
        for event in &events {
            generator.drive(event.token().0)?;
        }
    }
    generator.outcome.elapsed = begun.elapsed();
    Ok(generator.outcome)
}

/// Opens a connection from one of many addresses, so that ports never run out.
pub fn connect(address: SocketAddr, number: u64) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    let source = Ipv4Addr::new(127, 9, (number / 250 % 250) as u8, 1 + (number % 250) as u8);
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    let in_progress = rustix::io::Errno::INPROGRESS.raw_os_error();
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(in_progress) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

pub fn session(config: &Arc<ClientConfig>) -> io::Result<ClientConnection> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)
}

impl Generator<'_> {
    fn open(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        let mut socket = connect(self.load.address, self.opened)?;
        self.opened += 1;
        let entry = self.clients.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(entry.key()), interest)?;
        let tls = self.load.tls.as_ref().map(session).transpose()?.map(Box::new);
        let unsent = self.request.len();
        entry.insert(Client { socket, tls, begun, unsent, response: Vec::new() });
        Ok(())
    }

    fn drive(&mut self, key: usize) -> io::Result<()> {
        let Some(client) = self.clients.get_mut(key) else { return Ok(()) };
        loop {
            match client.step(&self.request, &mut self.scratch) {
                Ok(true) => {
                    self.outcome.served += 1;
                    let micros = client.begun.elapsed().as_micros();
                    self.outcome.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
                    if !self.load.keep_alive {
                        self.clients.remove(key);
                        return self.open();
                    }
                    client.begun = Instant::now();
                    client.unsent = self.request.len();
                    client.response.clear();
                }
                Ok(false) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                    ) =>
                {
                    return Ok(());
                }
                Err(_) => {
                    self.outcome.failed += 1;
                    self.clients.remove(key);
                    return self.open();
                }
            }
        }
    }
}

impl Client {
    /// Reads and writes as far as possible; returns true if the response is complete.
    fn step(&mut self, request: &[u8], scratch: &mut [u8]) -> io::Result<bool> {
        let from = request.len() - self.unsent;
        let Some(tls) = &mut self.tls else {
            if self.unsent > 0 {
                self.unsent -= self.socket.write(&request[from..])?;
            }
            let length = self.socket.read(scratch)?;
            return self.take(&scratch[..length]);
        };
        if self.unsent > 0 {
            // Before the end of the handshake the request is buffered, and sent with the last flight.
            self.unsent -= tls.writer().write(&request[from..])?;
        }
        while tls.wants_write() {
            tls.write_tls(&mut self.socket)?;
        }
        if tls.read_tls(&mut self.socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        let length = state.plaintext_bytes_to_read().min(scratch.len());
        tls.reader().read_exact(&mut scratch[..length])?;
        if length == 0 { Ok(false) } else { self.take(&scratch[..length]) }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.response.extend_from_slice(bytes);
        is_complete(&self.response)
    }
}

/// Returns true if a response with a `content-length` is complete.
pub fn is_complete(response: &[u8]) -> io::Result<bool> {
    let Some(end) = response.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    let head = std::str::from_utf8(&response[..end]).map_err(io::Error::other)?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(head.lines().next().unwrap_or_default().to_owned()));
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| io::Error::other("no content-length"))?;
    Ok(response.len() >= end + 4 + length)
}
