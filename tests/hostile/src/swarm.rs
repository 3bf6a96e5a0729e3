//! Thousands of hostile connections on one thread.
//!
//! Each mode keeps its share of the connections open: a connection that the server closes is opened
//! again, at a bounded rate. Every mode has its own source addresses, of which loopback has many.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use pumphouse_web::engine::Settings;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use slab::Slab;
use socket2::{Domain, SockRef, Socket, Type};

use crate::client::client_hello;
use crate::mode::Mode;

/// Interval of drips, floods and new connections. It is short, so that connections are spread over
/// time; `burst` opens them at once.
const TICK: Duration = Duration::from_millis(10);

/// Number of connections that a mode opens in one tick: 600 a second.
const OPENED_AT_A_TICK: usize = 6;

/// Number of ticks between two drips of a connection: one a second.
const DRIP_TICKS: usize = 100;

/// Receive buffer of a client that never reads.
const SMALL_BUFFER: usize = 4096;

/// Plan of an attack.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Server to attack, on loopback.
    pub target: SocketAddr,
    /// TLS configuration.
    pub config: Arc<ClientConfig>,
    /// A target whose response is large.
    pub large: String,
    /// Modes, each with an equal share of the connections.
    pub modes: Vec<Mode>,
    /// Number of connections held at the same time, in all modes together.
    pub connections: usize,
    /// Number of source addresses of each mode, except [`Mode::OneAddress`].
    pub addresses: u8,
    /// Limits that the server is expected to have.
    pub limits: Settings,
}

impl Plan {
    /// Returns a plan that requests `/` where the mode needs a large response, from 200 addresses in
    /// each mode, and expects the default limits.
    pub fn new(
        target: SocketAddr,
        config: &Arc<ClientConfig>,
        modes: &[Mode],
        connections: usize,
    ) -> Plan {
        Plan {
            target,
            config: Arc::clone(config),
            large: "/".to_owned(),
            modes: modes.to_vec(),
            connections,
            addresses: 200,
            limits: Settings::default(),
        }
    }
}

/// Connections of one mode.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Number of connections opened so far.
    pub opened: u64,
    /// Number of connections held now.
    pub held: usize,
    /// Number of connections that the server closed.
    pub closed: u64,
    /// Number of these that had used up their allowance; the others were evicted.
    pub due: u64,
    /// Longest lifetime of a closed connection.
    pub longest: Duration,
}

/// The connections of an attack.
pub struct Swarm {
    plan: Plan,
    poll: Poll,
    clients: Slab<Client>,
    tallies: Vec<Tally>,
    hello: Vec<u8>,
    ticks: usize,
    plain: bool,
    source: Option<Ipv4Addr>,
}

struct Client {
    mode: usize,
    socket: TcpStream,
    tls: Option<ClientConnection>,
    /// Bytes still to be sent.
    pending: Vec<u8>,
    opened: Instant,
}

impl Swarm {
    /// Returns a swarm without connections.
    ///
    /// # Errors
    /// The target is not on loopback, or the kernel provides no epoll instance.
    pub fn new(plan: Plan) -> io::Result<Swarm> {
        if !plan.target.ip().is_loopback() {
            return Err(io::Error::other("only a server on loopback may be attacked"));
        }
        let hello = client_hello(&plan.config);
        let tallies = vec![Tally::default(); plan.modes.len()];
        Ok(Swarm {
            poll: Poll::new()?,
            clients: Slab::new(),
            tallies,
            hello,
            ticks: 0,
            plain: false,
            source: None,
            plan,
        })
    }

    /// Uses plain HTTP, also in modes that complete a TLS handshake otherwise.
    pub fn over_plain_http(mut self) -> Swarm {
        self.plain = true;
        self
    }

    /// Binds the clients of all modes to one address.
    pub fn bound_to(mut self, source: Ipv4Addr) -> Swarm {
        self.source = Some(source);
        self
    }

    /// Number of connections held now.
    pub fn held(&self) -> usize {
        self.clients.len()
    }

    /// Attacks for `time`, and calls `progress` once a second.
    pub fn run(&mut self, time: Duration, mut progress: impl FnMut(&[(Mode, Tally)])) {
        let mut events = Events::with_capacity(1024);
        let begun = Instant::now();
        let mut next_tick = begun;
        while begun.elapsed() < time {
            let wait = next_tick.saturating_duration_since(Instant::now());
            // An interrupted wait ends early, which is harmless.
            let _ = self.poll.poll(&mut events, Some(wait));
            let ready: Vec<usize> = events.iter().map(|event| event.token().0).collect();
            for key in ready {
                self.drive(key);
            }
            if Instant::now() >= next_tick {
                next_tick += TICK;
                self.tick();
                if self.ticks.is_multiple_of(DRIP_TICKS) {
                    progress(&self.tallies());
                }
            }
        }
    }

