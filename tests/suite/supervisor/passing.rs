//! Restarts behind a passed socket, which lose no request.
//!
//! A restart by supervisord takes seconds, because it waits for supervisord's main loop and for
//! `startsecs`. So one test makes a hundred restarts itself: it holds the socket as supervisord's
//! fcgi-program does, and passes it as standard input. Another has supervisord make five.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hostile::client::{TEST_TIMEOUT, read_response};
use hostile::config::Config;

use super::{Control, FCGI_EXAMPLE, Supervisord, free_port};
use crate::harness::{eventually, get};
use crate::process::Process;
use crate::server::BINARY;

/// Interval between requests: 200 a second.
const SPACING: Duration = Duration::from_millis(5);

/// Number of clients that take turns, so that some can wait while a server is replaced.
const CLIENTS: usize = 40;

/// Clients that connect at a steady rate, each on a fresh connection.
struct Load {
    address: SocketAddr,
    begun: Instant,
    next: AtomicU32,
    served: AtomicU32,
    lost: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Load {
    /// Sends requests to the address while `during` runs. Returns the number that were served.
    fn on(address: SocketAddr, during: impl FnOnce(&Load)) -> u32 {
        let load = Load {
            address,
            begun: Instant::now(),
            next: AtomicU32::new(0),
            served: AtomicU32::new(0),
            lost: Mutex::new(Vec::new()),
            stop: AtomicBool::new(false),
        };
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| load.visit());
            }
            // Also after a panic, which would otherwise leave the clients running.
            let _stop = StopAtEnd(&load.stop);
            during(&load);
        });
        let lost = load.lost.into_inner().unwrap();
        assert!(lost.is_empty(), "{} of {:?} lost: {lost:#?}", lost.len(), load.next);
        load.served.into_inner()
    }

    fn visit(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            let turn = self.next.fetch_add(1, Ordering::SeqCst);
            let due = self.begun + SPACING * turn;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            match self.request() {
                Ok(response) if response.starts_with(b"HTTP/1.1 200") => {
                    self.served.fetch_add(1, Ordering::SeqCst);
                }
                Ok(response) => {
                    let response = String::from_utf8_lossy(&response).into_owned();
                    self.lost.lock().unwrap().push(response);
                }
                Err(error) => self.lost.lock().unwrap().push(error.to_string()),
            }
        }
    }

    fn request(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.address, TEST_TIMEOUT)?;
        stream.set_read_timeout(Some(TEST_TIMEOUT))?;
        stream.write_all(get("/ping").as_bytes())?;
        read_response(&mut stream)
    }

    /// Waits until `count` more requests have been served.
    fn wait_for_more(&self, count: u32) {
        let before = self.served.load(Ordering::SeqCst);
        eventually("requests are served", || self.served.load(Ordering::SeqCst) > before + count);
    }
}

/// Stops the clients when dropped.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Starts a `serve` with the held socket as its standard input, and waits until it listens.
fn start(folder: &Path, held: &TcpListener) -> Process {
    let mut command = Command::new(BINARY);
    command
        .args(["serve", "--no-tls", "--listen", "fd:0", "--admin-listen", "127.0.0.1:0"])
        .current_dir(folder)
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("RUST_LOG")
        .stdin(OwnedFd::from(held.try_clone().unwrap()));
    let process = Process::start_logged(&mut command);
    process.log().wait_for("admin listener on");
    process
}

#[test]
fn hundred_restarts_under_load_lose_no_request() {
    let folder = tempfile::tempdir().unwrap();
    Config::new().open().write(folder.path());
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let served = Load::on(held.local_addr().unwrap(), |load| {
        for _ in 0..100 {
            let mut server = start(folder.path(), &held);
            load.wait_for_more(3);
            assert_eq!(server.stop(), Some(0));
        }
        let mut last = start(folder.path(), &held);
        load.wait_for_more(3);
        // The clients end before this server is stopped.
        load.stop.store(true, Ordering::SeqCst);
        eventually("the last requests are served", || {
            load.served.load(Ordering::SeqCst) + load.lost.lock().unwrap().len() as u32
                == load.next.load(Ordering::SeqCst)
        });
        assert_eq!(last.stop(), Some(0));
    });
    assert!(served > 400, "{served}");
}

#[test]
fn socket_held_by_supervisord_loses_no_request_at_restarts() {
    let port = free_port();
    let config = Config::new().open().set("server.admin_listen", "unix:admin.sock");
    let (section, _) = FCGI_EXAMPLE.split_once("[eventlistener").unwrap();
    let section = section.replace("0.0.0.0:6443", &format!("127.0.0.1:{port}"));
    let supervisord = Supervisord::start(Control::Unix, &config, &section);
    let server = "pumphouse-web:pumphouse-web-0";
    eventually("it runs", || supervisord.is_running(server));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    Load::on(address, |load| {
        load.wait_for_more(3);
        for _ in 0..5 {
            let printed = supervisord.control(&["restart", server]);
            assert!(printed.contains("started"), "{printed}");
            load.wait_for_more(3);
        }
    });
    let log = supervisord.read("supervisord.log");
    assert_eq!(log.matches("stopped: pumphouse-web-0 (exit status 0)").count(), 5, "{log}");
}

/// During a stop the server accepts no connection that waits at the passed socket, because a client
/// that sends nothing yet would be accepted and lost.
#[test]
fn connection_queued_at_a_stop_is_served_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    Config::new().open().write(folder.path());
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let mut first = start(folder.path(), &held);
    // Half a request keeps the drain running.
    let mut half = TcpStream::connect(address).unwrap();
    half.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    half.write_all(b"GET /ping HTTP/1.1\r\nHost: local").unwrap();
    let mut idle = TcpStream::connect(address).unwrap();
    idle.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    idle.write_all(get("/ping").as_bytes()).unwrap();
    read_response(&mut idle).unwrap();
    first.signal("TERM");
    // Idle connections are closed at the start of the drain.
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0);

    let mut waiting: Vec<TcpStream> =
        (0..5).map(|_| TcpStream::connect(address).unwrap()).collect();
    half.write_all(b"host\r\n\r\n").unwrap();
    assert!(read_response(&mut half).unwrap().starts_with(b"HTTP/1.1 200"));
    assert_eq!(first.wait().code(), Some(0));
    let mut second = start(folder.path(), &held);
    for stream in &mut waiting {
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(get("/ping").as_bytes()).unwrap();
        assert!(read_response(stream).unwrap().starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(second.stop(), Some(0));
}
