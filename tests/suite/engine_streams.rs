//! Streamed responses, whose source is read while they are sent, like a year of history.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use hostile::client::{TEST_TIMEOUT, read_response};
use pumphouse_web::engine::{
    Body, CloseReason, ConnectionState, Drained, Request, Response, Settings, ShedReason,
    StreamBody,
};

use crate::harness::{Program, TestEngine, before_deadline, eventually, get};

const PIECE: usize = 1000;

/// A source of `left` pieces, each of which takes `each`, as on a disk.
struct Pieces {
    left: usize,
    each: Duration,
    /// Names of the threads that have read the source.
    readers: Arc<Mutex<Vec<String>>>,
}

impl StreamBody for Pieces {}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let name = thread::current().name().unwrap_or_default().to_owned();
        self.readers.lock().unwrap().push(name);
        if self.left == 0 {
            return Ok(0);
        }
        self.left -= 1;
        thread::sleep(self.each);
        buffer[..PIECE].fill(b'x');
        Ok(PIECE)
    }
}

/// A source that fails after its first piece.
#[derive(Default)]
struct Broken {
    is_begun: bool,
}

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.is_begun, true) {
            return Err(io::Error::other("read error of the test"));
        }
        buffer[..PIECE].fill(b'x');
        Ok(PIECE)
    }
}

impl StreamBody for Broken {}

/// Returns a service that streams more slowly than any client reads.
fn streams(pieces: usize) -> Program<impl Fn(&Request) -> Response> {
    Program(move |request: &Request| match request.target.path() {
        "/stream" => {
            let each = Duration::from_millis(1);
            let source = Pieces { left: pieces, each, readers: Arc::default() };
            Response::new(Body::Stream(Box::new(source)))
        }
        "/broken" => Response::new(Body::Stream(Box::<Broken>::default())),
        _ => Response::new(Body::from("done")),
    })
}

fn request_on(server: &TestEngine, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.write_all(get(target).as_bytes()).unwrap();
    stream
}

/// A client that reads everything at once.
struct Greedy {
    taken: Arc<AtomicUsize>,
    thread: JoinHandle<io::Result<()>>,
}

impl Greedy {
    fn start(mut stream: TcpStream) -> Greedy {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match stream.read(&mut buffer)? {
                    0 => return Ok(()),
                    length => counted.fetch_add(length, Ordering::SeqCst),
                };
            }
        });
        Greedy { taken, thread }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

#[test]
fn endless_downloads_on_every_worker_delay_no_other_client() {
    before_deadline(|write_timeout| {
        let settings = Settings { workers: 2, write_timeout, ..Settings::default() };
        let server = TestEngine::http(settings, streams(usize::MAX));
        let begun = Instant::now();
        let downloads: Vec<Greedy> =
            (0..4).map(|_| Greedy::start(request_on(&server, "/stream"))).collect();
        let is_late = || begun.elapsed() >= write_timeout;
        let all_read = || downloads.iter().all(|it| it.taken() > 10 * PIECE);
        eventually("each download is read", || all_read() || is_late());

        let mut other = request_on(&server, "/");
        assert!(read_response(&mut other).unwrap().starts_with(b"HTTP/1.1 200"));
        let cut = || server.stats.closed(CloseReason::WriteTimeout);
        let cut_early = cut();
        if is_late() {
            return None;
        }
        assert_eq!(cut_early, 0, "a download was cut before write_timeout");

        for download in downloads {
            let ending = download.thread.join().unwrap();
            assert!(ending.is_err(), "a truncated response must not look complete");
        }
        assert!(is_late(), "the downloads ended before write_timeout");
        eventually("each download is cut by write_timeout", || cut() == 4);
        Some(())
    });
}