    /// Returns the connections of each mode.
    pub fn tallies(&self) -> Vec<(Mode, Tally)> {
        self.plan.modes.iter().copied().zip(self.tallies.iter().copied()).collect()
    }

    fn tick(&mut self) {
        self.ticks += 1;
        for mode in 0..self.plan.modes.len() {
            let share = self.plan.connections / self.plan.modes.len();
            let missing = share.saturating_sub(self.tallies[mode].held);
            for _ in 0..missing.min(OPENED_AT_A_TICK) {
                // A connect that fails is repeated at the next tick.
                if self.open(mode).is_err() {
                    break;
                }
            }
        }
        let due: Vec<usize> = self
            .clients
            .iter()
            .map(|(key, _)| key)
            .filter(|key| (key + self.ticks).is_multiple_of(DRIP_TICKS))
            .collect();
        for key in due {
            self.drip(key);
        }
    }

    fn open(&mut self, mode: usize) -> io::Result<()> {
        let kind = self.plan.modes[mode];
        let socket = Socket::new(Domain::for_address(self.plan.target), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if self.plan.target.ip().is_ipv4() {
            let host = match kind {
                Mode::OneAddress => 1,
                // A remainder is below its divisor.
                _ => 1 + (self.tallies[mode].opened % u64::from(self.plan.addresses)) as u8,
            };
            let own = Ipv4Addr::new(127, 7, 1 + mode as u8, host);
            let source = self.source.unwrap_or(own);
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        if kind.has_small_buffer() {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        match socket.connect(&self.plan.target.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(error);
            }
            _ => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        let entry = self.clients.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(entry.key()), interest)?;
        let tls = (kind.completes_handshake() && !self.plain).then(|| {
            let name = ServerName::try_from("localhost").expect("a constant name");
            ClientConnection::new(Arc::clone(&self.plan.config), name).expect("a valid config")
        });
        let pending = kind.opening(&self.plan.large, &self.hello);
        entry.insert(Client { mode, socket, tls, pending, opened: Instant::now() });
        self.tallies[mode].opened += 1;
        self.tallies[mode].held += 1;
        Ok(())
    }

    fn drip(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        match self.plan.modes[client.mode] {
            Mode::ConnectReset => {
                let _ = SockRef::from(&client.socket).set_linger(Some(Duration::ZERO));
                self.remove(key);
            }
            mode => {
                if client.pending.is_empty() && !mode.drip().is_empty() {
                    client.pending = mode.drip().to_vec();
                    self.drive(key);
                }
            }
        }
    }

    /// Writes pending bytes and reads responses as far as possible.
    fn drive(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let mode = self.plan.modes[client.mode];
        if let Some(again) = mode.again()
            && client.pending.is_empty()
        {
            client.pending = again;
        }
        let ended = match client.step(mode.reads()) {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => false,
            Err(_) => true,
        };
        if ended {
            let lived = client.opened.elapsed();
            let due = mode.allowance(&self.plan.limits).is_some_and(|most| lived >= most);
            let tally = &mut self.tallies[client.mode];
            tally.closed += 1;
            tally.due += u64::from(due);
            tally.longest = tally.longest.max(lived);
            self.remove(key);
        }
    }

    fn remove(&mut self, key: usize) {
        let client = self.clients.remove(key);
        self.tallies[client.mode].held -= 1;
    }
}

impl Client {
    /// Writes and reads as far as possible.
    ///
    /// # Errors
    /// `WouldBlock` if the connection waits for the server; any other error if it has ended.
    fn step(&mut self, reads: bool) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            while !self.pending.is_empty() {
                let written = self.socket.write(&self.pending)?;
                self.pending.drain(..written);
            }
            return if reads { discard(&mut self.socket) } else { wait_unread(&self.socket) };
        };
        loop {
            if !self.pending.is_empty() && !tls.is_handshaking() {
                let taken = tls.writer().write(&self.pending)?;
                self.pending.drain(..taken);
            }
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
            // A client that never reads stops reading after the handshake.
            if !reads && !tls.is_handshaking() {
                return wait_unread(&self.socket);
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            tls.reader().read_exact(&mut plain)?;
            if state.peer_has_closed() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Returns `WouldBlock` without reading, or the error of a reset.
fn wait_unread(socket: &TcpStream) -> io::Result<()> {
    Err(socket.take_error()?.unwrap_or_else(|| io::ErrorKind::WouldBlock.into()))
}

/// Reads and discards until the socket would block.
fn discard(socket: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        if socket.read(&mut buffer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
