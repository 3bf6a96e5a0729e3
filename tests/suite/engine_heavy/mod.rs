//! Heavy requests: permits, lanes, and streams, over an engine in this process.

mod lanes;
mod permits;
mod streams;

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::transport::connect_from;
use pumphouse_web::engine::{
    Activity, Body, ConnectionState, Continuation, Lane, Refusal, Reply, Request, RequestHead,
    Response, Service, Settings, StreamBody,
};

use crate::harness::{TestEngine, eventually, get};

/// A service whose heavy requests run in pieces of a millisecond each.
#[derive(Clone, Default)]
struct HeavyService(Arc<Ledger>);

/// Record of the work that has run, and the switch that ends it.
#[derive(Default)]
struct Ledger {
    /// Paths whose work has begun and not ended.
    running: Mutex<HashSet<String>>,
    /// Number of pieces that run now.
    executing: AtomicUsize,
    /// Largest number of pieces that ran at the same time.
    most: AtomicUsize,
    /// Paths in the order in which their work began.
    begun: Mutex<Vec<String>>,
    /// Number of pieces that have run.
    pieces: AtomicUsize,
    /// Ends endless work.
    stop: AtomicBool,
}

impl Ledger {
    fn begin(&self, path: &str) {
        self.begun.lock().unwrap().push(path.to_owned());
        self.running.lock().unwrap().insert(path.to_owned());
    }

    fn has_begun(&self, path: &str) -> bool {
        self.begun.lock().unwrap().iter().any(|begun| begun == path)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Returns work of `left` pieces; `usize::MAX` is endless.
fn work(ledger: Arc<Ledger>, lane: Lane, left: usize, path: String) -> Continuation {
    Box::new(move |_, _| {
        if !ledger.running.lock().unwrap().contains(&path) {
            ledger.begin(&path);
        }
        ledger.pieces.fetch_add(1, Ordering::SeqCst);
        let executing = ledger.executing.fetch_add(1, Ordering::SeqCst) + 1;
        ledger.most.fetch_max(executing, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(1));
        ledger.executing.fetch_sub(1, Ordering::SeqCst);
        let endless = left == usize::MAX && !ledger.stop.load(Ordering::SeqCst);
        if endless || (1..usize::MAX).contains(&left) {
            let left = if endless { left } else { left - 1 };
            return Reply::Heavy { lane, work: work(ledger, lane, left, path) };
        }
        ledger.running.lock().unwrap().remove(&path);
        Response::new(Body::from(path)).into()
    })
}

/// A source of `left` bytes, each after one `WouldBlock`.
struct Drip {
    left: usize,
    paused: bool,
}

impl StreamBody for Drip {}

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.paused = !self.paused;
        if self.paused {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.left == 0 {
            return Ok(0);
        }
        self.left -= 1;
        buffer[0] = b'x';
        Ok(1)
    }
}

impl Service for HeavyService {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        let ledger = Arc::clone(&self.0);
        let path = request.target.path().to_owned();
        let kind = path.split('/').nth(1).unwrap_or_default();
        let heavy = |left| Reply::Heavy {
            lane: Lane::Bulk,
            work: work(Arc::clone(&ledger), Lane::Bulk, left, path.clone()),
        };
        let body = |body: fn() -> Body| Reply::Heavy {
            lane: Lane::Bulk,
            work: Box::new(move |_, _| Response::new(body()).into()),
        };
        match kind {
            "endless" => heavy(usize::MAX),
            "short" => heavy(20),
            "interactive" => {
                let lane = Lane::Interactive;
                Reply::Heavy { lane, work: work(ledger, lane, usize::MAX, path) }
            }
            "hold" => {
                let interactive = path.contains("interactive");
                let lane = if interactive { Lane::Interactive } else { Lane::Bulk };
                let work = move |_: &Request, _: &Activity| {
                    ledger.executing.fetch_add(1, Ordering::SeqCst);
                    eventually("the test ends the work", || ledger.stop.load(Ordering::SeqCst));
                    ledger.executing.fetch_sub(1, Ordering::SeqCst);
                    Response::new(Body::from(path)).into()
                };
                Reply::Heavy { lane, work: Box::new(work) }
            }
            "switch" => Reply::Heavy {
                lane: Lane::Bulk,
                work: Box::new(move |_, _| {
                    let lane = Lane::Interactive;
                    Reply::Heavy { lane, work: work(ledger, lane, usize::MAX, path) }
                }),
            },
            "or" => Reply::HeavyOr {
                lane: Lane::Bulk,
                max_wait: Duration::from_millis(50),
                work: Box::new(|_, _| Response::new(Body::from("with")).into()),
                fallback: Box::new(|_, _| Response::new(Body::from("without")).into()),
            },
            "panic" => Reply::Heavy {
                lane: Lane::Bulk,
                work: Box::new(|_, _| panic!("a defect of the program, for the test")),
            },
            "stream" => body(|| Body::Stream(Box::new(io::repeat(b'x')))),
            "drip" => body(|| Body::Stream(Box::new(Drip { left: 100, paused: false }))),
            _ => Response::new(Body::from(path)).into(),
        }
    }

    fn refuse(&self, refusal: Refusal, _: Option<RequestHead<'_>>) -> Response {
        http::Response::builder()
            .status(refusal.status())
            .header("Retry-After", "1")
            .body(Body::from(refusal.detail()))
            .unwrap()
    }
}

fn start(settings: Settings) -> (TestEngine, Arc<Ledger>) {
    let program = HeavyService::default();
    let ledger = Arc::clone(&program.0);
    (TestEngine::http(settings, program), ledger)
}

fn one_permit() -> Settings {
    let (workers, heavy_requests) = (4, 1);
    // Longer than any test waits.
    let (queue_timeout, write_timeout) = (TEST_TIMEOUT * 10, TEST_TIMEOUT * 10);
    Settings { workers, heavy_requests, queue_timeout, write_timeout, ..Settings::default() }
}

/// Connects from 127.0.0.`last`: each address is a client of its own.
fn client(server: &TestEngine, last: u8) -> TcpStream {
    connect_from(Ipv4Addr::new(127, 0, 0, last), server.address, TEST_TIMEOUT).unwrap()
}

fn request_on(server: &TestEngine, last: u8, target: &str) -> TcpStream {
    let mut stream = client(server, last);
    stream.write_all(get(target).as_bytes()).unwrap();
    stream
}

fn response(stream: &mut TcpStream) -> String {
    String::from_utf8(read_response(stream).unwrap()).unwrap()
}

fn ask(server: &TestEngine, last: u8, target: &str) -> String {
    response(&mut request_on(server, last, target))
}

fn wait_until_queued(server: &TestEngine, number: u64) {
    eventually("the connections wait for a permit", || {
        server.stats.connections(ConnectionState::Queued) >= number
    });
}
