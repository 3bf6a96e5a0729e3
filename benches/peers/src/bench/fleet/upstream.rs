//! Upstream of a fleet: one thread and one epoll instance that answer every source at any rate, or
//! leave every request without an answer, and count the requests.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

/// Request to the upstream.
#[derive(Debug, Clone, Copy)]
pub struct Polled {
    /// Number of the source.
    pub source: u32,
    pub at: Instant,
}

/// Handle to an upstream, which runs until the benchmark ends.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// True while requests are left without an answer.
    hangs: AtomicBool,
    count: AtomicU64,
    polls: Mutex<Vec<Polled>>,
}

impl Upstream {
    pub fn start() -> io::Result<Upstream> {
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let server = Server {
            listener,
            poll,
            clients: Slab::new(),
            shared: Arc::clone(&shared),
            answers: 0,
        };
        std::thread::spawn(move || server.run());
        Ok(Upstream { address, shared })
    }

    /// Starts an upstream that accepts connections and requests, and never answers.
    pub fn start_hung() -> io::Result<Upstream> {
        let upstream = Upstream::start()?;
        upstream.shared.hangs.store(true, Ordering::Relaxed);
        Ok(upstream)
    }

    /// Returns the number of requests so far.
    pub fn count(&self) -> u64 {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Returns the requests since the last call, in their order.
    pub fn take_polls(&self) -> Vec<Polled> {
        std::mem::take(&mut *self.shared.polls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const LISTENER: Token = Token(usize::MAX);

/// Longest head of a request.
const MAX_HEAD: usize = 8 << 10;

struct Server {
    listener: TcpListener,
    poll: Poll,
    clients: Slab<Client>,
    shared: Arc<Shared>,
    /// Number of answers, from which the values are computed.
    answers: u64,
}

struct Client {
    socket: TcpStream,
    head: Vec<u8>,
}

impl Server {
    fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            if self.poll.poll(&mut events, Some(Duration::from_secs(1))).is_err() {
                continue;
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    Token(key) => self.read(key),
                }
            }
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((mut socket, _)) => {
                    let entry = self.clients.vacant_entry();
                    let token = Token(entry.key());
                    let registry = self.poll.registry();
                    if registry.register(&mut socket, token, Interest::READABLE).is_ok() {
                        entry.insert(Client { socket, head: Vec::new() });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn read(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let mut buffer = [0; 4096];
        loop {
            match client.socket.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => {
                    client.head.extend_from_slice(&buffer[..length]);
                    if client.head.ends_with(b"\r\n\r\n") {
                        let Some(source) = source(&client.head) else { break };
                        client.head.clear();
                        let polled = Polled { source, at: Instant::now() };
                        self.shared.count.fetch_add(1, Ordering::Relaxed);
                        let polls = &self.shared.polls;
                        polls.lock().unwrap_or_else(PoisonError::into_inner).push(polled);
                        if self.shared.hangs.load(Ordering::Relaxed) {
                            continue;
                        }
                        self.answers += 1;
                        let answer = answer(source, self.answers);
                        if client.socket.write_all(answer.as_bytes()).is_err() {
                            break;
                        }
                    } else if client.head.len() > MAX_HEAD {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        self.clients.remove(key);
    }
}

/// Returns the number of the source that a request names: `GET /source/17 HTTP/1.1`.
fn source(head: &[u8]) -> Option<u32> {
    let head = std::str::from_utf8(head).ok()?;
    head.strip_prefix("GET /source/")?.split_once(' ')?.0.parse().ok()
}

/// Returns a response with four values that differ from those of the last poll, observed now.
fn answer(source: u32, number: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let phase = (now % 86_400) as f64 / 86_400.0 * std::f64::consts::TAU + f64::from(source);
    let level = 50.0 + 40.0 * phase.sin() + (number % 10) as f64 / 10.0;
    let body = format!(
        r#"{{"at":{now},"line":{{"level":{level:.1},"depth":{:.2},"volume":{:.0},"pressure":{:.2}}}}}"#,
        level * 0.58,
        level * 14.0,
        30.0 + phase.cos() + (number % 7) as f64 / 100.0,
    );
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Distribution of requests over the interval of the sources.
pub struct Evenness {
    /// Requests in the busiest tenth of the interval over a tenth of all.
    pub busiest_tenth: f64,
    /// Longest time from one request of a source to its next one, or to the end, over the interval.
    pub longest_gap: f64,
    /// Requests for each source and interval.
    pub per_interval: f64,
}

/// Returns the distribution of the requests between two times.
pub fn evenness(
    polls: &[Polled],
    sources: usize,
    interval: Duration,
    (begin, end): (Instant, Instant),
) -> Evenness {
    let within = || polls.iter().filter(|polled| (begin..end).contains(&polled.at));
    let mut tenths = [0_u32; 10];
    let mut latest: HashMap<u32, Instant> = HashMap::new();
    let mut longest = Duration::ZERO;
    for polled in within() {
        let phase = polled.at.duration_since(begin).as_secs_f64() / interval.as_secs_f64();
        tenths[(phase.fract() * 10.0) as usize % 10] += 1;
        let before = latest.insert(polled.source, polled.at).unwrap_or(begin);
        longest = longest.max(polled.at.duration_since(before));
    }
    let silent = (0..sources as u32).map(|source| latest.get(&source).copied().unwrap_or(begin));
    for before in silent {
        longest = longest.max(end.saturating_duration_since(before));
    }
    let all: u32 = tenths.iter().sum();
    let intervals = end.duration_since(begin).as_secs_f64() / interval.as_secs_f64();
    Evenness {
        busiest_tenth: f64::from(tenths.into_iter().max().unwrap_or(0)) * 10.0
            / f64::from(all.max(1)),
        longest_gap: longest.as_secs_f64() / interval.as_secs_f64(),
        per_interval: f64::from(all) / intervals / sources.max(1) as f64,
    }
}