#[test]
fn truncated_body_without_a_length_ends_in_a_reset() {
    let server = TestEngine::http(Settings::default(), streams(1));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.write_all(b"GET /broken HTTP/1.0\r\n\r\n").unwrap();
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn stop_cuts_a_download_at_its_deadline() {
    let settings = Settings {
        workers: 1,
        write_timeout: Duration::from_secs(2),
        drain_timeout: TEST_TIMEOUT,
        ..Settings::default()
    };
    let server = TestEngine::http(settings, streams(usize::MAX));
    let download = Greedy::start(request_on(&server, "/stream"));
    eventually("the download is read", || download.taken() > 10 * PIECE);
    assert_eq!(server.engine.drain(), Drained::Complete);
    assert!(download.thread.join().unwrap().is_err());
}

#[test]
fn stop_finishes_a_download_that_is_read() {
    const PIECES: usize = 500;
    let settings = Settings { workers: 1, drain_timeout: TEST_TIMEOUT, ..Settings::default() };
    let server = TestEngine::http(settings, streams(PIECES));
    let download = Greedy::start(request_on(&server, "/stream"));
    eventually("the download is read", || download.taken() > 10 * PIECE);
    assert_eq!(server.engine.drain(), Drained::Complete);
    download.thread.join().unwrap().unwrap();
}

#[test]
fn download_behind_blocked_workers_waits_for_a_worker() {
    // More than the socket's buffers hold, so that the download waits for its client.
    const PIECES: usize = 16_000;
    let (entered, enter) = bounded(1);
    let (release, released) = bounded::<()>(0);
    let readers = Arc::new(Mutex::new(Vec::new()));
    let read_by = Arc::clone(&readers);
    let settings =
        Settings { workers: 1, queue_timeout: Duration::from_millis(200), ..Settings::default() };
    let server = TestEngine::http(
        Settings { write_timeout: TEST_TIMEOUT, ..settings },
        Program(move |request: &Request| match request.target.path() {
            "/stream" => {
                let readers = Arc::clone(&read_by);
                let source = Pieces { left: PIECES, each: Duration::ZERO, readers };
                Response::new(Body::Stream(Box::new(source)))
            }
            "/block" => {
                entered.send(()).unwrap();
                let _ = released.recv_timeout(TEST_TIMEOUT);
                Response::new(Body::from("done"))
            }
            _ => Response::new(Body::from("done")),
        }),
    );
    let download = request_on(&server, "/stream");
    eventually("the client's buffer is full", || {
        server.stats.connections(ConnectionState::Writing) == 1
    });
    let mut blocked = request_on(&server, "/block");
    enter.recv_timeout(TEST_TIMEOUT).unwrap();

    let download = Greedy::start(download);
    server.wait_until_one_waits_behind_one();
    // When this request is shed, the download has waited as long.
    let mut shed = request_on(&server, "/");
    assert!(read_response(&mut shed).unwrap().starts_with(b"HTTP/1.1 503"));
    assert_eq!(server.stats.shed(ShedReason::QueueTimeout), 1, "the download was shed");

    drop(release);
    assert!(read_response(&mut blocked).unwrap().starts_with(b"HTTP/1.1 200"));
    eventually("the download is read to its end", || download.taken() > PIECES * PIECE);
    let readers = readers.lock().unwrap();
    assert!(readers.iter().all(|name| name.starts_with("pw-worker")), "{:?}", readers.last());
}

#[test]
fn download_that_waits_for_a_worker_is_cut_at_its_deadline() {
    let (entered, enter) = bounded(1);
    let (release, released) = bounded::<()>(0);
    let settings =
        Settings { workers: 1, write_timeout: Duration::from_secs(2), ..Settings::default() };
    let server = TestEngine::http(
        settings,
        Program(move |request: &Request| match request.target.path() {
            "/stream" => Response::new(Body::Stream(Box::new(io::repeat(b'x')))),
            _ => {
                entered.send(()).unwrap();
                let _ = released.recv_timeout(TEST_TIMEOUT);
                Response::new(Body::from("done"))
            }
        }),
    );
    let download = Greedy::start(request_on(&server, "/stream"));
    eventually("the download is read", || download.taken() > PIECE);
    let mut blocked = request_on(&server, "/block");
    enter.recv_timeout(TEST_TIMEOUT).unwrap();
    assert!(download.thread.join().unwrap().is_err());
    eventually("the download is cut while the worker is blocked", || {
        server.stats.closed(CloseReason::WriteTimeout) == 1
    });
    drop(release);
    read_response(&mut blocked).unwrap();
}
