//! Thousands of hostile connections on one thread.
//!
//! Each mode keeps its share of the connections open: what the server closes is opened again,
//! at a bounded rate. Every mode comes from addresses of its own, of which loopback has many.

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

/// Drips, floods and the opening of new connections happen at this pace: often, as clients who
/// know nothing of each other do not come all at the same moment. That is what `burst` is for.
const TICK: Duration = Duration::from_millis(10);

/// Connections that one mode opens in one tick: 600 a second.
const OPENED_AT_A_TICK: usize = 6;

/// Each connection says its drip once a second.
const DRIP_TICKS: usize = 100;

/// A reader that never reads leaves as little room as it may.
const SMALL_BUFFER: usize = 4096;

/// What a swarm does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whom it attacks; loopback only.
    pub target: SocketAddr,
    /// How it speaks TLS.
    pub config: Arc<ClientConfig>,
    /// A target whose response is large.
    pub large: String,
    /// In which modes, each with its share.
    pub modes: Vec<Mode>,
    /// Connections held at the same time, in all modes together.
    pub connections: usize,
    /// Addresses that each mode comes from; but one has only one.
    pub addresses: u8,
    /// The limits that the server is believed to have.
    pub limits: Settings,
}

/// What one mode has come to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Connections opened so far.
    pub opened: u64,
    /// Connections held now.
    pub held: usize,
    /// Connections that the server ended.
    pub closed: u64,
    /// Of these, those that had lived for as long as it allows; the others gave way to newcomers.
    pub due: u64,
    /// The longest that the server let one live.
    pub longest: Duration,
}

/// The swarm's connections.
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
    /// Still to be said.
    pending: Vec<u8>,
    opened: Instant,
}

impl Swarm {
    /// A swarm that has not begun yet.
    ///
    /// # Errors
    /// The target is not on loopback, or there is no epoll instance to be had.
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

    /// Speaks plain HTTP, in the modes that would shake hands over TLS, too.
    pub fn over_plain_http(mut self) -> Swarm {
        self.plain = true;
        self
    }

    /// Binds every client to this one address, in each mode.
    pub fn bound_to(mut self, source: Ipv4Addr) -> Swarm {
        self.source = Some(source);
        self
    }

    /// Number of connections held now.
    pub fn held(&self) -> usize {
        self.clients.len()
    }

    /// Attacks for that long, calling `progress` once a second.
    pub fn run(&mut self, time: Duration, mut progress: impl FnMut(&[(Mode, Tally)])) {
        let mut events = Events::with_capacity(1024);
        let begun = Instant::now();
        let mut next_tick = begun;
        while begun.elapsed() < time {
            let wait = next_tick.saturating_duration_since(Instant::now());
            // An interrupted wait is a short one.
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

    /// What each mode has come to.
    pub fn tallies(&self) -> Vec<(Mode, Tally)> {
        self.plan.modes.iter().copied().zip(self.tallies.iter().copied()).collect()
    }

    fn tick(&mut self) {
        self.ticks += 1;
        for mode in 0..self.plan.modes.len() {
            let share = self.plan.connections / self.plan.modes.len();
            let missing = share.saturating_sub(self.tallies[mode].held);
            for _ in 0..missing.min(OPENED_AT_A_TICK) {
                // A refused or late connection is tried again at the next tick.
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
        let tls = (kind.shakes_hands() && !self.plain).then(|| {
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

    /// Says what is pending and takes what has come, as far as that goes.
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
    /// # Errors
    /// `WouldBlock` when it waits for the server; anything else when the connection has ended.
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
            // One that never reads has no use for more, once it has shaken hands.
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

/// Waits without reading; a reset is noticed all the same.
fn wait_unread(socket: &TcpStream) -> io::Result<()> {
    Err(socket.take_error()?.unwrap_or_else(|| io::ErrorKind::WouldBlock.into()))
}

/// Reads until nothing is there.
fn discard(socket: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        if socket.read(&mut buffer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
